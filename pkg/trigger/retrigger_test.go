package trigger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func retriggering(in *Input) { in.Spec.OnFailure = v1alpha.RetriggerOnFailure }

func retriggerLimit(n int32) part {
	return spec(func(s *v1alpha.ChangeTriggeredJobSpec) { s.RetriggerLimit = &n })
}

// triedAgain says in status how many tries there were, and when the next one is due; zero for none.
func triedAgain(count int32, next time.Time) part {
	return status(func(s *v1alpha.ChangeTriggeredJobStatus) {
		s.Retry = &v1alpha.RetryStatus{Count: count}
		if !next.IsZero() {
			s.Retry.NextTime = &metav1.Time{Time: next}
		}
	})
}

// failedBefore says in status that the Job of this number failed after so many tries, and when the next one is due.
func failedBefore(number int64, count int32, next time.Time) part {
	return func(in *Input) {
		last(number, v1alpha.JobFailed)(in)
		triedAgain(count, next)(in)
		job(number, failed, becauseOf(objectA, "*"))(in)
	}
}

// unanswered is a whole object that the last Job failed at.
func unanswered(o ObjectReference) part {
	return func(in *Input) {
		refers(o)(in)
		kept(o, "*", sum("new"), Unknown)(in)
		pendingFrom(o, noon.Add(-30*time.Second))(in)
		sees(o, sum("new"))(in)
	}
}

// retried expects what status says of the tries: how many, and when the next one is due; zero for none.
func retried(count int32, next time.Time) expectation {
	return func(t *testing.T, in Input, d Decision) {
		t.Helper()
		retry := statusAfter(in, d).Retry
		if count == 0 && next.IsZero() {
			assert.Nil(t, retry)
			return
		}
		require.NotNil(t, retry)
		assert.Equal(t, count, retry.Count)
		if next.IsZero() {
			assert.Nil(t, retry.NextTime)
		} else if assert.NotNil(t, retry.NextTime) {
			assert.Equal(t, next, retry.NextTime.UTC())
		}
	}
}

