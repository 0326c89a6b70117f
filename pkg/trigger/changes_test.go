package trigger

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

const (
	created   = v1alpha.ChangeCreated
	isUpdated = v1alpha.ChangeUpdated
	deleted   = v1alpha.ChangeDeleted
)

// counting says which changes of an object count.
func counting(o ObjectReference, changes ...v1alpha.ChangeType) part {
	return func(in *Input) {
		for i := range in.Spec.Resources {
			if ref := &in.Spec.Resources[i]; ReferenceOf(ref) == o {
				ref.Changes = changes
			}
		}
	}
}

// existed is what status says of an object's existence: now, and at the last trigger where that differs.
func existed(o ObjectReference, exists bool, before ...bool) part {
	return status(func(s *v1alpha.ChangeTriggeredJobStatus) {
		for i := range s.ResourceHashes {
			if entry := &s.ResourceHashes[i]; objectOf(entry) == o {
				entry.Exists = &exists
				if len(before) > 0 {
					entry.LastTriggeredExists = &before[0]
				}
			}
		}
	})
}

// there observes an object that exists, whatever it has of the fields.
func there(o ObjectReference, hashes ...string) part {
	return func(in *Input) {
		observe(in, Observation{Reference: o, Visibility: Visible, Exists: true, Hashes: hashes})
	}
}

// saysExists expects what status says of an object's existence.
func saysExists(o ObjectReference, exists *bool, before *bool) expectation {
	return func(t *testing.T, in Input, d Decision) {
		t.Helper()
		for _, entry := range statusAfter(in, d).ResourceHashes {
			if objectOf(&entry) == o {
				assert.Equal(t, exists, entry.Exists, "exists")
				assert.Equal(t, before, entry.LastTriggeredExists, "lastTriggeredExists")
			}
		}
	}
}

var yes, no = new(true), new(false)

