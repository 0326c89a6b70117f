package trigger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func TestRule1FirstSightAndLeaving(t *testing.T) {
	tell(t, map[string]tale{
		"the first sight of an object takes its baseline and triggers nothing": {
			[]part{refers(objectA), sees(objectA, sum("1"))},
			[]expectation{createsNothing, says(objectA, "*", sum("1"), ""), available("True Watching"), tellsNothing}},
		"the first sight of an absent object is a baseline, too": {
			[]part{refers(objectA), sees(objectA, Absent)},
			[]expectation{createsNothing, says(objectA, "*", Absent, ""), available("True Watching")}},
		"a reference that joins takes its baseline while another triggers": {
			[]part{changed(objectA), refers(objectB), sees(objectB, sum("b"))},
			[]expectation{creates(1), because(Change{objectA, []string{"*"}}), says(objectB, "*", sum("b"), "")}},
		"a field that joins takes its baseline": {
			[]part{refersTo(objectA, "data", "spec"), kept(objectA, "data", sum("1"), ""), sees(objectA, sum("1"), sum("2"))},
			[]expectation{createsNothing, says(objectA, "spec", sum("2"), "")}},
		"what leaves the spec leaves status": {
			[]part{unchanged(objectA), kept(objectB, "*", sum("b"), sum("old")), kept(objectA, "gone", sum("g"), "")},
			[]expectation{createsNothing, func(t *testing.T, _ Input, d Decision) {
				assert.Equal(t, []v1alpha.ResourceHash{{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: "a",
					Fields: []v1alpha.FieldHash{{Field: "*", Hash: sum("old")}}}}, d.Status.ResourceHashes)
			}}},
		"what returns to the spec is seen for the first time": {
			[]part{refers(objectA), sees(objectA, sum("other"))},
			[]expectation{createsNothing, says(objectA, "*", sum("other"), "")}},
		"a field of another object is no baseline": {
			[]part{refers(objectA), kept(objectB, "*", sum("b"), ""), sees(objectA, sum("1"))},
			[]expectation{createsNothing, says(objectA, "*", sum("1"), "")}},
	})
}

func TestRule2AbsenceIsAnObservation(t *testing.T) {
	tell(t, map[string]tale{
		"creation after absence is a change": {
			[]part{refers(objectA), kept(objectA, "*", Absent, ""), sees(objectA, sum("1"))},
			[]expectation{creates(1)}},
		"deletion is a change": {
			[]part{refers(objectA), kept(objectA, "*", sum("1"), ""), sees(objectA, Absent)},
			[]expectation{creates(1), says(objectA, "*", Absent, ""), available("True Watching")}},
		"a field that vanishes is a change": {
			[]part{refersTo(objectA, "x", "y"), kept(objectA, "x", sum("1"), ""), kept(objectA, "y", sum("2"), ""), sees(objectA, sum("1"), Absent)},
			[]expectation{creates(1), because(Change{objectA, []string{"y"}})}},
		"beside a missing object the others go on": {
			[]part{changed(objectA), refers(objectB), kept(objectB, "*", Absent, ""), sees(objectB, Absent)},
			[]expectation{creates(1), func(t *testing.T, _ Input, d Decision) {
				assert.Equal(t, messageAbsent, messageOf(d.Status, objectB))
				assert.Empty(t, messageOf(d.Status, objectA))
			}}},
		"a kind that is served no more counts as absence": {
			[]part{refers(objectA), kept(objectA, "*", sum("1"), ""), unserved(objectA)},
			[]expectation{creates(1), says(objectA, "*", Absent, ""), available("False KindNotServed")}},
		"a kind that was never served is an absent baseline, and shown": {
			[]part{refers(objectA), unserved(objectA)},
			[]expectation{createsNothing, says(objectA, "*", Absent, ""), available("False KindNotServed"), degraded("True KindNotServed")}},
		"beside a kind that is not served the others go on": {
			[]part{changed(objectA), refers(objectB), kept(objectB, "*", Absent, ""), unserved(objectB)},
			[]expectation{creates(1), available("False KindNotServed")}},
		"a kind not served in this version is no absence": {
			[]part{refers(objectA), kept(objectA, "*", sum("1"), ""), cannotSee(objectA, VersionNotServed, time.Hour)},
			[]expectation{createsNothing, says(objectA, "*", sum("1"), ""), available("False KindNotServed")}},
	})
}

