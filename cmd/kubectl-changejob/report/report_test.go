package report

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }

func configMap(name string, fields ...string) v1alpha.ResourceReference {
	return v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: name, Fields: fields}
}

func watcher(references ...v1alpha.ResourceReference) *v1alpha.ChangeTriggeredJob {
	return &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "watcher", UID: "uid", Generation: 2},
		Spec:       v1alpha.ChangeTriggeredJobSpec{Resources: references},
	}
}

func condition(conditionType string, status metav1.ConditionStatus, reason string) metav1.Condition {
	return metav1.Condition{Type: conditionType, Status: status, Reason: reason, Message: "about " + reason}
}

func conditions(available, progressing, degraded metav1.Condition) []metav1.Condition {
	return []metav1.Condition{available, progressing, degraded}
}

var (
	available = condition(trigger.ConditionAvailable, "True", trigger.ReasonWatching)
	idle      = condition(trigger.ConditionProgressing, "False", trigger.ReasonIdle)
	healthy   = condition(trigger.ConditionDegraded, "False", trigger.ReasonAsExpected)
)

func waiting(reason string) metav1.Condition {
	return condition(trigger.ConditionProgressing, "True", reason)
}

func degraded(reason string) metav1.Condition {
	return condition(trigger.ConditionDegraded, "True", reason)
}

