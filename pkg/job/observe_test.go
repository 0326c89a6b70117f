package job

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// stored returns the Job of c as the API server has it.
func stored(t *testing.T, ctj *v1alpha.ChangeTriggeredJob, c *trigger.Creation) *batchv1.Job {
	job := built(t, ctj, c)
	job.UID = "job-uid"
	job.CreationTimestamp = metav1.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return job
}

func observe(job *batchv1.Job, ctj *v1alpha.ChangeTriggeredJob) trigger.Job {
	return Observe(job, ctj, trigger.MergeReferences(ctj.Spec.Resources))
}

func TestWhatIsReadFromAJob(t *testing.T) {
	var (
		dataA    = trigger.TriggeredHash{Reference: config, Field: "data.a", Hash: "v1-0a1b2c3d:00112233445566778899aabbccddeeff"}
		dataB    = trigger.TriggeredHash{Reference: config, Field: "data.b", Hash: trigger.Absent}
		allOfIt  = trigger.TriggeredHash{Reference: node, Field: "*", Hash: "v1-0a1b2c3d:ffeeddccbbaa99887766554433221100"}
		changedA = []trigger.Change{{ObjectReference: config, Fields: []string{"data.a"}}}
	)
	whole := trigger.Job{
		Name: watcherJob, UID: "job-uid", CreationTimestamp: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Number: 7, Outcome: v1alpha.JobActive,
		Hashes:  []trigger.TriggeredHash{dataA, dataB, allOfIt},
		Changed: changedA,
	}
	with := func(f func(*trigger.Job)) trigger.Job {
		job := whole
		f(&job)
		return job
	}
	unreadable := with(func(j *trigger.Job) { j.Hashes, j.Changed = nil, nil })
	unnumbered := with(func(j *trigger.Job) { j.Number = 0 })
	annotate := func(key, value string) func(*batchv1.Job, *v1alpha.ChangeTriggeredJob) {
		return func(j *batchv1.Job, _ *v1alpha.ChangeTriggeredJob) { j.Annotations[key] = value }
	}

	for name, c := range map[string]struct {
		alter func(*batchv1.Job, *v1alpha.ChangeTriggeredJob)
		want  trigger.Job
	}{
		"all that was given when it was made": {func(*batchv1.Job, *v1alpha.ChangeTriggeredJob) {}, whole},
		"that it is being deleted": {func(j *batchv1.Job, _ *v1alpha.ChangeTriggeredJob) {
			now := metav1.Now()
			j.DeletionTimestamp = &now
		}, with(func(j *trigger.Job) { j.Deleting = true })},
		"that it is complete": {func(j *batchv1.Job, _ *v1alpha.ChangeTriggeredJob) {
			j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
		}, with(func(j *trigger.Job) { j.Outcome = v1alpha.JobSucceeded })},
		"when it failed for good": {func(j *batchv1.Job, _ *v1alpha.ChangeTriggeredJob) {
			j.Status.Conditions = []batchv1.JobCondition{
				{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Unix(100, 0)},
				{Type: batchv1.JobComplete, Status: corev1.ConditionFalse, LastTransitionTime: metav1.Unix(150, 0)},
				{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Unix(200, 0)},
			}
		}, with(func(j *trigger.Job) { j.Outcome, j.Finished = v1alpha.JobFailed, time.Unix(200, 0) })},

		"what it ran for, where status does not know yet that it failed": {func(j *batchv1.Job, ctj *v1alpha.ChangeTriggeredJob) {
			j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue}}
			ctj.Status.TriggerCount, ctj.Status.LastJobName, ctj.Status.LastJobStatus = 7, j.Name, v1alpha.JobActive
		}, with(func(j *trigger.Job) { j.Outcome = v1alpha.JobFailed })},
		"no more than that it failed, where status knows": {func(j *batchv1.Job, ctj *v1alpha.ChangeTriggeredJob) {
			j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue}}
			ctj.Status.TriggerCount, ctj.Status.LastJobName, ctj.Status.LastJobStatus = 7, j.Name, v1alpha.JobFailed
		}, with(func(j *trigger.Job) { j.Outcome, j.Hashes, j.Changed = v1alpha.JobFailed, nil, nil })},
		"what it ran for, where status says when it is tried again": {func(j *batchv1.Job, ctj *v1alpha.ChangeTriggeredJob) {
			j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue}}
			ctj.Status.TriggerCount, ctj.Status.LastJobName, ctj.Status.LastJobStatus = 7, j.Name, v1alpha.JobFailed
			ctj.Status.Retry = &v1alpha.RetryStatus{NextTime: &metav1.Time{Time: time.Unix(300, 0)}}
		}, with(func(j *trigger.Job) { j.Outcome = v1alpha.JobFailed })},
		"no number without the annotation":              {func(j *batchv1.Job, _ *v1alpha.ChangeTriggeredJob) { delete(j.Annotations, TriggerAnnotation) }, unnumbered},
		"no number that the Job's name is not made for": {annotate(TriggerAnnotation, "8"), unnumbered},
		"no number that is none":                        {annotate(TriggerAnnotation, "seven"), unnumbered},
		"no number that is negative":                    {annotate(TriggerAnnotation, "-7"), unnumbered},
		"no number that is too large":                   {annotate(TriggerAnnotation, "99999999999999999999"), unnumbered},
		"no number of a Job of another name":            {func(j *batchv1.Job, _ *v1alpha.ChangeTriggeredJob) { j.Name = "by-hand" }, with(func(j *trigger.Job) { j.Name, j.Number = "by-hand", 0 })},
		"no number of a CTJ that was made anew":         {func(_ *batchv1.Job, ctj *v1alpha.ChangeTriggeredJob) { ctj.UID = "another" }, unnumbered},

		"nothing of hashes that are not there":        {func(j *batchv1.Job, _ *v1alpha.ChangeTriggeredJob) { delete(j.Annotations, HashesAnnotation) }, unreadable},
		"nothing of hashes that are empty":            {annotate(HashesAnnotation, ""), unreadable},
		"nothing of hashes that somebody has written": {annotate(HashesAnnotation, "hello"), unreadable},
		"nothing of endless hashes":                   {annotate(HashesAnnotation, strings.Repeat("x", 256<<10)), unreadable},
		"nothing where there is no annotation": {func(j *batchv1.Job, _ *v1alpha.ChangeTriggeredJob) { j.Annotations = nil },
			with(func(j *trigger.Job) { j.Number, j.Hashes, j.Changed = 0, nil, nil })},

		"no field that has left the spec": {func(_ *batchv1.Job, ctj *v1alpha.ChangeTriggeredJob) {
			ctj.Spec.Resources[0].Fields = []string{"data.b"}
		},
			with(func(j *trigger.Job) {
				j.Hashes, j.Changed = []trigger.TriggeredHash{dataB, allOfIt}, []trigger.Change{}
			})},
		"no object that has left the spec": {func(_ *batchv1.Job, ctj *v1alpha.ChangeTriggeredJob) { ctj.Spec.Resources = ctj.Spec.Resources[:1] },
			with(func(j *trigger.Job) { j.Hashes = []trigger.TriggeredHash{dataA, dataB} })},
		"nothing, but readable, where all have left the spec": {func(_ *batchv1.Job, ctj *v1alpha.ChangeTriggeredJob) {
			ctj.Spec.Resources = []v1alpha.ResourceReference{{APIVersion: "v1", Kind: "Secret", Namespace: "default", Name: "new"}}
		}, with(func(j *trigger.Job) { j.Hashes, j.Changed = []trigger.TriggeredHash{}, []trigger.Change{} })},
		"nothing of a field that has come to the spec": {func(_ *batchv1.Job, ctj *v1alpha.ChangeTriggeredJob) {
			ctj.Spec.Resources[0].Fields = append(ctj.Spec.Resources[0].Fields, "data.new")
		}, whole},
		"the same in another order of the spec": {func(_ *batchv1.Job, ctj *v1alpha.ChangeTriggeredJob) {
			ctj.Spec.Resources[0], ctj.Spec.Resources[1] = ctj.Spec.Resources[1], ctj.Spec.Resources[0]
		}, with(func(j *trigger.Job) { j.Hashes = []trigger.TriggeredHash{allOfIt, dataA, dataB} })},
		"each field once, where an object is named twice": {func(_ *batchv1.Job, ctj *v1alpha.ChangeTriggeredJob) {
			ctj.Spec.Resources = append(ctj.Spec.Resources, ctj.Spec.Resources[0])
		}, whole},
	} {
		t.Run(name, func(t *testing.T) {
			ctj := watcher()
			job := stored(t, ctj, creation(ctj))
			c.alter(job, ctj)
			assert.Equal(t, c.want, observe(job, ctj))
		})
	}
}

