package trigger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func TestRule4AnyAndAll(t *testing.T) {
	wasPending := func(o ObjectReference) part {
		return func(in *Input) { refers(o)(in); kept(o, "*", sum("new"), sum("old"))(in); sees(o, sum("new"))(in) }
	}
	tell(t, map[string]tale{
		"nothing pending triggers nothing": {
			[]part{unchanged(objectA), unchanged(objectB)}, []expectation{createsNothing, progressing("False Idle")}},
		"nothing pending triggers nothing with All": {
			[]part{all, unchanged(objectA)}, []expectation{createsNothing, progressing("False Idle")}},
		"Any: one pending reference is enough": {
			[]part{unchanged(objectA), changed(objectB)}, []expectation{creates(1), because(Change{objectB, []string{"*"}})}},
		"Any: several pending ones are one trigger": {
			[]part{changed(objectA), changed(objectB)},
			[]expectation{creates(1), because(Change{objectA, []string{"*"}}, Change{objectB, []string{"*"}})}},
		"All: one of two waits": {
			[]part{all, unchanged(objectA), changed(objectB)},
			[]expectation{createsNothing, wakesIn(0), progressing("True WaitingForAll"), says(objectB, "*", sum("new"), sum("old"))}},
		"All: the changes need not fall together": {
			[]part{all, changed(objectA), wasPending(objectB)}, []expectation{creates(1)}},
		"All: a reference that is back at its baseline is waited for again": {
			[]part{all, changed(objectA), refers(objectB), kept(objectB, "*", sum("new"), sum("old")), sees(objectB, sum("old"))},
			[]expectation{createsNothing, progressing("True WaitingForAll")}},
		"All: one changed field of a reference is a change of it": {
			[]part{all, refersTo(objectA, "x", "y"), kept(objectA, "x", sum("1"), ""), kept(objectA, "y", sum("2"), ""), sees(objectA, sum("1"), sum("3"))},
			[]expectation{creates(1), because(Change{objectA, []string{"y"}})}},
		"All: two entries of one object are one reference": {
			[]part{all, refersTo(objectA, "x"), refersTo(objectA, "y"), kept(objectA, "x", sum("1"), ""), kept(objectA, "y", sum("2"), ""), sees(objectA, sum("9"), sum("2"))},
			[]expectation{creates(1)}},
		"All: a reference that cannot be seen and is not pending blocks": {
			[]part{all, changed(objectA), refers(objectB), kept(objectB, "*", sum("1"), ""), cannotSee(objectB, Forbidden, time.Hour)},
			[]expectation{createsNothing, progressing("True WaitingForAll"), available("False Forbidden")}},
		"All: a deletion and a creation are changes": {
			[]part{all, refers(objectA, objectB), kept(objectA, "*", sum("1"), ""), kept(objectB, "*", Absent, ""), sees(objectA, Absent), sees(objectB, sum("1"))},
			[]expectation{creates(1)}},
	})
}

func TestRule6Suspend(t *testing.T) {
	tell(t, map[string]tale{
		"what is pending stays so": {
			[]part{suspended, changed(objectA)},
			[]expectation{createsNothing, wakesIn(0), says(objectA, "*", sum("new"), sum("old")), progressing("True Suspended")}},
		"what was pending triggers after resume": {
			[]part{refers(objectA), kept(objectA, "*", sum("new"), sum("old")), sees(objectA, sum("newer"))},
			[]expectation{creates(1), says(objectA, "*", sum("newer"), "")}},
		"what is back at its baseline does not": {
			[]part{suspended, refers(objectA), kept(objectA, "*", sum("new"), sum("old")), sees(objectA, sum("old"))},
			[]expectation{says(objectA, "*", sum("old"), ""), progressing("False Idle")}},
		"nothing is replaced": {
			[]part{suspended, replacing, cooled, last(1, v1alpha.JobActive), changed(objectA), job(1, running)},
			[]expectation{createsNothing, deletes()}},
		"history is kept short": {
			[]part{suspended, history(1), last(2, v1alpha.JobSucceeded), unchanged(objectA), job(1), job(2)},
			[]expectation{deletes(1)}},
	})
}