func TestOnFailure(t *testing.T) {
	none := time.Time{}
	wholeA := Change{objectA, []string{"*"}}
	ran := func(parts ...jobPart) part { // the last Job, which ran for A when status was written
		return func(in *Input) {
			cooled(in)
			last(1, v1alpha.JobActive)(in)
			job(1, append([]jobPart{becauseOf(objectA, "*")}, parts...)...)(in)
		}
	}
	tell(t, map[string]tale{
		"Ignore: a failure is shown, and nothing else": {
			[]part{ran(failed), unchanged(objectA)},
			[]expectation{createsNothing, says(objectA, "*", sum("old"), ""), retried(0, none), degraded("True LastJobFailed"), progressing("False Idle")}},
		"what the Job failed at is unanswered, and the next try waits": {
			[]part{retriggering, ran(failed), unchanged(objectA), unchanged(objectB)},
			[]expectation{createsNothing, says(objectA, "*", sum("old"), Unknown), says(objectB, "*", sum("old"), ""), pendingSince(objectA, noon),
				retried(0, noon.Add(10*time.Second)), wakesIn(10 * time.Second), progressing("True Retrying"), degraded("True LastJobFailed"), tells(ReasonLastJobFailed)}},
		"so it is where the object has been changed, and is back when the failure is found": {
			[]part{retriggering, ran(failed), refers(objectA), kept(objectA, "*", sum("new"), sum("old")), sees(objectA, sum("old"))},
			[]expectation{createsNothing, says(objectA, "*", sum("old"), Unknown), changedTime(objectA, none), retried(0, noon.Add(10*time.Second)), progressing("True Retrying")}},
		"all of it, where what it ran for cannot be read": {
			[]part{retriggering, cooled, last(1, v1alpha.JobActive), job(1, failed), unchanged(objectA), unchanged(objectB)},
			[]expectation{says(objectA, "*", sum("old"), Unknown), says(objectB, "*", sum("old"), Unknown), retried(0, noon.Add(10*time.Second))}},
		"a moment before it is due, it waits still": {
			[]part{retriggering, cooled, failedBefore(1, 0, noon), unanswered(objectA), at(noon.Add(-time.Nanosecond))},
			[]expectation{createsNothing, wakesIn(time.Nanosecond)}},
		"when it is due it runs, for what failed": {
			[]part{retriggering, cooled, failedBefore(1, 0, noon), unanswered(objectA), unchanged(objectB)},
			[]expectation{createsFor(ReasonRetry, 2), because(wholeA), says(objectA, "*", sum("new"), ""), retried(1, none)}},
		"not before the cooldown has ended": {
			[]part{retriggering, triggered(noon.Add(-40 * time.Second)), failedBefore(1, 0, noon), unanswered(objectA)},
			[]expectation{createsNothing, progressing("True Cooldown"), wakesIn(20 * time.Second)}},
		"not while it is suspended": {
			[]part{retriggering, suspended, cooled, failedBefore(1, 0, noon), unanswered(objectA)},
			[]expectation{createsNothing, progressing("True Suspended")}},
		"not outside of the windows": {
			[]part{retriggering, opens("0 22 * * *", time.Hour), cooled, failedBefore(1, 0, noon), unanswered(objectA)},
			[]expectation{createsNothing, progressing("True OutsideWindow")}},
		"All does not wait for others: it did when the Job was due": {
			[]part{retriggering, all, cooled, failedBefore(1, 0, noon), unanswered(objectA), unchanged(objectB)},
			[]expectation{createsFor(ReasonRetry, 2)}},
		"it needs not settle": {
			[]part{retriggering, settles(50 * time.Second), cooled, failedBefore(1, 0, noon), unanswered(objectA)}, []expectation{createsFor(ReasonRetry, 2)}},
		"Forbid waits for older Jobs that run": {
			[]part{retriggering, forbidding, cooled, failedBefore(2, 0, noon), active(1), job(1, running), unanswered(objectA)},
			[]expectation{createsNothing, progressing("True JobRunning")}},
		"the second try waits twice as long": {
			[]part{retriggering, ran(failed), triedAgain(1, none), unchanged(objectA)}, []expectation{retried(1, noon.Add(20*time.Second))}},
		"ten minutes are the longest": {
			[]part{retriggering, retriggerLimit(100), ran(failed), triedAgain(7, none), unchanged(objectA)}, []expectation{retried(7, noon.Add(10*time.Minute))}},
		"it is stored in whole seconds, rounded up": {
			[]part{retriggering, ran(failed), unchanged(objectA), at(noon.Add(time.Millisecond))}, []expectation{retried(0, noon.Add(11*time.Second))}},
		"after the last try none follows": {
			[]part{retriggering, ran(failed), triedAgain(3, none), unchanged(objectA)},
			[]expectation{createsNothing, says(objectA, "*", sum("old"), ""), retried(3, none), degraded("True LastJobFailed"), progressing("False Idle"), wakesIn(0)}},
		"success begins anew": {
			[]part{retriggering, ran(), triedAgain(2, none), unchanged(objectA)}, []expectation{retried(0, none), lastJobIs(1, v1alpha.JobSucceeded)}},
		"a new change begins anew": {
			[]part{retriggering, cooled, last(4, v1alpha.JobFailed), triedAgain(3, none), job(4, failed), changed(objectA)},
			[]expectation{creates(5), retried(0, none)}},
		"a new change waits for no back-off, and its Job is told of what failed, too": {
			[]part{retriggering, cooled, failedBefore(1, 2, noon.Add(40*time.Second)), unanswered(objectA), changed(objectB)},
			[]expectation{creates(2), because(wholeA, Change{objectB, []string{"*"}}), retried(0, none)}},
		"another change of what failed is a new change": {
			[]part{retriggering, cooled, failedBefore(1, 2, noon.Add(40*time.Second)), refers(objectA), kept(objectA, "*", sum("new"), Unknown), sees(objectA, sum("newer"))},
			[]expectation{creates(2), retried(0, none)}},
		"with All, a new change takes its place, too, and may have to wait for the others": {
			[]part{retriggering, all, cooled, failedBefore(1, 0, noon), refers(objectA), kept(objectA, "*", sum("new"), Unknown), sees(objectA, sum("newer")), unchanged(objectB)},
			[]expectation{createsNothing, progressing("True WaitingForAll"), retried(0, none), says(objectA, "*", sum("newer"), Unknown)}},
		"a new change in the cooldown takes the place of the try": {
			[]part{retriggering, triggered(noon.Add(-10 * time.Second)), failedBefore(1, 1, noon.Add(20*time.Second)), unanswered(objectA), changed(objectB)},
			[]expectation{createsNothing, progressing("True Cooldown"), retried(0, none)}},
		"another key is no change": {
			[]part{retriggering, cooled, failedBefore(1, 0, noon.Add(time.Second)), refers(objectA), kept(objectA, "*", "other:new", Unknown), sees(objectA, sum("new"))},
			[]expectation{createsNothing, retried(0, noon.Add(time.Second))}},
		"what waited already when the Job failed is told of it": {
			[]part{retriggering, ran(failed), triggered(noon.Add(-10 * time.Second)), unchanged(objectA), changed(objectB)},
			[]expectation{createsNothing, says(objectA, "*", sum("old"), Unknown), retried(0, none), progressing("True Cooldown")}},
		"what is due when the Job failed is told of it": {
			[]part{retriggering, ran(failed), unchanged(objectA), changed(objectB)},
			[]expectation{creates(2), because(wholeA, Change{objectB, []string{"*"}}), retried(0, none)}},
		"of a selection of which nothing is left, too": {
			[]part{retriggering, cooled, last(1, v1alpha.JobActive), job(1, failed, becauseOf(objectsW, "*")), selectsW(), keptW(nil), seesW(nil), changed(objectB)},
			[]expectation{creates(2), because(Change{objectsW, []string{"*"}}, Change{objectB, []string{"*"}}), naming(1), retried(0, none)}},
		"a Job that vanished has not failed": {
			[]part{retriggering, cooled, last(1, v1alpha.JobActive), lastMissing, unchanged(objectA)},
			[]expectation{createsNothing, says(objectA, "*", sum("old"), ""), retried(0, none)}},
		"one that somebody deletes unfinished has": {
			[]part{retriggering, ran(running, goingAway), unchanged(objectA)},
			[]expectation{lastJobIs(1, v1alpha.JobFailed), says(objectA, "*", sum("old"), Unknown), retried(0, noon.Add(10*time.Second))}},
		"and stays so while it goes": {
			[]part{retriggering, cooled, last(1, v1alpha.JobFailed), triedAgain(0, noon.Add(10*time.Second)), job(1, running, goingAway, becauseOf(objectA, "*")), active(1), unanswered(objectA)},
			[]expectation{createsNothing, lastJobIs(1, v1alpha.JobFailed), retried(0, noon.Add(10*time.Second))}},
		"unless it succeeds while it goes: then nothing is to be tried again": {
			[]part{retriggering, cooled, last(1, v1alpha.JobFailed), triedAgain(0, noon.Add(10*time.Second)), job(1, goingAway), unanswered(objectA)},
			[]expectation{createsNothing, lastJobIs(1, v1alpha.JobSucceeded), retried(0, none), says(objectA, "*", sum("new"), "")}},
		"one that Replace deletes has not failed": {
			[]part{retriggering, replacing, ran(running, goingAway), refers(objectA), kept(objectA, "*", sum("new"), Unknown), sees(objectA, sum("new"))},
			[]expectation{createsNothing, lastJobIs(1, v1alpha.JobActive), retried(0, none), progressing("True JobRunning")}},
		"nor is it tried again when it fails while it goes": {
			[]part{retriggering, replacing, ran(failed, goingAway), refers(objectA), kept(objectA, "*", sum("new"), Unknown), sees(objectA, sum("new"))},
			[]expectation{createsNothing, retried(0, none), progressing("True JobRunning")}},
		"a failure that is known already is none anew: an edit that asks for tries runs nothing": {
			[]part{retriggering, generation(2), cooled, last(1, v1alpha.JobFailed), job(1, failed, becauseOf(objectA, "*")), unchanged(objectA)},
			[]expectation{createsNothing, says(objectA, "*", sum("old"), ""), retried(0, none)}},
		"an edit that takes the tries back runs nothing": {
			[]part{generation(2), cooled, failedBefore(1, 0, noon.Add(time.Second)), unanswered(objectA)},
			[]expectation{createsNothing, says(objectA, "*", sum("new"), ""), retried(0, none), progressing("False Idle")}},
		"an edit that allows fewer takes those back that are too many": {
			[]part{retriggering, retriggerLimit(1), generation(2), cooled, failedBefore(2, 1, noon.Add(time.Second)), unanswered(objectA)},
			[]expectation{createsNothing, says(objectA, "*", sum("new"), ""), retried(1, none), progressing("False Idle")}},
		"what has left the spec is not tried again": {
			[]part{retriggering, generation(2), cooled, failedBefore(1, 0, noon), kept(objectA, "*", sum("new"), Unknown), unchanged(objectB)},
			[]expectation{createsNothing, retried(0, none), progressing("False Idle")}},
		"a Job that is taken over and has failed is tried again": {
			[]part{retriggering, refers(objectA), kept(objectA, "*", sum("old"), ""), sees(objectA, sum("new")), job(1, failed, ranFor(objectA, "*", sum("new")), becauseOf(objectA, "*"))},
			[]expectation{adopts(1), says(objectA, "*", sum("new"), Unknown), retried(0, noon.Add(10*time.Second))}},
		"a try that is taken over counts": {
			[]part{retriggering, cooled, failedBefore(1, 1, noon), unanswered(objectA), job(2, running, ranFor(objectA, "*", sum("new")), becauseOf(objectA, "*"))},
			[]expectation{adopts(2), retried(2, none), says(objectA, "*", sum("new"), "")}},
		"the last try that is taken over and has failed is the last": {
			[]part{retriggering, cooled, failedBefore(3, 2, noon), unanswered(objectA), job(4, failed, ranFor(objectA, "*", sum("new")), becauseOf(objectA, "*"))},
			[]expectation{adopts(4), retried(3, none), says(objectA, "*", sum("new"), "")}},
		"a first run that failed is tried again": {
			[]part{retriggering, runningOnCreate, written, cooled, last(1, v1alpha.JobActive), job(1, failed, becauseOf(objectA, "*"), becauseOf(objectB, "*")), unchanged(objectA), unchanged(objectB)},
			[]expectation{says(objectA, "*", sum("old"), Unknown), says(objectB, "*", sum("old"), Unknown), retried(0, noon.Add(10*time.Second))}},
		"what was never seen is not tried again": {
			[]part{retriggering, runningOnCreate, written, ran(failed), refers(objectA), cannotSee(objectA, Forbidden, time.Hour)},
			[]expectation{createsNothing, says(objectA, "*", "", ""), retried(0, none)}},
		"what is unanswered since before the failed Job takes the place of the try, as a change does": {
			[]part{retriggering, cooled, failedBefore(2, 0, noon.Add(10*time.Second)), unanswered(objectA), unanswered(objectB)},
			[]expectation{creates(3), because(wholeA, Change{objectB, []string{"*"}}), retried(0, none)}},
		"though that Job is gone": {
			[]part{retriggering, triggered(noon.Add(-time.Minute)), last(2, v1alpha.JobFailed), triedAgain(0, noon.Add(10*time.Second)), unanswered(objectA),
				unanswered(objectB), pendingFrom(objectB, noon.Add(-2*time.Minute))},
			[]expectation{creates(3), because(wholeA, Change{objectB, []string{"*"}}), retried(0, none)}},
		"which what is unanswered by its failure does not, where it is gone": {
			[]part{retriggering, triggered(noon.Add(-time.Minute)), last(2, v1alpha.JobFailed), triedAgain(0, noon.Add(10*time.Second)), unanswered(objectA), unanswered(objectB)},
			[]expectation{createsNothing, retried(0, noon.Add(10*time.Second))}},
		"what changed while it waited for its when is a new change": {
			[]part{retriggering, cooled, failedBefore(1, 0, noon.Add(10*time.Second)), unanswered(objectA), movedAt(objectA, noon.Add(-10*time.Second))},
			[]expectation{creates(2), retried(0, none)}},
		"an edit that takes the tries back leaves what the Job did not run for, of whose when nothing is known yet": {
			[]part{generation(2), cooled, failedBefore(2, 0, noon.Add(time.Second)), unanswered(objectA),
				refers(objectB), holding(objectB), kept(objectB, "*", sum("new"), Unknown), cannotSee(objectB, NotSynced, 0)},
			[]expectation{createsNothing, says(objectA, "*", sum("new"), ""), says(objectB, "*", sum("new"), Unknown), retried(0, none)}},
		"nor what has changed since, of whose when nothing is known yet": {
			[]part{generation(2), cooled, failedBefore(1, 0, noon.Add(time.Second)),
				refers(objectA), holding(objectA), kept(objectA, "*", sum("new"), Unknown), pendingFrom(objectA, noon.Add(-time.Minute)), movedAt(objectA, noon.Add(-30*time.Second)), cannotSee(objectA, NotSynced, 0)},
			[]expectation{createsNothing, says(objectA, "*", sum("new"), Unknown), retried(0, none)}},
		"a time too far away, by a clock that jumped, is mended": {
			[]part{retriggering, cooled, failedBefore(1, 1, noon.Add(time.Hour)), unanswered(objectA)},
			[]expectation{createsNothing, retried(1, noon.Add(20*time.Second)), wakesIn(20 * time.Second)}},
		"a spec that cannot be read takes nothing back": {
			[]part{undecoded, invalid("cannot be decoded"), cooled, failedBefore(1, 1, noon.Add(time.Second)), kept(objectA, "*", sum("new"), Unknown)},
			[]expectation{createsNothing, retried(1, noon.Add(time.Second)), says(objectA, "*", sum("new"), Unknown)}},
	})
}