// watcherJob is the name of trigger 7 of watcher.
var watcherJob = trigger.JobName(watcher().Name, watcher().UID, 7)

func TestWhatWasPendingIsReadWholeHoweverTheAccountWasCut(t *testing.T) {
	ctj := watcher()
	ctj.Spec.Resources = ctj.Spec.Resources[:1]
	var fields []string
	for i := range 256 {
		fields = append(fields, fmt.Sprintf("%0256d", i))
	}
	ctj.Spec.Resources[0].Fields = fields
	c := &trigger.Creation{Name: watcherJob, Number: 7, Reason: trigger.ReasonChange,
		Changed: []trigger.Change{{ObjectReference: config, Fields: fields}}}
	job := stored(t, ctj, c)
	assert.Positive(t, decodeAccount(t, job.Annotations[ChangedAnnotation]).OmittedFields, "it was cut")
	assert.Equal(t, c.Changed, observe(job, ctj).Changed)
}

func TestAHashThatCannotBeWrittenIsLeftOut(t *testing.T) {
	ctj := watcher()
	for name, hash := range map[string]string{
		"empty": "", "with a space": "a b", "with the divider": "a=b", "too long": strings.Repeat("a", 129),
	} {
		t.Run(name, func(t *testing.T) {
			c := creation(ctj)
			for i := range c.Hashes[:2] { // data.a, which is pending, and data.b, which is not
				c.Hashes[i].Hash = hash
			}
			observed := observe(stored(t, ctj, c), ctj)
			assert.Equal(t, c.Hashes[2:], observed.Hashes)
			assert.Equal(t, c.Changed, observed.Changed)
		})
	}
}

