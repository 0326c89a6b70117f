package trigger

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// holding has an object's changes count only while an expression is true.
func holding(o ObjectReference) part {
	return func(in *Input) {
		for i := range in.Spec.Resources {
			if ref := &in.Spec.Resources[i]; ReferenceOf(ref) == o {
				ref.When = "object.ready == true"
			}
		}
	}
}

// whenIs says what the expression comes to for what was observed last.
func whenIs(result v1alpha.WhenResult) part {
	return func(in *Input) { in.Observations[len(in.Observations)-1].WaitingForWhen = result }
}

// waited is what status says of a reference that waits.
func waited(o ObjectReference, result v1alpha.WhenResult) part {
	return status(func(s *v1alpha.ChangeTriggeredJobStatus) {
		for i := range s.ResourceHashes {
			if entry := &s.ResourceHashes[i]; objectOf(entry) == o {
				entry.WaitingForWhen = result
			}
		}
	})
}

// saysWaiting expects what status says of a reference's wait; empty is none.
func saysWaiting(o ObjectReference, want v1alpha.WhenResult) expectation {
	return func(t *testing.T, in Input, d Decision) {
		t.Helper()
		for _, entry := range statusAfter(in, d).ResourceHashes {
			if objectOf(&entry) == o {
				assert.Equal(t, want, entry.WaitingForWhen)
			}
		}
	}
}

// standsForNo expects that the Job stands for nothing of an object.
func standsForNo(o ObjectReference) expectation {
	return func(t *testing.T, _ Input, d Decision) {
		t.Helper()
		require.NotNil(t, d.Create)
		for _, h := range d.Create.Hashes {
			assert.NotEqual(t, o, h.Reference)
		}
	}
}

