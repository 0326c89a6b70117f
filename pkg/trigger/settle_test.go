package trigger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
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