func TestOnlySomeChangesCount(t *testing.T) {
	counts := func(changes ...v1alpha.ChangeType) part {
		return func(in *Input) { refers(objectA)(in); counting(objectA, changes...)(in) }
	}
	tell(t, map[string]tale{
		"the first look is the baseline, and says whether the object exists": {
			[]part{counts(created), sees(objectA, sum("1"))}, []expectation{createsNothing, says(objectA, "*", sum("1"), ""), saysExists(objectA, yes, nil)}},
		"status says nothing of it where all changes count": {
			[]part{refers(objectA), sees(objectA, sum("1"))}, []expectation{createsNothing, saysExists(objectA, nil, nil)}},
		"a creation counts": {
			[]part{counts(created), kept(objectA, "*", Absent, ""), existed(objectA, false), sees(objectA, sum("1"))}, []expectation{creates(1)}},
		"an update does not, and moves the baseline silently": {
			[]part{counts(created), kept(objectA, "*", sum("1"), ""), existed(objectA, true), sees(objectA, sum("2"))},
			[]expectation{createsNothing, tellsNothing, says(objectA, "*", sum("2"), ""), progressing("False Idle")}},
		"nor does a deletion": {
			[]part{counts(created), kept(objectA, "*", sum("1"), ""), existed(objectA, true), sees(objectA, Absent)},
			[]expectation{createsNothing, tellsNothing, says(objectA, "*", Absent, ""), saysExists(objectA, no, nil), progressing("False Idle")}},
		"an update counts": {
			[]part{counts(isUpdated), kept(objectA, "*", sum("1"), ""), existed(objectA, true), sees(objectA, sum("2"))}, []expectation{creates(1)}},
		"a deletion counts": {
			[]part{counts(deleted), kept(objectA, "*", sum("1"), ""), existed(objectA, true), sees(objectA, Absent)}, []expectation{creates(1)}},
		"a creation does not count": {
			[]part{counts(deleted, isUpdated), kept(objectA, "*", Absent, ""), existed(objectA, false), sees(objectA, sum("1"))},
			[]expectation{createsNothing, says(objectA, "*", sum("1"), ""), saysExists(objectA, yes, nil)}},
		"the end of a kind is a deletion": {
			[]part{counts(deleted), kept(objectA, "*", sum("1"), ""), existed(objectA, true), unserved(objectA)}, []expectation{creates(1)}},
		"or does not count": {
			[]part{counts(created), kept(objectA, "*", sum("1"), ""), existed(objectA, true), unserved(objectA)}, []expectation{createsNothing}},
		"a creation that waits says so": {
			[]part{suspended, counts(created), kept(objectA, "*", Absent, ""), existed(objectA, false), sees(objectA, sum("1"))},
			[]expectation{createsNothing, says(objectA, "*", sum("1"), Absent), saysExists(objectA, yes, no), progressing("True Suspended")}},
		"an object that is created, waits, and changes has been created": {
			[]part{counts(created), kept(objectA, "*", sum("1"), Absent), existed(objectA, true, false), sees(objectA, sum("2"))}, []expectation{creates(1)}},
		"one that is created, waits, and is gone has not changed": {
			[]part{counts(created, deleted), kept(objectA, "*", sum("1"), Absent), existed(objectA, true, false), sees(objectA, Absent)},
			[]expectation{createsNothing, says(objectA, "*", Absent, ""), saysExists(objectA, no, nil)}},
		"an update that waits and becomes a deletion does not count any more": {
			[]part{counts(isUpdated), kept(objectA, "*", sum("2"), sum("1")), existed(objectA, true), sees(objectA, Absent)},
			[]expectation{createsNothing, says(objectA, "*", Absent, ""), saysExists(objectA, no, nil)}},
		"nor does a deletion that waits and becomes an update": {
			[]part{counts(deleted), kept(objectA, "*", Absent, sum("1")), existed(objectA, false, true), sees(objectA, sum("2"))},
			[]expectation{createsNothing, says(objectA, "*", sum("2"), "")}},
		"what counts by an edit no more is pending no more": {
			[]part{generation(2), counts(created), kept(objectA, "*", sum("2"), sum("1")), existed(objectA, true), cannotSee(objectA, Forbidden, time.Hour)},
			[]expectation{createsNothing, says(objectA, "*", sum("2"), "")}},
		"an edit by which more counts makes nothing pending": {
			[]part{generation(2), counts(created, isUpdated, deleted), kept(objectA, "*", sum("1"), ""), existed(objectA, true), sees(objectA, sum("1"))},
			[]expectation{createsNothing}},
		"what cannot be seen is no change": {
			[]part{counts(deleted), kept(objectA, "*", sum("1"), ""), existed(objectA, true), cannotSee(objectA, Forbidden, time.Hour)},
			[]expectation{createsNothing, saysExists(objectA, yes, nil)}},
		"while the spec is invalid nothing is disregarded, and nothing forgotten": {
			[]part{invalid("no"), counts(created), kept(objectA, "*", sum("2"), sum("1")), existed(objectA, true)},
			[]expectation{says(objectA, "*", sum("2"), sum("1")), saysExists(objectA, yes, nil)}},
		"nor while it cannot be read": {
			[]part{undecoded, invalid("no"), kept(objectA, "*", sum("1"), Absent), existed(objectA, true, false)},
			[]expectation{says(objectA, "*", sum("1"), Absent), saysExists(objectA, yes, no)}},
		"another key changes nothing": {
			[]part{counts(deleted), kept(objectA, "*", "old:1", ""), existed(objectA, true), sees(objectA, sum("1"))},
			[]expectation{createsNothing, says(objectA, "*", sum("1"), "")}},
		"what is unanswered stays pending, whatever counts": {
			[]part{suspended, counts(deleted), kept(objectA, "*", sum("1"), Unknown), existed(objectA, true), sees(objectA, sum("2"))},
			[]expectation{says(objectA, "*", sum("2"), Unknown)}},
		"All waits for a change that counts": {
			[]part{all, changed(objectB), counts(created), kept(objectA, "*", sum("1"), ""), existed(objectA, true), sees(objectA, sum("2"))},
			[]expectation{createsNothing, progressing("True WaitingForAll"), says(objectA, "*", sum("2"), "")}},
		"a trigger by another reference is not told of what does not count": {
			[]part{changed(objectB), counts(created), kept(objectA, "*", sum("1"), ""), existed(objectA, true), sees(objectA, sum("2"))},
			[]expectation{creates(1), because(Change{objectB, []string{"*"}})}},
	})
}

