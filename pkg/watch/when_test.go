package watch

import (
	"testing"

	"github.com/stretchr/testify/require"

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
