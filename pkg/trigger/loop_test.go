package trigger

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// factory is a ChangeTriggeredJob whose Jobs do something, and a world that does something, second by second.
type factory struct {
	in Input
	// lasts is how long a Job runs. After each of effects, from its creation on, objects of by change.
	lasts   time.Duration
	effects []time.Duration
	by      []ObjectReference
	// others change all the time, whatever the Jobs do: every so often.
	others map[ObjectReference]time.Duration
	// vanish takes Jobs away as soon as they have ended.
	vanish bool
	// hangs is the number of a Job that never ends; zero for none.
	hangs int64

	values   map[ObjectReference]int
	wake     time.Time
	triggers []time.Time
	told     []Event
	decision Decision // the last one that wrote status
	everLoop bool
}

func build(parts ...part) *factory {
	f := &factory{in: scene(parts...), lasts: 10 * time.Second, effects: []time.Duration{5 * time.Second}, values: map[ObjectReference]int{}}
	f.see()
	f.decide()
	for _, ref := range MergeReferences(f.in.Spec.Resources) { // the first change, which nobody's Job makes
		f.values[ref.Reference]++
	}
	f.decide()
	return f
}

func (f *factory) see() {
	f.in.Observations = nil
	for _, ref := range MergeReferences(f.in.Spec.Resources) {
		hash := sum(fmt.Sprint(f.values[ref.Reference]))
		f.in.Observations = append(f.in.Observations,
			Observation{Reference: ref.Reference, Fields: ref.Fields, Visibility: Visible, Exists: true, Hashes: []string{hash}})
	}
}

// decide decides as often as there is something to do at once.
func (f *factory) decide() {
	f.see()
	f.in.MissingJobs = nil
	d := Decide(f.in)
	if len(d.ReadJobs) > 0 {
		f.in.MissingJobs = d.ReadJobs
		d = Decide(f.in)
	}
	if d.Create != nil {
		f.triggers = append(f.triggers, f.in.Now)
	}
	f.told = append(f.told, d.Events...)
	f.in = settledButRunning(f.in, d)
	f.everLoop = f.everLoop || f.suspects()
	f.decision = d
	f.wake = time.Time{}
	if d.RequeueAfter > 0 {
		f.wake = f.in.Now.Add(d.RequeueAfter)
	}
}

// settledButRunning is settled, but what is running and to be deleted goes on until its Pods are gone.
func settledButRunning(in Input, d Decision) Input {
	doomed := names(d.Delete)
	d.Delete = slices.DeleteFunc(slices.Clone(d.Delete), func(j Job) bool { return j.Running() })
	in = settled(in, d)
	in.Jobs = slices.Clone(in.Jobs)
	for i := range in.Jobs {
		in.Jobs[i].Deleting = in.Jobs[i].Deleting || slices.Contains(doomed, in.Jobs[i].Name)
	}
	return in
}

// run lets time pass.
func (f *factory) run(d time.Duration) *factory {
	for end := f.in.Now.Add(d); f.in.Now.Before(end); {
		f.in.Now = f.in.Now.Add(time.Second)
		if f.happens() || !f.wake.IsZero() && !f.in.Now.Before(f.wake) {
			f.decide()
		}
	}
	return f
}

// happens does what happens in this second, and says whether the operator hears of it.
func (f *factory) happens() (news bool) {
	change := func(o ObjectReference) { f.values[o]++; news = true }
	for o, every := range f.others {
		if f.in.Now.Sub(noon)%every == 0 {
			change(o)
		}
	}
	for _, triggered := range f.triggers {
		doomed := slices.ContainsFunc(f.in.Jobs, func(j Job) bool { return j.Deleting && j.CreationTimestamp.Equal(triggered) })
		if slices.Contains(f.effects, f.in.Now.Sub(triggered)) && !doomed {
			for _, o := range f.by {
				change(o)
			}
		}
	}
	f.in.Jobs = slices.Clone(f.in.Jobs)
	for i := len(f.in.Jobs) - 1; i >= 0; i-- {
		j := &f.in.Jobs[i]
		age := f.in.Now.Sub(j.CreationTimestamp)
		switch {
		case !j.Running(), j.Number == f.hangs && !j.Deleting:
		case j.Deleting, age >= f.lasts && f.vanish:
			f.in.Jobs, news = slices.Delete(f.in.Jobs, i, i+1), true
		case age >= f.lasts:
			j.Outcome, j.Finished, news = v1alpha.JobSucceeded, f.in.Now, true
		}
	}
	return news
}