func TestRule6ConcurrencyPolicy(t *testing.T) {
	ran := func(outcome v1alpha.JobStatus, parts ...jobPart) part {
		return func(in *Input) { cooled(in); last(1, outcome)(in); changed(objectA)(in); job(1, parts...)(in) }
	}
	tell(t, map[string]tale{
		"Allow: Jobs run side by side": {
			[]part{ran(v1alpha.JobActive, running)},
			[]expectation{creates(2), deletes(), func(t *testing.T, _ Input, d Decision) {
				assert.Equal(t, []string{nameOf(2), nameOf(1)}, activeOf(d.Status))
			}}},
		"Forbid: the running Job is waited for": {
			[]part{forbidding, ran(v1alpha.JobActive, running)},
			[]expectation{createsNothing, deletes(), wakesIn(0), progressing("True JobRunning"), says(objectA, "*", sum("new"), sum("old"))}},
		"Forbid: any Job of ours is waited for, not only the last": {
			[]part{forbidding, ran(v1alpha.JobSucceeded), job(0, named("by-hand"), running)},
			[]expectation{createsNothing, progressing("True JobRunning")}},
		"Forbid: a Job that is being deleted runs until it is gone": {
			[]part{forbidding, ran(v1alpha.JobFailed, running, goingAway)}, []expectation{createsNothing}},
		"Forbid: a Job that has completed is not waited for": {
			[]part{forbidding, ran(v1alpha.JobActive)}, []expectation{creates(2)}},
		"Forbid: a Job that has failed is not waited for": {
			[]part{forbidding, ran(v1alpha.JobActive, failed)}, []expectation{creates(2)}},
		"Forbid: a completed Job that is being deleted is not waited for": {
			[]part{forbidding, ran(v1alpha.JobActive, goingAway)}, []expectation{creates(2)}},
		"Forbid: a Job of unknown outcome runs": {
			[]part{forbidding, ran(v1alpha.JobActive, func(j *Job) { j.Outcome = "Suspended" })}, []expectation{createsNothing}},
		"the last Job was active and is not in the cache: it is read before it is believed gone": {
			[]part{forbidding, cooled, last(1, v1alpha.JobActive), changed(objectA)},
			[]expectation{reads(1)}},
		"it is read with any policy, since its outcome is to be shown": {
			[]part{last(1, v1alpha.JobActive), unchanged(objectA)},
			[]expectation{reads(1)}},
		"the last Job was active and is gone for certain: the next one runs": {
			[]part{forbidding, cooled, last(1, v1alpha.JobActive), lastMissing, changed(objectA)}, []expectation{creates(2)}},
		"an older Job was active and is not in the cache: it is read, too, lest a Job runs beside it": {
			[]part{forbidding, cooled, last(2, v1alpha.JobSucceeded), active(2, 1), changed(objectA), job(2)}, []expectation{reads(1)}},
		"every one that was active and is not in the cache is read, once": {
			[]part{cooled, last(3, v1alpha.JobActive), active(3, 2, 1), changed(objectA), job(2, running)}, []expectation{reads(3, 1)}},
		"the last Job had ended and is not in the cache: nothing is read": {
			[]part{forbidding, cooled, last(1, v1alpha.JobSucceeded), changed(objectA)}, []expectation{creates(2)}},

		"Replace: status says first that the unfinished Job's state is unanswered, then the Job is deleted": {
			[]part{replacing, ran(v1alpha.JobActive, running, becauseOf(objectB, "*")), unchanged(objectB)},
			[]expectation{createsNothing, deletes(1), says(objectB, "*", sum("old"), Unknown), says(objectA, "*", sum("new"), sum("old")),
				progressing("True JobRunning"), tells(EventJobReplaced), lastJobIs(1, v1alpha.JobActive)}},
		"Replace: what the unfinished Job ran for is unknown wholly where it cannot be read": {
			[]part{replacing, ran(v1alpha.JobActive, running), unchanged(objectB)},
			[]expectation{deletes(1), says(objectA, "*", sum("new"), Unknown), says(objectB, "*", sum("old"), Unknown)}},
		"Replace: what has left the spec since is not unanswered": {
			[]part{replacing, ran(v1alpha.JobActive, running, func(j *Job) { j.Changed = []Change{} })},
			[]expectation{deletes(1), says(objectA, "*", sum("new"), sum("old"))}},
		"Replace: every running Job goes": {
			[]part{replacing, cooled, last(2, v1alpha.JobActive), changed(objectA), job(1, running), job(2, running)},
			[]expectation{createsNothing, deletes(1, 2)}},
		"Replace: a Job that somebody else deletes is waited for, and has failed": {
			[]part{replacing, ran(v1alpha.JobActive, running, goingAway)},
			[]expectation{createsNothing, deletes(), lastJobIs(1, v1alpha.JobFailed), progressing("True JobRunning"), tells(ReasonLastJobFailed)}},
		"Replace: and is tried again with what is due, where that is asked for": {
			[]part{replacing, retriggering, unchanged(objectB), ran(v1alpha.JobActive, running, goingAway, becauseOf(objectB, "*"))},
			[]expectation{createsNothing, lastJobIs(1, v1alpha.JobFailed), says(objectB, "*", sum("old"), Unknown), progressing("True JobRunning"), retried(0, time.Time{})}},
		"Replace: which stays so while it goes, though an edit asks for no tries any more": {
			[]part{replacing, generation(2), ran(v1alpha.JobFailed, running, goingAway, becauseOf(objectB, "*")), active(1), unanswered(objectB)},
			[]expectation{createsNothing, lastJobIs(1, v1alpha.JobFailed), tellsNothing}},
		"Replace: one whose references have all left the spec is known to be replaced as long as something is due": {
			[]part{replacing, ran(v1alpha.JobActive, running, goingAway, func(j *Job) { j.Changed = []Change{} })},
			[]expectation{createsNothing, deletes(), lastJobIs(1, v1alpha.JobActive), progressing("True JobRunning")}},
		"Replace: one that fails while it is going is waited for: its Pods still run": {
			[]part{replacing, ran(v1alpha.JobActive, failed, goingAway)}, []expectation{createsNothing, deletes(), progressing("True JobRunning")}},
		"Replace: one that has succeeded is not, whatever holds it back": {
			[]part{replacing, ran(v1alpha.JobActive, goingAway)}, []expectation{creates(2)}},
		"Forbid: one that has failed and is going is not waited for": {
			[]part{forbidding, ran(v1alpha.JobActive, failed, goingAway)}, []expectation{creates(2)}},
		"Replace: that it is us who delete it stays known after a restart, before anything is seen": {
			[]part{replacing, cooled, last(1, v1alpha.JobActive), refers(objectA), kept(objectA, "*", sum("new"), Unknown),
				cannotSee(objectA, NotSynced, 0), job(1, running, goingAway, becauseOf(objectA, "*"))},
			[]expectation{createsNothing, lastJobIs(1, v1alpha.JobActive), tellsNothing}},
		"Replace: that stays known while it is suspended": {
			[]part{replacing, suspended, cooled, last(1, v1alpha.JobActive), refers(objectA), kept(objectA, "*", sum("new"), Unknown), sees(objectA, sum("new")),
				job(1, running, goingAway, becauseOf(objectA, "*"))},
			[]expectation{createsNothing, lastJobIs(1, v1alpha.JobActive)}},
		"Replace: one that somebody else deletes has failed": {
			[]part{replacing, last(1, v1alpha.JobActive), unchanged(objectA), job(1, running, goingAway, becauseOf(objectA, "*"))},
			[]expectation{lastJobIs(1, v1alpha.JobFailed)}},
		"Replace: the next one runs when it is gone, for what the old one ran for, too": {
			[]part{replacing, cooled, last(1, v1alpha.JobActive), lastMissing, changed(objectA),
				refers(objectB), kept(objectB, "*", sum("b"), Unknown), sees(objectB, sum("b"))},
			[]expectation{creates(2), because(Change{objectA, []string{"*"}}, Change{objectB, []string{"*"}}), says(objectB, "*", sum("b"), "")}},
		"Replace: nothing is deleted inside the cooldown": {
			[]part{replacing, ran(v1alpha.JobActive, running), triggered(noon)}, []expectation{createsNothing, deletes(), progressing("True Cooldown")}},
		"Replace: nothing is deleted while nothing is pending": {
			[]part{replacing, cooled, last(1, v1alpha.JobActive), unchanged(objectA), job(1, running)},
			[]expectation{deletes(), progressing("True JobActive")}},
		"Replace: nothing is deleted while All waits": {
			[]part{replacing, all, unchanged(objectB), ran(v1alpha.JobActive, running)}, []expectation{deletes()}},
		"Replace: nothing is deleted for a Job that would be refused": {
			[]part{replacing, ran(v1alpha.JobActive, running), refused(Refusal{Reason: ReasonInvalidSpec, Message: "no", RetryAt: noon.Add(time.Second)})},
			[]expectation{createsNothing, deletes()}},
		"Replace: nothing is deleted with an invalid spec": {
			[]part{replacing, ran(v1alpha.JobActive, running), invalid("no")}, []expectation{createsNothing, deletes()}},
		"Replace: with no running Job there is nothing to replace": {
			[]part{replacing, ran(v1alpha.JobActive)}, []expectation{creates(2), deletes()}},
	})
}

