package watch

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
	"github.com/nusnewob/kube-changejob/pkg/when"
	"github.com/nusnewob/kube-changejob/test/apiserver"
)

func mustCompileWhen(t testing.TB, text string) *when.Expression {
	t.Helper()
	compiled, err := when.Compile(text)
	require.NoError(t, err)
	return compiled
}

// comesTo says whether the object exists, data.a has this value, and the expression comes to that.
func comesTo(t testing.TB, value string, result when.Result) func(Observation) bool {
	return func(o Observation) bool { return shows(t, value)(o) && o.When == result }
}

func TestAWhenIsEvaluatedForEachVersionOfAnObject(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		ns := server.Namespace(t)
		create(t, server, configMap(ns, "watched", "a", "1", "ready", "no"))
		p := startEngine(t, server.Config)
		r := refer(t, configMaps, ns, "watched", "data.a")
		r.When = mustCompileWhen(t, `object.data.ready == 'yes'`)
		p.Set(named("owner"), []Reference{r})
		p.referToA("without", ns, "watched")
		p.eventually(named("without"), shows(t, "1"))
		p.eventually(named("owner"), comesTo(t, "1", when.False))
		woken, others := p.wakeups(named("owner")), p.wakeups(named("without"))

		put(t, server, configMap(ns, "watched", "a", "1", "ready", "not yet")) // neither the digest nor the truth
		put(t, server, configMap(ns, "watched", "a", "1", "ready", "yes"))
		p.eventually(named("owner"), comesTo(t, "1", when.True))
		require.Equal(t, woken+1, p.wakeups(named("owner")), "what alters neither wakes nobody")
		require.Equal(t, others, p.wakeups(named("without")), "nor does what is nobody else's")

		put(t, server, configMap(ns, "watched", "a", "2"))
		p.eventually(named("owner"), comesTo(t, "2", when.Failed))
		remove(t, server, configMap(ns, "watched"))
		p.eventually(named("owner"), func(o Observation) bool { return absent(o) && o.When == when.Failed })

		r.When = mustCompileWhen(t, `object == null || object.data.ready == 'yes'`)
		p.Set(named("owner"), []Reference{r})
		p.eventually(named("owner"), func(o Observation) bool { return absent(o) && o.When == when.True })
		create(t, server, configMap(ns, "watched", "a", "1", "ready", "yes"))
		p.eventually(named("owner"), comesTo(t, "1", when.True))
		r.When = nil
		p.Set(named("owner"), []Reference{r})
		p.eventually(named("owner"), shows(t, "1"))
	})
}

func TestOwnersOfOneWhenShareIt(t *testing.T) {
	server := servers["with WatchList"].Server(t)
	ns := server.Namespace(t)
	create(t, server, configMap(ns, "watched", "a", "1"))
	p := startEngine(t, server.Config)
	r := refer(t, configMaps, ns, "watched", "data.a")
	r.When = mustCompileWhen(t, `object.data.a == '1'`)
	p.Set(named("one"), []Reference{r})
	p.Set(named("two"), []Reference{r})
	p.eventually(named("one"), comesTo(t, "1", when.True))
	p.eventually(named("two"), comesTo(t, "1", when.True))
	p.Engine.mu.RLock()
	defer p.Engine.mu.RUnlock()
	for _, ent := range p.kinds[configMaps].entries {
		require.Len(t, ent.paths, 2, "a path and a when, for both")
	}
}

func TestAWhenOfAKindThatIsNotServed(t *testing.T) {
	server := servers["with WatchList"].Server(t)
	p := startEngine(t, server.Config)
	r := refer(t, configMaps.GroupVersion().WithKind("Nothing"), server.Namespace(t), "watched", "*")
	r.When = mustCompileWhen(t, `object == null`)
	p.Set(named("owner"), []Reference{r})
	p.eventually(named("owner"), func(o Observation) bool { return o.State == KindNotServed && o.When == when.True })
}

