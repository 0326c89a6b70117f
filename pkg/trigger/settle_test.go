package trigger

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/window"
)

func settles(after time.Duration) part {
	return spec(func(s *v1alpha.ChangeTriggeredJobSpec) { s.Settle = &metav1.Duration{Duration: after} })
}

// movedAt says in status when a pending object has last changed.
func movedAt(o ObjectReference, when time.Time) part {
	return entryOf(o, func(entry *v1alpha.ResourceHash) { entry.ChangedTime = &metav1.Time{Time: when} })
}

// changedTime expects when status has a pending object as changed last; zero for no other time than pendingSince.
func changedTime(o ObjectReference, want time.Time) expectation {
	return func(t *testing.T, in Input, d Decision) {
		t.Helper()
		s := statusAfter(in, d)
		for i := range s.ResourceHashes {
			if objectOf(&s.ResourceHashes[i]) != o {
				continue
			}
			if got := s.ResourceHashes[i].ChangedTime; want.IsZero() {
				assert.Nil(t, got)
			} else if assert.NotNil(t, got) {
				assert.Equal(t, want, got.UTC())
			}
		}
	}
}

func TestSettle(t *testing.T) {
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	newer := func(o ObjectReference, since time.Time) part {
		return func(in *Input) {
			refers(o)(in)
			kept(o, "*", sum("new"), sum("old"))(in)
			pendingFrom(o, since)(in)
			sees(o, sum("newer"))(in)
		}
	}
	tell(t, map[string]tale{
		"without it a change triggers at once": {
			[]part{settles(0), changed(objectA)}, []expectation{creates(1)}},
		"what has just changed waits": {
			[]part{settles(20 * time.Second), changed(objectA)},
			[]expectation{createsNothing, progressing("True Settling"), wakesIn(20 * time.Second), pendingSince(objectA, noon), changedTime(objectA, time.Time{})}},
		"a moment before, it waits still": {
			[]part{settles(20 * time.Second), waiting(objectA, ago(20*time.Second)), at(noon.Add(-time.Nanosecond))},
			[]expectation{createsNothing, wakesIn(time.Nanosecond)}},
		"what has not changed since triggers": {
			[]part{settles(20 * time.Second), waiting(objectA, ago(20*time.Second))}, []expectation{creates(1)}},
		"another change begins anew": {
			[]part{settles(20 * time.Second), newer(objectA, ago(19*time.Second))},
			[]expectation{createsNothing, wakesIn(20 * time.Second), pendingSince(objectA, ago(19*time.Second)), changedTime(objectA, noon)}},
		"a change that status knows of counts after a restart": {
			[]part{settles(20 * time.Second), waiting(objectA, ago(30*time.Second)), movedAt(objectA, ago(5*time.Second))},
			[]expectation{createsNothing, wakesIn(15 * time.Second), changedTime(objectA, ago(5*time.Second))}},
		"what never rests triggers a cooldown late": {
			[]part{settles(20 * time.Second), newer(objectA, ago(time.Minute))}, []expectation{creates(1)}},
		"and a moment before that not yet": {
			[]part{settles(20 * time.Second), newer(objectA, ago(time.Minute)), at(noon.Add(-time.Second))},
			[]expectation{createsNothing, wakesIn(time.Second)}},
		"one of several that changes holds up all": {
			[]part{settles(20 * time.Second), waiting(objectA, ago(50*time.Second)), changed(objectB)},
			[]expectation{createsNothing, wakesIn(10 * time.Second)}}, // a cooldown after A
		"one that is not pending holds up none": {
			[]part{settles(20 * time.Second), waiting(objectA, ago(20*time.Second)),
				refers(objectB), kept(objectB, "*", sum("new"), sum("old")), pendingFrom(objectB, ago(time.Minute)), sees(objectB, sum("old"))},
			[]expectation{creates(1), because(Change{objectA, []string{"*"}})}},
		"with All, the last one to change counts for how late it may be": {
			[]part{all, settles(20 * time.Second), waiting(objectA, ago(time.Hour)), newer(objectB, ago(50*time.Second))},
			[]expectation{createsNothing, wakesIn(10 * time.Second)}},
		"in the cooldown it is the cooldown that is waited for": {
			[]part{settles(20 * time.Second), triggered(ago(10 * time.Second)), changed(objectA)},
			[]expectation{createsNothing, progressing("True Cooldown"), wakesIn(50 * time.Second)}},
		"what has changed late in the cooldown waits on": {
			[]part{settles(20 * time.Second), triggered(ago(time.Minute)), waiting(objectA, ago(10*time.Second))},
			[]expectation{createsNothing, progressing("True Settling"), wakesIn(10 * time.Second)}},
		"how late it may be counts from the end of the cooldown": {
			[]part{settles(20 * time.Second), triggered(ago(100 * time.Second)), newer(objectA, ago(90*time.Second))},
			[]expectation{createsNothing, progressing("True Settling"), wakesIn(20 * time.Second)}},
		"in a window that has just opened, what has changed before settles, however long it has waited": {
			[]part{settles(20 * time.Second), opens("0 12 * * *", time.Hour), waiting(objectA, ago(2*time.Hour)), movedAt(objectA, ago(5*time.Second))},
			[]expectation{createsNothing, progressing("True Settling"), wakesIn(15 * time.Second)}},
		"how late it may be counts from the opening of the window": {
			[]part{settles(20 * time.Second), opens("59 11 * * *", time.Hour), newer(objectA, ago(2*time.Hour))}, []expectation{creates(1)}},
		"and a moment before a cooldown after that not yet": {
			[]part{settles(20 * time.Second), opens("59 11 * * *", time.Hour), newer(objectA, ago(2*time.Hour)), at(ago(time.Second))},
			[]expectation{createsNothing, progressing("True Settling"), wakesIn(time.Second)}},
		"from the first window, lest what never rests outlasts each that is shorter than the cooldown": {
			[]part{settles(20 * time.Second), opens("*/2 * * * *", 30*time.Second), newer(objectA, ago(200*time.Second))}, []expectation{creates(1)}},
		"in a window that was open when it changed, from the change": {
			[]part{settles(20 * time.Second), opens("0 11 * * *", 2*time.Hour), newer(objectA, ago(50*time.Second))},
			[]expectation{createsNothing, wakesIn(10 * time.Second)}},
		"in one that was open when the cooldown ended, from there": {
			[]part{settles(20 * time.Second), opens("0 11 * * *", 2*time.Hour), triggered(ago(100 * time.Second)), newer(objectA, ago(90*time.Second))},
			[]expectation{createsNothing, wakesIn(20 * time.Second)}},
		"what cannot be seen has not changed": {
			[]part{settles(20 * time.Second), refers(objectA), kept(objectA, "*", sum("new"), sum("old")), pendingFrom(objectA, ago(20*time.Second)), cannotSee(objectA, Forbidden, time.Hour)},
			[]expectation{creates(1)}},
		"another key is no change": {
			[]part{settles(20 * time.Second), waiting(objectA, ago(20*time.Second)),
				status(func(s *v1alpha.ChangeTriggeredJobStatus) {
					f := &s.ResourceHashes[0].Fields[0]
					f.Hash, f.LastTriggeredHash = "other:new", "other:old"
				})},
			[]expectation{creates(1)}},
		"no longer than the cooldown, whatever was stored": {
			[]part{settles(time.Hour), noCooldown, changed(objectA)}, []expectation{creates(1)}},
		"of a release before nothing is known but that it is pending: since now": {
			[]part{settles(20 * time.Second), refers(objectA), kept(objectA, "*", sum("new"), sum("old")), sees(objectA, sum("new"))},
			[]expectation{createsNothing, wakesIn(20 * time.Second), pendingSince(objectA, noon)}},
		"what the Job ran for that is to be replaced has not changed: it is waited for its end alone": {
			[]part{replacing, settles(20 * time.Second), last(1, v1alpha.JobActive), cooled, waiting(objectA, ago(20*time.Second)), unchanged(objectB), job(1, running, becauseOf(objectB, "*"))},
			[]expectation{deletes(1), progressing("True JobRunning"), pendingSince(objectB, noon), changedTime(objectB, time.Time{})}},
		"nor when that is gone": {
			[]part{replacing, settles(20 * time.Second), last(1, v1alpha.JobActive), lastMissing, cooled, waiting(objectA, ago(30*time.Second)), unanswered(objectB), pendingFrom(objectB, ago(5*time.Second))},
			[]expectation{creates(2)}},
		"nor where nothing else is pending any more": {
			[]part{replacing, settles(20 * time.Second), last(1, v1alpha.JobActive), lastMissing, cooled, unchanged(objectA), unanswered(objectB), pendingFrom(objectB, ago(5*time.Second))},
			[]expectation{creates(2)}},
		"what the Job failed at has not, either": {
			[]part{retriggering, settles(20 * time.Second), last(1, v1alpha.JobActive), cooled, waiting(objectA, ago(20*time.Second)), unchanged(objectB), job(1, failed, becauseOf(objectB, "*"))},
			[]expectation{creates(2)}},
		"unless it changes now": {
			[]part{replacing, settles(20 * time.Second), last(1, v1alpha.JobActive), lastMissing, cooled, waiting(objectA, ago(30*time.Second)),
				refers(objectB), kept(objectB, "*", sum("new"), Unknown), pendingFrom(objectB, ago(5*time.Second)), sees(objectB, sum("newer"))},
			[]expectation{createsNothing, progressing("True Settling"), wakesIn(20 * time.Second), changedTime(objectB, noon)}},
		"or has changed since": {
			[]part{replacing, settles(20 * time.Second), last(1, v1alpha.JobActive), lastMissing, cooled, waiting(objectA, ago(30*time.Second)),
				unanswered(objectB), pendingFrom(objectB, ago(5*time.Second)), movedAt(objectB, ago(time.Second))},
			[]expectation{createsNothing, progressing("True Settling"), wakesIn(19 * time.Second), changedTime(objectB, ago(time.Second))}},
		"or had changed before its Job failed": {
			[]part{retriggering, forbidding, settles(20 * time.Second), last(1, v1alpha.JobActive), cooled, waiting(objectA, ago(5*time.Second)), job(1, failed, becauseOf(objectA, "*"))},
			[]expectation{createsNothing, progressing("True Settling"), wakesIn(15 * time.Second), says(objectA, "*", sum("new"), Unknown), changedTime(objectA, ago(5*time.Second))}},
		"which stays known": {
			[]part{retriggering, settles(20 * time.Second), last(1, v1alpha.JobFailed), cooled, unanswered(objectA), pendingFrom(objectA, ago(5*time.Second)), movedAt(objectA, ago(5*time.Second)), job(1, failed, becauseOf(objectA, "*"))},
			[]expectation{createsNothing, progressing("True Settling"), wakesIn(15 * time.Second), changedTime(objectA, ago(5*time.Second))}},
		"or by another key nobody knows what it was before": {
			[]part{settles(20 * time.Second), refers(objectA), kept(objectA, "*", "other:new", "other:old"), pendingFrom(objectA, ago(5*time.Second)), sees(objectA, sum("new"))},
			[]expectation{createsNothing, wakesIn(15 * time.Second), says(objectA, "*", sum("new"), Unknown), changedTime(objectA, ago(5*time.Second))}},
		"or what the Job ran for cannot be read": {
			[]part{settles(20 * time.Second), unchanged(objectA), job(1)},
			[]expectation{adopts(1), progressing("True Settling"), changedTime(objectA, noon)}},
		"without it, status does not say when something changed": {
			[]part{suspended, newer(objectA, ago(time.Hour))}, []expectation{changedTime(objectA, time.Time{})}},
	})
}

