package trigger

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// objectsW are those that a selector selects.
var objectsW = ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Selection: "app=web"}

// selectsW adds them to the spec.
func selectsW(fields ...string) part {
	return func(in *Input) {
		in.Spec.Resources = append(in.Spec.Resources, v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default",
			Selector: &v1alpha.LabelSelector{MatchLabels: map[string]v1alpha.LabelValue{"app": "web"}}, Fields: fields})
	}
}

// selection is what a selector selects: the objects' values by name.
type selection map[string]int

// hash stands for all of it.
func (s selection) hash(key string) string {
	if len(s) == 0 {
		return Absent
	}
	text := key + ":"
	for _, name := range slices.Sorted(maps.Keys(s)) {
		text += fmt.Sprintf("%s-%d-", name, s[name])
	}
	return text
}

// observed is what an observation says of it.
func (s selection) observed(key string) Observation {
	o := Observation{Reference: objectsW, Fields: []string{"*"}, Visibility: Visible, Exists: len(s) > 0,
		Hashes: []string{s.hash(key)}, Matched: len(s)}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if len(o.Objects) < v1alpha.MaxObjects {
			o.Objects = append(o.Objects, ObservedObject{Namespace: "default", Name: name, Hashes: []string{fmt.Sprintf("%s:%s-%d", key, name, s[name])}})
		}
	}
	return o
}

// seesW observes what is selected.
func seesW(s selection) part {
	return func(in *Input) { in.Observations = append(in.Observations, s.observed(sceneKey)) }
}

// keptW is what status says of a selection that the last trigger stood for.
func keptW(s selection) part {
	return func(in *Input) {
		first := scene(selectsW(), seesW(s))
		in.Status.ResourceHashes = append(in.Status.ResourceHashes, Decide(first).Status.ResourceHashes...)
	}
}

// pendingW is what status says of one that has changed since.
func pendingW(was, is selection) part {
	return func(in *Input) {
		seen := scene(selectsW(), suspended, keptW(was), seesW(is))
		in.Status.ResourceHashes = append(in.Status.ResourceHashes, Decide(seen).Status.ResourceHashes...)
	}
}

// naming expects the objects that the Job is told of, and how many others it is.
func naming(unnamed int, want ...ObjectChange) expectation {
	return func(t *testing.T, _ Input, d Decision) {
		t.Helper()
		require.NotNil(t, d.Create)
		require.Len(t, d.Create.Selected, 1)
		assert.Equal(t, SelectedChange{Reference: objectsW, Objects: want, Unnamed: unnamed}, d.Create.Selected[0])
	}
}

func added(name string) ObjectChange {
	return ObjectChange{Namespace: "default", Name: name, Change: ObjectAdded}
}

func updated(name string) ObjectChange {
	return ObjectChange{Namespace: "default", Name: name, Change: ObjectUpdated, Fields: []string{"*"}}
}

func removed(name string) ObjectChange {
	return ObjectChange{Namespace: "default", Name: name, Change: ObjectRemoved}
}

// entryW is what status says of the selection.
func entryW(t *testing.T, in Input, d Decision) v1alpha.ResourceHash {
	t.Helper()
	for _, entry := range statusAfter(in, d).ResourceHashes {
		if entry.Selection != "" {
			return entry
		}
	}
	require.Fail(t, "status does not say anything of the selection")
	return v1alpha.ResourceHash{}
}

// matches expects how many objects status says match, and did when the last Job ran, where that is another number.
func matches(now int32, before ...int32) expectation {
	return func(t *testing.T, in Input, d Decision) {
		t.Helper()
		entry := entryW(t, in, d)
		require.NotNil(t, entry.Matched)
		assert.Equal(t, now, *entry.Matched)
		if len(before) == 0 {
			assert.Nil(t, entry.LastTriggeredMatched)
			return
		}
		require.NotNil(t, entry.LastTriggeredMatched)
		assert.Equal(t, before[0], *entry.LastTriggeredMatched)
	}
}

// describes expects the objects of which status has details.
func describes(names ...string) expectation {
	return func(t *testing.T, in Input, d Decision) {
		t.Helper()
		var got []string
		for _, object := range entryW(t, in, d).Objects {
			got = append(got, object.Name)
			assert.Len(t, object.Hashes, len(entryW(t, in, d).Fields))
		}
		assert.Equal(t, names, got)
	}
}