func TestChangesAreThoseOfTheObject(t *testing.T) {
	counts := func(changes ...v1alpha.ChangeType) part {
		return func(in *Input) { refersTo(objectA, "x", "y")(in); counting(objectA, changes...)(in) }
	}
	have := func(x, y string) part {
		return func(in *Input) { kept(objectA, "x", x, "")(in); kept(objectA, "y", y, "")(in) }
	}
	tell(t, map[string]tale{
		"a field that is filled is an update": {
			[]part{counts(created), have(sum("1"), Absent), existed(objectA, true), there(objectA, sum("1"), sum("2"))}, []expectation{createsNothing}},
		"so is the first of all": {
			[]part{counts(created), have(Absent, Absent), existed(objectA, true), there(objectA, sum("1"), Absent)}, []expectation{createsNothing}},
		"and the last that is emptied": {
			[]part{counts(deleted), have(sum("1"), Absent), existed(objectA, true), there(objectA, Absent, Absent)}, []expectation{createsNothing, saysExists(objectA, yes, nil)}},
		"one field of a new object is enough": {
			[]part{counts(created), have(Absent, Absent), existed(objectA, false), there(objectA, Absent, sum("2"))}, []expectation{creates(1)}},
		"a new object without the fields is no change, and what fills them is an update": {
			[]part{counts(created), have(Absent, Absent), existed(objectA, false), there(objectA, Absent, Absent)},
			[]expectation{createsNothing, saysExists(objectA, yes, nil)}},
		"without a word in status, a field that was there tells": {
			[]part{counts(created), have(sum("1"), Absent), there(objectA, sum("1"), sum("2"))}, []expectation{createsNothing, saysExists(objectA, yes, nil)}},
		"where nothing tells, the change counts": {
			[]part{counts(created), have(Absent, Absent), there(objectA, sum("1"), Absent)}, []expectation{creates(1)}},
		"and status does not say what is not known": {
			[]part{suspended, counts(created), have(Absent, Absent), there(objectA, sum("1"), Absent)}, []expectation{says(objectA, "x", sum("1"), Absent), saysExists(objectA, nil, nil)}},
	})
}

func TestChangesThatDoNotCountAndJobs(t *testing.T) {
	counts := func(changes ...v1alpha.ChangeType) part {
		return func(in *Input) { refers(objectA)(in); counting(objectA, changes...)(in) }
	}
	retrying := func(in *Input) {
		in.Spec.OnFailure = v1alpha.RetriggerOnFailure
		last(1, v1alpha.JobFailed)(in)
		cooled(in)
		job(1, failed)(in)
		next := noon.Add(time.Second)
		in.Status.Retry = keptRetries(nil, noon).status()
		in.Status.Retry = retries{next: next}.status()
	}
	tell(t, map[string]tale{
		"a change that does not count takes the place of no try": {
			[]part{retrying, counts(created), kept(objectA, "*", sum("1"), Unknown), existed(objectA, true), sees(objectA, sum("2"))},
			[]expectation{createsNothing, progressing("True Retrying"), says(objectA, "*", sum("2"), Unknown)}},
		"one that counts does": {
			[]part{retrying, counts(isUpdated), kept(objectA, "*", sum("1"), Unknown), existed(objectA, true), sees(objectA, sum("2"))},
			[]expectation{creates(2)}},
		"a deletion that does not count, either, and what comes after it is a creation": {
			[]part{retrying, counts(created), kept(objectA, "*", Absent, Unknown), existed(objectA, false), sees(objectA, sum("2"))},
			[]expectation{creates(2)}},
		"a Job that is taken over tells what existed": {
			[]part{counts(created), kept(objectA, "*", Absent, ""), existed(objectA, false), job(1, running, ranFor(objectA, "*", sum("1")), becauseOf(objectA, "*")), sees(objectA, sum("2"))},
			[]expectation{adopts(1), says(objectA, "*", sum("2"), sum("1")), saysExists(objectA, yes, nil)}},
		"where the object has yet to be looked at, it tells what exists, too: what comes next is an update": {
			[]part{counts(isUpdated), kept(objectA, "*", Absent, ""), existed(objectA, false), job(1, running, ranFor(objectA, "*", sum("1")), becauseOf(objectA, "*")), cannotSee(objectA, NotSynced, 0)},
			[]expectation{adopts(1), says(objectA, "*", sum("1"), ""), saysExists(objectA, yes, nil)}},
		"and what did not": {
			[]part{counts(created, deleted), kept(objectA, "*", sum("1"), ""), existed(objectA, true), job(1, running, ranFor(objectA, "*", Absent), becauseOf(objectA, "*")), sees(objectA, sum("2"))},
			[]expectation{adopts(1), says(objectA, "*", sum("2"), Absent), saysExists(objectA, yes, no)}},
	})
}