// TestSettleCountsEachChangeThoughFewAreWritten changes an object every second, while status is written every ten at most.
func TestSettleCountsEachChangeThoughFewAreWritten(t *testing.T) {
	in := atRest(t, settles(3*time.Second), changed(objectA))
	in.LastStatusWrite = noon
	writes, value := 0, 0
	next := func(now time.Time, hash string) Decision {
		in.Now, in.Observations = now, nil
		sees(objectA, hash)(&in)
		d := Decide(in)
		if d.Status != nil {
			writes++
		}
		in = settled(in, d)
		return d
	}
	hash := ""
	for second := 1; second <= 14; second++ {
		value++
		hash = sum("v" + string(rune('a'+value)))
		d := next(noon.Add(time.Duration(second)*time.Second), hash)
		require.Nil(t, d.Create, "second %d", second)
	}
	assert.Equal(t, 1, writes, "one in ten seconds")
	d := next(noon.Add(17*time.Second-time.Millisecond), hash)
	require.Nil(t, d.Create)
	assert.Equal(t, time.Millisecond, d.RequeueAfter)
	require.NotNil(t, next(noon.Add(17*time.Second), hash).Create, "three seconds after the last change")
}

// TestWhatSettlesTriggersInTime has an object change at any times, and compares the time of the Job with what the rule says second
// by second: within a window, after the cooldown, once nothing has changed for long enough, or a cooldown after the first
// moment at which it could have triggered without settling.
func TestWhatSettlesTriggersInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cools := time.Duration(rapid.SampledFrom([]int{10, 60, 300}).Draw(t, "cooldown")) * time.Second
		settle := min(time.Duration(rapid.SampledFrom([]int{1, 10, 60}).Draw(t, "settle"))*time.Second, cools)
		last := noon.Add(-time.Duration(rapid.IntRange(0, 300).Draw(t, "last trigger")) * time.Second)
		parts := []part{cooldown(cools), settles(settle), triggered(last), unchanged(objectA)}
		open := func(time.Time) bool { return true }
		if schedule := rapid.SampledFrom([]string{"", "*/2 * * * *", "*/5 * * * *", "3-59/7 * * * *"}).Draw(t, "schedule"); schedule != "" {
			duration := time.Duration(rapid.SampledFrom([]int{20, 60, 120, 180}).Draw(t, "open for")) * time.Second
			parts = append(parts, opens(schedule, duration))
			parsed, err := window.Parse(schedule, "", duration)
			require.NoError(t, err)
			open = parsed.Open
		}
		changes := rapid.SliceOfNDistinct(rapid.IntRange(1, 900), 1, 60, rapid.ID).Draw(t, "changes")
		every := rapid.SampledFrom([]int{0, 0, 1, 7}).Draw(t, "and every")

		in := scene(parts...)
		in = settled(in, Decide(in))
		value := 0
		var first, changed, due, wake time.Time
		for second := 1; second <= 7200; second++ {
			in.Now = noon.Add(time.Duration(second) * time.Second)
			news := slices.Contains(changes, second) || every > 0 && second%every == 0
			if news {
				value++
				changed = in.Now
			}
			if first.IsZero() {
				first = changed
			}
			cooled := !first.IsZero() && !in.Now.Before(last.Add(cools)) && open(in.Now)
			if cooled && due.IsZero() {
				due = in.Now
			}
			want := cooled && (!in.Now.Before(changed.Add(settle)) || !in.Now.Before(due.Add(cools)))
			created := false
			if news || !wake.IsZero() && !in.Now.Before(wake) {
				in.Observations = nil
				sees(objectA, sum(fmt.Sprint("v", value)))(&in)
				d := Decide(in)
				created = d.Create != nil
				in, wake = settled(in, d), time.Time{}
				if d.RequeueAfter > 0 {
					wake = in.Now.Add(d.RequeueAfter)
				}
			}
			require.Equal(t, want, created, "second %d, due since %s", second, due)
			if created {
				return
			}
		}
		require.Fail(t, "no Job within two hours")
	})
}

