package watch

import (
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	testclock "k8s.io/utils/clock/testing"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
)

// still is an engine that is never started, with one reference of one owner.
type still struct {
	t     *testing.T
	clock *testclock.FakeClock
	*Engine
	woken []types.NamespacedName
	*entry
}

func newStill(t *testing.T) *still {
	s := &still{t: t, clock: testclock.NewFakeClock(time.Unix(1e9, 0))}
	engine, err := New(Options{
		Config:   &rest.Config{Host: "http://127.0.0.1:1"},
		OnChange: func(owner types.NamespacedName) { s.woken = append(s.woken, owner) },
		Clock:    s.clock,
	})
	require.NoError(t, err)
	s.Engine = engine
	s.refer("owner", "data.a")
	s.entry = s.kinds[configMaps].entries[types.NamespacedName{Namespace: "ns", Name: "name"}]
	s.update(func(wake wakeups) { s.setState(Synced, nil, wake) })
	s.woken = nil
	return s
}

func (s *still) refer(owner string, paths ...string) {
	s.Set(named(owner), []Reference{refer(s.t, configMaps, "ns", "name", paths...)})
}

// begin begins a read.
func (s *still) begin() moment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next()
}

// saw applies a version of the object in which every path that is referenced now has this value; an empty
// value stands for absence.
func (s *still) saw(version, value string, read moment) {
	seen := sight{version: version, read: read, exists: value != ""}
	if seen.exists {
		seen.paths = s.paths
		for range s.paths {
			seen.digests = append(seen.digests, fieldpath.Digest([]byte(value + string(make([]byte, 32)))[:32]))
		}
	}
	s.sawSight(seen)
}

func (s *still) sawSight(seen sight) {
	s.woken = nil
	s.update(func(wake wakeups) { s.apply(seen, wake) })
}

// value is what the owner's only reference shows: "?" where it is not synced, "" where the object is absent.
func (s *still) value(owner string) string {
	observations, ok := s.Observe(named(owner))
	require.True(s.t, ok)
	o := observations[0]
	if o.State != Synced {
		require.Empty(s.t, o.Digests)
		return "?"
	}
	if o.Digests[0].IsAbsent() {
		require.False(s.t, o.Exists)
		return ""
	}
	end := 0
	for o.Digests[0][end] != 0 {
		end++
	}
	return string(o.Digests[0][:end])
}