// many are so many objects.
func many(count int) selection {
	s := selection{}
	for i := range count {
		s[fmt.Sprintf("object-%03d", i)] = 1
	}
	return s
}

func (s selection) but(name string, value int) selection {
	other := maps.Clone(s)
	if other[name] = value; value == 0 {
		delete(other, name)
	}
	return other
}

func TestASelectionIsOneReference(t *testing.T) {
	ab := selection{"a": 1, "b": 1}
	tooMany := func(in *Input) {
		in.Observations = append(in.Observations, Observation{Reference: objectsW, Visibility: TooMany})
	}
	tell(t, map[string]tale{
		"the first look is the baseline": {
			[]part{selectsW(), seesW(ab)}, []expectation{createsNothing, matches(2), describes("a", "b"), available("True Watching")}},
		"nothing that matches is a baseline, too": {
			[]part{selectsW(), seesW(nil)}, []expectation{createsNothing, matches(0), says(objectsW, "*", Absent, ""), available("True Watching")}},
		"nothing new is nothing to write": {
			[]part{selectsW(), keptW(ab), seesW(ab)}, []expectation{createsNothing, matches(2), describes("a", "b")}},
		"a change is named": {
			[]part{selectsW(), keptW(ab), seesW(ab.but("b", 2))}, []expectation{creates(1), naming(0, updated("b")), matches(2), describes("a", "b")}},
		"one that comes is named": {
			[]part{selectsW(), keptW(ab), seesW(ab.but("c", 1))}, []expectation{creates(1), naming(0, added("c")), matches(3), describes("a", "b", "c")}},
		"one that goes is named": {
			[]part{selectsW(), keptW(ab), seesW(ab.but("a", 0))}, []expectation{creates(1), naming(0, removed("a")), matches(1), describes("b")}},
		"the first that comes is named": {
			[]part{selectsW(), keptW(nil), seesW(selection{"a": 1})}, []expectation{creates(1), naming(0, added("a")), matches(1)}},
		"the last that goes is named": {
			[]part{selectsW(), keptW(selection{"a": 1}), seesW(nil)}, []expectation{creates(1), naming(0, removed("a")), matches(0)}},
		"what is pending is named by what the last Job ran for, whatever was in between": {
			[]part{selectsW(), pendingW(ab, ab.but("c", 1)), seesW(ab.but("a", 2))}, []expectation{creates(1), naming(0, updated("a"))}},
		"while it is pending, status keeps what the last Job ran for": {
			[]part{selectsW(), suspended, keptW(ab), seesW(ab.but("c", 1).but("a", 0).but("d", 1))},
			[]expectation{createsNothing, matches(3, 2), describes("a", "b")}},
		"what is back at its baseline is not pending": {
			[]part{selectsW(), pendingW(ab, ab.but("c", 1)), seesW(ab)}, []expectation{createsNothing, matches(2), describes("a", "b")}},
		"of many, the first are described": {
			[]part{selectsW(), seesW(many(60))}, []expectation{matches(60), func(t *testing.T, in Input, d Decision) {
				t.Helper()
				assert.Len(t, entryW(t, in, d).Objects, v1alpha.MaxObjects)
			}}},
		"a change among those that are described is named, and how many others there are": {
			[]part{selectsW(), keptW(many(60)), seesW(many(60).but("object-003", 2))}, []expectation{creates(1), naming(10, updated("object-003"))}},
		"a change of another is counted": {
			[]part{selectsW(), keptW(many(60)), seesW(many(60).but("object-055", 2))}, []expectation{creates(1), naming(10)}},
		"one that goes lets another one in, of which nothing is known": {
			[]part{selectsW(), keptW(many(60)), seesW(many(60).but("object-003", 0))}, []expectation{creates(1), naming(10, removed("object-003"))}},
		"one that comes before others is told from those": {
			[]part{selectsW(), keptW(many(60)), seesW(many(60).but("object-003-a", 1))}, []expectation{creates(1), naming(11, added("object-003-a"))}},
		"from few to many, the first of those that came are named": {
			[]part{selectsW(), keptW(many(49)), seesW(many(60))}, []expectation{creates(1), naming(10, added("object-049"))}},
		"what cannot be seen is no change": {
			[]part{selectsW(), keptW(ab), cannotSee(objectsW, Forbidden, time.Hour)},
			[]expectation{createsNothing, available("False Forbidden"), degraded("True Forbidden"), matches(2), describes("a", "b")}},
		"too many are no change": {
			[]part{selectsW(), keptW(ab), tooMany},
			[]expectation{createsNothing, available("False TooManyObjects"), degraded("True TooManyObjects"), matches(2), describes("a", "b")}},
		"a kind that is not served has no objects": {
			[]part{selectsW(), keptW(ab), unserved(objectsW)}, []expectation{creates(1), naming(0, removed("a"), removed("b")), matches(0)}},
		"a trigger for what was known last names nothing": {
			[]part{selectsW(), pendingW(ab, ab.but("c", 1)), cannotSee(objectsW, Forbidden, time.Hour)},
			[]expectation{creates(1), naming(3), matches(3), func(t *testing.T, in Input, d Decision) {
				t.Helper()
				assert.Empty(t, entryW(t, in, d).Objects, "what the trigger stood for is not known one by one")
			}}},
		"a Job that is taken over stands for what is seen": {
			[]part{selectsW(), pendingW(ab, ab.but("c", 1)), job(1, running, ranFor(objectsW, "*", ab.but("c", 1).hash(sceneKey)), becauseOf(objectsW, "*")),
				seesW(ab.but("c", 1))},
			[]expectation{adopts(1), matches(3), describes("a", "b", "c")}},
		"or for what is not known any more": {
			[]part{selectsW(), keptW(ab), job(1, running, ranFor(objectsW, "*", sum("another")), becauseOf(objectsW, "*")), seesW(ab.but("c", 1))},
			[]expectation{adopts(1), func(t *testing.T, in Input, d Decision) {
				t.Helper()
				assert.Empty(t, entryW(t, in, d).Objects)
			}}},
		"what a Job that failed ran for is tried again, and not named by what has changed since": {
			[]part{selectsW(), func(in *Input) {
				keptW(ab)(in)
				entry := &in.Status.ResourceHashes[len(in.Status.ResourceHashes)-1]
				entry.Fields[0].LastTriggeredHash = Unknown
			}, seesW(ab.but("a", 2))},
			[]expectation{creates(1), naming(2)}},
		"a replaced key changes nothing": {
			[]part{selectsW(), keptW(ab), func(in *Input) {
				in.HashID = "k2"
				in.Observations = append(in.Observations, ab.observed("k2"))
			}}, []expectation{createsNothing, matches(2), describes("a", "b")}},
		"two selectors of one kind are two references": {
			[]part{all, selectsW(), keptW(ab), seesW(ab.but("a", 2)), changed(objectA)}, []expectation{creates(1)}},
	})
}