// gaps are the times between the triggers.
func (f *factory) gaps() []time.Duration {
	var gaps []time.Duration
	for i := 1; i < len(f.triggers); i++ {
		gaps = append(gaps, f.triggers[i].Sub(f.triggers[i-1]))
	}
	return gaps
}

func (f *factory) count(reason string) (n int) {
	for _, e := range f.told {
		if e.Reason == reason {
			n++
		}
	}
	return n
}

func (f *factory) suspects() bool {
	return conditionOf(f.in.Status, ConditionDegraded) == "True LoopSuspected"
}

func TestALoopIsRecognisedAndSlowedDown(t *testing.T) {
	for sentence, c := range map[string]struct {
		parts []part
		alter func(*factory)
		first time.Duration // the first wait that is longer than usual
	}{
		"the cooldown is longer than the Job": {[]part{refers(objectA)}, func(*factory) {}, 2 * time.Minute},
		"there is no cooldown":                {[]part{refers(objectA), noCooldown}, func(*factory) {}, 2 * time.Minute},
		"Jobs run side by side": {[]part{refers(objectA), cooldown(10 * time.Second)}, func(f *factory) {
			f.lasts, f.effects = 45*time.Second, []time.Duration{40 * time.Second}
		}, 2 * time.Minute},
		"Forbid": {[]part{refers(objectA), forbidding, noCooldown}, func(*factory) {}, 2 * time.Minute},
		"Replace, in the middle of the Job": {[]part{refers(objectA), replacing, cooldown(10 * time.Second)}, func(f *factory) {
			f.lasts = 5 * time.Minute
		}, 2 * time.Minute},
		"Replace, after the Job": {[]part{refers(objectA), replacing}, func(*factory) {}, 2 * time.Minute},
		"All, and the Jobs change each": {[]part{refers(objectA, objectB), all}, func(f *factory) {
			f.by = []ObjectReference{objectA, objectB}
		}, 2 * time.Minute},
		"the change comes right after the end of the Job": {[]part{refers(objectA)}, func(f *factory) {
			f.effects = []time.Duration{35 * time.Second}
		}, 2 * time.Minute},
		"the Jobs are deleted as soon as they have ended": {[]part{refers(objectA)}, func(f *factory) {
			f.vanish = true
			f.effects = []time.Duration{15 * time.Second}
		}, 2 * time.Minute},
		"no Job is kept": {[]part{refers(objectA), history(1)}, func(*factory) {}, 2 * time.Minute},
		"what the Job begins goes on for a while, such as a rollout": {[]part{refers(objectA), cooldown(5 * time.Minute)}, func(f *factory) {
			f.effects = []time.Duration{2 * time.Second, 30 * time.Second, 70 * time.Second, 120 * time.Second}
		}, 10 * time.Minute},
		"another object changes once in a while": {[]part{refers(objectA, objectB)}, func(f *factory) {
			f.others = map[ObjectReference]time.Duration{objectB: 17 * time.Minute}
		}, 2 * time.Minute},
		"the Jobs run for hours": {[]part{refers(objectA)}, func(f *factory) {
			f.lasts = 3 * time.Hour
		}, 2 * time.Minute},
		"the Jobs run for hours, and change it time and again": {[]part{refers(objectA)}, func(f *factory) {
			f.lasts = 3 * time.Hour
			for at := 10 * time.Minute; at < f.lasts; at += 10 * time.Minute {
				f.effects = append(f.effects, at)
			}
		}, 2 * time.Minute},
		"one Job hangs":                    {[]part{refers(objectA)}, func(f *factory) { f.hangs = 1 }, 2 * time.Minute},
		"the cooldown is an hour and more": {[]part{refers(objectA), cooldown(90 * time.Minute)}, func(*factory) {}, 90 * time.Minute},
	} {
		t.Run(sentence, func(t *testing.T) {
			f := build(c.parts...)
			f.by = []ObjectReference{objectA}
			c.alter(f)
			for range 36 {
				f.run(time.Hour)
				require.Less(t, len(f.triggers), 300, "not slowed down") // without a wait, they would be thousands
			}
			require.Greater(t, len(f.triggers), loopAfter+1)
			assert.Equal(t, 1, f.count(ReasonLoopSuspected), "it is told once")
			assert.True(t, f.suspects(), "%v", f.gaps())
			if len(f.others) > 0 {
				return // the others have Jobs of their own
			}
			gaps := f.gaps()
			usual := f.in.Spec.EffectiveCooldown()
			for _, gap := range gaps[:loopAfter] {
				assert.LessOrEqual(t, gap, max(usual, time.Minute)+5*time.Second, "not slowed down yet")
			}
			assert.InDelta(t, c.first.Seconds(), gaps[loopAfter].Seconds(), 5)
			for i := loopAfter + 1; i < len(gaps); i++ {
				want := max(usual, min(2*gaps[i-1], maxLoopWait+5*time.Second))
				assert.InDelta(t, want.Seconds(), gaps[i].Seconds(), 15, "gap %d", i)
			}
		})
	}
}