func TestWhatIsStored(t *testing.T) {
	for sentence, c := range map[string]struct {
		happens func(s *still)
		want    string
	}{
		"nothing is known before the first read": {func(*still) {}, "?"},
		"a read tells": {func(s *still) {
			s.saw("5", "five", s.begin())
		}, "five"},
		"a read that finds nothing tells of absence": {func(s *still) {
			s.saw("5", "", s.begin())
		}, ""},
		"a newer event replaces what was read": {func(s *still) {
			s.saw("5", "five", s.begin())
			s.saw("6", "six", 0)
		}, "six"},
		"an older event is ignored": {func(s *still) {
			s.saw("5", "five", s.begin())
			s.saw("4", "four", 0)
		}, "five"},
		"an older deletion is ignored": {func(s *still) {
			s.saw("5", "five", s.begin())
			s.saw("4", "", 0)
		}, "five"},
		"an event of the same version is ignored": {func(s *still) {
			s.saw("5", "five", s.begin())
			s.saw("5", "other", 0)
		}, "five"},
		"versions are compared as numbers": {func(s *still) {
			s.saw("9", "nine", s.begin())
			s.saw("10", "ten", 0)
		}, "ten"},
		"an event older than an absence is ignored": {func(s *still) {
			s.saw("5", "", s.begin())
			s.saw("4", "four", 0)
		}, ""},
		"a creation after an absence counts": {func(s *still) {
			s.saw("5", "", s.begin())
			s.saw("6", "six", 0)
		}, "six"},
		"a deletion counts": {func(s *still) {
			s.saw("5", "five", s.begin())
			s.saw("6", "", 0)
		}, ""},
		"events of a version that cannot be compared come in order": {func(s *still) {
			s.saw("x", "one", s.begin())
			s.saw("w", "two", 0)
		}, "two"},
		"a later read wins even if versions go back": {func(s *still) {
			s.saw("500", "old", s.begin())
			s.saw("5", "restored", s.begin())
		}, "restored"},
		"a later read wins over an event even if versions go back": {func(s *still) {
			s.saw("500", "old", s.begin())
			s.saw("501", "older", 0)
			s.saw("5", "", s.begin())
		}, ""},
		"a read that began before a newer event does not undo it": {func(s *still) {
			s.saw("5", "five", s.begin())
			read := s.begin()
			s.saw("7", "seven", 0)
			s.saw("6", "six", read)
		}, "seven"},
		"a read that began before a newer deletion does not undo it": {func(s *still) {
			s.saw("5", "five", s.begin())
			read := s.begin()
			s.saw("7", "", 0)
			s.saw("6", "six", read)
		}, ""},
		"a read that began before an event and is newer counts": {func(s *still) {
			s.saw("5", "five", s.begin())
			read := s.begin()
			s.saw("6", "six", 0)
			s.saw("7", "seven", read)
		}, "seven"},
		// A watch may lag behind: what it tells first may have changed before the reference was made.
		"an event alone is no first sight": {func(s *still) {
			s.saw("5", "five", 0)
		}, "?"},
		// The event came between the API server's answer and its arrival. Taking the answer would lose
		// the event's change until the next one.
		"a first read older than an event is not taken": {func(s *still) {
			read := s.begin()
			s.saw("6", "six", 0)
			s.saw("5", "five", read)
		}, "?"},
		"and the next read is": {func(s *still) {
			read := s.begin()
			s.saw("6", "six", 0)
			s.saw("5", "five", read)
			s.saw("6", "six", s.begin())
		}, "six"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := newStill(t)
			c.happens(s)
			require.Equal(t, c.want, s.value("owner"))
		})
	}
}

func TestAReadThatBeganBeforeTheReferenceSaysNothingOfAbsence(t *testing.T) {
	s := newStill(t)
	read := s.begin()
	s.Remove(named("owner")) // the read drops the object here, as nobody's
	s.refer("owner", "data.a")
	s.entry = s.kinds[configMaps].entries[s.name]
	s.update(func(wake wakeups) { s.setState(Synced, nil, wake) })

	s.saw("5", "", read)
	require.Equal(t, "?", s.value("owner"))
	s.saw("4", "four", s.begin())
	require.Equal(t, "four", s.value("owner"))
}

func TestAPathThatJoinsIsKnownOnlyFromALaterRead(t *testing.T) {
	s := newStill(t)
	early := s.begin()
	s.saw("5", "five", s.begin())
	s.refer("late", "data.b")
	require.Equal(t, "five", s.value("owner"))
	require.Equal(t, "?", s.value("late"))

	s.saw("6", "six", 0)
	require.Equal(t, "six", s.value("owner"))
	require.Equal(t, "?", s.value("late"), "an event is no first sight")

	s.saw("7", "seven", early)
	require.Equal(t, "seven", s.value("owner"))
	require.Equal(t, "?", s.value("late"), "nor is a read that began before")

	s.saw("7", "seven", s.begin())
	require.Equal(t, "seven", s.value("late"))
	require.Equal(t, []types.NamespacedName{named("late")}, s.woken)
}

// What a lagging watch has told so far is no baseline for a new owner: the events behind it would look like changes.
func TestAnOwnerThatJoinsAKnownPathWaitsForALaterRead(t *testing.T) {
	s := newStill(t)
	early := s.begin()
	s.saw("5", "five", s.begin())
	s.clock.Step(time.Minute)
	s.refer("late", "data.a")
	require.Equal(t, "five", s.value("owner"))
	require.Equal(t, "?", s.value("late"))
	observations, _ := s.Observe(named("late"))
	require.Equal(t, s.clock.Now(), observations[0].Since)

	s.saw("6", "six", 0)
	s.saw("6", "six", early)
	require.Equal(t, "six", s.value("owner"))
	require.Equal(t, "?", s.value("late"))
	require.False(t, s.complete())

	// A read that is no newer than an event confirms it.
	read := s.begin()
	s.refer("later", "data.a")
	s.saw("7", "seven", 0)
	s.saw("6", "six", read)
	require.Equal(t, "seven", s.value("late"))
	require.Equal(t, "?", s.value("later"))
	require.Equal(t, []types.NamespacedName{named("late")}, s.woken)
	s.saw("7", "seven", s.begin())
	require.Equal(t, "seven", s.value("later"))
	require.True(t, s.complete())
}

