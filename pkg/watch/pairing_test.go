package watch

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
)

// paired is a selection that is never watched, with owners that have a `when`.
type paired struct {
	t *testing.T
	*Engine
	*selection
	run     *run
	version int
}

func newPaired(t *testing.T, maxMatched int) *paired {
	e, _, s, r := stillSelection(t, maxMatched)
	return &paired{t: t, Engine: e, selection: s, run: r, version: 100}
}

// refer has an owner select with a `when` that reads the field w of that number, and have fields of data watched.
func (p *paired) refer(owner string, when int, fields ...string) {
	r := selects(p.t, "app=web", "ns")
	r.Paths = nil
	for _, field := range fields {
		r.Paths = append(r.Paths, path(p.t, "data."+field))
	}
	r.When = mustCompileWhen(p.t, fmt.Sprintf("object.data.w%d == 'yes'", when))
	p.Set(named(owner), []Reference{r})
}

// sent is the next version of an object, as it is sent.
func (p *paired) sent(name string, data map[string]string) raw {
	p.version++
	whole := corev1.ConfigMap{Data: data}
	whole.Namespace, whole.Name, whole.Labels, whole.ResourceVersion = "ns", name, map[string]string{"app": "web"}, strconv.Itoa(p.version)
	text, err := json.Marshal(whole)
	require.NoError(p.t, err)
	return parse(text)
}

func (p *paired) reduce(o raw) *object {
	return p.run.reduceSelected(apiwatch.Modified, o, &p.run.tally)
}

// reads shows a read of the whole selection.
func (p *paired) reads(objects ...raw) {
	p.run.tally.begin()
	items := map[types.NamespacedName]*object{}
	for _, o := range objects {
		items[types.NamespacedName{Namespace: o.namespace, Name: o.name}] = p.reduce(o)
	}
	p.run.tally.end()
	p.version++
	p.update(func(wake wakeups) { p.show(items, false, strconv.Itoa(p.version), p.next(), true, wake) })
}

// happens applies an event.
func (p *paired) happens(o raw) {
	reduced := p.reduce(o)
	p.update(func(wake wakeups) { require.True(p.t, p.event(reduced, true, wake)) })
}

func (p *paired) state(owner string) Observation {
	seen, ok := p.Observe(named(owner))
	require.True(p.t, ok)
	return seen[0]
}

func (p *paired) see(owner string) Observation {
	seen := p.state(owner)
	require.Equal(p.t, Synced, seen.State, owner)
	return seen
}

// kept is how many pairs of a path and a `when` are kept, and how often they are held.
func (p *paired) kept() (pairs, references int) {
	for _, condition := range p.paths {
		if condition.when != nil {
			pairs += len(condition.when.pairs)
			for _, pair := range condition.when.pairs {
				references += pair.references
			}
		}
	}
	return pairs, references
}

// held is how many owners hold a path with a `when`, for all paths.
func (p *paired) held() (count int) {
	for _, o := range p.owners {
		for _, r := range o.references {
			for _, part := range r.selecting.parts {
				if whenOf(part.holds) != nil {
					count += len(pathsOf(part.holds))
				}
			}
		}
	}
	return count
}

func TestAPathAndAWhenAreAPairWhileSomebodyHoldsBoth(t *testing.T) {
	p := newPaired(t, 0)
	for _, step := range []struct {
		sentence          string
		do                func()
		pairs, references int
	}{
		{"who has no when has no pair", func() {}, 0, 0},
		{"many have a path and a when of their own", func() {
			for i := range 20 {
				p.refer(fmt.Sprint(i), i, fmt.Sprint("p", i))
			}
		}, 20, 20},
		{"one has two paths", func() { p.refer("0", 0, "p0", "p1") }, 21, 21},
		{"one has the same as another, in place of its own", func() { p.refer("1", 0, "p0", "p1") }, 20, 22},
		{"one has a path twice", func() { p.refer("2", 2, "p2", "p2") }, 20, 23},
		{"and once again", func() { p.refer("2", 2, "p2") }, 20, 22},
		{"one gives up a path that another has", func() { p.refer("0", 0, "p0") }, 20, 21},
		{"and that one does", func() { p.refer("1", 0, "p0") }, 19, 20},
		{"one leaves whose pair another has", func() { p.Remove(named("1")) }, 19, 19},
		{"all leave", func() {
			for i := range 20 {
				p.Remove(named(fmt.Sprint(i)))
			}
		}, 0, 0},
	} {
		step.do()
		pairs, references := p.kept()
		require.Equal(t, step.pairs, pairs, step.sentence)
		require.Equal(t, step.references, references, step.sentence)
		require.Equal(t, p.held(), references, step.sentence)
	}
	require.Len(t, p.paths, 1, "that of the one who has no when")
}

