package trigger

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func TestRule0AJobThatStatusDoesNotKnowIsTakenOver(t *testing.T) {
	crashed := job(1, running, ranFor(objectA, "*", sum("new")))
	tell(t, map[string]tale{
		"with its number, name, hashes and time": {
			[]part{changed(objectA), crashed},
			[]expectation{adopts(1), lastJobIs(1, v1alpha.JobActive), says(objectA, "*", sum("new"), ""),
				lastTriggeredAt(noon.Add(-time.Hour).Add(2 * time.Second)), tells(EventJobAdopted)}},
		"where the state has gone back meanwhile, it is pending: the last Job ran for another": {
			[]part{unchanged(objectA), crashed},
			[]expectation{adopts(1), says(objectA, "*", sum("old"), sum("new"))}},
		"where the state has gone on meanwhile, it is pending": {
			[]part{refers(objectA), kept(objectA, "*", sum("old"), ""), sees(objectA, sum("third")), crashed},
			[]expectation{adopts(1), says(objectA, "*", sum("third"), sum("new"))}},
		"suspended or not": {
			[]part{suspended, changed(objectA), crashed}, []expectation{adopts(1)}},
		"with an invalid spec, too": {
			[]part{invalid("broken"), refers(objectA), kept(objectA, "*", sum("old"), ""), crashed},
			[]expectation{adopts(1), says(objectA, "*", sum("new"), "")}},
		"inside the cooldown of another": {
			[]part{triggered(noon), changed(objectA), crashed}, []expectation{adopts(1)}},
		"although the last one is not accounted for": {
			[]part{last(1, v1alpha.JobActive), changed(objectA), job(2, ranFor(objectA, "*", sum("new")))},
			[]expectation{adopts(2), lastJobIs(2, v1alpha.JobSucceeded)}},
		"the highest of several": {
			[]part{changed(objectA), job(1, ranFor(objectA, "*", sum("x"))), job(3, ranFor(objectA, "*", sum("new"))), job(2, ranFor(objectA, "*", sum("y")))},
			[]expectation{adopts(3), says(objectA, "*", sum("new"), "")}},
		"and no history is deleted on the way": {
			[]part{history(1), last(2, v1alpha.JobSucceeded), unchanged(objectA), job(1), job(2), job(3, ranFor(objectA, "*", sum("old")))},
			[]expectation{adopts(3)}},
		"what it ran for is known, though it cannot be seen now": {
			[]part{refers(objectA), kept(objectA, "*", sum("old"), ""), cannotSee(objectA, Forbidden, 0), crashed},
			[]expectation{adopts(1), says(objectA, "*", sum("new"), "")}},
		"a field that it says nothing of keeps its baseline": {
			[]part{unchanged(objectA), changed(objectB), crashed},
			[]expectation{adopts(1), says(objectB, "*", sum("new"), sum("old"))}},
		"a field that has joined the spec since takes its baseline": {
			[]part{refers(objectB), sees(objectB, sum("b")), crashed},
			[]expectation{adopts(1), says(objectB, "*", sum("b"), "")}},
		"a finished one with its outcome": {
			[]part{changed(objectA), job(1, failed, ranFor(objectA, "*", sum("new")))},
			[]expectation{adopts(1), lastJobIs(1, v1alpha.JobFailed), tells(EventJobAdopted, ReasonLastJobFailed)}},
		"one that is being deleted unfinished as failed": {
			[]part{changed(objectA), job(1, running, goingAway, ranFor(objectA, "*", sum("new")))},
			[]expectation{adopts(1), lastJobIs(1, v1alpha.JobFailed)}},
		"by its name, where its number is missing": {
			[]part{last(6, v1alpha.JobSucceeded), changed(objectA), job(7, unannotated)},
			[]expectation{adopts(7)}},
		"unreadable hashes make every baseline unknown, so that no state stays unanswered": {
			[]part{unchanged(objectA), unchanged(objectB), job(1)},
			[]expectation{adopts(1), says(objectA, "*", sum("old"), Unknown), says(objectB, "*", sum("old"), Unknown)}},
		"one hash of another key makes every baseline unknown": {
			[]part{unchanged(objectA), unchanged(objectB), job(1, ranFor(objectA, "*", sum("old")), ranFor(objectB, "*", "other:1"))},
			[]expectation{adopts(1), says(objectA, "*", sum("old"), Unknown), says(objectB, "*", sum("old"), Unknown)}},
		"hashes that are readable and speak of nothing in the spec any more change no baseline": {
			[]part{unchanged(objectA), job(1, func(j *Job) { j.Hashes = []TriggeredHash{} })},
			[]expectation{adopts(1), says(objectA, "*", sum("old"), "")}},
		"what it ran for that was absent is readable under any key": {
			[]part{refers(objectA), kept(objectA, "*", sum("old"), ""), sees(objectA, Absent), job(1, ranFor(objectA, "*", Absent))},
			[]expectation{adopts(1), says(objectA, "*", Absent, "")}},
		"a creation time in the future of our clock is now": {
			[]part{changed(objectA), job(1, born(noon.Add(time.Hour)), ranFor(objectA, "*", sum("new")))},
			[]expectation{adopts(1), lastTriggeredAt(noon)}},
		"without a creation time it is now": {
			[]part{changed(objectA), job(1, born(time.Time{}), ranFor(objectA, "*", sum("new")))},
			[]expectation{adopts(1), lastTriggeredAt(noon)}},

		"not, where it is the last one": {
			[]part{last(1, v1alpha.JobSucceeded), unchanged(objectA), job(1)}, []expectation{adoptsNothing}},
		"not, where its number is below the count": {
			[]part{last(2, v1alpha.JobSucceeded), unchanged(objectA), job(1), job(2)}, []expectation{adoptsNothing}},
		"not, where its name is not the one of its number: annotations can be forged": {
			[]part{unchanged(objectA), job(1, func(j *Job) { j.Number = 1000 })}, []expectation{adoptsNothing}},
		"not, where it has neither number nor the next name": {
			[]part{unchanged(objectA), job(2, unannotated), job(1, unannotated, named("demo-by-hand"))}, []expectation{adoptsNothing}},
		"not, where the ChangeTriggeredJob is being deleted": {
			[]part{deleting, changed(objectA), crashed},
			[]expectation{adoptsNothing, writesNothing}},
	})
}