func TestAnOwnerWaitsOnlyForWhatIsNewToIt(t *testing.T) {
	s := newStill(t)
	s.refer("other", "data.b")
	s.saw("5", "five", s.begin())
	s.refer("owner", "data.a")
	require.Equal(t, "five", s.value("owner"))
	require.True(t, s.complete())
	s.refer("owner", "data.a", "data.b")
	require.Equal(t, "?", s.value("owner"), "another owner's path")
	require.False(t, s.complete())
	s.refer("owner", "data.a")
	require.Equal(t, "five", s.value("owner"))
	s.Remove(named("owner"))
	require.True(t, s.complete(), "nobody waits any more")
}

func TestWhyNobodyCanReadWhatJoinedIsTold(t *testing.T) {
	s := newStill(t)
	s.saw("5", "five", s.begin())
	s.refer("late", "data.a")
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "name", nil)
	s.woken = nil
	for range 2 {
		s.update(func(wake wakeups) { s.cannotRead(forbidden, wake) })
	}
	require.Equal(t, []types.NamespacedName{named("late")}, s.woken)
	observations, _ := s.Observe(named("late"))
	require.Equal(t, Forbidden, observations[0].State)
	require.Equal(t, forbidden, observations[0].Err)
	require.Equal(t, "five", s.value("owner"), "who has seen it goes on seeing it")

	s.saw("5", "five", s.begin())
	require.Equal(t, "five", s.value("late"))
}

func TestWhatKeptOthersFromReadingIsNotToldToWhoComesLater(t *testing.T) {
	s := newStill(t)
	s.saw("5", "five", s.begin())
	s.refer("late", "data.a")
	s.update(func(wake wakeups) {
		s.cannotRead(apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "name", nil), wake)
	})
	s.Remove(named("late"))
	s.refer("later", "data.a")
	observations, _ := s.Observe(named("later"))
	require.Equal(t, NotSynced, observations[0].State)
	require.NoError(t, observations[0].Err)
}

func TestWhoIsWoken(t *testing.T) {
	both := []types.NamespacedName{named("owner"), named("other")}
	for sentence, c := range map[string]struct {
		happens func(s *still)
		want    []types.NamespacedName
	}{
		"all, when the object is first seen":     {func(s *still) { s.saw("5", "five", s.begin()) }, both},
		"nobody, when nothing changed":           {func(s *still) { s.saw("5", "five", s.begin()); s.saw("6", "five", 0) }, nil},
		"nobody, when a relist finds the same":   {func(s *still) { s.saw("5", "five", s.begin()); s.saw("5", "five", s.begin()) }, nil},
		"nobody, when an event is old":           {func(s *still) { s.saw("5", "five", s.begin()); s.saw("4", "four", 0) }, nil},
		"all, when the object is deleted":        {func(s *still) { s.saw("5", "five", s.begin()); s.saw("6", "", 0) }, both},
		"nobody, when it is absent once more":    {func(s *still) { s.saw("5", "", s.begin()); s.saw("6", "", s.begin()) }, nil},
		"all, when it is created":                {func(s *still) { s.saw("5", "", s.begin()); s.saw("6", "six", 0) }, both},
		"only those whose path changed, however": {func(s *still) { s.saw("5", "five", s.begin()); s.changeFirstPath("6") }, both[:1]},
		"all, when a new object has none of the paths: it exists": {func(s *still) {
			s.saw("5", "", s.begin())
			s.sawSight(sight{version: "6", exists: true, paths: s.paths, digests: make([]fieldpath.Digest, len(s.paths))})
		}, both},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := newStill(t)
			s.refer("other", "data.b")
			c.happens(s)
			require.ElementsMatch(t, c.want, s.woken)
		})
	}
}