func TestTheStateIsWhatMattersMost(t *testing.T) {
	suspended := func(c *v1alpha.ChangeTriggeredJob) { c.Spec.Suspend = new(true) }
	triggered := func(c *v1alpha.ChangeTriggeredJob) { c.Status.LastTriggeredTime = at(-20 * time.Second) }
	pending := func(c *v1alpha.ChangeTriggeredJob) {
		c.Status.ResourceHashes = []v1alpha.ResourceHash{{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: "a",
			Fields: []v1alpha.FieldHash{{Field: "*", Hash: "2", LastTriggeredHash: "1"}}}}
	}
	for does, test := range map[string]struct {
		conditions []metav1.Condition
		edits      []func(*v1alpha.ChangeTriggeredJob)
		state      string
		degraded   bool
		next       Next
	}{
		"nobody has looked": {
			state: StateNotObserved, next: Next{Message: "after the first look at what is watched"},
		},
		"nothing waits": {
			conditions: conditions(available, idle, healthy), state: trigger.ReasonIdle, next: Next{Message: "when something changes"},
		},
		"nothing waits, and what changes now will": {
			conditions: conditions(available, idle, healthy), edits: []func(*v1alpha.ChangeTriggeredJob){triggered},
			state: trigger.ReasonIdle, next: Next{Message: "when something changes", NotBefore: at(40 * time.Second)},
		},
		"the last Job failed, and nothing waits": {
			conditions: conditions(available, idle, degraded(trigger.ReasonLastJobFailed)), state: trigger.ReasonIdle, degraded: true,
			next: Next{Message: "when something changes"},
		},
		"the cooldown": {
			conditions: conditions(available, waiting(trigger.ReasonCooldown), healthy), edits: []func(*v1alpha.ChangeTriggeredJob){triggered, pending},
			state: trigger.ReasonCooldown, next: Next{Time: at(40 * time.Second), NotBefore: at(40 * time.Second), Message: "when the cooldown ends"},
		},
		"the others": {
			conditions: conditions(available, waiting(trigger.ReasonWaitingForAll), healthy), edits: []func(*v1alpha.ChangeTriggeredJob){pending},
			state: trigger.ReasonWaitingForAll, next: Next{Message: "when the other resources have changed, too"},
		},
		"resume, with something pending": {
			conditions: conditions(available, waiting(trigger.ReasonSuspended), healthy), edits: []func(*v1alpha.ChangeTriggeredJob){suspended, pending},
			state: trigger.ReasonSuspended, next: Next{Message: "after resume"},
		},
		"resume, with nothing pending": {
			conditions: conditions(available, idle, healthy), edits: []func(*v1alpha.ChangeTriggeredJob){suspended},
			state: trigger.ReasonSuspended, next: Next{Message: "when something changes, after resume"},
		},
		"a Job that runs": {
			conditions: conditions(available, waiting(trigger.ReasonJobRunning), healthy), edits: []func(*v1alpha.ChangeTriggeredJob){pending},
			state: trigger.ReasonJobRunning, next: Next{Message: "when the running Job has ended"},
		},
		"nothing but the operator": {
			conditions: conditions(available, waiting(trigger.ReasonTriggering), healthy), state: trigger.ReasonTriggering, next: Next{Time: at(0), Message: "now"},
		},
		"a Job runs, and nothing waits": {
			conditions: conditions(available, waiting(trigger.ReasonJobActive), healthy), state: trigger.ReasonJobActive, next: Next{Message: "when something changes"},
		},
		"a Job that was refused": {
			conditions: conditions(available, waiting(trigger.ReasonJobNotCreated), degraded(trigger.ReasonJobNotCreated)),
			edits:      []func(*v1alpha.ChangeTriggeredJob){pending},
			state:      trigger.ReasonJobNotCreated, degraded: true, next: Next{Message: "when the API server takes the Job, which is tried again and again"},
		},
		"a wait that this plugin does not know": {
			conditions: conditions(available, waiting("FullMoon"), healthy), edits: []func(*v1alpha.ChangeTriggeredJob){pending},
			state: "FullMoon", next: Next{Message: "when what it waits for is there"},
		},
		"a wait that it does not know, with a time that may mean anything": {
			conditions: conditions(available, metav1.Condition{Type: trigger.ConditionProgressing, Status: "True", Reason: "FullMoon",
				Message: "the moon of 2026-11-29T11:00:00Z is gone, the next rises at 2026-11-29T13:00:00Z"}, healthy),
			edits: []func(*v1alpha.ChangeTriggeredJob){pending},
			state: "FullMoon", next: Next{Message: "when what it waits for is there"},
		},
		"a window": {
			conditions: conditions(available, metav1.Condition{Type: trigger.ConditionProgressing, Status: "True", Reason: trigger.ReasonOutsideWindow,
				Message: "outside of all windows, the next one opens at 2026-11-29T13:00:00Z"}, healthy),
			edits: []func(*v1alpha.ChangeTriggeredJob){pending},
			state: trigger.ReasonOutsideWindow, next: Next{Time: at(time.Hour), NotBefore: at(time.Hour), Message: "when the next window opens"},
		},
		"a window that opens when the cooldown still lasts, and may be closed after it": {
			conditions: conditions(available, metav1.Condition{Type: trigger.ConditionProgressing, Status: "True", Reason: trigger.ReasonOutsideWindow,
				Message: "outside of all windows, the next one opens at 2026-11-29T12:00:10Z"}, healthy),
			edits: []func(*v1alpha.ChangeTriggeredJob){pending, triggered},
			state: trigger.ReasonOutsideWindow, next: Next{NotBefore: at(40 * time.Second), Message: "when a window is open and the cooldown has ended"},
		},
		"a window of which nothing but the name of a selection tells a time": {
			conditions: conditions(available, metav1.Condition{Type: trigger.ConditionProgressing, Status: "True", Reason: trigger.ReasonOutsideWindow,
				Message: "ConfigMap default/[until 2027-01-01T00:00:00Z of their time] changed; outside of all windows, and none opens within five years"}, healthy),
			edits: []func(*v1alpha.ChangeTriggeredJob){pending},
			state: trigger.ReasonOutsideWindow, next: Next{Message: "when the next window opens"},
		},
		"a wait whose end is over": {
			conditions: conditions(available, metav1.Condition{Type: trigger.ConditionProgressing, Status: "True", Reason: trigger.ReasonOutsideWindow,
				Message: "outside of all windows, the next one opens at 2026-11-29T11:00:00Z"}, healthy),
			edits: []func(*v1alpha.ChangeTriggeredJob){pending},
			state: trigger.ReasonOutsideWindow, next: Next{Message: "when the next window opens"},
		},
		"a Job that was refused with a time": {
			conditions: conditions(available, metav1.Condition{Type: trigger.ConditionProgressing, Status: "True", Reason: trigger.ReasonJobNotCreated,
				Message: "refused until 2026-11-29T13:00:00Z"}, degraded(trigger.ReasonJobNotCreated)),
			edits: []func(*v1alpha.ChangeTriggeredJob){pending},
			state: trigger.ReasonJobNotCreated, degraded: true, next: Next{Message: "when the API server takes the Job, which is tried again and again"},
		},
		"an object that cannot be seen": {
			conditions: conditions(condition(trigger.ConditionAvailable, "False", trigger.ReasonForbidden), idle, degraded(trigger.ReasonForbidden)),
			state:      trigger.ReasonForbidden, degraded: true, next: Next{Message: "when something changes"},
		},
		"a spec that cannot work": {
			conditions: conditions(condition(trigger.ConditionAvailable, "False", trigger.ReasonInvalidSpec), idle, degraded(trigger.ReasonInvalidSpec)),
			state:      trigger.ReasonInvalidSpec, degraded: true, next: Next{Message: "when the spec is mended"},
		},
		"a first look": {
			conditions: conditions(condition(trigger.ConditionAvailable, "Unknown", trigger.ReasonFirstLook), idle, healthy),
			state:      trigger.ReasonFirstLook, next: Next{Message: "after the first look at what is watched"},
		},
	} {
		t.Run(does, func(t *testing.T) {
			ctj := watcher(configMap("a"))
			ctj.Status.Conditions = test.conditions
			for _, edit := range test.edits {
				edit(ctj)
			}
			s := SummaryOf(ctj, now)
			assert.Equal(t, test.state, s.State)
			assert.Equal(t, test.degraded, s.Degraded)
			assert.Equal(t, test.next, s.Next)
		})
	}
}

