package trigger

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func runningOnCreate(in *Input) { yes := true; in.Spec.RunOnCreate = &yes }

// owed says in status that the first run is pending.
func owed(in *Input) { in.Status.FirstRunPending, in.Status.ObservedGeneration = true, 1 }

// written is a status that was written before.
func written(in *Input) { in.Status.ObservedGeneration = 1 }

// owes expects whether status says that the first run is pending.
func owes(want bool) expectation {
	return func(t *testing.T, in Input, d Decision) {
		t.Helper()
		assert.Equal(t, want, statusAfter(in, d).FirstRunPending, "firstRunPending")
	}
}

func TestRunOnCreate(t *testing.T) {
	wholeA, wholeB := Change{objectA, []string{"*"}}, Change{objectB, []string{"*"}}
	tell(t, map[string]tale{
		"without it the first look runs nothing": {
			[]part{refers(objectA), sees(objectA, sum("1"))}, []expectation{createsNothing, owes(false)}},
		"the first look runs the first Job, for all that is referenced": {
			[]part{runningOnCreate, refersTo(objectA, "x", "y"), refers(objectB), sees(objectA, sum("1"), Absent), sees(objectB, sum("2"))},
			[]expectation{createsFor(ReasonFirstRun, 1), because(Change{objectA, []string{"x", "y"}}, wholeB), owes(false),
				says(objectA, "x", sum("1"), ""), says(objectB, "*", sum("2"), "")}},
		"All is fulfilled at once": {
			[]part{runningOnCreate, all, refers(objectA, objectB), sees(objectA, sum("1")), sees(objectB, sum("2"))},
			[]expectation{createsFor(ReasonFirstRun, 1)}},
		"what is absent holds nothing up": {
			[]part{runningOnCreate, all, refers(objectA, objectB), sees(objectA, Absent), unserved(objectB)},
			[]expectation{createsFor(ReasonFirstRun, 1), because(wholeA, wholeB)}},
		"what is forbidden holds nothing up": {
			[]part{runningOnCreate, refers(objectA, objectB), sees(objectA, sum("1")), cannotSee(objectB, Forbidden, 0)},
			[]expectation{createsFor(ReasonFirstRun, 1)}},
		"nor does it alone": {
			[]part{runningOnCreate, all, refers(objectA), cannotSee(objectA, Forbidden, 0)}, []expectation{createsFor(ReasonFirstRun, 1)}},
		"what is not synced yet is waited for": {
			[]part{runningOnCreate, refers(objectA, objectB), sees(objectA, sum("1")), cannotSee(objectB, NotSynced, 10*time.Second)},
			[]expectation{createsNothing, wakesIn(20 * time.Second)}},
		"no longer than it takes to say so": {
			[]part{runningOnCreate, refers(objectA, objectB), sees(objectA, sum("1")), cannotSee(objectB, NotSynced, syncPatience)},
			[]expectation{createsFor(ReasonFirstRun, 1)}},
		"what has been seen since it was owed has its baseline": {
			[]part{runningOnCreate, owed, refers(objectA), kept(objectA, "*", sum("1"), ""), sees(objectA, sum("1"))},
			[]expectation{createsFor(ReasonFirstRun, 1)}},
		"it is one with the first change": {
			[]part{runningOnCreate, owed, refers(objectB), kept(objectB, "*", sum("1"), ""), sees(objectB, sum("1")), changed(objectA)},
			[]expectation{createsFor(ReasonFirstRun, 1), because(wholeB, wholeA), says(objectA, "*", sum("new"), "")}},
		"suspended, it is owed": {
			[]part{runningOnCreate, suspended, refers(objectA), sees(objectA, sum("1"))},
			[]expectation{createsNothing, owes(true), progressing("True Suspended"), says(objectA, "*", sum("1"), "")}},
		"it runs after resume": {
			[]part{runningOnCreate, owed, generation(2), refers(objectA), kept(objectA, "*", sum("1"), ""), sees(objectA, sum("1"))},
			[]expectation{createsFor(ReasonFirstRun, 1), owes(false)}},
		"outside of the windows it is owed": {
			[]part{runningOnCreate, opens("0 22 * * *", time.Hour), refers(objectA), sees(objectA, sum("1"))},
			[]expectation{createsNothing, owes(true), progressing("True OutsideWindow"), wakesIn(10 * time.Hour)}},
		"it needs not settle": {
			[]part{runningOnCreate, settles(20 * time.Second), refers(objectA), sees(objectA, sum("1"))}, []expectation{createsFor(ReasonFirstRun, 1)}},
		"it is no pending reference that could be forgotten": {
			[]part{runningOnCreate, owed, suspended, deadline(time.Hour), waiting(objectA, noon.Add(-time.Hour))},
			[]expectation{createsNothing, owes(true), progressing("True Suspended"), tells(EventPendingForgotten, ReasonSuspended)}},
		"with an invalid spec it is owed": {
			[]part{runningOnCreate, invalid("no"), refers(objectA)}, []expectation{createsNothing, owes(true)}},
		"refused, it is owed": {
			[]part{runningOnCreate, refers(objectA), sees(objectA, sum("1")), refused(Refusal{Reason: ReasonJobNotCreated, Message: "quota", RetryAt: noon.Add(time.Second)})},
			[]expectation{createsNothing, owes(true), progressing("True JobNotCreated"), wakesIn(time.Second)}},
		"an edit that sets it later runs nothing": {
			[]part{runningOnCreate, written, generation(2), unchanged(objectA)}, []expectation{createsNothing, owes(false)}},
		"an edit that takes it back runs nothing": {
			[]part{owed, generation(2), unchanged(objectA)}, []expectation{createsNothing, owes(false), progressing("False Idle")}},
		"once a Job was created it is owed no more": {
			[]part{runningOnCreate, owed, last(1, v1alpha.JobSucceeded), unchanged(objectA)}, []expectation{createsNothing, owes(false)}},
		"a Job that was created before an interruption was it": {
			[]part{runningOnCreate, refers(objectA), sees(objectA, sum("1")), job(1, running, ranFor(objectA, "*", sum("1")))},
			[]expectation{adopts(1), owes(false)}},
	})
}

