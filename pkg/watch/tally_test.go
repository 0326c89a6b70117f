package watch

import (
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
)

// streamed applies what a streaming list tells, as a Reflector does: kind, name and value of each event, and then its end.
func streamed(t *testing.T, r *run, events ...string) {
	t.Helper()
	r.reading()
	r.watching(true)
	store := map[types.NamespacedName]*object{}
	for i, event := range events {
		words := strings.Fields(event)
		value := 0
		if len(words) > 2 {
			var err error
			value, err = strconv.Atoi(words[2])
			require.NoError(t, err)
		}
		kept := r.reduceSelected(apiwatch.EventType(words[0]), selectedJSON(words[1], value, i), &r.tally)
		if kept == nil {
			continue
		}
		name := types.NamespacedName{Namespace: kept.Namespace, Name: kept.Name}
		if words[0] == string(apiwatch.Deleted) {
			delete(store, name)
			continue
		}
		store[name] = kept
	}
	r.replace(store, textOf(len(events)))
}

// API servers from v1.27 on may tell of changes and deletions before a streaming list ends.
func TestWhatAStreamingListKeepsOfASelectionOfTwo(t *testing.T) {
	for sentence, c := range map[string]struct {
		events []string
		want   map[string]int // nil is too many
	}{
		"as many as may be": {[]string{"ADDED a 1", "ADDED b 1"}, map[string]int{"a": 1, "b": 1}},
		"one more":          {[]string{"ADDED a 1", "ADDED b 1", "ADDED c 1"}, nil},
		"many more":         {[]string{"ADDED a 1", "ADDED b 1", "ADDED c 1", "ADDED d 1", "ADDED e 1"}, nil},
		"one more, and then one has gone": {
			[]string{"ADDED a 1", "ADDED b 1", "ADDED c 1", "DELETED a"}, map[string]int{"b": 1, "c": 1}},
		"what changes is no more": {
			[]string{"ADDED a 1", "ADDED b 1", "MODIFIED a 2", "MODIFIED b 2", "MODIFIED a 3", "MODIFIED b 3"}, map[string]int{"a": 3, "b": 3}},
		"nor is what goes": {
			[]string{"ADDED a 1", "ADDED b 1", "MODIFIED a 2", "MODIFIED a 3", "DELETED b"}, map[string]int{"a": 3}},
		"more than shows it, of which some have gone before": {
			[]string{"ADDED a 1", "ADDED b 1", "ADDED c 1", "DELETED a", "DELETED b", "ADDED d 1"}, nil},
		"more than shows it, of which some have gone since": {
			[]string{"ADDED a 1", "ADDED b 1", "ADDED c 1", "ADDED d 1", "DELETED a", "DELETED b", "DELETED c"}, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			e, _, _, r := stillSelection(t, 2)
			streamed(t, r, c.events...)
			check := func(want map[string]int) {
				t.Helper()
				seen, _ := e.Observe(named("owner"))
				if want == nil {
					require.Equal(t, TooMany, seen[0].State)
					return
				}
				require.Equal(t, Synced, seen[0].State)
				values := map[string]fieldpath.Digest{}
				for _, o := range seen[0].Objects {
					values[o.Name] = o.Digests[0]
				}
				wanted := map[string]fieldpath.Digest{}
				for name, value := range want {
					wanted[name] = path(t, "data.a").Digest(selectedJSON(name, value, 0).json)
				}
				require.Equal(t, wanted, values)
			}
			check(c.want)
			streamed(t, r, "ADDED a 1")
			check(map[string]int{"a": 1}) // whatever the read before has refused
		})
	}
}

// What has joined is listed. That, too, may find more than are kept.
func TestAListThatHasNotKeptAllHasFoundTooMany(t *testing.T) {
	e, _, s, r := stillSelection(t, 2)
	var counts tally
	counts.begin()
	for _, name := range []string{"a", "b", "c", "d"} {
		r.reduceSelected(apiwatch.Added, selectedJSON(name, 1, 1), &counts)
	}
	e.update(func(wake wakeups) {
		r.kind.show(r.scope, listing{nil, counts.end()}, textOf(2), e.next(), false, wake)
	})
	require.True(t, s.tooMany)
}

// blockedIn says whether a goroutine waits for a lock in a function.
func blockedIn(function string) bool {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		state, _, _ := strings.Cut(stack, "\n")
		if strings.Contains(state, "[sync.Mutex.Lock") && strings.Contains(stack, function) {
			return true
		}
	}
	return false
}

// An event that follows a read may be reduced while the read is stored. Were it found that there are too many, and a moment later that
// no read is under way, it would be lost.
func TestWhetherThereAreTooManyAndAReadIsUnderWayIsAskedAtOnce(t *testing.T) {
	e, _, s, r := stillSelection(t, 2)
	s.tooMany = true
	r.reading()
	r.tally.mu.Lock()
	reduced := make(chan *object)
	go func() { reduced <- r.reduceSelected(apiwatch.Modified, selectedJSON("a", 1, 1), &r.tally) }()
	require.Eventually(t, func() bool { return blockedIn("(*tally).reading") }, patience, blink)
	between := e.mu.TryLock()
	if between {
		e.mu.Unlock()
	}
	r.tally.mu.Unlock()
	require.NotNil(t, <-reduced)
	require.False(t, between, "who asks holds the engine's lock")
}

func TestOnlyALaterReadThatIsFollowedFindsThatThereAreNotTooManyAnyMore(t *testing.T) {
	e, _, s, r := stillSelection(t, 2)
	begin := func() (began moment) {
		e.update(func(wakeups) { began = e.next() })
		return began
	}
	seen := func(paths []*watchedPath, names ...string) map[types.NamespacedName]*object {
		items := map[types.NamespacedName]*object{}
		for _, name := range names {
			items[types.NamespacedName{Namespace: "ns", Name: name}] = selectedObject(name, "1", paths...)
		}
		return items
	}
	read := func(items map[types.NamespacedName]*object, version string, began moment, follows bool) {
		e.update(func(wake wakeups) { s.show(items, false, version, began, follows, wake) })
	}
	is := func(want State) {
		t.Helper()
		for _, owner := range []string{"owner", "late"} {
			observations, _ := e.Observe(named(owner))
			require.Equal(t, want, observations[0].State, owner)
		}
	}
	late := selects(t, "app=web", "ns")
	late.Paths = append(late.Paths, path(t, "data.b"))

	early, former := begin(), s.paths
	read(seen(s.paths, "a", "b", "c"), "5", begin(), false)
	e.Set(named("late"), []Reference{late})
	is(TooMany)
	require.True(t, s.complete(), "nothing is read for who joins until it is read anew as a whole")
	read(seen(former, "a", "b"), "6", early, true)
	is(TooMany) // and of the new path nothing is known
	read(seen(s.paths, "a", "b"), "7", begin(), false)
	is(TooMany) // what is not watched may be more again
	read(seen(s.paths, "a", "b"), "8", begin(), true)
	is(Synced)

	overtaken := begin()
	e.update(func(wake wakeups) { s.event(selectedObject("c", "10", s.paths...), true, wake) })
	is(TooMany)
	read(seen(s.paths, "a", "b"), "9", overtaken, true)
	is(TooMany) // it is from before
	read(seen(s.paths, "a", "b", "c"), "10", begin(), true)
	is(TooMany)
	read(seen(s.paths, "a", "c"), "11", begin(), true)
	is(Synced)
	require.Same(t, s, r.kind.selections[r.scope])
}