func TestASummaryHasTheDefaults(t *testing.T) {
	s := SummaryOf(watcher(configMap("a"), configMap("a", "data"), configMap("b")), now)
	assert.Equal(t, []any{v1alpha.TriggerAny, "1m0s", 2, 0, false}, []any{s.Condition, s.Cooldown, s.References, s.Pending, s.Suspended})
	assert.True(t, s.Outdated, "status speaks of no spec")
}

func TestHowAFieldStandsToItsBaseline(t *testing.T) {
	for want, test := range map[FieldState]struct {
		hash, last string
		exists     bool
	}{
		FieldNotSeen:    {},
		FieldUnchanged:  {hash: "1", exists: true},
		FieldChanged:    {hash: "2", last: "1", exists: true},
		FieldCreated:    {hash: "1", last: trigger.Absent, exists: true},
		FieldRemoved:    {hash: trigger.Absent, last: "1"},
		FieldUnanswered: {hash: "1", last: trigger.Unknown, exists: true},
	} {
		ctj := watcher(configMap("a", "data"))
		ctj.Status.ResourceHashes = []v1alpha.ResourceHash{{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: "a", Message: "a message", PendingSince: at(-time.Minute),
			Fields: []v1alpha.FieldHash{{Field: "gone", Hash: "1", LastTriggeredHash: "2"}, {Field: "data", Hash: test.hash, LastTriggeredHash: test.last}}}}
		references := ReferencesOf(ctj)
		require.Len(t, references, 1)
		assert.Equal(t, []Field{{Field: "data", State: want, Exists: test.exists}}, references[0].Fields, "what has left the spec is left out")
		assert.Equal(t, "a message", references[0].Message)
		assert.Equal(t, at(-time.Minute), references[0].PendingSince)
		assert.Equal(t, want.Pending(), references[0].Pending)
		assert.Len(t, PendingOf(references), map[bool]int{true: 1}[want.Pending()])
	}
}

func TestOnlyPendingFieldsDiffer(t *testing.T) {
	ctj := watcher(configMap("a", "data", "metadata"), configMap("b"))
	ctj.Status.ResourceHashes = []v1alpha.ResourceHash{{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: "a",
		Fields: []v1alpha.FieldHash{{Field: "data", Hash: "1"}, {Field: "metadata", Hash: "2", LastTriggeredHash: "1"}}}}
	differences := DifferencesOf([]v1alpha.ChangeTriggeredJob{*ctj})
	require.Len(t, differences.Items[0].Resources, 1)
	assert.Equal(t, []Field{{Field: "metadata", State: FieldChanged, Exists: true}}, differences.Items[0].Resources[0].Fields)
	assert.Len(t, ReferencesOf(ctj)[0].Fields, 2, "and the report that it was made from stays")
}