func TestAJobGivesBackWhatItWasMadeFor(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ctj := watcher()
		ctj.Spec.Resources = nil
		c := &trigger.Creation{Number: rapid.Int64Min(1).Draw(rt, "number"), Reason: trigger.ReasonChange,
			Hashes: []trigger.TriggeredHash{}, Changed: []trigger.Change{}}
		c.Name = trigger.JobName(ctj.Name, ctj.UID, c.Number)
		hash := rapid.OneOf(rapid.Just(trigger.Absent), rapid.Just(trigger.Unknown), rapid.Just(strings.Repeat("0f", 32)),
			rapid.StringMatching(`v1-[0-9a-f]{8}:[0-9a-f]{32}`))
		for i := range rapid.IntRange(1, 5).Draw(rt, "objects") {
			ref := trigger.ObjectReference{APIVersion: "v1", Kind: rapid.String().Draw(rt, "kind"), Name: strconv.Itoa(i)}
			fields := rapid.SliceOfNDistinct(rapid.String(), 1, 6, rapid.ID[string]).Draw(rt, "fields")
			ctj.Spec.Resources = append(ctj.Spec.Resources,
				v1alpha.ResourceReference{APIVersion: ref.APIVersion, Kind: ref.Kind, Name: ref.Name, Fields: fields})
			var pending []string
			for _, field := range fields {
				known := rapid.Bool().Draw(rt, "known")
				if known {
					c.Hashes = append(c.Hashes, trigger.TriggeredHash{Reference: ref, Field: field, Hash: hash.Draw(rt, "hash")})
				}
				if rapid.Bool().Draw(rt, "pending") {
					pending = append(pending, field)
				}
			}
			if len(pending) > 0 {
				c.Changed = append(c.Changed, trigger.Change{ObjectReference: ref, Fields: pending})
			}
		}
		job := stored(t, ctj, c)
		if rapid.Bool().Draw(rt, "cached") {
			_, err := Strip(job)
			require.NoError(rt, err)
		}
		observed := observe(job, ctj)
		require.Equal(rt, c.Name, observed.Name)
		require.Equal(rt, c.Number, observed.Number)
		if len(c.Hashes)+len(c.Changed) == 0 {
			require.Nil(rt, observed.Hashes, "a Job that stands for nothing cannot be told from one that does not say")
			return
		}
		require.Equal(rt, c.Hashes, observed.Hashes)
		require.Equal(rt, c.Changed, observed.Changed)
	})
}