func TestRule0LeadsWhereTheLostWriteWouldHave(t *testing.T) {
	for sentence, parts := range map[string][]part{
		"one reference":                   {changed(objectA)},
		"a second number, with a history": {cooled, last(4, v1alpha.JobFailed), changed(objectA), unchanged(objectB), job(3), job(4, failed)},
		"a reference that cannot be seen": {changed(objectA), refers(objectB), kept(objectB, "*", sum("2"), sum("1")), cannotSee(objectB, Forbidden, 0)},
		"a reference that was never seen": {changed(objectA), refers(objectB), cannotSee(objectB, Forbidden, 0)},
		"what the Job before failed at, which waits for its when": {
			retriggering, cooled, last(1, v1alpha.JobActive), job(1, failed, becauseOf(objectA, "*")), unchanged(objectA), holding(objectA), whenIs(v1alpha.WhenFalse), changed(objectB)},
		"what the Job before failed at, of which there are tries no more": {
			retriggering, retriggerLimit(1), triedAgain(1, time.Time{}), cooled, last(1, v1alpha.JobActive), job(1, failed, becauseOf(objectA, "*")), unchanged(objectA), holding(objectA), whenIs(v1alpha.WhenFalse), changed(objectB)},
	} {
		t.Run(sentence, func(t *testing.T) {
			in := scene(parts...)
			in.Now = noon.Add(300 * time.Millisecond)
			lost := Decide(in)
			require.NotNil(t, lost.Create)

			after := settled(in, lost)
			after.Status = in.Status
			taken := Decide(after)
			require.Equal(t, lost.Create.Number, taken.Adopted)
			assert.Equal(t, lost.Status, taken.Status)
			assert.Nil(t, Decide(settled(after, taken)).Create, "the trigger has been made")
		})
	}
}

func TestRule0ANumberThatNobodyCountedToMovesNothing(t *testing.T) {
	tell(t, map[string]tale{
		"it is no number, though the name fits": {
			[]part{changed(objectA), job(math.MaxInt64, running), noCooldown}, []expectation{creates(1)}},
		"it is so large that few would be left, though the name fits": {
			[]part{changed(objectA), job(maxNumber, running), noCooldown}, []expectation{creates(1)}},
		"so far up, the next is the next": {
			[]part{changed(objectA), counted(farthest + 1), job(farthest+2, running), noCooldown}, []expectation{adopts(farthest + 2)}},
		"at the largest there is nothing more is created, and that is said": {
			[]part{changed(objectA), counted(maxNumber), noCooldown},
			[]expectation{createsNothing, available("False InvalidSpec"), degraded("True InvalidSpec")}},
		"a count beyond it is taken for the largest": {
			[]part{changed(objectA), counted(math.MaxInt64), noCooldown}, []expectation{createsNothing, degraded("True InvalidSpec")}},
	})
}

func TestRule0AnAdoptionEndsTheRefusalOfItsCreate(t *testing.T) {
	refusal := Refusal{Reason: ReasonJobNotCreated, Message: "a webhook did not answer", RetryAt: noon.Add(time.Minute)}
	tell(t, map[string]tale{
		"the Job that seemed refused is there": {
			[]part{changed(objectA), refused(refusal), job(1, running, ranFor(objectA, "*", sum("new")))},
			[]expectation{adopts(1), degraded("False AsExpected"), progressing("True JobActive")}},
	})
}