func made(t *testing.T, ctj *v1alpha.ChangeTriggeredJob, number int64) batchv1.Job {
	j, err := job.Build(ctj, &trigger.Creation{
		Name: trigger.JobName(ctj.Name, ctj.UID, number), Number: number, Reason: trigger.ReasonChange,
		Changed: []trigger.Change{{ObjectReference: trigger.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: "a"}, Fields: []string{"data"}}},
	})
	require.NoError(t, err)
	j.CreationTimestamp = *at(time.Duration(number-100) * time.Minute)
	return *j
}

func TestTheHistoryIsThatOfItsOwnJobs(t *testing.T) {
	ctj, other := watcher(configMap("a")), watcher(configMap("a"))
	other.UID = "other"
	ctj.Status.TriggerCount = 4
	succeeded, failed, running, unnumbered := made(t, ctj, 2), made(t, ctj, 3), made(t, ctj, 4), made(t, ctj, 1)
	succeeded.Status = batchv1.JobStatus{StartTime: at(-90 * time.Minute), CompletionTime: at(-89 * time.Minute),
		Conditions: []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}}
	failed.Status = batchv1.JobStatus{StartTime: at(-80 * time.Minute),
		Conditions: []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, LastTransitionTime: *at(-78 * time.Minute)}}}
	running.Status = batchv1.JobStatus{StartTime: at(-30 * time.Second)}
	unnumbered.Annotations = nil

	h := HistoryOf(ctj, []batchv1.Job{unnumbered, made(t, other, 9), succeeded, running, failed}, now)
	assert.Equal(t, int64(4), h.TriggerCount)
	type row struct {
		number  int64
		outcome string
		seconds int64
	}
	var rows []row
	for _, tr := range h.Triggers {
		r := row{tr.Number, tr.Outcome, -1}
		if tr.DurationSeconds != nil {
			r.seconds = *tr.DurationSeconds
		}
		rows = append(rows, r)
	}
	assert.Equal(t, []row{{4, "Active", 30}, {3, "Failed", 120}, {2, "Succeeded", 60}, {0, "Active", -1}}, rows)
	assert.True(t, h.Triggers[3].ChangedUnknown)
	assert.Empty(t, h.Triggers[3].Reason)
}

func TestTheLastTriggerIsToldByItsJob(t *testing.T) {
	ctj := watcher(configMap("a"))
	last := made(t, ctj, 7)
	d := DescriptionOf(ctj, nil, true, now)
	assert.Nil(t, d.LastTrigger)
	assert.Empty(t, d.LastTriggerUnknown, "nothing was triggered yet")

	ctj.Status.TriggerCount, ctj.Status.LastJobName = 7, last.Name
	ctj.Status.Active = []v1alpha.JobReference{{Name: last.Name}}
	d = DescriptionOf(ctj, []batchv1.Job{made(t, ctj, 6), last}, true, now)
	require.NotNil(t, d.LastTrigger)
	assert.Equal(t, int64(7), d.LastTrigger.Number)
	assert.Equal(t, []string{last.Name}, d.Active)
	assert.Equal(t, lastJobGone, DescriptionOf(ctj, nil, true, now).LastTriggerUnknown)
	assert.Equal(t, lastJobNotShown, DescriptionOf(ctj, nil, false, now).LastTriggerUnknown)
}

func TestTheTimesOfASpec(t *testing.T) {
	ctj := watcher(configMap("a"))
	d := DescriptionOf(ctj, nil, true, now)
	assert.Equal(t, Description{Windows: []v1alpha.TriggerWindow{}}, Description{Settle: d.Settle, PendingDeadline: d.PendingDeadline, Windows: d.Windows, Retry: d.Retry, FirstRunPending: d.FirstRunPending})

	ctj.Spec.Settle, ctj.Spec.PendingDeadline = &metav1.Duration{Duration: 5 * time.Second}, &metav1.Duration{Duration: 24 * time.Hour}
	ctj.Spec.Windows = []v1alpha.TriggerWindow{{Schedule: "0 22 * * *", Duration: metav1.Duration{Duration: time.Hour}}}
	ctj.Spec.OnFailure = v1alpha.RetriggerOnFailure
	ctj.Status.Retry, ctj.Status.FirstRunPending = &v1alpha.RetryStatus{Count: 1, NextTime: at(time.Minute)}, true
	d = DescriptionOf(ctj, nil, true, now)
	assert.Equal(t, []any{"5s", "24h0m0s", ctj.Spec.Windows, true}, []any{d.Settle, d.PendingDeadline, d.Windows, d.FirstRunPending})
	assert.Equal(t, &Retry{Limit: 3, Count: 1, NextTime: at(time.Minute)}, d.Retry)
}