func TestRule6ReplaceIsToldOnce(t *testing.T) {
	in := scene(replacing, cooled, last(1, v1alpha.JobActive), changed(objectA), job(1, running, becauseOf(objectA, "*")))
	d := Decide(in)
	require.NotNil(t, d.Status)
	in.Status = d.Status // the process ended before the delete
	again := Decide(in)
	assert.Nil(t, again.Status)
	assert.Empty(t, again.Events)
	deletes(1)(t, in, again)
}

func TestRule8EditsAndDeletion(t *testing.T) {
	pendingA := []part{kept(objectA, "*", sum("new"), sum("old"))}
	tell(t, map[string]tale{
		"an edit makes nothing pending": {
			[]part{generation(2), refersTo(objectA, "data", "metadata"), kept(objectA, "*", sum("1"), ""), kept(objectA, "data", sum("2"), ""), sees(objectA, sum("2"), sum("3"))},
			[]expectation{createsNothing, progressing("False Idle")}},
		"what is pending is judged under the new spec at once": {
			append([]part{generation(2), triggered(noon.Add(-10 * time.Second)), cooldown(time.Second), refers(objectA), sees(objectA, sum("new"))}, pendingA...),
			[]expectation{creates(1)}},
		"from All to Any, what is pending triggers": {
			append([]part{generation(2), refers(objectA), sees(objectA, sum("new")), unchanged(objectB)}, pendingA...),
			[]expectation{creates(1)}},
		"dropping the reference that All waited for triggers": {
			append([]part{generation(2), all, refers(objectA), sees(objectA, sum("new")), kept(objectB, "*", sum("1"), "")}, pendingA...),
			[]expectation{creates(1)}},
		"dropping a pending field drops its pendency": {
			append([]part{generation(2), refersTo(objectA, "data"), kept(objectA, "data", sum("1"), ""), sees(objectA, sum("1"))}, pendingA...),
			[]expectation{createsNothing, progressing("False Idle")}},
		"one that is being deleted creates, deletes and writes nothing": {
			[]part{deleting, history(1), changed(objectA), last(3, v1alpha.JobActive), job(1), job(2), job(3)},
			[]expectation{func(t *testing.T, _ Input, d Decision) { assert.Equal(t, Decision{}, d) }}},
		"an invalid spec creates nothing and forgets nothing": {
			append([]part{invalid("broken"), refers(objectA, objectB)}, pendingA...),
			[]expectation{createsNothing, says(objectA, "*", sum("new"), sum("old"))}},
		"an unknown condition or policy is like the default": {
			[]part{changed(objectA), unchanged(objectB), spec(func(s *v1alpha.ChangeTriggeredJobSpec) { s.Condition, s.ConcurrencyPolicy = "Most", "Maybe" })},
			[]expectation{creates(1)}},
	})
}
