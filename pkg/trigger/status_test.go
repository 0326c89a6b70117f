package trigger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// atRest is a scene as it is once its own decision is carried out.
func atRest(t *testing.T, parts ...part) Input {
	t.Helper()
	in := scene(parts...)
	d := Decide(in)
	require.NotNil(t, d.Status)
	in = settled(in, d)
	in.LastStatusWrite = time.Time{}
	return in
}

func TestP3NothingIsWrittenWhereNothingChanged(t *testing.T) {
	for sentence, parts := range map[string][]part{
		"idle":             {unchanged(objectA)},
		"a Job runs":       {last(1, v1alpha.JobActive), unchanged(objectA), job(1, running)},
		"in the cooldown":  {changed(objectA), triggered(noon)},
		"suspended":        {suspended, changed(objectA)},
		"waiting for All":  {all, changed(objectA), unchanged(objectB)},
		"behind a Job":     {forbidding, cooled, last(1, v1alpha.JobActive), changed(objectA), job(1, running)},
		"absent":           {refers(objectA), sees(objectA, Absent)},
		"forbidden":        {refers(objectA), cannotSee(objectA, Forbidden, 0)},
		"kind not served":  {refers(objectA), unserved(objectA)},
		"invalid":          {invalid("no"), refers(objectA)},
		"refused":          {changed(objectA), refused(Refusal{Reason: ReasonJobNotCreated, Message: "quota", RetryAt: noon.Add(time.Hour)})},
		"the last Job bad": {last(1, v1alpha.JobFailed), unchanged(objectA), job(1, failed)},
	} {
		t.Run(sentence, func(t *testing.T) {
			in := atRest(t, parts...)
			for _, later := range []time.Duration{0, time.Millisecond, 20 * time.Second} {
				in.Now = noon.Add(later)
				d := Decide(in)
				writesNothing(t, in, d)
				createsNothing(t, in, d)
				assert.Empty(t, d.Delete)
			}
		})
	}
	t.Run("a retry that is refused again as before", func(t *testing.T) {
		in := atRest(t, changed(objectA), refused(Refusal{Reason: ReasonJobNotCreated, Message: "quota", RetryAt: noon.Add(time.Second)}))
		in.Now = noon.Add(time.Second)
		require.NotNil(t, Decide(in).Create)
		in.Refusal = &Refusal{Reason: ReasonJobNotCreated, Message: "quota", RetryAt: noon.Add(3 * time.Second)}
		d := Decide(in)
		writesNothing(t, in, d)
		wakesIn(2*time.Second)(t, in, d)
	})
	t.Run("a restart: nothing is synced, nothing is remembered", func(t *testing.T) {
		in := atRest(t, unchanged(objectA), last(1, v1alpha.JobSucceeded), job(1))
		in.Observations = nil
		cannotSee(objectA, NotSynced, 0)(&in)
		writesNothing(t, in, Decide(in))
	})
	t.Run("the order of Jobs and observations", func(t *testing.T) {
		in := atRest(t, unchanged(objectA), unchanged(objectB), last(2, v1alpha.JobActive), job(1, running), job(2, running))
		in.Jobs[0], in.Jobs[1] = in.Jobs[1], in.Jobs[0]
		in.Observations[0], in.Observations[1] = in.Observations[1], in.Observations[0]
		writesNothing(t, in, Decide(in))
	})
}

func TestP3HashesOfWhatIsPendingAnywayAreWrittenEveryTenSeconds(t *testing.T) {
	see := func(in Input, hash string) Input {
		in.Observations = nil
		sees(objectA, hash)(&in)
		return in
	}
	in := atRest(t, suspended, changed(objectA))
	in.LastStatusWrite = noon.Add(-3 * time.Second)

	t.Run("before that they wait", func(t *testing.T) {
		next := see(in, sum("newer"))
		d := Decide(next)
		writesNothing(t, next, d)
		wakesIn(7*time.Second)(t, next, d)
	})
	t.Run("then they are written", func(t *testing.T) {
		next := see(in, sum("newer"))
		next.Now = noon.Add(7 * time.Second)
		d := Decide(next)
		says(objectA, "*", sum("newer"), sum("old"))(t, next, d)
		require.NotNil(t, d.Status)
		wakesIn(0)(t, next, d)
	})
	t.Run("a process that has not written yet writes", func(t *testing.T) {
		next := see(in, sum("newer"))
		next.LastStatusWrite = time.Time{}
		assert.NotNil(t, Decide(next).Status)
	})
	t.Run("a last write in the future, by a clock that jumped, is none", func(t *testing.T) {
		next := see(in, sum("newer"))
		next.LastStatusWrite = noon.Add(time.Hour)
		assert.NotNil(t, Decide(next).Status)
	})
	t.Run("back at the baseline is written at once", func(t *testing.T) {
		next := see(in, sum("old"))
		says(objectA, "*", sum("old"), "")(t, next, Decide(next))
		assert.NotNil(t, Decide(next).Status)
	})
	t.Run("gone is written at once, with its message", func(t *testing.T) {
		next := see(in, Absent)
		says(objectA, "*", Absent, sum("old"))(t, next, Decide(next))
	})
	t.Run("pending is written at once", func(t *testing.T) {
		rest := atRest(t, suspended, unchanged(objectA))
		rest.LastStatusWrite = noon
		next := see(rest, sum("new"))
		says(objectA, "*", sum("new"), sum("old"))(t, next, Decide(next))
	})
	t.Run("another baseline is written at once", func(t *testing.T) {
		next := see(in, "other:1")
		next.HashID = "other"
		says(objectA, "*", "other:1", Unknown)(t, next, Decide(next))
	})
	t.Run("an end of the suspension triggers for the newest at once", func(t *testing.T) {
		next := see(in, sum("newer"))
		next.Spec = next.Spec.DeepCopy()
		next.Spec.Suspend = nil
		d := Decide(next)
		creates(1)(t, next, d)
		says(objectA, "*", sum("newer"), "")(t, next, d)
	})
	t.Run("what happens to the Job beside it is written at once", func(t *testing.T) {
		rest := atRest(t, suspended, changed(objectA), last(1, v1alpha.JobActive), job(1, running))
		rest.LastStatusWrite = noon
		next := see(rest, sum("newer"))
		next.Jobs = nil
		job(1)(&next)
		lastJobIs(1, v1alpha.JobSucceeded)(t, next, Decide(next))
	})
}