func TestWhatChangesAllTheTimeIsNoLoop(t *testing.T) {
	many := func(periods ...int) (objects []ObjectReference, others map[ObjectReference]time.Duration) {
		others = map[ObjectReference]time.Duration{}
		for _, seconds := range periods {
			o := ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: fmt.Sprint("every-", seconds)}
			objects = append(objects, o)
			others[o] = time.Duration(seconds) * time.Second
		}
		return objects, others
	}
	for sentence, c := range map[string]struct {
		parts   []part
		periods []int
	}{
		"every few seconds":                      {nil, []int{3}},
		"every half a minute":                    {nil, []int{29}},
		"a little more rarely than the cooldown": {nil, []int{61}},
		"many objects, each every few minutes":   {nil, []int{101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167, 173, 179, 181, 191, 193, 197}},
		"All":                                    {[]part{all}, []int{7, 31}},
		"Forbid":                                 {[]part{forbidding}, []int{7}},
		"Replace":                                {[]part{replacing}, []int{7}},
		"a cooldown of minutes":                  {[]part{cooldown(7 * time.Minute)}, []int{13}},
		"one that changes by day and a cooldown of hours": {[]part{cooldown(8 * time.Hour)}, []int{1201}},
	} {
		t.Run(sentence, func(t *testing.T) {
			objects, others := many(c.periods...)
			f := build(append(c.parts, refers(objects...))...)
			f.others = others
			f.run(3*time.Hour + 15*f.in.Spec.EffectiveCooldown())
			assert.False(t, f.everLoop, "%v", f.gaps())
			assert.Zero(t, f.count(ReasonLoopSuspected))
		})
	}
}

// With Jobs all the time, there is no time at which a change is certainly none of theirs; and an object may happen to
// change once in each cooldown, right after the Job. The page on concepts says so.
func TestWhatCannotBeToldApartIsSlowedDownAndLetGoAgain(t *testing.T) {
	for sentence, c := range map[string]struct {
		parts []part
		every time.Duration
	}{
		"Jobs all the time":         {[]part{forbidding, noCooldown}, 3 * time.Second},
		"a change in each cooldown": {nil, 59 * time.Second},
	} {
		t.Run(sentence, func(t *testing.T) {
			f := build(append(c.parts, refers(objectA))...)
			f.others = map[ObjectReference]time.Duration{objectA: c.every}
			f.run(2 * time.Hour)
			assert.True(t, f.everLoop)
			assert.Less(t, slices.Max(f.gaps()), 2*time.Minute, "a change in the wait that no Job can have made ends it")
		})
	}
}