func FuzzObserve(f *testing.F) {
	ctj := watcher()
	sound, err := Build(ctj, creation(ctj))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sound.Name, "7", sound.Annotations[HashesAnnotation])
	f.Add("", "", "")
	f.Add("watcher-0123456789", "-1", "*2ac13e92bf3e= 5c3602a41a80=absent")
	f.Add("watcher", "9223372036854775808", strings.Repeat("=", 100))
	f.Fuzz(func(t *testing.T, name, number, hashes string) {
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Annotations: map[string]string{
			TriggerAnnotation: number, HashesAnnotation: hashes,
		}}}
		observed := observe(job, ctj)
		if observed.Number != 0 {
			assert.Equal(t, trigger.JobName(ctj.Name, ctj.UID, observed.Number), name)
		}
		assert.LessOrEqual(t, len(observed.Hashes), 3)
		for _, h := range observed.Hashes {
			assert.Contains(t, []trigger.ObjectReference{config, node}, h.Reference)
			assert.NotEmpty(t, h.Hash)
			assert.LessOrEqual(t, len(h.Hash), 128, "it fits status")
			assert.Contains(t, hashes, h.Hash)
		}
		assert.Equal(t, observed.Hashes == nil, observed.Changed == nil)

		again := job.DeepCopy()
		_, err := Strip(again)
		require.NoError(t, err)
		assert.Equal(t, observed, observe(again, ctj), "nothing is lost in the cache")
	})
}

// FuzzForgedAnnotations lets whoever may write Jobs write what they want into the annotations of one. Nothing panics,
// the count moves to the number that the Job's name is made for or stays, and the Job created next, if any, is the one
// after it.
func FuzzForgedAnnotations(f *testing.F) {
	ctj := watcher()
	sound, err := Build(ctj, creation(ctj))
	if err != nil {
		f.Fatal(err)
	}
	hashes := sound.Annotations[HashesAnnotation]
	f.Add(int64(7), int64(6), "7", hashes, false)
	f.Add(int64(7), int64(6), "8", hashes, true)
	f.Add(int64(7), int64(7), "900", "", true)
	f.Add(int64(9), int64(3), "9", "*2ac13e92bf3e= 5c3602a41a80=absent", false)
	f.Add(int64(0), int64(3), "9223372036854775807", strings.Repeat("=", 1000), true)
	f.Add(int64(1<<53), int64(3), "9007199254740992", "2ac13e92bf3e=unknown", true)
	f.Fuzz(func(t *testing.T, number, count int64, annotation, hashes string, ended bool) {
		ctj := watcher()
		ctj.Status.TriggerCount = max(count, 0)
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: trigger.JobName(ctj.Name, ctj.UID, number), UID: "uid", Annotations: map[string]string{
			TriggerAnnotation: annotation, HashesAnnotation: hashes, ChangedAnnotation: hashes, ReasonAnnotation: annotation,
		}}}
		if ended {
			job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
		}
		references := trigger.References(&ctj.Spec, &ctj.Status)
		in := trigger.Input{Name: ctj.Name, UID: ctj.UID, Spec: &ctj.Spec, Status: &ctj.Status, HashID: "v1-0a1b2c3d", Now: time.Unix(1e9, 0),
			Jobs: []trigger.Job{Observe(job, ctj, references)}}
		decision := trigger.Decide(in)
		allowed := []int64{min(ctj.Status.TriggerCount, 1<<53-1)}
		if number > ctj.Status.TriggerCount {
			allowed = append(allowed, number)
		}
		if decision.Adopted != 0 {
			require.Equal(t, number, decision.Adopted)
			require.Greater(t, number, ctj.Status.TriggerCount)
		}
		if decision.Status != nil && decision.Create == nil {
			require.Contains(t, allowed, decision.Status.TriggerCount, "a forged annotation moves the count")
		}
		if decision.Create != nil {
			require.Equal(t, allowed[0]+1, decision.Create.Number)
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	ctj := watcher()
	job, err := Build(ctj, creation(ctj))
	if err != nil {
		b.Fatal(err)
	}
	references := trigger.MergeReferences(ctj.Spec.Resources)
	b.ReportAllocs()
	for b.Loop() {
		Observe(job, ctj, references)
	}
}