func (s *still) changeFirstPath(version string) {
	s.sawSight(sight{version: version, exists: true, paths: s.paths, digests: []fieldpath.Digest{{1}, s.paths[1].digest}})
}

func TestSinceIsWhenTheStateChanged(t *testing.T) {
	s := newStill(t)
	s.clock.Step(time.Minute)
	joined := s.clock.Now()
	s.refer("owner", "data.a", "data.b")
	require.Equal(t, joined, s.since(), "a path that joins is not synced from now on")

	s.clock.Step(time.Minute)
	known := s.clock.Now()
	s.saw("5", "five", s.begin())
	require.Equal(t, known, s.since())

	s.clock.Step(time.Minute)
	s.saw("6", "six", 0)
	require.Equal(t, known, s.since(), "a new digest is no new state")

	lost := s.clock.Now()
	s.update(func(wake wakeups) { s.setState(Forbidden, nil, wake) })
	s.clock.Step(time.Minute)
	s.update(func(wake wakeups) { s.setState(Forbidden, nil, wake) })
	require.Equal(t, lost, s.since())
}

func (s *still) since() time.Time {
	observations, _ := s.Observe(named("owner"))
	return observations[0].Since
}

func TestAThousandOwnersOfAnObjectShareItsDigest(t *testing.T) {
	s := newStill(t)
	for i := range 1000 {
		s.refer(strconv.Itoa(i), "data.a")
	}
	require.Len(t, s.kinds, 1)
	require.Len(t, s.kinds[configMaps].entries, 1)
	require.Len(t, s.paths, 1)
	s.saw("5", "five", s.begin())
	require.Len(t, s.woken, 1001)

	for i := range 1000 {
		s.Remove(named(strconv.Itoa(i)))
	}
	s.saw("6", "six", 0)
	require.Equal(t, []types.NamespacedName{named("owner")}, s.woken)
}

func TestWhatNobodyReferencesIsReleased(t *testing.T) {
	s := newStill(t)
	s.refer("other", "data.b", "data.b")
	require.Len(t, s.paths, 2)
	s.refer("other", "data.c")
	require.Len(t, s.paths, 2)
	s.Remove(named("other"))
	require.Len(t, s.paths, 1)
	_, ok := s.Observe(named("other"))
	require.False(t, ok)

	s.Remove(named("owner"))
	s.Remove(named("owner"))
	require.Empty(t, s.kinds[configMaps].entries)
	require.Empty(t, s.owners)
}

func TestSetKeepsWhatIsKnown(t *testing.T) {
	s := newStill(t)
	s.saw("5", "five", s.begin())
	s.refer("owner", "data.b", "data.a")
	require.Equal(t, "?", s.value("owner"))
	s.refer("owner", "data.a")
	require.Equal(t, "five", s.value("owner"))

	dirty := s.kinds[configMaps]
	dirty.dirty = false
	s.refer("owner", "data.a")
	require.False(t, dirty.dirty, "the same again changes nothing")
}

func TestMemoryPerReferencedObject(t *testing.T) {
	const count = 10000
	s := newStill(t)
	compiled := path(t, "data.a")
	references := make([]Reference, count)
	owners := make([]types.NamespacedName, count)
	for i := range count {
		name := "object-" + strconv.Itoa(i)
		references[i] = Reference{GroupVersionKind: configMaps, Namespace: "ns", Name: name, Paths: []*fieldpath.Path{compiled}}
		owners[i] = named(name)
	}
	before := heap()
	for i := range count {
		s.Set(owners[i], references[i:i+1])
	}
	perObject := (heap() - before) / count
	runtime.KeepAlive(s)
	t.Logf("%d bytes", perObject)
	require.LessOrEqual(t, perObject, uint64(1024))
	require.Positive(t, perObject)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
