package trigger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// entryOf changes what status says of an object already.
func entryOf(o ObjectReference, change func(*v1alpha.ResourceHash)) part {
	return status(func(s *v1alpha.ChangeTriggeredJobStatus) {
		for i := range s.ResourceHashes {
			if objectOf(&s.ResourceHashes[i]) == o {
				change(&s.ResourceHashes[i])
			}
		}
	})
}

// pendingFrom says in status since when an object, of which status says more already, is pending.
func pendingFrom(o ObjectReference, when time.Time) part {
	return entryOf(o, func(entry *v1alpha.ResourceHash) { entry.PendingSince = &metav1.Time{Time: when} })
}

// waiting is a whole object that has been pending since then.
func waiting(o ObjectReference, when time.Time) part {
	return func(in *Input) {
		refers(o)(in)
		kept(o, "*", sum("new"), sum("old"))(in)
		pendingFrom(o, when)(in)
		sees(o, sum("new"))(in)
	}
}

// pendingSince expects since when status has an object as pending; zero for not at all.
func pendingSince(o ObjectReference, want time.Time) expectation {
	return func(t *testing.T, in Input, d Decision) {
		t.Helper()
		s := statusAfter(in, d)
		for i := range s.ResourceHashes {
			if objectOf(&s.ResourceHashes[i]) != o {
				continue
			}
			if got := s.ResourceHashes[i].PendingSince; want.IsZero() {
				assert.Nil(t, got, "pending")
			} else if assert.NotNil(t, got, "not pending") {
				assert.Equal(t, want, got.UTC())
			}
			return
		}
		assert.Fail(t, "no entry", o)
	}
}

func TestPendingSince(t *testing.T) {
	earlier := noon.Add(-5 * time.Minute)
	never := time.Time{}
	tell(t, map[string]tale{
		"what is seen pending for the first time is so since now": {
			[]part{suspended, changed(objectA), unchanged(objectB)},
			[]expectation{pendingSince(objectA, noon), pendingSince(objectB, never)}},
		"it is stored in whole seconds, rounded up": {
			[]part{suspended, changed(objectA), at(noon.Add(time.Millisecond))},
			[]expectation{pendingSince(objectA, noon.Add(time.Second))}},
		"what stays pending stays so since then": {
			[]part{suspended, waiting(objectA, earlier), changed(objectB)},
			[]expectation{pendingSince(objectA, earlier), pendingSince(objectB, noon)}},
		"another change of what is pending leaves it": {
			[]part{suspended, refers(objectA), kept(objectA, "*", sum("new"), sum("old")), pendingFrom(objectA, earlier), sees(objectA, sum("newer"))},
			[]expectation{pendingSince(objectA, earlier)}},
		"what cannot be seen stays pending since then": {
			[]part{refers(objectA), kept(objectA, "*", sum("new"), sum("old")), pendingFrom(objectA, earlier), cannotSee(objectA, NotSynced, 0)},
			[]expectation{pendingSince(objectA, earlier)}},
		"what is back at its baseline is pending no more": {
			[]part{refers(objectA), kept(objectA, "*", sum("new"), sum("old")), pendingFrom(objectA, earlier), sees(objectA, sum("old"))},
			[]expectation{pendingSince(objectA, never)}},
		"what has triggered is pending no more": {
			[]part{waiting(objectA, earlier)}, []expectation{creates(1), pendingSince(objectA, never)}},
		"what a Job taken over has answered is pending no more": {
			[]part{waiting(objectA, earlier), job(1, running, ranFor(objectA, "*", sum("new")))},
			[]expectation{adopts(1), pendingSince(objectA, never)}},
		"what has changed since a Job was created that is taken over is pending since now": {
			[]part{waiting(objectA, earlier), job(1, running, ranFor(objectA, "*", sum("newest")))},
			[]expectation{adopts(1), pendingSince(objectA, noon)}},
		"what a replaced Job ran for is pending since now": {
			[]part{replacing, cooled, last(1, v1alpha.JobActive), waiting(objectA, earlier), unchanged(objectB), job(1, running, becauseOf(objectB, "*"))},
			[]expectation{deletes(1), pendingSince(objectA, earlier), pendingSince(objectB, noon)}},
		"a time in the future, by a clock that jumped, is rewritten to now": {
			[]part{suspended, waiting(objectA, noon.Add(time.Hour))}, []expectation{pendingSince(objectA, noon)}},
		"a time of zero is none": {
			[]part{suspended, waiting(objectA, never), generation(2)}, []expectation{pendingSince(objectA, noon)}},
	})
}

func TestWhatAReleaseBeforeLeftPendingIsDatedWithTheNextWrite(t *testing.T) {
	in := atRest(t, suspended, changed(objectA), unchanged(objectB))
	in.Status.ResourceHashes[0].PendingSince = nil

	later := in
	later.Now = noon.Add(time.Hour)
	writesNothing(t, later, Decide(later))

	later.Observations = nil
	sees(objectA, sum("new"))(&later)
	sees(objectB, sum("new"))(&later)
	d := Decide(later)
	require.NotNil(t, d.Status)
	pendingSince(objectA, later.Now)(t, later, d)
	pendingSince(objectB, later.Now)(t, later, d)
}