func TestDetailsAreLeftOutWhereStatusHasThem(t *testing.T) {
	ab := selection{"a": 1, "b": 1}
	in := scene(selectsW(), keptW(ab), seesW(ab))
	o := ab.observed(sceneKey)
	assert.True(t, DetailsKnown(in.Status, &o))
	bare := in.Observations[0]
	bare.Objects = nil
	in.Observations = []Observation{bare}
	before := in.Status.ResourceHashes[0]
	d := Decide(in)
	assert.Equal(t, before, entryW(t, in, d))

	other := ab.but("b", 2).observed(sceneKey)
	assert.False(t, DetailsKnown(in.Status, &other))
	pending := scene(selectsW(), pendingW(ab, ab.but("b", 2)))
	assert.False(t, DetailsKnown(pending.Status, &other))
	fresh := scene(selectsW())
	assert.False(t, DetailsKnown(fresh.Status, &o))
}

func TestDetailsHaveABound(t *testing.T) {
	in := scene()
	for i := range 64 {
		selector := &v1alpha.LabelSelector{MatchLabels: map[string]v1alpha.LabelValue{"app": v1alpha.LabelValue(fmt.Sprint(i))}}
		ref := v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Selector: selector,
			Fields: []string{"a", "b", "c", "d"}}
		in.Spec.Resources = append(in.Spec.Resources, ref)
		o := many(60).observed(sceneKey)
		o.Reference.Selection, o.Fields = ref.Selection(), ref.Fields
		for len(o.Hashes) < len(o.Fields) {
			o.Hashes = append(o.Hashes, o.Hashes[0])
		}
		for j := range o.Objects {
			for len(o.Objects[j].Hashes) < len(o.Fields) {
				o.Objects[j].Hashes = append(o.Objects[j].Hashes, o.Objects[j].Hashes[0])
			}
		}
		in.Observations = append(in.Observations, o)
	}
	d := Decide(in)
	checkQuiet(t, in, d)
	size := 0
	for _, entry := range d.Status.ResourceHashes {
		for _, object := range entry.Objects {
			size += len(object.Namespace) + len(object.Name)
			for _, hash := range object.Hashes {
				size += len(hash)
			}
		}
	}
	assert.Len(t, d.Status.ResourceHashes[0].Objects, v1alpha.MaxObjects)
	assert.LessOrEqual(t, size, maxDetails)
	assert.Greater(t, size, maxDetails/3)
}