func TestAJobThatWasAskedForIsPendingUntilTheAnswer(t *testing.T) {
	for does, test := range map[string]struct {
		asked, answered string
		want            bool
	}{
		"nobody has asked":             {},
		"it was asked for":             {asked: "1", want: true},
		"and again":                    {asked: "2", answered: "1", want: true},
		"and answered":                 {asked: "2", answered: "2"},
		"in a way that is no question": {asked: strings.Repeat("1", 129), answered: "sha256:…"},
		"by characters of two bytes":   {asked: strings.Repeat("ü", 128), want: true},
	} {
		ctj := watcher(configMap("a"))
		ctj.Annotations = map[string]string{v1alpha.RunNowAnnotation: test.asked}
		ctj.Status.LastRunNow = test.answered
		assert.Equal(t, test.want, DescriptionOf(ctj, nil, true, now).RunNowPending, does)
	}
}

func TestTheGraphJoinsWhatWatchesTheSame(t *testing.T) {
	one, two := watcher(configMap("b", "data"), configMap("a")), watcher(configMap("a", "data.x"))
	two.Name, two.Spec.Condition, two.Spec.Suspend = "a-second", v1alpha.TriggerAll, new(true)
	graph := GraphOf([]v1alpha.ChangeTriggeredJob{*one, *two}, nil)
	require.Len(t, graph.Objects, 2)
	assert.Equal(t, "a", graph.Objects[0].Name)
	assert.Equal(t, []GraphTrigger{
		{Namespace: "default", Name: "a-second", Fields: []string{"data.x"}, Condition: v1alpha.TriggerAll, Suspended: true},
		{Namespace: "default", Name: "watcher", Fields: []string{"*"}, Condition: v1alpha.TriggerAny},
	}, graph.Objects[0].Triggers)
}

func TestTheGraphJoinsJobsWithWhatWatchesThem(t *testing.T) {
	selecting := func(kind, owner string) v1alpha.ResourceReference {
		ref := v1alpha.ResourceReference{APIVersion: "batch/v1", Kind: kind, Namespace: "default",
			Selector: &v1alpha.LabelSelector{MatchLabels: map[string]v1alpha.LabelValue{"changejob.dev/owner": v1alpha.LabelValue(owner)}}}
		if kind == "Pod" {
			ref.APIVersion = "v1"
		}
		return ref
	}
	build, test, notify := watcher(configMap("a")), watcher(selecting("Job", "build")), watcher(selecting("Job", "test"), selecting("Pod", "build"))
	build.Name, test.Name, notify.Name = "build", "test", "notify"
	elsewhere := watcher(configMap("a"))
	elsewhere.Name, elsewhere.Namespace = "build", "other"

	all := []v1alpha.ChangeTriggeredJob{*notify, *build, *elsewhere, *test}
	graph := GraphOf(all, all)
	sources := map[string][]GraphSource{}
	for _, object := range graph.Objects {
		sources[object.String()] = object.JobsOf
	}
	assert.Equal(t, map[string][]GraphSource{
		"ConfigMap default/a":                     nil,
		"Job default/[changejob.dev/owner=build]": {{Namespace: "default", Name: "build"}},
		"Job default/[changejob.dev/owner=test]":  {{Namespace: "default", Name: "test"}},
		"Pod default/[changejob.dev/owner=build]": {{Namespace: "default", Name: "build"}},
	}, sources)
	assert.Equal(t, []GraphSource{{Namespace: "default", Name: "build"}}, GraphOf([]v1alpha.ChangeTriggeredJob{*test}, all).Objects[0].JobsOf, "of one that is not told of")
}