// TestACreationCountsEachTime lets an object come and go, which is what baselines that move silently are for.
func TestACreationCountsEachTime(t *testing.T) {
	in := scene(noCooldown, refers(objectA), counting(objectA, created))
	jobs := 0
	for i, hash := range []string{Absent, sum("1"), Absent, sum("1"), sum("2"), Absent, sum("2")} {
		in.Now = in.Now.Add(time.Minute)
		in.Observations = nil
		sees(objectA, hash)(&in)
		d := Decide(in)
		if d.Create != nil {
			jobs++
		}
		assert.Equal(t, i == 1 || i == 3 || i == 6, d.Create != nil, "look %d", i)
		in = settled(in, d)
		for j := range in.Jobs {
			in.Jobs[j].Outcome = v1alpha.JobSucceeded
		}
	}
	assert.Equal(t, 3, jobs)
}

func TestUpdatesThatDoNotCountAreWrittenRarely(t *testing.T) {
	in := scene(refers(objectA), counting(objectA, created, deleted), sees(objectA, sum("0")))
	in = settled(in, Decide(in))
	writes := 0
	for i := range 30 {
		in.Now = in.Now.Add(time.Second)
		in.Observations = nil
		sees(objectA, sum(fmt.Sprint("v", i)))(&in)
		d := Decide(in)
		require.Nil(t, d.Create)
		if d.Status != nil {
			writes++
		} else {
			require.NotNil(t, d.Deferred)
			assert.LessOrEqual(t, d.RequeueAfter, hashInterval)
		}
		in = settled(in, d)
	}
	assert.Equal(t, 3, writes)

	t.Run("and an edit does not make them pending", func(t *testing.T) {
		in := in
		in.Observations = nil
		sees(objectA, sum("last"))(&in)
		d := Decide(in)
		require.Nil(t, d.Status)
		in = settled(in, d)
		in.Generation, in.Spec = 2, in.Spec.DeepCopy()
		in.Spec.Resources[0].Changes = nil
		d = Decide(in)
		assert.Nil(t, d.Create)
		assert.Empty(t, fieldOf(t, d.Status, objectA, "*").LastTriggeredHash)
	})
	t.Run("a deletion is written at once", func(t *testing.T) {
		in := in
		in.Spec = in.Spec.DeepCopy()
		in.Spec.Resources[0].Changes = []v1alpha.ChangeType{created}
		in = settled(in, Decide(in))
		in.Observations = nil
		sees(objectA, Absent)(&in)
		assert.NotNil(t, Decide(in).Status)
	})
}

// moments are those of what a selection's watch has seen.
func moments(now, created, updated, deleted uint64) part {
	return func(in *Input) {
		o := &in.Observations[len(in.Observations)-1]
		o.Moment, o.LastCreated, o.LastUpdated, o.LastDeleted = now, created, updated, deleted
	}
}

// marked is what the process remembers of a selection that was as status says at a moment.
func marked(s selection, at uint64) part {
	return func(in *Input) {
		in.Marks = append(in.Marks, Mark{Reference: objectsW, Hashes: []string{s.hash(sceneKey)}, At: at, Baseline: []string{s.hash(sceneKey)}, BaselineAt: at})
	}
}