func TestAChangeWaitsForItsWhen(t *testing.T) {
	waits := func(o ObjectReference, result v1alpha.WhenResult) part {
		return func(in *Input) { changed(o)(in); holding(o)(in); whenIs(result)(in) }
	}
	retried := func(in *Input) {
		in.Spec.OnFailure = v1alpha.RetriggerOnFailure
		last(1, v1alpha.JobFailed)(in)
		cooled(in)
		job(1, failed)(in)
		in.Status.Retry = retries{next: noon.Add(-time.Second)}.status()
	}
	tell(t, map[string]tale{
		"while it is true, a change counts": {
			[]part{waits(objectA, "")}, []expectation{creates(1), saysWaiting(objectA, "")}},
		"while it is false, a change waits, and says so": {
			[]part{waits(objectA, v1alpha.WhenFalse)},
			[]expectation{createsNothing, progressing("True WaitingForWhen"), tells(ReasonWaitingForWhen), says(objectA, "*", sum("new"), sum("old")),
				saysWaiting(objectA, v1alpha.WhenFalse), available("True Watching"), degraded("False AsExpected")}},
		"so it does where the expression fails": {
			[]part{waits(objectA, v1alpha.WhenFailed)},
			[]expectation{createsNothing, progressing("True WaitingForWhen"), saysWaiting(objectA, v1alpha.WhenFailed)}},
		"and where the object cannot be seen": {
			[]part{refers(objectA), holding(objectA), kept(objectA, "*", sum("new"), sum("old")), cannotSee(objectA, Forbidden, time.Hour)},
			[]expectation{createsNothing, saysWaiting(objectA, v1alpha.WhenUnknown)}},
		"what is not pending does not wait": {
			[]part{unchanged(objectA), holding(objectA), whenIs(v1alpha.WhenFalse)},
			[]expectation{createsNothing, progressing("False Idle"), saysWaiting(objectA, ""), tellsNothing}},
		"the first look is a baseline, whatever it comes to": {
			[]part{refers(objectA), holding(objectA), sees(objectA, sum("1")), whenIs(v1alpha.WhenFalse)},
			[]expectation{createsNothing, says(objectA, "*", sum("1"), ""), saysWaiting(objectA, "")}},
		"right after a start, what waited waits on without a word": {
			[]part{refers(objectA), holding(objectA), kept(objectA, "*", sum("new"), sum("old")), waited(objectA, v1alpha.WhenFailed), cannotSee(objectA, NotSynced, time.Second)},
			[]expectation{createsNothing, saysWaiting(objectA, v1alpha.WhenFailed)}},
		"what is looked at again, as after an edit, is no other reference's business: no Job is told of it, or stands for it": {
			[]part{generation(2), refers(objectA), holding(objectA), kept(objectA, "*", sum("new"), sum("old")), cannotSee(objectA, NotSynced, 0), changed(objectB)},
			[]expectation{creates(1), because(Change{objectB, []string{"*"}}), standsForNo(objectA), says(objectA, "*", sum("new"), sum("old")), saysWaiting(objectA, "")}},
		"All waits for the look": {
			[]part{all, generation(2), refers(objectA), holding(objectA), kept(objectA, "*", sum("new"), sum("old")), cannotSee(objectA, NotSynced, 0), changed(objectB)},
			[]expectation{createsNothing, wakesIn(syncPatience), saysWaiting(objectA, "")}},
		"by itself it waits without a word": {
			[]part{status(func(s *v1alpha.ChangeTriggeredJobStatus) {
				s.Conditions = []metav1.Condition{condition(ConditionProgressing, metav1.ConditionTrue, ReasonOutsideWindow, "said")}
			}), generation(2), refers(objectA), holding(objectA), kept(objectA, "*", sum("new"), sum("old")), cannotSee(objectA, NotSynced, 0)},
			[]expectation{createsNothing, progressing("True OutsideWindow"), tellsNothing, wakesIn(syncPatience), saysWaiting(objectA, "")}},
		"for so long; then it is not known what the expression comes to": {
			[]part{generation(2), refers(objectA), holding(objectA), kept(objectA, "*", sum("new"), sum("old")), cannotSee(objectA, NotSynced, syncPatience), changed(objectB)},
			[]expectation{creates(1), standsForNo(objectA), saysWaiting(objectA, v1alpha.WhenUnknown)}},
		"a deletion waits, too": {
			[]part{refers(objectA), holding(objectA), kept(objectA, "*", sum("1"), ""), sees(objectA, Absent), whenIs(v1alpha.WhenFailed)},
			[]expectation{createsNothing, says(objectA, "*", Absent, sum("1")), saysWaiting(objectA, v1alpha.WhenFailed)}},
		"or does not, where the expression knows it": {
			[]part{refers(objectA), holding(objectA), kept(objectA, "*", sum("1"), ""), sees(objectA, Absent)}, []expectation{creates(1)}},
		"a change that does not count does not wait": {
			[]part{refers(objectA), holding(objectA), counting(objectA, deleted), kept(objectA, "*", sum("1"), ""), existed(objectA, true), sees(objectA, sum("2")), whenIs(v1alpha.WhenFalse)},
			[]expectation{createsNothing, says(objectA, "*", sum("2"), ""), progressing("False Idle")}},
		"Any triggers by another reference, and the Job does not stand for what waits": {
			[]part{waits(objectA, v1alpha.WhenFalse), changed(objectB)},
			[]expectation{creates(1), because(Change{objectB, []string{"*"}}), standsForNo(objectA), says(objectA, "*", sum("new"), sum("old")),
				saysWaiting(objectA, v1alpha.WhenFalse)}},
		"All waits for it": {
			[]part{all, waits(objectA, v1alpha.WhenFalse), changed(objectB)}, []expectation{createsNothing, progressing("True WaitingForWhen")}},
		"All waits for a change first": {
			[]part{all, unchanged(objectA), holding(objectA), whenIs(v1alpha.WhenFalse), changed(objectB)},
			[]expectation{createsNothing, progressing("True WaitingForAll")}},
		"an edit by which it goes lets the change count": {
			[]part{generation(2), changed(objectA), waited(objectA, v1alpha.WhenFalse)}, []expectation{creates(1), saysWaiting(objectA, "")}},
		"a spec that cannot be read changes nothing": {
			[]part{undecoded, invalid("no"), kept(objectA, "*", sum("2"), sum("1")), waited(objectA, v1alpha.WhenFalse)},
			[]expectation{createsNothing, saysWaiting(objectA, v1alpha.WhenFalse)}},
		"a try waits, too": {
			[]part{retried, refers(objectA), holding(objectA), kept(objectA, "*", sum("1"), Unknown), sees(objectA, sum("1")), whenIs(v1alpha.WhenFalse)},
			[]expectation{createsNothing, progressing("True WaitingForWhen")}},
		"and is one when its time has come": {
			[]part{retried, refers(objectA), holding(objectA), kept(objectA, "*", sum("1"), Unknown), sees(objectA, sum("1"))},
			[]expectation{createsFor(ReasonRetry, 2)}},
		"what waits takes the place of no try": {
			[]part{retried, refers(objectA), kept(objectA, "*", sum("1"), Unknown), sees(objectA, sum("1")), changed(objectB), holding(objectB), whenIs(v1alpha.WhenFalse)},
			[]expectation{createsFor(ReasonRetry, 2), standsForNo(objectB), says(objectB, "*", sum("new"), sum("old"))}},
		"a try is none of what is looked at again": {
			[]part{retried, refers(objectA), holding(objectA), kept(objectA, "*", sum("1"), Unknown), cannotSee(objectA, NotSynced, 0)},
			[]expectation{createsNothing, says(objectA, "*", sum("1"), Unknown)}},
		"an edit that takes the tries back has that run nothing": {
			[]part{retried, spec(func(s *v1alpha.ChangeTriggeredJobSpec) { s.OnFailure = "" }), refers(objectA), holding(objectA), kept(objectA, "*", sum("1"), Unknown), cannotSee(objectA, NotSynced, 0)},
			[]expectation{createsNothing, says(objectA, "*", sum("1"), "")}},
		"a Job on demand does not stand for it": {
			[]part{waits(objectA, v1alpha.WhenFalse), func(in *Input) { in.RunNow = "x"; in.Status.ObservedGeneration = 1 }},
			[]expectation{standsForNo(objectA), says(objectA, "*", sum("new"), sum("old"))}},
		"a first run waits for nothing": {
			[]part{spec(func(s *v1alpha.ChangeTriggeredJobSpec) { s.RunOnCreate = yes }), refers(objectA), holding(objectA), sees(objectA, sum("1")), whenIs(v1alpha.WhenFalse)},
			[]expectation{createsFor(ReasonFirstRun, 1)}},
		"it is forgotten by its deadline": {
			[]part{spec(func(s *v1alpha.ChangeTriggeredJobSpec) { s.PendingDeadline = &metav1.Duration{Duration: time.Hour} }), refers(objectA), holding(objectA),
				kept(objectA, "*", sum("2"), sum("1")), status(func(s *v1alpha.ChangeTriggeredJobStatus) {
					s.ResourceHashes[0].PendingSince = &metav1.Time{Time: noon.Add(-2 * time.Hour)}
				}), sees(objectA, sum("2")), whenIs(v1alpha.WhenFalse)},
			[]expectation{createsNothing, says(objectA, "*", sum("2"), ""), tells(EventPendingForgotten)}},
		"a Job that is taken over leaves what waited, and since when": {
			[]part{waits(objectA, v1alpha.WhenFalse), status(func(s *v1alpha.ChangeTriggeredJobStatus) {
				s.ResourceHashes[0].Fields[0] = v1alpha.FieldHash{Field: "*", Hash: sum("new"), LastTriggeredHash: sum("old")}
				s.ResourceHashes[0].PendingSince = &metav1.Time{Time: noon.Add(-time.Minute)}
			}), changed(objectB), job(1, running, ranFor(objectB, "*", sum("new")), becauseOf(objectB, "*"))},
			[]expectation{adopts(1), says(objectA, "*", sum("new"), sum("old")), func(t *testing.T, _ Input, d Decision) {
				require.NotNil(t, d.Status.ResourceHashes[0].PendingSince)
				assert.Equal(t, noon.Add(-time.Minute), d.Status.ResourceHashes[0].PendingSince.UTC())
			}}},
	})
}

