package trigger

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// The objects that the scenes are about, and the time at which they play.
var (
	objectA = ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: "a"}
	objectB = ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: "default", Name: "b"}
	objectC = ObjectReference{APIVersion: "v1", Kind: "Node", Name: "c"}

	noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
)

const (
	sceneName = "demo"
	sceneUID  = "00000000-0000-0000-0000-000000000001"
	sceneKey  = "k1"
)

// part is one thing that is so in a scene.
type part func(*Input)

// scene is the input of a decision at noon about a ChangeTriggeredJob with the given parts.
func scene(parts ...part) Input {
	in := Input{
		Name: sceneName, UID: sceneUID, Generation: 1, HashID: sceneKey, Now: noon,
		Spec:   &v1alpha.ChangeTriggeredJobSpec{},
		Status: &v1alpha.ChangeTriggeredJobStatus{},
	}
	for _, p := range parts {
		p(&in)
	}
	return in
}

// sum is a hash of the scene's key.
func sum(value string) string { return sceneKey + ":" + value }

func resourcesOf(objects ...ObjectReference) []v1alpha.ResourceReference {
	var refs []v1alpha.ResourceReference
	for _, o := range objects {
		ref := v1alpha.ResourceReference{APIVersion: o.APIVersion, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
		if key, value, selects := strings.Cut(o.Selection, "="); selects {
			ref.Selector = &v1alpha.LabelSelector{MatchLabels: map[string]v1alpha.LabelValue{key: v1alpha.LabelValue(value)}}
		}
		refs = append(refs, ref)
	}
	return refs
}

// references adds whole objects to the spec.
func refers(objects ...ObjectReference) part {
	return func(in *Input) { in.Spec.Resources = append(in.Spec.Resources, resourcesOf(objects...)...) }
}

// refersTo adds fields of an object to the spec.
func refersTo(o ObjectReference, fields ...string) part {
	return func(in *Input) {
		ref := resourcesOf(o)[0]
		ref.Fields = fields
		in.Spec.Resources = append(in.Spec.Resources, ref)
	}
}

// spec edits the spec.
func spec(edit func(*v1alpha.ChangeTriggeredJobSpec)) part { return func(in *Input) { edit(in.Spec) } }

// status edits the stored status.
func status(edit func(*v1alpha.ChangeTriggeredJobStatus)) part {
	return func(in *Input) { edit(in.Status) }
}

func all(in *Input)         { in.Spec.Condition = v1alpha.TriggerAll }
func suspended(in *Input)   { yes := true; in.Spec.Suspend = &yes }
func noCooldown(in *Input)  { cooldown(0)(in) }
func forbidding(in *Input)  { in.Spec.ConcurrencyPolicy = v1alpha.ForbidConcurrent }
func replacing(in *Input)   { in.Spec.ConcurrencyPolicy = v1alpha.ReplaceConcurrent }
func deleting(in *Input)    { in.Deleting = true }
func lastMissing(in *Input) { in.MissingJobs = []string{in.Status.LastJobName} }

// undecoded is a spec that the types of this release do not fit.
func undecoded(in *Input) {
	in.Spec = &v1alpha.ChangeTriggeredJobSpec{}
	if err := json.Unmarshal([]byte(`{"history":"many"}`), in.Spec); err != nil || in.Spec.Undecoded() == nil {
		panic("this spec can be decoded")
	}
}

func cooldown(d time.Duration) part {
	return func(in *Input) { in.Spec.Cooldown = &metav1.Duration{Duration: d} }
}
func history(n int32) part    { return func(in *Input) { in.Spec.History = &n } }
func invalid(why string) part { return func(in *Input) { in.Invalid = why } }
func at(now time.Time) part   { return func(in *Input) { in.Now = now } }
func generation(g int64) part { return func(in *Input) { in.Generation = g } }
func refused(r Refusal) part  { return func(in *Input) { in.Refusal = &r } }
func counted(number int64) part {
	return status(func(s *v1alpha.ChangeTriggeredJobStatus) { s.TriggerCount = number })
}
func cooled(in *Input) { triggered(noon.Add(-time.Hour))(in) }
func triggered(t time.Time) part {
	return status(func(s *v1alpha.ChangeTriggeredJobStatus) { s.LastTriggeredTime = &metav1.Time{Time: t} })
}

// last says in status which Job was the last, and what became of it; its number is triggerCount.
func last(number int64, outcome v1alpha.JobStatus) part {
	return status(func(s *v1alpha.ChangeTriggeredJobStatus) {
		s.TriggerCount, s.LastJobName, s.LastJobStatus = number, nameOf(number), outcome
	})
}

// active says in status which Jobs run.
func active(numbers ...int64) part {
	return status(func(s *v1alpha.ChangeTriggeredJobStatus) {
		for _, number := range numbers {
			s.Active = append(s.Active, v1alpha.JobReference{Name: nameOf(number)})
		}
	})
}

// kept is what status says of one field: hash, and baseline where that differs.
func kept(o ObjectReference, path, hash, baseline string) part {
	return status(func(s *v1alpha.ChangeTriggeredJobStatus) {
		f := v1alpha.FieldHash{Field: path, Hash: hash, LastTriggeredHash: baseline}
		for i := range s.ResourceHashes {
			if objectOf(&s.ResourceHashes[i]) == o {
				s.ResourceHashes[i].Fields = append(s.ResourceHashes[i].Fields, f)
				return
			}
		}
		s.ResourceHashes = append(s.ResourceHashes, v1alpha.ResourceHash{
			APIVersion: o.APIVersion, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Fields: []v1alpha.FieldHash{f}})
	})
}

// sees observes hashes of the object's fields in the spec, in order; Absent for all is an object that does not exist.
func sees(o ObjectReference, hashes ...string) part {
	return func(in *Input) {
		exists := slices.ContainsFunc(hashes, func(h string) bool { return h != Absent })
		observe(in, Observation{Reference: o, Visibility: Visible, Exists: exists, Hashes: hashes})
	}
}

// cannotSee observes that the object has not been visible for a while.
func cannotSee(o ObjectReference, v Visibility, since time.Duration) part {
	return func(in *Input) {
		observe(in, Observation{Reference: o, Visibility: v, Since: in.Now.Add(-since)})
	}
}

// unserved observes an object of a kind that is not served.
func unserved(o ObjectReference) part {
	return func(in *Input) {
		observe(in, Observation{Reference: o, Visibility: KindNotServed}) // as the reconciler gives it: without hashes
	}
}

func observe(in *Input, observation Observation) {
	for _, merged := range MergeReferences(in.Spec.Resources) {
		if merged.Reference == observation.Reference {
			observation.Fields = merged.Fields
		}
	}
	in.Observations = append(in.Observations, observation)
}

// changed is a whole object that has changed since the last trigger, as status does not say yet.
func changed(o ObjectReference) part {
	return func(in *Input) { refers(o)(in); kept(o, "*", sum("old"), "")(in); sees(o, sum("new"))(in) }
}

// unchanged is a whole object that is as the last trigger found it.
func unchanged(o ObjectReference) part {
	return func(in *Input) { refers(o)(in); kept(o, "*", sum("old"), "")(in); sees(o, sum("old"))(in) }
}

func nameOf(number int64) string { return JobName(sceneName, sceneUID, number) }

// jobPart is one thing that is so of a Job.
type jobPart func(*Job)

// job is the Job of a number, created at that second of noon and finished well, unless its parts say otherwise.
func job(number int64, parts ...jobPart) part {
	return func(in *Input) {
		j := Job{Name: nameOf(number), Number: number, Outcome: v1alpha.JobSucceeded,
			CreationTimestamp: noon.Add(-time.Hour).Add(time.Duration(number) * time.Second)}
		for _, p := range parts {
			p(&j)
		}
		in.Jobs = append(in.Jobs, j)
	}
}

func running(j *Job)              { j.Outcome = v1alpha.JobActive }
func failed(j *Job)               { j.Outcome = v1alpha.JobFailed }
func goingAway(j *Job)            { j.Deleting = true }
func unannotated(j *Job)          { j.Number, j.Hashes, j.Changed = 0, nil, nil }
func named(name string) jobPart   { return func(j *Job) { j.Name = name } }
func born(when time.Time) jobPart { return func(j *Job) { j.CreationTimestamp = when } }
func ranFor(o ObjectReference, path, hash string) jobPart {
	return func(j *Job) { j.Hashes = append(j.Hashes, TriggeredHash{Reference: o, Field: path, Hash: hash}) }
}
func becauseOf(o ObjectReference, fields ...string) jobPart {
	return func(j *Job) { j.Changed = append(j.Changed, Change{ObjectReference: o, Fields: fields}) }
}

// settled is the input as it is once its decision has been carried out and nothing else has happened: running it
// again must find nothing to do.
func settled(in Input, d Decision) Input {
	if d.Status != nil {
		in.Status, in.LastStatusWrite = d.Status, in.Now
	}
	in.Deferred, in.Marks = d.Deferred, d.Marks
	if d.Create != nil {
		in.Refusal = nil
		in.Jobs = append(slices.Clone(in.Jobs), Job{Name: d.Create.Name, Number: d.Create.Number, Hashes: d.Create.Hashes,
			Changed: d.Create.Changed, RunNow: d.Create.RunNow, Outcome: v1alpha.JobActive, CreationTimestamp: in.Now.Truncate(time.Second)})
	}
	in.Jobs = slices.DeleteFunc(slices.Clone(in.Jobs), func(j Job) bool {
		return slices.ContainsFunc(d.Delete, func(gone Job) bool { return gone.Name == j.Name })
	})
	return in
}

// statusAfter is the status that stands after a decision.
func statusAfter(in Input, d Decision) *v1alpha.ChangeTriggeredJobStatus {
	if d.Status != nil {
		return d.Status
	}
	return in.Status
}

// fieldOf is what a status says of one field.
func fieldOf(t *testing.T, s *v1alpha.ChangeTriggeredJobStatus, o ObjectReference, path string) v1alpha.FieldHash {
	t.Helper()
	var found []v1alpha.FieldHash
	for i := range s.ResourceHashes {
		for _, f := range s.ResourceHashes[i].Fields {
			if objectOf(&s.ResourceHashes[i]) == o && f.Field == path {
				found = append(found, f)
			}
		}
	}
	require.Len(t, found, 1, "entries for %s %s", o, path)
	return found[0]
}

func messageOf(s *v1alpha.ChangeTriggeredJobStatus, o ObjectReference) string {
	for i := range s.ResourceHashes {
		if objectOf(&s.ResourceHashes[i]) == o {
			return s.ResourceHashes[i].Message
		}
	}
	return ""
}

// conditionOf is a condition as "status reason".
func conditionOf(s *v1alpha.ChangeTriggeredJobStatus, conditionType string) string {
	for _, c := range s.Conditions {
		if c.Type == conditionType {
			return string(c.Status) + " " + c.Reason
		}
	}
	return "none"
}

// conditions is all three of them.
func conditionsOf(s *v1alpha.ChangeTriggeredJobStatus) [3]string {
	return [3]string{conditionOf(s, ConditionAvailable), conditionOf(s, ConditionProgressing), conditionOf(s, ConditionDegraded)}
}

func reasonsOf(events []Event) []string {
	reasons := []string{}
	for _, e := range events {
		reasons = append(reasons, e.Reason)
	}
	return reasons
}

func activeOf(s *v1alpha.ChangeTriggeredJobStatus) []string {
	list := []string{}
	for _, ref := range s.Active {
		list = append(list, ref.Name)
	}
	return list
}

// expectation is what a decision is to say.
type expectation func(*testing.T, Input, Decision)

func creates(number int64) expectation { return createsFor(ReasonChange, number) }

func createsFor(reason Reason, number int64) expectation {
	return func(t *testing.T, _ Input, d Decision) {
		t.Helper()
		require.NotNil(t, d.Create, "no Job; %s", d.Skip)
		assert.Equal(t, number, d.Create.Number)
		assert.Equal(t, nameOf(number), d.Create.Name)
		assert.Equal(t, reason, d.Create.Reason)
		assert.Empty(t, d.Create.RunNow)
		require.NotNil(t, d.Status)
		assert.Equal(t, number, d.Status.TriggerCount)
		assert.Equal(t, nameOf(number), d.Status.LastJobName)
		assert.Equal(t, v1alpha.JobActive, d.Status.LastJobStatus)
	}
}

func createsNothing(t *testing.T, _ Input, d Decision) {
	t.Helper()
	assert.Nil(t, d.Create)
}

func deletes(numbers ...int64) expectation {
	return func(t *testing.T, _ Input, d Decision) {
		t.Helper()
		var want, got []string
		for _, n := range numbers {
			want = append(want, nameOf(n))
		}
		for _, j := range d.Delete {
			got = append(got, j.Name)
		}
		assert.ElementsMatch(t, want, got)
	}
}

func writesNothing(t *testing.T, _ Input, d Decision) {
	t.Helper()
	assert.Nil(t, d.Status)
	assert.Empty(t, d.Events)
}

func wakesIn(wait time.Duration) expectation {
	return func(t *testing.T, _ Input, d Decision) { t.Helper(); assert.Equal(t, wait, d.RequeueAfter) }
}

// says expects what status says of a field: hash, and baseline where that differs.
func says(o ObjectReference, path, hash, baseline string) expectation {
	return func(t *testing.T, in Input, d Decision) {
		t.Helper()
		assert.Equal(t, v1alpha.FieldHash{Field: path, Hash: hash, LastTriggeredHash: baseline}, fieldOf(t, statusAfter(in, d), o, path))
	}
}

func available(want string) expectation   { return hasCondition(ConditionAvailable, want) }
func progressing(want string) expectation { return hasCondition(ConditionProgressing, want) }
func degraded(want string) expectation    { return hasCondition(ConditionDegraded, want) }

func hasCondition(conditionType, want string) expectation {
	return func(t *testing.T, in Input, d Decision) {
		t.Helper()
		assert.Equal(t, want, conditionOf(statusAfter(in, d), conditionType), conditionType)
	}
}

func tells(reasons ...string) expectation {
	return func(t *testing.T, _ Input, d Decision) { t.Helper(); assert.Equal(t, reasons, reasonsOf(d.Events)) }
}

func tellsNothing(t *testing.T, _ Input, d Decision) { t.Helper(); assert.Empty(t, d.Events) }

func lastJobIs(number int64, outcome v1alpha.JobStatus) expectation {
	return func(t *testing.T, in Input, d Decision) {
		t.Helper()
		s := statusAfter(in, d)
		assert.Equal(t, number, s.TriggerCount)
		assert.Equal(t, nameOf(number), s.LastJobName)
		assert.Equal(t, outcome, s.LastJobStatus)
	}
}

func lastTriggeredAt(when time.Time) expectation {
	return func(t *testing.T, in Input, d Decision) {
		t.Helper()
		s := statusAfter(in, d)
		require.NotNil(t, s.LastTriggeredTime)
		assert.Equal(t, when, s.LastTriggeredTime.UTC())
	}
}

// reads expects that these Jobs are to be read live, and nothing else is decided.
func reads(numbers ...int64) expectation {
	return func(t *testing.T, _ Input, d Decision) {
		t.Helper()
		var want []string
		for _, number := range numbers {
			want = append(want, nameOf(number))
		}
		assert.Equal(t, Decision{ReadJobs: want}, d)
	}
}

func adopts(number int64) expectation {
	return func(t *testing.T, _ Input, d Decision) {
		t.Helper()
		assert.Equal(t, number, d.Adopted)
		assert.Nil(t, d.Create)
		assert.Empty(t, d.Delete)
		assert.Positive(t, d.RequeueAfter, "the next decision is due at once")
		require.NotNil(t, d.Status)
		assert.Equal(t, number, d.Status.TriggerCount)
		assert.Equal(t, nameOf(number), d.Status.LastJobName)
	}
}

func adoptsNothing(t *testing.T, _ Input, d Decision) { t.Helper(); assert.Zero(t, d.Adopted) }

// because expects the references and fields that the Job is created for.
func because(want ...Change) expectation {
	return func(t *testing.T, _ Input, d Decision) {
		t.Helper()
		require.NotNil(t, d.Create)
		assert.Equal(t, want, d.Create.Changed)
	}
}

// tale is one case of a table.
type tale struct {
	given []part
	then  []expectation
}

// tell plays every case, and checks what is so of every decision.
func tell(t *testing.T, tales map[string]tale) {
	t.Helper()
	for sentence, tale := range tales {
		t.Run(sentence, func(t *testing.T) {
			in := scene(tale.given...)
			d := Decide(in)
			checkInvariants(t, in, d)
			checkQuiet(t, in, d)
			for _, expect := range tale.then {
				expect(t, in, d)
			}
		})
	}
}

// checkQuiet checks that a decision that was carried out leaves nothing to do.
func checkQuiet(t require.TestingT, in Input, d Decision) {
	if len(d.ReadJobs) > 0 || d.Adopted != 0 || slices.ContainsFunc(d.Delete, func(j Job) bool { return j.Running() }) {
		return // another decision follows
	}
	again := Decide(settled(in, d))
	require.Nil(t, again.Create, "a second Job for the same difference")
	require.Nil(t, again.Status, "a write where nothing changed")
	require.Empty(t, again.Delete)
}

// checkWakesInTime checks that nothing falls due between a decision that was carried out and the time at which the next one is made without any news.
func checkWakesInTime(t *rapid.T, in Input, d Decision) {
	if len(d.ReadJobs) > 0 || d.Adopted != 0 || slices.ContainsFunc(d.Delete, func(j Job) bool { return j.Running() }) {
		return // another decision follows
	}
	next := settled(in, d)
	wait := rapid.SampledFrom([]time.Duration{0, time.Second, 10 * time.Second, 50 * time.Second, 70 * time.Second, 5 * time.Minute, 61 * time.Minute, 1501 * time.Minute}).Draw(t, "no news for")
	if d.RequeueAfter > 0 {
		wait = min(wait, d.RequeueAfter-time.Second) // status has whole seconds
	}
	if wait < 0 {
		return
	}
	next.Now = next.Now.Add(wait)
	between := Decide(next)
	require.Nil(t, between.Create, "a Job was due after %s, and nobody woke before %s", wait, d.RequeueAfter)
	require.Nil(t, between.Status, "a write was due after %s, and nobody woke before %s", wait, d.RequeueAfter)
	require.Empty(t, between.Delete)
}

// checkInvariants checks what is so of every decision, whatever the input.
func checkInvariants(t require.TestingT, in Input, d Decision) {
	if len(d.ReadJobs) > 0 {
		require.Equal(t, Decision{ReadJobs: d.ReadJobs}, d, "nothing is decided before these Jobs are read")
		return
	}
	require.GreaterOrEqual(t, d.RequeueAfter, time.Duration(0))
	if len(d.Events) > 0 {
		require.NotNil(t, d.Status, "an event speaks of a status write")
	}
	for _, e := range d.Events {
		require.LessOrEqual(t, len(e.Message), maxMessageLength)
		require.NotEmpty(t, e.Reason)
		require.Contains(t, []string{corev1.EventTypeNormal, corev1.EventTypeWarning}, e.Type)
	}
	if d.Status != nil && in.Status != nil && in.Status.LastJobStatus == v1alpha.JobActive && slices.ContainsFunc(in.Jobs, func(j Job) bool {
		return j.Name == in.Status.LastJobName && j.Outcome == v1alpha.JobFailed
	}) {
		require.Contains(t, reasonsOf(d.Events), ReasonLastJobFailed, "a failure that nobody is told of")
	}
	if d.Create != nil {
		require.NotNil(t, d.Status, "a Job without a status to follow would not be remembered")
		require.Equal(t, d.Create.Reason == ReasonRunNow, d.Create.RunNow != "")
		require.True(t, len(d.Create.Changed) > 0 || d.Create.RunNow != "", "a Job without a difference, that nobody asked for")
		require.True(t, d.Create.RunNow == "" || d.Status.LastRunNow == d.Create.RunNow, "a Job that was asked for, and may be again")
		require.Empty(t, in.Invalid)
		require.False(t, in.Deleting || in.Spec.Suspended() && (d.Create.RunNow == "" || in.RunNowForce != d.Create.RunNow))
		require.Zero(t, d.Adopted)
		require.Equal(t, d.Create.Reason == ReasonFirstRun, d.Create.Number == 1 && in.Spec.RunsOnCreate() && d.Create.RunNow == "" && (in.Status.FirstRunPending || reflect.DeepEqual(in.Status, &v1alpha.ChangeTriggeredJobStatus{})), "a first run")
		require.True(t, d.Create.Reason != ReasonRetry || in.Spec.OnFailure == v1alpha.RetriggerOnFailure, "a try that nobody asked for")
		require.Equal(t, d.Create.Number, d.Status.TriggerCount)
		if last := in.Status.LastTriggeredTime; last != nil && !last.After(in.Now) {
			require.GreaterOrEqual(t, in.Now.Sub(last.Time), loopWaitBefore(in.Spec, d), "a suspected loop does not wait")
		}
	}
	if d.Status != nil {
		require.Len(t, d.Status.Conditions, 3)
		if retry := d.Status.Retry; retry != nil {
			require.True(t, retry.Count >= 0 && retry.Count <= v1alpha.MaxRetriggerLimit, "so many tries")
		}
		require.False(t, d.Status.FirstRunPending && d.Status.TriggerCount > 0, "a first run after the first")
		require.LessOrEqual(t, len(d.Status.Active), v1alpha.MaxActive)
		require.False(t, d.Status.LastJobFinishedTime != nil && d.Status.LastJobFinishedTime.After(in.Now.Add(clockTolerance)), "ended in the future")
		for i := range d.Status.ResourceHashes {
			require.GreaterOrEqual(t, d.Status.ResourceHashes[i].LoopCount, int32(0))
			require.True(t, in.Spec.OnLoop != v1alpha.IgnoreLoop || d.Status.ResourceHashes[i].LoopCount == 0, "a loop that nobody is to look for")
			require.LessOrEqual(t, d.Status.ResourceHashes[i].LoopCount, int32(maxLoopCount))
			entry := &d.Status.ResourceHashes[i]
			pending := false
			for _, f := range keptFields(d.Status.ResourceHashes[i : i+1]) {
				pending = pending || f.pending()
			}
			require.Equal(t, pending, entry.PendingSince != nil, "a time without pendency, or the other way round")
			if pending {
				require.False(t, entry.PendingSince.After(in.Now.Add(clockTolerance)), "pending since the future")
			}
		}
		for _, c := range d.Status.Conditions {
			require.NotEmpty(t, c.Reason)
			require.LessOrEqual(t, len(c.Message), maxMessageLength)
			require.Equal(t, in.Generation, c.ObservedGeneration)
		}
	}
}

// loopWaitBefore is how long after the one before it the Job that a decision creates may come at the earliest, for it is suspected
// that the Jobs change all that it runs for: zero where that is not so, or begins anew with this one, as by an edit, and where the
// Job is for no change but was asked for.
func loopWaitBefore(spec *v1alpha.ChangeTriggeredJobSpec, d Decision) time.Duration {
	if d.Create.Reason != ReasonChange {
		return 0
	}
	fewest := int32(maxLoopCount)
	for _, change := range d.Create.Changed {
		count := int32(0)
		for i := range d.Status.ResourceHashes {
			if entry := &d.Status.ResourceHashes[i]; objectOf(entry) == change.ObjectReference {
				count = max(count, entry.LoopCount)
			}
		}
		fewest = min(fewest, count)
	}
	if fewest <= loopAfter { // this Job is counted, too
		return 0
	}
	wait := max(spec.EffectiveCooldown(), time.Minute)
	for range min(fewest-loopAfter, 10) {
		wait = min(2*wait, time.Hour)
	}
	return max(wait, spec.EffectiveCooldown())
}