// TestWhatAJobWasReplacedInIsNoPartOfTheNextOnesTry has B wait for its when while the Job for A runs, which replaced that for B.
func TestWhatAJobWasReplacedInIsNoPartOfTheNextOnesTry(t *testing.T) {
	in := scene(replacing, retriggering, noCooldown, unchanged(objectA), changed(objectB), holding(objectB))
	var d Decision
	look := func(a, b string, when v1alpha.WhenResult, parts ...part) {
		in.Now, in.Observations = in.Now.Add(2*time.Second), nil
		sees(objectA, a)(&in)
		sees(objectB, b)(&in)
		whenIs(when)(&in)
		for _, p := range parts {
			p(&in)
		}
		d = Decide(in)
		in = settled(in, d)
	}
	look(sum("old"), sum("new"), "")
	require.NotNil(t, d.Create, "for B")
	look(sum("new"), sum("new"), "")
	require.Len(t, d.Delete, 1, "for A")
	look(sum("new"), sum("new"), v1alpha.WhenFalse, lastMissing)
	require.NotNil(t, d.Create)
	require.Equal(t, []Change{{objectA, []string{"*"}}}, d.Create.Changed)
	in.Jobs[0].Outcome = v1alpha.JobFailed
	look(sum("new"), sum("new"), v1alpha.WhenFalse)
	require.NotNil(t, in.Status.Retry, "A is tried again")
	look(sum("new"), sum("new"), "")
	require.NotNil(t, d.Create, "B waits for no back-off")
	assert.Equal(t, ReasonChange, d.Create.Reason)
	assert.Equal(t, []Change{{objectA, []string{"*"}}, {objectB, []string{"*"}}}, d.Create.Changed)
}

