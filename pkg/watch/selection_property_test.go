package watch

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	testclock "k8s.io/utils/clock/testing"
	"pgregory.net/rapid"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
)

// happening is an event of the selection's history: at its version, the object has the value, or is selected no more.
type happening struct {
	version int
	name    string
	value   int
}

// history is what an API server's selection was, version by version, and how far each watch of it has come.
type history struct {
	*Engine
	events  []happening
	truth   []map[string]int // by version
	streams []*lagging
	reads   []*pendingRead
	// joined is the version at which each owner joined; shown is the newest one that it was shown.
	joined, shown map[string]int
}

// lagging is a watch: its next event is reduced before it is applied.
type lagging struct {
	run    *run
	passed int // of events
	next   *object
	exists bool
	// listed is what a streaming list that has not ended has told; nil where none is under way.
	listed map[types.NamespacedName]*object
}

// pendingRead is a list that was answered, and not applied yet.
type pendingRead struct {
	run     *run
	began   moment
	version int
	found   listing
}

const selectionSpace = "ns"

func newHistory(t *rapid.T, maxMatched int) *history {
	engine, err := New(Options{Config: &rest.Config{Host: "http://127.0.0.1:1"}, OnChange: func(types.NamespacedName) {},
		Clock: testclock.NewFakeClock(time.Unix(1e9, 0)), MaxMatched: maxMatched})
	require.NoError(t, err)
	h := &history{Engine: engine, truth: []map[string]int{{}}, joined: map[string]int{}, shown: map[string]int{}}
	h.Set(named("first"), []Reference{selects(noTest{}, "app=web", selectionSpace)})
	h.joined["first"] = 0
	k := h.kinds[configMaps]
	h.update(func(wake wakeups) {
		k.answered(&resource{listable: true, watchable: true, namespaced: true}, NotSynced, nil, wake)
	})
	return h
}

// noTest is for helpers that fail only where they are used wrongly.
type noTest struct{ testing.TB }

func (noTest) Helper()               {}
func (noTest) Errorf(string, ...any) { panic("used wrongly") }
func (noTest) FailNow()              { panic("used wrongly") }

func (h *history) version() int { return len(h.truth) - 1 }

func (h *history) happen(name string, value int) {
	next := maps.Clone(h.truth[h.version()])
	if next[name] == value {
		return
	}
	if next[name] = value; value == 0 {
		delete(next, name)
	}
	h.truth = append(h.truth, next)
	h.events = append(h.events, happening{h.version(), name, value})
}

// textOf is a version as the API server writes it; 0 is none.
func textOf(version int) string { return strconv.Itoa(1000 + version) }

func selectedJSON(name string, value, version int) raw {
	text := fmt.Sprintf(`{"metadata":{"namespace":%q,"name":%q,"resourceVersion":"%s","labels":{"app":"web"}},"data":{"a":"%d","b":"%d"}}`,
		selectionSpace, name, textOf(version), value, value)
	return parse([]byte(text))
}