func TestRule3WhatCannotBeSeenIsNoChange(t *testing.T) {
	for _, visibility := range []Visibility{Forbidden, VersionNotServed, NotSynced, "", "Hostile"} {
		t.Run(string(visibility), func(t *testing.T) {
			tell(t, map[string]tale{
				"the last known hash stays": {
					[]part{refers(objectA), kept(objectA, "*", sum("1"), ""), cannotSee(objectA, visibility, time.Hour)},
					[]expectation{createsNothing, says(objectA, "*", sum("1"), "")}},
				"hashes that come with it do not count": {
					[]part{refers(objectA), kept(objectA, "*", sum("1"), ""), func(in *Input) {
						observe(in, Observation{Reference: objectA, Visibility: visibility, Exists: true, Hashes: []string{sum("2")}})
					}},
					[]expectation{createsNothing, says(objectA, "*", sum("1"), "")}},
				"what was never seen has no baseline, and is not available": {
					[]part{refers(objectA), cannotSee(objectA, visibility, time.Hour)},
					[]expectation{createsNothing, says(objectA, "*", "", ""), func(t *testing.T, _ Input, d Decision) {
						assert.NotContains(t, conditionOf(d.Status, ConditionAvailable), "True")
					}}},
				"what is pending stays pending, and triggers for what was seen last": {
					[]part{refers(objectA), kept(objectA, "*", sum("2"), sum("1")), cannotSee(objectA, visibility, time.Hour)},
					[]expectation{creates(1), because(Change{objectA, []string{"*"}}), says(objectA, "*", sum("2"), "")}},
				"a trigger of another reference answers its last known state, too": {
					[]part{changed(objectA), refers(objectB), kept(objectB, "*", sum("2"), sum("1")), cannotSee(objectB, visibility, time.Hour)},
					[]expectation{creates(1), because(Change{objectA, []string{"*"}}, Change{objectB, []string{"*"}}),
						says(objectB, "*", sum("2"), ""), func(t *testing.T, _ Input, d Decision) {
							assert.Contains(t, d.Create.Hashes, TriggeredHash{objectB, "*", sum("2")})
						}}},
				"a trigger of another reference gives it no baseline": {
					[]part{changed(objectA), refers(objectB), cannotSee(objectB, visibility, time.Hour)},
					[]expectation{creates(1), says(objectB, "*", "", ""), func(t *testing.T, _ Input, d Decision) {
						assert.Equal(t, []TriggeredHash{{objectA, "*", sum("new")}}, d.Create.Hashes)
					}}},
			})
		})
	}
	tell(t, map[string]tale{
		"right after a start, what was pending waits for a look at the present state": {
			[]part{refers(objectA), kept(objectA, "*", sum("2"), sum("1")), cannotSee(objectA, NotSynced, time.Second)},
			[]expectation{createsNothing, wakesIn(29 * time.Second), says(objectA, "*", sum("2"), sum("1"))}},
		"right after a start, All waits for a look at each": {
			[]part{all, changed(objectA), refers(objectB), kept(objectB, "*", sum("2"), sum("1")), cannotSee(objectB, NotSynced, time.Second)},
			[]expectation{createsNothing, wakesIn(29 * time.Second)}},
		"right after a start, Any waits for nobody that is seen to have changed": {
			[]part{changed(objectA), refers(objectB), kept(objectB, "*", sum("2"), sum("1")), cannotSee(objectB, NotSynced, time.Second)},
			[]expectation{creates(1)}},
		"an object without an observation is one of which nothing is new": {
			[]part{refers(objectA), kept(objectA, "*", sum("2"), sum("1"))},
			[]expectation{createsNothing, says(objectA, "*", sum("2"), sum("1"))}},
		"hashes that are missing are not seen": {
			[]part{refersTo(objectA, "x", "y"), kept(objectA, "x", sum("1"), ""), kept(objectA, "y", sum("1"), ""), sees(objectA, sum("1"))},
			[]expectation{createsNothing, says(objectA, "y", sum("1"), "")}},
	})
}