// TestWhatChangedInASelectionIsNamed lets a selection change in any way, and processes end at any time, and checks that a
// Job runs for each state that differs from the one that the last Job ran for, and that what it is told is true and, with
// what is counted, all there is.
func TestWhatChangedInASelectionIsNamed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{3, 60}).Draw(t, "size")
		is, was, last := selection{}, selection{}, selection{}
		in := scene(selectsW(), noCooldown)
		seen, known := false, false
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			for range rapid.IntRange(0, 5).Draw(t, "changes") {
				is = is.but(fmt.Sprintf("object-%03d", rapid.IntRange(0, size-1).Draw(t, "object")), rapid.IntRange(0, 2).Draw(t, "value"))
			}
			if rapid.Bool().Draw(t, "many") {
				for i := range size {
					is = is.but(fmt.Sprintf("object-%03d", i), 1)
				}
			}
			hidden := rapid.IntRange(0, 4).Draw(t, "hidden") == 0
			held := rapid.IntRange(0, 2).Draw(t, "suspended") == 0
			in.Spec.Suspend = &held
			in.Now = in.Now.Add(time.Minute)
			in.Observations = []Observation{is.observed(sceneKey)}
			if hidden {
				in.Observations = []Observation{{Reference: objectsW, Visibility: Forbidden}}
			} else if DetailsKnown(in.Status, &in.Observations[0]) {
				in.Observations[0].Objects = nil
			}
			d := Decide(in)
			if d.Create != nil && !hidden {
				require.True(t, seen)
				require.NotEqual(t, was.hash(sceneKey), is.hash(sceneKey), "nothing changed")
				checkNames(t, was, is, d.Create.Selected[0], known && size <= v1alpha.MaxObjects)
			}
			if d.Create == nil && !hidden && !held && seen {
				require.Equal(t, was.hash(sceneKey), is.hash(sceneKey), "a change without a Job")
			}
			switch {
			case d.Create != nil && hidden: // for the state that was seen last
				was, known = last, false
			case d.Create != nil, !seen && !hidden, !hidden && was.hash(sceneKey) == is.hash(sceneKey):
				was, known = is, true
			}
			if !hidden {
				last, seen = is, true
			}
			in = settled(in, d)
			for i := range in.Jobs {
				in.Jobs[i].Outcome = v1alpha.JobSucceeded
			}
		}
	})
}

// checkNames checks what a Job is told of a change. Where everything is known, nothing is only counted.
func checkNames(t *rapid.T, was, is selection, told SelectedChange, complete bool) {
	named := map[string]bool{}
	for _, object := range told.Objects {
		named[object.Name] = true
		before, after := was[object.Name], is[object.Name]
		switch object.Change {
		case ObjectAdded:
			require.True(t, before == 0 && after != 0, "%s was not added", object.Name)
		case ObjectRemoved:
			require.True(t, before != 0 && after == 0, "%s was not removed", object.Name)
		case ObjectUpdated:
			require.True(t, before != 0 && after != 0 && before != after, "%s was not updated", object.Name)
		}
	}
	left := 0
	for name := range maps.Keys(was) {
		if was[name] != is[name] && !named[name] {
			left++
		}
	}
	for name := range maps.Keys(is) {
		if was[name] == 0 && !named[name] {
			left++
		}
	}
	if complete {
		require.Zero(t, left, "a change is not named")
		require.Zero(t, told.Unnamed)
	}
	if left > 0 {
		require.Positive(t, told.Unnamed, "%d changes are neither named nor counted", left)
	}
}