// start starts a watch of a scope with a list, as a Reflector does.
func (h *history) start(s scope) {
	k := h.kinds[configMaps]
	r := &run{kind: k, resource: *k.resource, scope: s, joins: map[*entry]struct{}{}, joined: make(chan struct{}, 1)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	k.runs[s], k.planned[s] = r, true
	h.streams = append(h.streams, &lagging{run: r})
	h.relist(h.streams[len(h.streams)-1])
}

// relist has a watch begin anew.
func (h *history) relist(l *lagging) {
	l.run.reading()
	l.run.replace(h.list(l.run, &l.run.tally), textOf(h.version()))
	l.run.watching(false)
	l.passed, l.next, l.listed = len(h.events), nil, nil
}

// stream has a watch begin anew with a streaming list; or end it, after what has happened meanwhile.
func (h *history) stream(l *lagging) {
	if l.listed == nil {
		l.run.reading()
		l.run.watching(true)
		l.listed = h.list(l.run, &l.run.tally)
		l.passed, l.next = len(h.events), nil
		return
	}
	for ; l.passed < len(h.events); l.passed++ {
		e := h.events[l.passed]
		kind, name := apiwatch.Modified, types.NamespacedName{Namespace: selectionSpace, Name: e.name}
		switch {
		case e.value == 0:
			kind = apiwatch.Deleted
		case h.truth[e.version-1][e.name] == 0:
			kind = apiwatch.Added
		}
		if kept := l.run.reduceSelected(kind, selectedJSON(e.name, e.value, e.version), &l.run.tally); kept == nil {
			continue
		} else if l.listed[name] = kept; kind == apiwatch.Deleted {
			delete(l.listed, name)
		}
	}
	l.run.replace(l.listed, textOf(h.version()))
	l.listed = nil
}

func (h *history) list(r *run, t *tally) map[types.NamespacedName]*object {
	versions := map[string]int{}
	for _, e := range h.events {
		versions[e.name] = e.version
	}
	found := map[types.NamespacedName]*object{}
	for name, value := range h.truth[h.version()] {
		if o := r.reduceSelected(apiwatch.Added, selectedJSON(name, value, versions[name]), t); o != nil {
			found[types.NamespacedName{Namespace: selectionSpace, Name: name}] = o
		}
	}
	return found
}

// begin begins a read of what has joined, and has it answered.
func (h *history) begin(l *lagging) {
	var began moment
	h.update(func(wakeups) { began = h.next() })
	var counts tally
	counts.begin()
	h.reads = append(h.reads, &pendingRead{run: l.run, began: began, version: h.version(), found: listing{h.list(l.run, &counts), counts.end()}})
}

// end applies a read.
func (h *history) end(i int) {
	r := h.reads[i]
	h.reads = slices.Delete(h.reads, i, i+1)
	h.update(func(wake wakeups) {
		r.run.kind.show(scope{namespace: selectionSpace, selector: "app=web"}, r.found, textOf(r.version), r.began, false, wake)
	})
}

// step has a watch reduce its next event, or apply the one that it has reduced.
func (h *history) step(l *lagging) {
	if l.listed != nil {
		return
	}
	if l.next != nil {
		if l.exists {
			_ = l.run.Update(l.next)
		} else {
			_ = l.run.Delete(l.next)
		}
		l.next = nil
		return
	}
	if l.passed == len(h.events) {
		return
	}
	e := h.events[l.passed]
	l.passed++
	kind := apiwatch.Modified
	if l.exists = e.value != 0; !l.exists {
		kind = apiwatch.Deleted
	}
	l.next = l.run.reduceSelected(kind, selectedJSON(e.name, e.value, e.version), &l.run.tally)
}

// check checks what each owner is shown: a state that the selection had, none from before it joined, and none from
// before the one that it was shown last.
func (h *history) check(t *rapid.T) {
	for owner, joined := range h.joined {
		observations, ok := h.Observe(named(owner))
		require.True(t, ok)
		o := observations[0]
		if o.State != Synced {
			continue
		}
		oldest := max(joined, h.shown[owner])
		at := -1
		for version := oldest; version <= h.version() && at < 0; version++ {
			if h.is(o, h.truth[version]) {
				at = version
			}
		}
		require.GreaterOrEqual(t, at, 0, "%s joined at %d, was shown %d of %d, and is shown what never was: %v", owner, joined, h.shown[owner], h.version(), o)
		h.shown[owner] = at
	}
}

func (h *history) is(o Observation, truth map[string]int) bool {
	if o.Matched != len(truth) || len(o.Objects) != len(truth) {
		return false
	}
	for _, object := range o.Objects {
		value, selected := truth[object.Name]
		want := path(noTest{}, "data.a").Digest(selectedJSON("x", value, 1).json)
		if !selected || slices.ContainsFunc(object.Digests, func(d fieldpath.Digest) bool { return d != want }) {
			return false
		}
	}
	return true
}

// TestASelectionIsAlwaysOneThatWas lets a selection change, be too large for a while, watches of it lag and overlap, reads be overtaken, and
// owners and paths join, and checks that nobody is ever shown what never was, or what was before.
func TestASelectionIsAlwaysOneThatWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(t, rapid.SampledFrom([]int{DefaultMaxMatched, 2}).Draw(t, "at most"))
		h.start(scope{namespace: selectionSpace, selector: "app=web"})
		names := []string{"a", "b", "c"}
		stream := func() *lagging { return rapid.SampledFrom(h.streams).Draw(t, "stream") }
		t.Repeat(map[string]func(*rapid.T){
			"change": func(t *rapid.T) {
				h.happen(rapid.SampledFrom(names).Draw(t, "name"), rapid.IntRange(0, 2).Draw(t, "value"))
			},
			"step":   func(*rapid.T) { h.step(stream()) },
			"relist": func(*rapid.T) { h.relist(stream()) },
			"stream": func(*rapid.T) { h.stream(stream()) },
			"read":   func(*rapid.T) { h.begin(stream()) },
			"answer": func(t *rapid.T) {
				if len(h.reads) > 0 {
					h.end(rapid.IntRange(0, len(h.reads)-1).Draw(t, "read"))
				}
			},
			"widen": func(*rapid.T) {
				if len(h.streams) == 1 {
					h.start(scope{selector: "app=web"})
				}
			},
			"join": func(*rapid.T) {
				owner := fmt.Sprint("owner-", len(h.joined))
				r := selects(noTest{}, "app=web", selectionSpace)
				if len(h.joined)%2 == 1 {
					r.Paths = append(r.Paths, path(noTest{}, "data.b"))
				}
				h.joined[owner] = h.version()
				h.Set(named(owner), []Reference{r})
			},
			"": h.check,
		})
		// In the end everybody knows what is.
		for len(h.reads) > 0 {
			h.end(0)
			h.check(t)
		}
		if h.MaxMatched < len(names) { // then it may have to be read anew
			h.happen(names[0], 0)
			for _, l := range h.streams {
				h.relist(l)
			}
		}
		h.begin(h.streams[0])
		h.end(0)
		for _, l := range h.streams {
			if l.listed != nil {
				h.stream(l)
			}
			for l.next != nil || l.passed < len(h.events) {
				h.step(l)
			}
		}
		h.check(t)
		for owner := range h.joined {
			o, _ := h.Observe(named(owner))
			require.Equal(t, Synced, o[0].State)
			require.True(t, h.is(o[0], h.truth[h.version()]), "%s is shown %v, and not what is", owner, o[0])
		}
	})
}