func TestOnlySomeChangesOfASelectionCount(t *testing.T) {
	ab := selection{"a": 1, "b": 1}
	counts := func(changes ...v1alpha.ChangeType) part {
		return func(in *Input) { selectsW()(in); counting(objectsW, changes...)(in) }
	}
	tell(t, map[string]tale{
		"one that comes counts": {
			[]part{counts(created), keptW(ab), seesW(ab.but("c", 1))}, []expectation{creates(1), naming(0, added("c"))}},
		"one that goes does not, and is described no more": {
			[]part{counts(created), keptW(ab), seesW(ab.but("a", 0))}, []expectation{createsNothing, tellsNothing, matches(1), describes("b")}},
		"one that changes does not": {
			[]part{counts(created), keptW(ab), seesW(ab.but("a", 2))},
			[]expectation{createsNothing, matches(2), says(objectsW, "*", ab.but("a", 2).hash(sceneKey), "")}},
		"one that goes counts": {
			[]part{counts(deleted), keptW(ab), seesW(ab.but("a", 0))}, []expectation{creates(1), naming(0, removed("a"))}},
		"one that changes counts": {
			[]part{counts(isUpdated), keptW(ab), seesW(ab.but("a", 2))}, []expectation{creates(1), naming(0, updated("a"))}},
		"beside one that counts the others are not named": {
			[]part{counts(created), keptW(ab), seesW(ab.but("a", 2).but("b", 0).but("c", 1))}, []expectation{creates(1), naming(0, added("c"))}},
		"none is left: all have gone": {
			[]part{counts(created, isUpdated), keptW(many(60)), seesW(nil)}, []expectation{createsNothing, matches(0)}},
		"none was there: all have come": {
			[]part{counts(deleted, isUpdated), keptW(nil), seesW(many(60))}, []expectation{createsNothing, matches(60)}},
		"of many, a change of one that is not described counts, whatever it was": {
			[]part{counts(created), keptW(many(60)), seesW(many(60).but("object-055", 2))}, []expectation{creates(1), naming(10)}},
		"unless the process has seen that it does not": {
			[]part{counts(created, deleted), keptW(many(60)), marked(many(60), 5), seesW(many(60).but("object-055", 2)), moments(9, 5, 8, 2)},
			[]expectation{createsNothing, says(objectsW, "*", many(60).but("object-055", 2).hash(sceneKey), "")}},
		"or that it does": {
			[]part{counts(created, deleted), keptW(many(60)), marked(many(60), 5), seesW(many(60).but("object-055", 0)), moments(9, 5, 8, 6)},
			[]expectation{creates(1)}},
		"what it remembers of another state tells nothing": {
			[]part{counts(created, deleted), keptW(many(60)), marked(many(59), 5), seesW(many(60).but("object-055", 2)), moments(9, 5, 8, 2)},
			[]expectation{creates(1)}},
		"nor does what another process has seen": {
			[]part{counts(created, deleted), keptW(many(60)), marked(many(60), 5), seesW(many(60).but("object-055", 2))}, []expectation{creates(1)}},
		"too many are no change": {
			[]part{counts(deleted), keptW(ab), func(in *Input) {
				in.Observations = append(in.Observations, Observation{Reference: objectsW, Visibility: TooMany})
			}}, []expectation{createsNothing}},
		"the end of a kind has all of them go": {
			[]part{counts(deleted), keptW(ab), unserved(objectsW)}, []expectation{creates(1), naming(0, removed("a"), removed("b"))}},
	})
}