func TestWhatIsSaidOfAWaitIsNothingOfTheObject(t *testing.T) {
	in := scene(changed(objectA), holding(objectA), whenIs(v1alpha.WhenFalse), changed(objectB), holding(objectB), whenIs(v1alpha.WhenFailed),
		changed(objectC), holding(objectC), whenIs("Odd"))
	d := Decide(in)
	assert.Equal(t, "waiting for the when of ConfigMap default/a, which is false; "+
		"waiting for the when of Secret default/b, which could not be evaluated; "+
		"waiting for the when of Node c, which is not known", d.Skip)
	assert.Equal(t, v1alpha.WhenUnknown, d.Status.ResourceHashes[2].WaitingForWhen)
}

// TestAnEditOfWhenLosesNoChange adds a `when` to what is pending, and resumes by the same edit.
func TestAnEditOfWhenLosesNoChange(t *testing.T) {
	in := scene(suspended, noCooldown, changed(objectA), changed(objectB))
	in = settled(in, Decide(in))
	look := func(a part) Decision {
		in.Observations = nil
		a(&in)
		sees(objectB, sum("new"))(&in)
		d := Decide(in)
		in = settled(in, d)
		return d
	}
	in.Generation, in.Spec = 2, in.Spec.DeepCopy()
	in.Spec.Suspend = nil
	holding(objectA)(&in)
	d := look(cannotSee(objectA, NotSynced, 0)) // for the expression has yet to be asked
	require.NotNil(t, d.Create)
	assert.Equal(t, []Change{{objectB, []string{"*"}}}, d.Create.Changed)
	d = look(func(in *Input) { sees(objectA, sum("new"))(in); whenIs(v1alpha.WhenFalse)(in) })
	require.Nil(t, d.Create)
	d = look(sees(objectA, sum("new")))
	require.NotNil(t, d.Create, "its time has come")
	assert.Equal(t, []Change{{objectA, []string{"*"}}}, d.Create.Changed)
}

// TestWhatWaitsKeepsItsCountOfLoops has another object trigger time and again while one waits.
func TestWhatWaitsKeepsItsCountOfLoops(t *testing.T) {
	in := scene(changed(objectA), holding(objectA), whenIs(v1alpha.WhenFalse), changed(objectB), status(func(s *v1alpha.ChangeTriggeredJobStatus) {
		s.ObservedGeneration, s.ResourceHashes[0].LoopCount = 1, 5
	}))
	for i := range 3 {
		d := Decide(in)
		require.NotNil(t, d.Create)
		assert.EqualValues(t, 5, d.Status.ResourceHashes[0].LoopCount)
		in = settled(in, d)
		in.Jobs[i].Outcome, in.Jobs[i].Finished = v1alpha.JobSucceeded, in.Now.Add(time.Second)
		in.Now = in.Now.Add(time.Hour)
		in.Observations = in.Observations[:1]
		sees(objectB, sum(fmt.Sprint("new", i)))(&in)
	}
}