// The page on concepts says so, too.
func TestALoopIsNotSeenWhoseChangeComesLate(t *testing.T) {
	for sentence, c := range map[string]struct {
		parts   []part
		lasts   time.Duration
		effects []time.Duration
		seen    bool
	}{
		"30 seconds after the end of the Job, it is seen": {
			nil, 10 * time.Second, []time.Duration{40 * time.Second}, true},
		"31 seconds after, as by a chain that leads back, it is not": {
			nil, 10 * time.Second, []time.Duration{41 * time.Second}, false},
		"nor two hours after the creation of a Job that runs for longer": {
			nil, 3 * time.Hour, []time.Duration{2 * time.Hour}, false},
		"nor where the next one waits for its end, and it has made one before": {
			[]part{forbidding}, 3 * time.Hour, []time.Duration{5 * time.Minute, 2 * time.Hour}, false},
		"unless it has made all of them within the hour": {
			[]part{forbidding}, 3 * time.Hour, []time.Duration{5 * time.Minute, 50 * time.Minute}, true},
		"or within the cooldown": {
			[]part{cooldown(150 * time.Minute)}, 3 * time.Hour, []time.Duration{2 * time.Hour}, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			f := build(append(c.parts, refers(objectA))...)
			f.by, f.lasts, f.effects = []ObjectReference{objectA}, c.lasts, c.effects
			f.run(15 * max(c.lasts, f.in.Spec.EffectiveCooldown()))
			require.Greater(t, len(f.triggers), loopAfter+1)
			assert.Equal(t, c.seen, f.everLoop, "%v", f.gaps())
		})
	}
}

func TestAJobThatHangsMakesNoLoopOfWhatOthersChange(t *testing.T) {
	for sentence, c := range map[string]struct {
		parts []part
		every time.Duration
	}{
		"once in a while":     {nil, 70 * time.Minute},
		"a cooldown of hours": {[]part{cooldown(3 * time.Hour)}, 190 * time.Minute},
	} {
		t.Run(sentence, func(t *testing.T) {
			f := build(append(c.parts, refers(objectA))...)
			f.hangs, f.others = 1, map[ObjectReference]time.Duration{objectA: c.every}
			f.run(14 * c.every)
			require.Greater(t, len(f.triggers), loopAfter+1)
			assert.False(t, f.everLoop, "%v", f.gaps())
		})
	}
	t.Run("every few minutes, it seems one for an hour", func(t *testing.T) {
		f := build(refers(objectA))
		f.hangs, f.others = 1, map[ObjectReference]time.Duration{objectA: 5 * time.Minute}
		f.run(maxLoopWait)
		assert.True(t, f.suspects())
		f.run(time.Minute)
		assert.False(t, f.suspects(), "nobody need touch it")
		f.run(2 * time.Hour)
		assert.False(t, f.suspects())
		assert.Equal(t, 1, f.count(ReasonLoopSuspected))
		assert.LessOrEqual(t, slices.Max(f.gaps()), 8*time.Minute)
	})
}