func TestEachOfManyOwnersIsToldWhatHasChangedForIt(t *testing.T) {
	const owners = 20
	p := newPaired(t, 0)
	data := map[string]string{}
	for i := range owners {
		p.refer(fmt.Sprint(i), i, fmt.Sprint("p", i))
		data[fmt.Sprint("p", i)], data[fmt.Sprint("w", i)] = "1", "yes"
	}
	data["w7"] = "no"
	p.reads(p.sent("one", data), p.sent("other", data))

	type moved struct{ created, updated, deleted bool }
	for _, step := range []struct {
		sentence string
		change   map[string]string
		want     map[int]moved
	}{
		{"a path changes where its owner's when is true", map[string]string{"p3": "2"}, map[int]moved{3: {updated: true}}},
		{"others do", map[string]string{"p4": "2", "p5": "2"}, map[int]moved{4: {updated: true}, 5: {updated: true}}},
		{"one does where its owner's when is not true", map[string]string{"p7": "2"}, nil},
		{"the when becomes true, and the path changes", map[string]string{"w7": "yes", "p7": "3"}, map[int]moved{7: {created: true}}},
		{"a when ceases to be true, its path changes, and another's does", map[string]string{"w8": "no", "p8": "2", "p9": "2"},
			map[int]moved{8: {deleted: true}, 9: {updated: true}}},
		{"what nobody looks at changes", map[string]string{"x": "1"}, nil},
	} {
		before := map[int]Observation{}
		for i := range owners {
			before[i] = p.see(fmt.Sprint(i))
		}
		maps.Copy(data, step.change)
		p.happens(p.sent("one", data))
		for i := range owners {
			now, since := p.see(fmt.Sprint(i)), before[i].Moment
			require.Equal(t, step.want[i], moved{now.LastCreated > since, now.LastUpdated > since, now.LastDeleted > since},
				"%s: owner %d", step.sentence, i)
		}
	}
}

// An edit makes nothing new of what an owner has had before, and nothing is known of what was before anybody had it.
func TestAPairBeginsWithItsFirstHolder(t *testing.T) {
	p := newPaired(t, 0)
	p.refer("owner", 0, "a", "b")
	data := map[string]string{"a": "1", "b": "1", "w0": "no", "w1": "no"}
	p.reads(p.sent("one", data))
	data["a"] = "2"
	p.happens(p.sent("one", data)) // of which neither when is true

	before := p.see("owner")
	p.refer("owner", 0, "a")
	require.Equal(t, before.LastUpdated, p.see("owner").LastUpdated, "who has had both goes on with them")
	p.refer("late", 0, "a")
	p.reads(p.sent("one", data))
	require.Equal(t, before.LastUpdated, p.see("late").LastUpdated, "and so does who joins")
	p.refer("other", 1, "a")
	p.reads(p.sent("one", data))
	require.Greater(t, p.see("other").LastUpdated, before.LastUpdated, "its when may have been true then")
}

func TestWhatHappensWhileTooManyAreSelectedIsNotKnown(t *testing.T) {
	p := newPaired(t, 2)
	p.refer("owner", 0, "a")
	data := map[string]string{"a": "1", "w0": "yes"}
	p.reads(p.sent("one", data), p.sent("two", data))
	before := p.see("owner")
	p.happens(p.sent("three", data))
	require.Equal(t, TooMany, p.state("owner").State)
	p.reads(p.sent("one", data))
	after := p.see("owner")
	require.Greater(t, min(after.LastCreated, after.LastUpdated, after.LastDeleted), before.Moment)
}

// However paths come and go, what is kept of an object is found; and of what has gone, nothing is kept.
func TestADigestIsFoundWhereverItStands(t *testing.T) {
	p := newPaired(t, 0)
	data := map[string]string{"a": "0"}
	fields := func(from int) (ten []string) {
		for i := from; i < from+10; i++ {
			data[fmt.Sprint("f", i)] = fmt.Sprint(i)
			ten = append(ten, fmt.Sprint("f", i))
		}
		return ten
	}
	for i := range 5 {
		p.refer(fmt.Sprint(i), 0, fields(10*i)...)
	}
	sent := p.sent("one", data)
	reduced := p.reduce(sent)
	p.reads(sent)
	kept := func() member { return p.members[types.NamespacedName{Namespace: "ns", Name: "one"}] }
	check := func(sentence string) {
		t.Helper()
		for i, watched := range p.paths {
			require.Equal(t, i, watched.place, sentence)
			want, stands := fieldpath.Absent, slices.Index(reduced.paths, watched)
			if stands >= 0 {
				want = reduced.digests[stands]
			}
			digest, seen := kept().digest(watched)
			require.Equal(t, stands >= 0, seen, sentence)
			require.Equal(t, want, digest, sentence)
		}
	}
	check("as it was reduced")

	former := p.paths
	p.Remove(named("1"))
	check("some paths are gone")
	elsewhere := 0
	for i, watched := range p.paths {
		if former[i] != watched {
			elsewhere++
		}
	}
	require.Equal(t, 10, elsewhere, "the last ones have taken the places of those that are gone, and all others stand where they stood")
	p.refer("late", 0, fields(100)...)
	check("others have come")

	reduced = p.reduce(sent)
	p.reads(sent)
	check("the same version was seen again")
	require.Len(t, kept().paths, len(p.paths), "what nobody references any more is not kept")
}