// What failed is dropped from the spec while something else waits for its when: nothing is left to try, whether or not the process that runs the Job for the
// other lives to write so.
func TestATryEndsWithWhatFailed(t *testing.T) {
	for sentence, crashes := range map[string]bool{"in peace": false, "with a crash after the create": true} {
		t.Run(sentence, func(t *testing.T) {
			in := scene(retriggering, retriggerLimit(1), cooled, last(1, v1alpha.JobActive), job(1, failed, becauseOf(objectA, "*")),
				unchanged(objectA), changed(objectB), holding(objectB), whenIs(v1alpha.WhenFalse))
			in = settled(in, Decide(in))
			require.NotNil(t, in.Status.Retry, "A is tried again")

			in.Generation, in.Spec = 2, in.Spec.DeepCopy()
			in.Spec.Resources, in.Observations = in.Spec.Resources[1:], in.Observations[1:]
			in.Now = in.Now.Add(2 * time.Second)
			in = settled(in, Decide(in))
			assert.Nil(t, in.Status.Retry, "A is gone")
			assert.NotContains(t, degradation(in.Status).Message, "try")

			in.Observations[0].WaitingForWhen = ""
			in.Now = in.Now.Add(time.Hour)
			before, d := in.Status, Decide(in)
			require.NotNil(t, d.Create)
			assert.Equal(t, ReasonChange, d.Create.Reason)
			if in = settled(in, d); crashes {
				in.Status = before
				in = settled(in, Decide(in))
			}
			in.Jobs[len(in.Jobs)-1].Outcome = v1alpha.JobFailed
			in.Now = in.Now.Add(time.Minute)
			retried(0, wholeSecond(in.Now.Add(10*time.Second)))(t, in, Decide(in))
		})
	}
}