func TestALoopIsOverWhen(t *testing.T) {
	looping := func(t *testing.T) *factory {
		t.Helper()
		f := build(refers(objectA))
		f.by = []ObjectReference{objectA}
		f.run(20 * time.Minute)
		require.True(t, f.suspects())
		require.Equal(t, "True LoopSuspected", conditionOf(f.in.Status, ConditionProgressing))
		return f
	}
	calm := func(t *testing.T, f *factory) {
		t.Helper()
		f.run(time.Second)
		assert.False(t, f.suspects())
		for _, entry := range f.in.Status.ResourceHashes {
			assert.Less(t, entry.LoopCount, int32(2))
		}
		n := len(f.triggers)
		f.run(3 * time.Minute)
		assert.GreaterOrEqual(t, len(f.triggers), n+2, "the usual cooldown holds again")
	}
	t.Run("a Job is asked for", func(t *testing.T) {
		f := looping(t)
		n := len(f.triggers)
		f.in.RunNow = "1"
		f.decide()
		require.Len(t, f.triggers, n+1)
		calm(t, f)
	})
	t.Run("the spec is edited", func(t *testing.T) {
		f := looping(t)
		f.in.Generation++
		f.decide()
		calm(t, f)
	})
	t.Run("somebody else changes it", func(t *testing.T) {
		f := looping(t)
		f.run(time.Minute)
		f.values[objectA]++
		f.decide()
		calm(t, f)
	})
	t.Run("a Job changes it no more", func(t *testing.T) {
		f := looping(t)
		f.by = nil
		f.run(2 * time.Hour)
		assert.False(t, f.suspects())
		assert.Equal(t, "False Idle", conditionOf(f.in.Status, ConditionProgressing))
		n := len(f.triggers)
		f.values[objectA]++
		f.decide()
		assert.Len(t, f.triggers, n+1, "the next change triggers at once")
	})
}

func TestALoopBesideAnObjectThatChangesAllTheTimeHoldsUpNoJobForThat(t *testing.T) {
	f := build(refers(objectA, objectB))
	f.by = []ObjectReference{objectA}
	f.others = map[ObjectReference]time.Duration{objectB: 7 * time.Second}
	f.run(time.Hour)
	assert.True(t, f.suspects())
	assert.Less(t, slices.Max(f.gaps()), 70*time.Second)
}

func TestAllOfWhichTheJobsChangeOneIsNoLoop(t *testing.T) {
	f := build(refers(objectA, objectB), all)
	f.by = []ObjectReference{objectA}
	f.others = map[ObjectReference]time.Duration{objectB: 150 * time.Second}
	f.run(3 * time.Hour)
	assert.False(t, f.everLoop, "the other one sets the pace")
}

func TestALoopIsIgnoredWhereThatIsAskedFor(t *testing.T) {
	f := build(refers(objectA), spec(func(s *v1alpha.ChangeTriggeredJobSpec) { s.OnLoop = v1alpha.IgnoreLoop }))
	f.by = []ObjectReference{objectA}
	f.run(time.Hour)
	assert.False(t, f.everLoop)
	assert.GreaterOrEqual(t, len(f.triggers), 58)
}

// loopCount expects how often in a row an object was pending again by a Job.
func loopCount(o ObjectReference, want int32) expectation {
	return func(t *testing.T, in Input, d Decision) {
		t.Helper()
		s := statusAfter(in, d)
		for i := range s.ResourceHashes {
			if objectOf(&s.ResourceHashes[i]) == o {
				assert.Equal(t, want, s.ResourceHashes[i].LoopCount)
			}
		}
	}
}