func TestTheFirstRunHappensOnce(t *testing.T) {
	in := scene(runningOnCreate, refers(objectA), sees(objectA, sum("1")))
	d := Decide(in)
	createsFor(ReasonFirstRun, 1)(t, in, d)
	assert.Equal(t, "Created Job "+nameOf(1)+" (trigger 1): the first run, for ConfigMap default/a (*)", d.Events[0].Message)

	crashed := settled(in, d)
	crashed.Status = in.Status // the process ended before it wrote status
	again := Decide(crashed)
	adopts(1)(t, crashed, again)
	createsNothing(t, crashed, Decide(settled(crashed, again)))

	gone := settled(in, d)
	gone.Jobs, gone.MissingJobs = nil, []string{nameOf(1)}
	createsNothing(t, gone, Decide(gone))
}

func TestRule1WhatTheFirstRunNeverSawTakesItsBaselineThoughThatIsReplaced(t *testing.T) {
	in := scene(runningOnCreate, replacing, noCooldown, refers(objectA, objectC), sees(objectA, sum("1")), cannotSee(objectC, Forbidden, time.Hour))
	d := Decide(in)
	because(Change{objectA, []string{"*"}}, Change{objectC, []string{"*"}})(t, in, d)
	next := func(parts ...part) {
		in = settledButRunning(in, d)
		in.Now, in.Observations = in.Now.Add(time.Second), nil
		for _, p := range parts {
			p(&in)
		}
		d = Decide(in)
	}
	next(sees(objectA, sum("2")), cannotSee(objectC, Forbidden, time.Hour))
	deletes(1)(t, in, d)
	says(objectA, "*", sum("2"), Unknown)(t, in, d)
	says(objectC, "*", "", "")(t, in, d)
	for range 2 { // the rights are granted while the Job goes
		next(sees(objectA, sum("2")), sees(objectC, sum("c")))
		says(objectC, "*", sum("c"), "")(t, in, d)
		lastJobIs(1, v1alpha.JobActive)(t, in, d)
		assert.NotContains(t, reasonsOf(d.Events), ReasonLastJobFailed)
	}
	next(sees(objectA, sum("2")), sees(objectC, sum("c")), lastMissing, func(in *Input) { in.Jobs = nil })
	because(Change{objectA, []string{"*"}})(t, in, d)
	next(sees(objectA, sum("2")), sees(objectC, sum("c")))
	createsNothing(t, in, d)
}

func TestTheFirstRunIsNotWrittenBeforeTheFirstLook(t *testing.T) {
	in := scene(runningOnCreate, refers(objectA), cannotSee(objectA, NotSynced, 0))
	d := Decide(in)
	writesNothing(t, in, d)
	wakesIn(syncPatience)(t, in, d)
}

func TestAStatusThatCannotBeReadOwesNoFirstRun(t *testing.T) {
	in := scene(runningOnCreate, refers(objectA), sees(objectA, sum("1")))
	in.Status = &v1alpha.ChangeTriggeredJobStatus{}
	require.NoError(t, json.Unmarshal([]byte(`{"triggerCount":"many"}`), in.Status))
	createsNothing(t, in, Decide(in))
}

func TestASpecThatCannotBeReadTakesNoFirstRunBack(t *testing.T) {
	in := scene(undecoded, owed, invalid("cannot be decoded"))
	owes(true)(t, in, Decide(in))
}

func TestAFirstRunIsOwedWhereTheFirstSpecCouldNotBeRead(t *testing.T) {
	for sentence, runs := range map[string]bool{"and it was asked for": true, "but not where it was not": false} {
		t.Run(sentence, func(t *testing.T) {
			in := scene(undecoded, invalid("cannot be decoded"))
			in = settled(in, Decide(in))
			in.Generation, in.Invalid, in.Spec = 2, "", &v1alpha.ChangeTriggeredJobSpec{}
			if runs {
				runningOnCreate(&in)
			}
			refers(objectA)(&in)
			sees(objectA, sum("1"))(&in)
			d := Decide(in)
			assert.Equal(t, runs, d.Create != nil)
			owes(false)(t, in, d)
		})
	}
}