// TestWhatCountsInASelectionWhateverHappens lets a selection change in any way, and processes end at any time, and checks that a Job runs
// for each change that counts, and for none that does not as long as that can be told.
func TestWhatCountsInASelectionWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{3, 60}).Draw(t, "size")
		which := rapid.SampledFrom([][]v1alpha.ChangeType{{created}, {deleted}, {isUpdated}, {created, deleted}, {created, isUpdated}}).Draw(t, "changes")
		is := selection{}
		// Jobs one after the other, each with a change of its own, look like a loop.
		ignoreLoops := spec(func(s *v1alpha.ChangeTriggeredJobSpec) { s.OnLoop = v1alpha.IgnoreLoop })
		in := scene(selectsW(), counting(objectsW, which...), noCooldown, ignoreLoops)
		var now, lastCreated, lastUpdated, lastDeleted uint64 = 1, 1, 1, 1
		was, written, first, carried := selection{}, selection{}, true, false
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			seen, ends := carried, rapid.IntRange(0, 3).Draw(t, "ends") == 0
			for range rapid.IntRange(0, 4).Draw(t, "changes") {
				name, value := fmt.Sprintf("object-%03d", rapid.IntRange(0, size-1).Draw(t, "object")), rapid.IntRange(0, 2).Draw(t, "value")
				now++
				switch before := is[name]; {
				case before == value:
				case before == 0:
					lastCreated, seen = now, seen || counts(which, created)
				case value == 0:
					lastDeleted, seen = now, seen || counts(which, deleted)
				default:
					lastUpdated, seen = now, seen || counts(which, isUpdated)
				}
				is = is.but(name, value)
			}
			if ends {
				in.Marks, in.Deferred, in.LastStatusWrite = nil, nil, time.Time{}
				was = written // what was put off is not known any more
			}
			in.Now = in.Now.Add(time.Duration(rapid.SampledFrom([]int{1, 60}).Draw(t, "seconds")) * time.Second)
			in.Observations = []Observation{is.observed(sceneKey)}
			moments(now, lastCreated, lastUpdated, lastDeleted)(&in)
			if DetailsKnown(in.Status, &in.Observations[0]) {
				in.Observations[0].Objects = nil
			}
			d := Decide(in)
			counted := false
			for name := range mergeNames(was, is) {
				before, after := was[name], is[name]
				switch {
				case before == after:
				case before == 0:
					counted = counted || counts(which, created)
				case after == 0:
					counted = counted || counts(which, deleted)
				default:
					counted = counted || counts(which, isUpdated)
				}
			}
			if !first {
				require.False(t, counted && d.Create == nil, "a change that counts is missed")
				switch {
				case !ends:
					// What went and came again between two looks is another object, and one that was created; either counts.
					require.True(t, counted || seen || d.Create == nil, "a change that the process has seen not to count")
				case size <= v1alpha.MaxObjects:
					require.Equal(t, counted, d.Create != nil, "a change that does not count")
				}
			}
			if carried = d.Status != nil && d.Create == nil && !first && rapid.IntRange(0, 2).Draw(t, "the write fails") == 0; carried {
				carried = seen
				continue // what was known before is known still
			}
			was, first = is, false
			if d.Status != nil {
				written = is
			}
			in = settled(in, d)
			for i := range in.Jobs {
				in.Jobs[i].Outcome = v1alpha.JobSucceeded
			}
		}
	})
}

func mergeNames(a, b selection) map[string]bool {
	names := map[string]bool{}
	for name := range a {
		names[name] = true
	}
	for name := range b {
		names[name] = true
	}
	return names
}

func counts(which []v1alpha.ChangeType, change v1alpha.ChangeType) bool {
	for _, c := range which {
		if c == change {
			return true
		}
	}
	return false
}

// A creation is one, also where a field joins the spec before it is answered: that this field was there when it joined says nothing of
// the time of the last Job.
func TestACreationOutlivesAnEditThatAddsAField(t *testing.T) {
	in := scene(triggered(noon.Add(-time.Second)), last(1, v1alpha.JobSucceeded), job(1), refersTo(objectA, "x"), kept(objectA, "x", Absent, ""), sees(objectA, sum("x1")))
	in = settled(in, Decide(in)) // it waits for the end of the cooldown
	in.Generation, in.Spec = 2, in.Spec.DeepCopy()
	in.Spec.Resources[0].Fields = []string{"x", "y"}
	in.Spec.Resources[0].Changes = []v1alpha.ChangeType{v1alpha.ChangeCreated}
	in.Observations = nil
	sees(objectA, sum("x1"), sum("y1"))(&in)
	d := Decide(in)
	require.Nil(t, d.Create)
	in = settled(in, d)
	in.Now = in.Now.Add(d.RequeueAfter)
	require.NotNil(t, Decide(in).Create)
}