func TestALoopIsCountedOfWhatChangedAfterTheJob(t *testing.T) {
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	loops := func(o ObjectReference, n int32) part {
		return entryOf(o, func(entry *v1alpha.ResourceHash) { entry.LoopCount = n })
	}
	ran := func(parts ...part) part { // a minute ago, and its successor is due
		return func(in *Input) {
			status(func(s *v1alpha.ChangeTriggeredJobStatus) { s.ObservedGeneration = 1 })(in)
			last(1, v1alpha.JobActive)(in)
			triggered(ago(time.Minute))(in)
			for _, p := range parts {
				p(in)
			}
		}
	}
	taken := func(o ObjectReference) part { // a Job that was created and not written down
		return job(2, running, born(noon), ranFor(o, "*", sum("new")), becauseOf(o, "*"))
	}
	tell(t, map[string]tale{
		"what changed while the Job ran is counted": {
			[]part{ran(job(1, running)), waiting(objectA, ago(20*time.Second)), loops(objectA, 3)}, []expectation{creates(2), loopCount(objectA, 4)}},
		"in the second of its creation, too": {
			[]part{ran(job(1, running)), waiting(objectA, ago(time.Minute)), loops(objectA, 3)}, []expectation{creates(2), loopCount(objectA, 4)}},
		"what changed before, and has waited for its when, is not": {
			[]part{ran(job(1, running)), waiting(objectA, ago(61*time.Second)), loops(objectA, 3)}, []expectation{creates(2), loopCount(objectA, 0)}},
		"nor where the next Job is taken over": {
			[]part{ran(job(1, running)), waiting(objectA, ago(61*time.Second)), loops(objectA, 3), taken(objectA)}, []expectation{adopts(2), loopCount(objectA, 0)}},
		"where that is taken over, what changed while the Job before it ran is": {
			[]part{ran(job(1, running)), waiting(objectA, ago(20*time.Second)), loops(objectA, 3), taken(objectA)}, []expectation{adopts(2), loopCount(objectA, 4)}},
		"what is pending by the replacement of its Job alone is not": {
			[]part{ran(lastMissing), replacing, waiting(objectA, ago(20*time.Second)), unanswered(objectB), pendingFrom(objectB, ago(10*time.Second)), loops(objectB, 3)},
			[]expectation{creates(2), loopCount(objectA, 1), loopCount(objectB, 0)}},
		"nor where the next Job is taken over by another process": {
			[]part{ran(lastMissing), replacing, unanswered(objectB), pendingFrom(objectB, ago(10*time.Second)), loops(objectB, 3), taken(objectB)},
			[]expectation{adopts(2), loopCount(objectB, 0)}},
		"what has changed besides is": {
			[]part{ran(lastMissing), replacing, unanswered(objectB), pendingFrom(objectB, ago(10*time.Second)), movedAt(objectB, ago(10*time.Second)), loops(objectB, 3)},
			[]expectation{creates(2), loopCount(objectB, 4)}},
		"and what is seen to change now": {
			[]part{ran(lastMissing), replacing, refers(objectB), kept(objectB, "*", sum("new"), Unknown), pendingFrom(objectB, ago(10*time.Second)), sees(objectB, sum("newer")), loops(objectB, 3)},
			[]expectation{creates(2), loopCount(objectB, 4)}},
	})
}

func TestARowOfReplacementsIsNoLoopOfWhatTheFirstJobRanFor(t *testing.T) {
	f := build(refers(objectA, objectB), replacing, cooldown(10*time.Second))
	f.lasts = 5 * time.Minute
	f.others = map[ObjectReference]time.Duration{objectA: 65 * time.Second}
	f.run(9 * time.Minute)
	require.Len(t, f.triggers, 9)
	for _, entry := range f.in.Status.ResourceHashes {
		if entry.Name == objectB.Name {
			assert.Zero(t, entry.LoopCount)
		}
	}
}

// Whenever a process ends, the next one goes on counting where it was.
func TestALoopIsCountedWhateverCrashes(t *testing.T) {
	for sentence, before := range map[string]bool{"after each status write": false, "before each status write of a trigger": true} {
		t.Run(sentence, func(t *testing.T) {
			f := build(refers(objectA))
			f.by = []ObjectReference{objectA}
			for range 40 * 60 {
				status := f.in.Status
				n := len(f.triggers)
				f.run(time.Second)
				f.in.LastStatusWrite = time.Time{}
				if before && len(f.triggers) > n {
					f.in.Status = status
					f.decide()
					require.NotZero(t, f.decision.Adopted)
				}
			}
			assert.True(t, f.suspects())
			assert.Greater(t, slices.Max(f.gaps()), 7*time.Minute)
		})
	}
}