func TestAWhenIsAPartOfASelection(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		ns := server.Namespace(t)
		create(t, server, labelled(ns, "one", "app=web", "1"))
		create(t, server, labelled(ns, "two", "app=web", "2"))
		create(t, server, labelled(ns, "other", "app=db", "1"))
		p := startEngine(t, server.Config)
		all := selects(t, "app=web", ns)
		ones := all
		ones.When = mustCompileWhen(t, `object.data.a == '1'`)
		p.Set(named("all"), []Reference{all})
		p.Set(named("ones"), []Reference{ones})
		p.Set(named("both"), []Reference{all, ones})
		p.eventually(named("all"), consists(t, ns+"/one=1", ns+"/two=2"))
		first := p.eventually(named("ones"), consists(t, ns+"/one=1"))

		put(t, server, labelled(ns, "two", "app=web", "1"))
		second := p.eventually(named("ones"), consists(t, ns+"/one=1", ns+"/two=1"))
		require.Greater(t, second.LastCreated, first.Moment, "it has come")
		require.LessOrEqual(t, second.LastDeleted, first.Moment)
		put(t, server, labelled(ns, "one", "app=web", "3"))
		third := p.eventually(named("ones"), consists(t, ns+"/two=1"))
		require.Greater(t, third.LastDeleted, second.Moment, "it has gone")
		require.LessOrEqual(t, third.LastCreated, second.Moment)
		create(t, server, labelled(ns, "zoo", "app=web", "3"))
		p.eventually(named("all"), consists(t, ns+"/one=3", ns+"/two=1", ns+"/zoo=3"))
		fourth := p.eventually(named("ones"), consists(t, ns+"/two=1"))
		require.LessOrEqual(t, fourth.LastCreated, third.Moment, "what it is not true of does not come")
		require.Equal(t, third.Digests, fourth.Digests)
		remove(t, server, configMap(ns, "two"))
		p.eventually(named("ones"), consists(t))
		require.Eventually(t, func() bool {
			seen, ok := p.Observe(named("both"))
			return ok && consists(t, ns+"/one=3", ns+"/zoo=3")(seen[0]) && consists(t)(seen[1])
		}, patience, blink)
	})
}

// In a selection with a `when`, an object of which it becomes true has come, and one of which it ceases to be true has gone, whatever else
// changes in them; what changes in the others is nobody's.
func TestAWhenTellsHowTheSelectionHasChanged(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		ns := server.Namespace(t)
		object := func(name, a, b, ready string) *corev1.ConfigMap {
			o := configMap(ns, name, "a", a, "b", b, "ready", ready)
			o.Labels = map[string]string{"app": "web"}
			return o
		}
		create(t, server, object("one", "1", "1", "yes"))
		create(t, server, object("two", "1", "1", "no"))
		p := startEngine(t, server.Config)
		all, owner, other := selects(t, "app=web", ns), selects(t, "app=web", ns), selects(t, "app=web", ns)
		all.Paths = []*fieldpath.Path{path(t, "data")}
		other.Paths = []*fieldpath.Path{path(t, "data.b")}
		owner.When = mustCompileWhen(t, `object.data.ready == 'yes'`)
		other.When = owner.When
		p.Set(named("all"), []Reference{all})
		p.Set(named("owner"), []Reference{owner})
		p.Set(named("other"), []Reference{other})
		for _, name := range []string{"all", "owner", "other"} {
			p.eventuallyState(named(name), Synced)
		}
		type moved struct{ created, updated, deleted bool }
		since := func(name string, before Observation) moved {
			now := p.see(named(name))
			return moved{now.LastCreated > before.Moment, now.LastUpdated > before.Moment, now.LastDeleted > before.Moment}
		}
		for _, step := range []struct {
			sentence     string
			do           *corev1.ConfigMap
			owner, other moved
		}{
			{"what it is not true of changes", object("two", "2", "2", "no"), moved{}, moved{}},
			{"it becomes true of what changes", object("two", "3", "2", "yes"), moved{created: true}, moved{created: true}},
			{"what it is true of changes", object("one", "2", "1", "yes"), moved{updated: true}, moved{}},
			{"and in what another looks at", object("one", "2", "2", "yes"), moved{}, moved{updated: true}},
			{"and in what neither looks at", func() *corev1.ConfigMap { o := object("one", "2", "2", "yes"); o.Data["c"] = "1"; return o }(), moved{}, moved{}},
			{"it ceases to be true of what changes", object("one", "4", "4", "no"), moved{deleted: true}, moved{deleted: true}},
			{"what it is true of no more changes", object("one", "5", "5", "no"), moved{}, moved{}},
		} {
			seen, ofOwner, ofOther := p.see(named("all")), p.see(named("owner")), p.see(named("other"))
			put(t, server, step.do)
			p.eventually(named("all"), func(o Observation) bool { return o.State == Synced && o.Digests[0] != seen.Digests[0] })
			require.Equal(t, step.owner, since("owner", ofOwner), step.sentence)
			require.Equal(t, step.other, since("other", ofOther), step.sentence)
		}
	})
}