func TestATryEndsWithTheDeadlineOfWhatFailed(t *testing.T) {
	in := scene(retriggering, deadline(61*time.Second), suspended, cooled, last(1, v1alpha.JobActive), job(1, failed, becauseOf(objectA, "*")),
		unchanged(objectA), changed(objectB), holding(objectB), whenIs(v1alpha.WhenFalse))
	in = settled(in, Decide(in))
	require.NotNil(t, in.Status.Retry)
	in.Status.ResourceHashes[1].PendingSince = &metav1.Time{Time: in.Now.Add(30 * time.Second)} // B changed later
	in.Now = in.Now.Add(70 * time.Second)
	d := Decide(in)
	retried(0, time.Time{})(t, in, d)
	pendingSince(objectB, in.Status.ResourceHashes[1].PendingSince.Time)(t, in, d)
}

// To set Ignore takes back what failed, also while its when is false.
func TestIgnoreTakesBackWhatWaitsForItsWhen(t *testing.T) {
	in := scene(retriggering, cooled, last(1, v1alpha.JobActive), job(1, failed, becauseOf(objectA, "*")), unchanged(objectA), holding(objectA))
	in = settled(in, Decide(in))
	in.Observations[0].WaitingForWhen = v1alpha.WhenFalse
	in.Now = in.Now.Add(2 * time.Second)
	in = settled(in, Decide(in))
	in.Generation, in.Spec = 2, in.Spec.DeepCopy()
	in.Spec.OnFailure = v1alpha.IgnoreFailure
	in.Now = in.Now.Add(2 * time.Second)
	in = settled(in, Decide(in))
	says(objectA, "*", sum("old"), "")(t, in, Decide(in))
	in.Observations[0].WaitingForWhen = ""
	in.Now = in.Now.Add(time.Hour)
	assert.Nil(t, Decide(in).Create, "A never changed")
}