func TestHashesOfAnotherKey(t *testing.T) {
	tell(t, map[string]tale{
		"what was not pending takes the present state as baseline, with one warning": {
			[]part{refers(objectA, objectB), kept(objectA, "*", "old:1", ""), kept(objectB, "*", "old:2", ""),
				sees(objectA, sum("1")), sees(objectB, sum("2"))},
			[]expectation{createsNothing, says(objectA, "*", sum("1"), ""), says(objectB, "*", sum("2"), ""), tells(EventUnknownHashes)}},
		"what was pending stays pending, and triggers": {
			[]part{refers(objectA), kept(objectA, "*", "old:2", "old:1"), sees(objectA, sum("1"))},
			[]expectation{creates(1), because(Change{objectA, []string{"*"}})}},
		"what was pending stays pending, and its baseline is unknown": {
			[]part{suspended, refers(objectA), kept(objectA, "*", "old:2", "old:1"), sees(objectA, sum("1"))},
			[]expectation{says(objectA, "*", sum("1"), Unknown), tells(EventUnknownHashes, ReasonSuspended)}},
		"bare sums of an older release are taken over without a storm": {
			[]part{refers(objectA, objectB), kept(objectA, "*", "9f86d081", ""), kept(objectB, "*", "9f86d081", ""),
				sees(objectA, sum("1")), sees(objectB, Absent)},
			[]expectation{createsNothing, says(objectA, "*", sum("1"), ""), says(objectB, "*", Absent, ""), tells(EventUnknownHashes)}},
		"what is gone under a new key is a change all the same": {
			[]part{refers(objectA), kept(objectA, "*", "old:1", ""), sees(objectA, Absent)},
			[]expectation{creates(1), tells(EventJobCreated)}},
		"what was absent and is there under a new key is a change all the same": {
			[]part{refers(objectA), kept(objectA, "*", Absent, ""), sees(objectA, sum("1"))},
			[]expectation{creates(1)}},
		"what was pending and is absent again, as its baseline, is not pending": {
			[]part{refers(objectA), kept(objectA, "*", "old:1", Absent), sees(objectA, Absent)},
			[]expectation{createsNothing, says(objectA, "*", Absent, "")}},
		"what cannot be seen keeps the old hashes until it can": {
			[]part{suspended, refers(objectA), kept(objectA, "*", "old:2", "old:1"), cannotSee(objectA, Forbidden, 0)},
			[]expectation{says(objectA, "*", "old:2", "old:1")}},
		"a hash of another key is nothing that a Job could be recognised by": {
			[]part{changed(objectA), refers(objectB), kept(objectB, "*", "old:2", ""), cannotSee(objectB, Forbidden, 0)},
			[]expectation{creates(1), func(t *testing.T, _ Input, d Decision) {
				assert.Equal(t, []TriggeredHash{{objectA, "*", sum("new")}}, d.Create.Hashes)
			}}},
		"an unknown baseline is pending under any key": {
			[]part{refers(objectA), kept(objectA, "*", "old:2", Unknown), sees(objectA, sum("1"))},
			[]expectation{creates(1)}},
		"an unknown baseline of what was never seen is pending once it is seen": {
			[]part{refers(objectA), kept(objectA, "*", "", Unknown), sees(objectA, sum("1"))},
			[]expectation{creates(1)}},
		"an unknown baseline of what was never seen is not pending before": {
			[]part{refers(objectA), kept(objectA, "*", "", Unknown), cannotSee(objectA, Forbidden, 0)},
			[]expectation{createsNothing, says(objectA, "*", "", Unknown)}},
	})
}

func TestStatusOfAnOlderReleaseIsTakenOver(t *testing.T) {
	tell(t, map[string]tale{
		"an object that is there twice counts once, by its first entry": {
			[]part{unchanged(objectA), status(func(s *v1alpha.ChangeTriggeredJobStatus) {
				s.ResourceHashes = append(s.ResourceHashes, s.ResourceHashes[0])
				s.ResourceHashes[1].Fields = []v1alpha.FieldHash{{Field: "*", Hash: sum("else")}}
			})},
			[]expectation{createsNothing, says(objectA, "*", sum("old"), "")}},
		"an entry without a hash is none": {
			[]part{refers(objectA), kept(objectA, "*", "", ""), kept(objectA, "*", sum("1"), ""), sees(objectA, sum("2"))},
			[]expectation{creates(1)}},
		"an entry without fields is none": {
			[]part{refers(objectA), sees(objectA, sum("1")), status(func(s *v1alpha.ChangeTriggeredJobStatus) {
				s.ResourceHashes = []v1alpha.ResourceHash{{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: "a"}}
			})},
			[]expectation{createsNothing, says(objectA, "*", sum("1"), "")}},
		"the words of our own for no hash are hashes of nobody": {
			[]part{refers(objectA), kept(objectA, "*", Unknown, ""), sees(objectA, sum("1"))},
			[]expectation{creates(1)}},
		"a status that cannot be decoded is taken for none": {
			[]part{refers(objectA), sees(objectA, sum("1")), func(in *Input) {
				in.Status = &v1alpha.ChangeTriggeredJobStatus{}
				_ = in.Status.UnmarshalJSON([]byte(`{"triggerCount":"many"}`))
			}},
			[]expectation{createsNothing, says(objectA, "*", sum("1"), ""), func(t *testing.T, _ Input, d Decision) {
				assert.NoError(t, d.Status.Undecoded(), "what is written is a status of ours")
			}}},
		"a count below zero is zero": {
			[]part{changed(objectA), counted(-7)}, []expectation{creates(1)}},
		"no status at all is an empty one": {
			[]part{refers(objectA), sees(objectA, sum("1")), func(in *Input) { in.Status = nil }},
			[]expectation{createsNothing, func(t *testing.T, _ Input, d Decision) { assert.NotNil(t, d.Status) }}},
		"a spec that cannot be decoded keeps the baselines": {
			[]part{kept(objectA, "*", sum("2"), sum("1")), invalid("spec: cannot be decoded"), spec(func(s *v1alpha.ChangeTriggeredJobSpec) {
				_ = s.UnmarshalJSON([]byte(`{"suspend":"perhaps"}`))
			})},
			[]expectation{createsNothing, says(objectA, "*", sum("2"), sum("1")), available("False InvalidSpec")}},
	})
}