// TestRestartsPostponeNothingForEver restarts the operator before each decision, with an object that never rests.
func TestRestartsPostponeNothingForEver(t *testing.T) {
	in := atRest(t, settles(30*time.Second), changed(objectA))
	for second := 1; second < 60; second++ {
		in.Now, in.Observations, in.LastStatusWrite, in.Deferred = noon.Add(time.Duration(second)*time.Second), nil, time.Time{}, nil
		sees(objectA, sum("v"+string(rune('a'+second))))(&in)
		d := Decide(in)
		require.Nil(t, d.Create, "second %d", second)
		in = settled(in, d)
	}
	in.Now = noon.Add(time.Minute)
	creates(1)(t, in, Decide(in))
}

func TestP3WhatSettlesIsNotWrittenMoreOften(t *testing.T) {
	in := atRest(t, settles(30*time.Second), changed(objectA))
	in.LastStatusWrite, in.Now, in.Observations = noon, noon.Add(4*time.Second), nil
	sees(objectA, sum("newer"))(&in)
	d := Decide(in)
	writesNothing(t, in, d)
	wakesIn(6*time.Second)(t, in, d)
	require.NotNil(t, d.Deferred)

	in = settled(in, d)
	in.Now = noon.Add(10 * time.Second)
	d = Decide(in)
	changedTime(objectA, noon.Add(4*time.Second))(t, in, d)
	require.NotNil(t, d.Status)
	assert.Nil(t, d.Deferred)
}