func TestDigestsAndResultsKeepTheirPlaces(t *testing.T) {
	of := func(expression string) *watchedPath {
		return &watchedPath{when: &condition{expression: mustCompileWhen(t, expression)}}
	}
	a, b := &watchedPath{path: path(t, "data.a")}, &watchedPath{path: path(t, "data.b")}
	object := []byte(`{"data":{"a":"1","b":"2"}}`)
	require.Equal(t, []fieldpath.Digest{resultDigest(when.True), a.path.Digest(object), resultDigest(when.False), resultDigest(when.Failed), b.path.Digest(object)},
		digestsOf(object, configMaps, []*watchedPath{of(`object.data.a == '1'`), a, of(`object.data.b == '1'`), of(`object.data.c == '1'`), b}))
}

func TestAnExpressionReadsWhatAnObjectIsHoweverItIsRead(t *testing.T) {
	paths := []*watchedPath{{when: &condition{expression: mustCompileWhen(t, `object.kind == 'ConfigMap' && object.apiVersion == 'v1'`)}}}
	item := digestsOf([]byte(`{"metadata":{"name":"a"}}`), configMaps, paths)
	event := digestsOf([]byte(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"}}`), configMaps, paths)
	require.Equal(t, item, event)
	require.Equal(t, when.True, resultOf(item[0]))
}

func TestASelectionTellsHowItHasChanged(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		ns := server.Namespace(t)
		create(t, server, labelled(ns, "one", "app=web", "1"))
		p := startEngine(t, server.Config)
		p.Set(named("owner"), []Reference{selects(t, "app=web", ns)})
		before := p.eventually(named("owner"), consists(t, ns+"/one=1"))
		require.NotZero(t, before.Moment)
		for sentence, step := range []struct {
			do                        func()
			then                      []string
			created, updated, deleted bool
		}{
			{func() { put(t, server, labelled(ns, "one", "app=web", "2")) }, []string{"one=2"}, false, true, false},
			{func() { create(t, server, labelled(ns, "two", "app=web", "1")) }, []string{"one=2", "two=1"}, true, false, false},
			{func() { remove(t, server, configMap(ns, "one")) }, []string{"two=1"}, false, false, true},
		} {
			step.do()
			for i := range step.then {
				step.then[i] = ns + "/" + step.then[i]
			}
			now := p.eventually(named("owner"), consists(t, step.then...))
			require.Equal(t, step.created, now.LastCreated > before.Moment, sentence)
			require.Equal(t, step.updated, now.LastUpdated > before.Moment, sentence)
			require.Equal(t, step.deleted, now.LastDeleted > before.Moment, sentence)
			before = now
		}
		// What somebody takes up anew may have changed in any way since.
		p.Remove(named("owner"))
		p.Set(named("owner"), []Reference{selects(t, "app=web", ns)})
		again := p.eventually(named("owner"), consists(t, ns+"/two=1"))
		require.Greater(t, min(again.LastCreated, again.LastUpdated, again.LastDeleted), before.Moment)
	})
}