// TestWhoDoesWhatHeIsToldHasDoneAllInTheEnd has Jobs fail while what they ran for, and another object, goes on changing. One that does not
// fail does something about the objects that it is told of by name, and about all where it is told of others; then nothing is left to do.
func TestWhoDoesWhatHeIsToldHasDoneAllInTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{1, 1, 3, 60}).Draw(t, "size")
		is := many(rapid.IntRange(0, size).Draw(t, "at first"))
		done, other := is, 0
		ignoreLoops := spec(func(s *v1alpha.ChangeTriggeredJobSpec) { s.OnLoop = v1alpha.IgnoreLoop })
		in := scene(selectsW(), refers(objectB), noCooldown, forbidding, retriggering, retriggerLimit(v1alpha.MaxRetriggerLimit), ignoreLoops)
		var told []SelectedChange // the Job that runs
		var then selection        // what it finds
		look := func() (created bool) {
			in.Observations = nil
			seesW(is)(&in)
			if DetailsKnown(in.Status, &in.Observations[0]) {
				in.Observations[0].Objects = nil
			}
			sees(objectB, sum(fmt.Sprint(other)))(&in)
			d := Decide(in)
			in = settled(in, d)
			if d.Create == nil {
				return false
			}
			told, then = d.Create.Selected, is
			return true
		}
		end := func(outcome v1alpha.JobStatus) {
			for i := range in.Jobs {
				if !in.Jobs[i].Running() {
					continue
				}
				if in.Jobs[i].Outcome, in.Jobs[i].Finished = outcome, in.Now; outcome == v1alpha.JobFailed {
					continue
				}
				for _, changed := range told {
					if changed.Unnamed > 0 {
						done = then
					}
					for _, object := range changed.Objects {
						done = done.but(object.Name, then[object.Name])
					}
				}
			}
		}
		look()
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			in.Now = in.Now.Add(rapid.SampledFrom([]time.Duration{time.Second, time.Minute}).Draw(t, "later"))
			for range rapid.IntRange(0, 2).Draw(t, "changes") {
				is = is.but(fmt.Sprintf("object-%03d", rapid.IntRange(0, size-1).Draw(t, "object")), rapid.IntRange(0, 2).Draw(t, "value"))
			}
			if rapid.Bool().Draw(t, "the other one changes") {
				other++
			}
			if outcome := rapid.SampledFrom([]v1alpha.JobStatus{v1alpha.JobActive, v1alpha.JobFailed, v1alpha.JobSucceeded}).Draw(t, "outcome"); outcome != v1alpha.JobActive {
				end(outcome)
			}
			look()
		}
		for jobs := 1; jobs > 0; { // until nothing runs any more
			jobs = 0
			for range 3 {
				in.Now = in.Now.Add(maxRetryWait)
				end(v1alpha.JobSucceeded)
				if look() {
					jobs++
				}
			}
		}
		require.Equal(t, is, done)
	})
}

func TestAFirstRunIsToldOfAllThatIsSelected(t *testing.T) {
	yes := true
	firstRun := spec(func(s *v1alpha.ChangeTriggeredJobSpec) { s.RunOnCreate = &yes })
	in := scene(selectsW(), firstRun, seesW(selection{"a": 1, "b": 1}))
	d := Decide(in)
	require.NotNil(t, d.Create)
	assert.Equal(t, []SelectedChange{{Reference: objectsW, Objects: []ObjectChange{added("a"), added("b")}}}, d.Create.Selected)
}

func TestWhatIsForgottenIsDescribedNoMore(t *testing.T) {
	ab := selection{"a": 1, "b": 1}
	deadline := spec(func(s *v1alpha.ChangeTriggeredJobSpec) { s.PendingDeadline = &metav1.Duration{Duration: time.Hour} })
	since := status(func(s *v1alpha.ChangeTriggeredJobStatus) {
		s.ResourceHashes[0].PendingSince = &metav1.Time{Time: noon.Add(-2 * time.Hour)}
	})
	for sentence, c := range map[string]struct {
		seen part
		want []string
	}{
		"by what is seen":           {seesW(ab.but("c", 1)), []string{"a", "b", "c"}},
		"or not where it is unseen": {cannotSee(objectsW, Forbidden, time.Hour), nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			in := scene(selectsW(), suspended, deadline, pendingW(ab, ab.but("c", 1)), since, c.seen)
			d := Decide(in)
			entry := entryW(t, in, d)
			assert.Empty(t, entry.Fields[0].LastTriggeredHash, "it is forgotten")
			var names []string
			for _, object := range entry.Objects {
				names = append(names, object.Name)
			}
			assert.Equal(t, c.want, names)
		})
	}
}
