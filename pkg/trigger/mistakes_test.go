package trigger

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// TestMistakesOfPollingOperators plays mistakes that operators of this purpose have made, as far as they are
// mistakes of the decision.
func TestMistakesOfPollingOperators(t *testing.T) {
	t.Run("a change inside the cooldown is lost, since the baseline moves before the cooldown is checked", func(t *testing.T) {
		in := atRest(t, changed(objectA), triggered(noon))
		in.Now = noon.Add(time.Minute)
		creates(1)(t, in, Decide(in))
	})
	t.Run("All needs all changes in one poll", func(t *testing.T) {
		in := atRest(t, all, changed(objectA), unchanged(objectB))
		in.Now, in.Observations = noon.Add(time.Hour), nil
		sees(objectA, sum("new"))(&in)
		sees(objectB, sum("new"))(&in)
		creates(1)(t, in, Decide(in))
	})
	t.Run("a transient failure stops it for good", func(t *testing.T) {
		in := atRest(t, changed(objectA), refused(Refusal{Reason: ReasonInvalidSpec, Message: "a policy says no", RetryAt: noon.Add(time.Minute)}))
		in.Now = noon.Add(time.Minute)
		creates(1)(t, in, Decide(in))
	})
	t.Run("one missing object blocks the others", func(t *testing.T) {
		in := scene(changed(objectA), refers(objectB), kept(objectB, "*", Absent, ""), sees(objectB, Absent))
		creates(1)(t, in, Decide(in))
	})
	t.Run("the same object listed twice with other fields fires for ever", func(t *testing.T) {
		in := atRest(t, refersTo(objectA, "x"), refersTo(objectA, "y"), sees(objectA, sum("1"), sum("2")))
		for range 3 {
			in.Now = in.Now.Add(time.Hour)
			d := Decide(in)
			createsNothing(t, in, d)
			writesNothing(t, in, d)
		}
	})
	t.Run("a changed list of fields fires", func(t *testing.T) {
		in := scene(generation(2), refersTo(objectA, "y", "z"), kept(objectA, "x", sum("1"), ""), kept(objectA, "y", sum("2"), ""), sees(objectA, sum("2"), sum("3")))
		createsNothing(t, in, Decide(in))
	})
	t.Run("a failed status write gives two Jobs", func(t *testing.T) {
		in := scene(changed(objectA))
		after := settled(in, Decide(in))
		after.Status = in.Status
		d := Decide(after)
		adopts(1)(t, after, d)
		createsNothing(t, after, Decide(settled(after, d)))
	})
	t.Run("the cooldown is read off the surviving Jobs, so that a TTL resets it", func(t *testing.T) {
		in := scene(changed(objectA), last(1, v1alpha.JobSucceeded), triggered(noon.Add(-time.Second)))
		createsNothing(t, in, Decide(in))
	})
	t.Run("a suspended Job makes the cooldown endless", func(t *testing.T) {
		in := scene(changed(objectA), cooled, last(1, v1alpha.JobActive), job(1, running))
		creates(2)(t, in, Decide(in))
	})
	t.Run("history deletes running Jobs", func(t *testing.T) {
		in := scene(history(1), last(3, v1alpha.JobSucceeded), unchanged(objectA), job(1, running), job(2, running), job(3))
		deletes()(t, in, Decide(in))
	})
	t.Run("a Job that failed once and then completed reads Failed", func(t *testing.T) {
		in := scene(last(1, v1alpha.JobActive), unchanged(objectA), job(1))
		lastJobIs(1, v1alpha.JobSucceeded)(t, in, Decide(in))
	})
	t.Run("something is rewritten every time", func(t *testing.T) {
		in := atRest(t, unchanged(objectA), last(1, v1alpha.JobSucceeded), job(1))
		in.Now = noon.Add(time.Hour)
		writesNothing(t, in, Decide(in))
	})
}

func TestDecideChangesNoneOfItsArguments(t *testing.T) {
	before := func() Input {
		return scene(replacing, history(1), cooled, last(3, v1alpha.JobActive), changed(objectA), unchanged(objectB), refersTo(objectA, "x"),
			job(3, running, becauseOf(objectB, "*")), job(1), job(2), said(1, "True Watching", "False Idle", "False AsExpected"))
	}
	in, want := before(), before()
	d := Decide(in)
	require.NotNil(t, d.Status)
	assert.Equal(t, want, in)

	status := d.Status.DeepCopy()
	in.Status.Conditions[0].Message = "written over"
	in.Status.ResourceHashes[0].Fields[0].Hash = "written over"
	in.Jobs = slices.Insert(in.Jobs, 0, Job{Name: "written over"})
	assert.Equal(t, status, d.Status, "the status is a copy of its own")
}