func TestWhatIsSaidOfALoop(t *testing.T) {
	f := build(refersTo(objectA, "data", "metadata.labels"))
	f.in.Spec.Resources[0].Fields = []string{"data"}
	f.by = []ObjectReference{objectA}
	f.run(20 * time.Minute)
	at := slices.IndexFunc(f.told, func(e Event) bool { return e.Reason == ReasonLoopSuspected })
	require.GreaterOrEqual(t, at, 0)
	for _, said := range []string{"ConfigMap default/a (data)", "10 times in a row", "up to an hour", v1alpha.RunNowAnnotation} {
		assert.Contains(t, f.told[at].Message, said)
	}
	assert.Contains(t, f.decision.Skip, "the next one waits until 2026-03-04T12:")
}

func TestTheEndOfTheLastJobIsRemembered(t *testing.T) {
	ended := func(when time.Time) jobPart { return func(j *Job) { j.Finished = when } }
	finishedAt := func(when time.Time) expectation {
		return func(t *testing.T, in Input, d Decision) {
			t.Helper()
			got := statusAfter(in, d).LastJobFinishedTime
			if when.IsZero() {
				assert.Nil(t, got)
				return
			}
			require.NotNil(t, got)
			assert.Equal(t, when, got.UTC())
		}
	}
	stored := func(when time.Time) part {
		return status(func(s *v1alpha.ChangeTriggeredJobStatus) { s.LastJobFinishedTime = &metav1.Time{Time: when} })
	}
	early := noon.Add(-time.Minute)
	tell(t, map[string]tale{
		"when it ends": {
			[]part{last(1, v1alpha.JobActive), unchanged(objectA), job(1, ended(early))}, []expectation{finishedAt(early)}},
		"when it is gone": {
			[]part{last(1, v1alpha.JobActive), lastMissing, unchanged(objectA)}, []expectation{finishedAt(noon)}},
		"when it is gone, where it was deleted unfinished, and so had failed before": {
			[]part{last(1, v1alpha.JobFailed), active(1), lastMissing, unchanged(objectA)}, []expectation{finishedAt(noon), lastJobIs(1, v1alpha.JobFailed)}},
		"not while that one goes": {
			[]part{last(1, v1alpha.JobFailed), active(1), unchanged(objectA), job(1, running, goingAway)}, []expectation{finishedAt(time.Time{})}},
		"when that one ends while it goes": {
			[]part{last(1, v1alpha.JobFailed), active(1), unchanged(objectA), job(1, failed, goingAway, ended(early))}, []expectation{finishedAt(early)}},
		"when it ends in the future of our clock, as now": {
			[]part{last(1, v1alpha.JobActive), unchanged(objectA), job(1, ended(noon.Add(time.Hour)))}, []expectation{finishedAt(noon)}},
		"when it is gone later, as it was": {
			[]part{last(1, v1alpha.JobSucceeded), stored(early), unchanged(objectA)}, []expectation{finishedAt(early), writesLittle}},
		"with its take-over": {
			[]part{unchanged(objectA), job(1, ended(early), ranFor(objectA, "*", sum("old")))}, []expectation{adopts(1), finishedAt(early)}},
		"not while it runs": {
			[]part{last(1, v1alpha.JobActive), stored(early), unchanged(objectA), job(1, running)}, []expectation{finishedAt(time.Time{})}},
		"not with a write of its own, where a release before this one saw its end": {
			[]part{last(1, v1alpha.JobSucceeded), unchanged(objectA), job(1, ended(early))}, []expectation{finishedAt(time.Time{})}},
	})
}

// writesLittle expects that the time is nothing that is written again.
func writesLittle(t *testing.T, in Input, d Decision) {
	t.Helper()
	assert.Equal(t, in.Status.LastJobFinishedTime, statusAfter(in, d).LastJobFinishedTime)
}