func TestDegradedSaysWhetherMoreTriesFollow(t *testing.T) {
	for want, parts := range map[string][]part{
		"; try 2 of 3 to run it again is due from 2026-03-04T12:00:20Z on":                         {retriggering, triedAgain(1, time.Time{})},
		"; it was the last of 3 tries to run it again, and no more follow until something changes": {retriggering, triedAgain(3, time.Time{})},
		"": nil,
	} {
		d := Decide(scene(append(parts, cooled, last(5, v1alpha.JobActive), job(5, failed, becauseOf(objectA, "*")), unchanged(objectA))...))
		want = "Job " + nameOf(5) + " failed, or was deleted before it had ended" + want
		assert.Equal(t, want, degradation(d.Status).Message)
		require.Len(t, d.Events, 1)
		assert.Equal(t, want, d.Events[0].Message)
	}
}

// TestAJobThatAlwaysFailsIsTriedAgainAsOftenAsTheSpecSays plays a whole row of tries, each process ending right after it created the Job.
func TestAJobThatAlwaysFailsIsTriedAgainAsOftenAsTheSpecSays(t *testing.T) {
	for sentence, crashes := range map[string]bool{"in peace": false, "with a crash after each create": true} {
		t.Run(sentence, func(t *testing.T) {
			in := scene(retriggering, noCooldown, changed(objectA))
			var created []time.Duration
			for range 100 {
				d := Decide(in)
				status := in.Status
				in = settled(in, d)
				if d.Create != nil {
					created = append(created, in.Now.Sub(noon))
					in.Jobs[len(in.Jobs)-1].Outcome = v1alpha.JobFailed
					if crashes {
						in.Status = status
					}
				}
				in.Now = in.Now.Add(max(d.RequeueAfter, time.Millisecond)).Round(time.Second)
			}
			assert.Len(t, created, 4, "one, and three tries: %v", created)
			for i, after := range []time.Duration{0, 10 * time.Second, 30 * time.Second, 70 * time.Second} {
				assert.InDelta(t, after.Seconds(), created[i].Seconds(), 3)
			}
			assert.Equal(t, &v1alpha.RetryStatus{Count: 3}, in.Status.Retry)
			assert.Equal(t, "True LastJobFailed", conditionOf(in.Status, ConditionDegraded))
		})
	}
}
