package watch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	testclock "k8s.io/utils/clock/testing"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
	"github.com/nusnewob/kube-changejob/test/apiserver"
)

func selector(t testing.TB, text string) labels.Selector {
	t.Helper()
	parsed, err := labels.Parse(text)
	require.NoError(t, err)
	return parsed
}

// selects is a reference to data.a of the ConfigMaps that a selector selects in namespaces.
func selects(t testing.TB, text string, namespaces ...string) Reference {
	t.Helper()
	r := refer(t, configMaps, "", "", "data.a")
	r.Selector, r.Namespaces = selector(t, text), namespaces
	return r
}

// selectsIn is the same in the namespaces that another selector selects.
func selectsIn(t testing.TB, text, namespaces string) Reference {
	t.Helper()
	r := selects(t, text)
	r.NamespaceSelector = selector(t, namespaces)
	return r
}

// labelled is a ConfigMap with one label and one value.
func labelled(namespace, name, label, value string) *corev1.ConfigMap {
	object := configMap(namespace, name, "a", value)
	key, labelValue, _ := strings.Cut(label, "=")
	object.Labels = map[string]string{key: labelValue}
	return object
}

// consists says whether the observation is of these objects, given as namespace/name=value of data.a.
func consists(t testing.TB, objects ...string) func(Observation) bool {
	t.Helper()
	slices.Sort(objects)
	return func(o Observation) bool {
		if o.State != Synced || o.Matched != len(objects) || o.Exists != (len(objects) > 0) || o.Digests[0].IsAbsent() != (len(objects) == 0) {
			return false
		}
		for i, wanted := range objects {
			name, value, _ := strings.Cut(wanted, "=")
			if o.Objects[i].Namespace+"/"+o.Objects[i].Name != name ||
				o.Objects[i].Digests[0] != digest(t, "data.a", fmt.Sprintf(`{"data":{"a":%q}}`, value)) {
				return false
			}
		}
		return true
	}
}

func TestASelectionIsSeenAsItComesAndGoes(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		ns := server.Namespace(t)
		create(t, server, labelled(ns, "one", "app=web", "1"))
		create(t, server, labelled(ns, "two", "app=web", "1"))
		create(t, server, labelled(ns, "other", "app=db", "1"))
		p := startEngine(t, server.Config)
		p.Set(named("owner"), []Reference{selects(t, "app=web", ns)})
		first := p.eventually(named("owner"), consists(t, ns+"/one=1", ns+"/two=1"))

		for _, step := range []struct {
			do   func()
			then []string
		}{
			{func() { put(t, server, labelled(ns, "two", "app=web", "2")) }, []string{"one=1", "two=2"}},             // changes
			{func() { create(t, server, labelled(ns, "zoo", "app=web", "1")) }, []string{"one=1", "two=2", "zoo=1"}}, // is created
			{func() { put(t, server, labelled(ns, "other", "app=web", "1")) }, []string{"one=1", "other=1", "two=2", "zoo=1"}},
			{func() { put(t, server, labelled(ns, "one", "app=db", "1")) }, []string{"other=1", "two=2", "zoo=1"}},
			{func() { remove(t, server, configMap(ns, "zoo")) }, []string{"other=1", "two=2"}},
			{func() { remove(t, server, configMap(ns, "two")) }, []string{"other=1"}},
			{func() { remove(t, server, configMap(ns, "other")) }, nil},
			{func() { create(t, server, labelled(ns, "one2", "app=web", "1")) }, []string{"one2=1"}},
		} {
			step.do()
			for i := range step.then {
				step.then[i] = ns + "/" + step.then[i]
			}
			now := p.eventually(named("owner"), consists(t, step.then...))
			require.NotEqual(t, first.Digests, now.Digests)
		}
		remove(t, server, configMap(ns, "one2"))
		create(t, server, labelled(ns, "two", "app=web", "1"))
		put(t, server, labelled(ns, "one", "app=web", "1"))
		require.Equal(t, first.Digests, p.eventually(named("owner"), consists(t, ns+"/one=1", ns+"/two=1")).Digests, "what is as before has the digest of before")
	})
}

func TestWhatIsNotSelectedWakesNobody(t *testing.T) {
	server := servers["with WatchList"].Server(t)
	ns := server.Namespace(t)
	create(t, server, labelled(ns, "one", "app=web", "1"))
	p := startEngine(t, server.Config)
	p.Set(named("owner"), []Reference{selects(t, "app=web", ns)})
	p.eventually(named("owner"), consists(t, ns+"/one=1"))
	woken := p.wakeups(named("owner"))
	create(t, server, labelled(ns, "other", "app=db", "1"))
	touched := labelled(ns, "one", "app=web", "1")
	touched.Data["b"] = "another field"
	put(t, server, touched)
	put(t, server, labelled(ns, "one", "app=web", "2"))
	p.eventually(named("owner"), consists(t, ns+"/one=2"))
	require.Equal(t, woken+1, p.wakeups(named("owner")))
}

func TestOwnersOfOneSelectorShareAWatch(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		ns := server.Namespace(t)
		create(t, server, labelled(ns, "one", "app=web", "1"))
		requests := &counter{}
		p := startEngine(t, requests.count(server.Config))
		many := map[types.NamespacedName][]Reference{}
		for i := range 100 {
			many[named(fmt.Sprint(i))] = []Reference{selects(t, "app=web", ns)}
		}
		p.SetAll(many)
		for owner := range many {
			p.eventually(owner, consists(t, ns+"/one=1"))
		}
		require.Less(t, requests.of("configmaps"), 10)
		requests.mu.Lock()
		queries := slices.Clone(requests.queries)
		requests.mu.Unlock()
		for _, query := range queries {
			if strings.Contains(query, "/configmaps?") {
				require.Contains(t, query, "labelSelector=app%3Dweb", "the API server selects")
			}
		}
		// One that joins the running watch has to wait for a read of its own.
		late := selects(t, "app=web", ns)
		late.Paths = append(late.Paths, path(t, "data.b"))
		p.Set(named("late"), []Reference{late})
		o := p.eventuallyState(named("late"), Synced)
		require.Equal(t, 1, o.Matched)
		require.False(t, o.Digests[1].IsAbsent(), "an object without the field is a member all the same")
		require.True(t, o.Objects[0].Digests[1].IsAbsent())
		put(t, server, configMap(ns, "one", "a", "2"))
		p.eventually(named("0"), consists(t))
		p.eventually(named("late"), consists(t))
	})
}

func TestSeveralNamespacesAreOneSelection(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		var all []string
		var want []string
		for range 5 {
			ns := server.Namespace(t)
			create(t, server, labelled(ns, "one", "app=web", "1"))
			all, want = append(all, ns), append(want, ns+"/one=1")
		}
		p := startEngine(t, server.Config, func(o *Options) { o.Threshold = 4 })
		p.Set(named("few"), []Reference{selects(t, "app=web", all[0], all[1])})
		few := p.eventually(named("few"), consists(t, slices.Clone(want[:2])...))
		scopes := func() (count int) {
			p.Engine.mu.RLock()
			defer p.Engine.mu.RUnlock()
			return len(p.kinds[configMaps].runs)
		}
		require.Equal(t, 2, scopes(), "a watch for each namespace")

		p.Set(named("many"), []Reference{selects(t, "app=web", all...)})
		p.eventually(named("many"), consists(t, slices.Clone(want)...))
		require.Eventually(t, func() bool { return scopes() == 1 }, patience, blink, "one of the cluster")
		require.Equal(t, few.Digests, p.see(named("few")).Digests, "whatever watch it comes from")

		put(t, server, labelled(all[0], "one", "app=web", "2"))
		p.eventually(named("few"), consists(t, all[0]+"/one=2", want[1]))
		p.Remove(named("many"))
		require.Eventually(t, func() bool { return scopes() == 2 }, patience, blink)
		put(t, server, labelled(all[0], "one", "app=web", "3"))
		p.eventually(named("few"), consists(t, all[0]+"/one=3", want[1]))
	})
}

// label sets a label of a namespace, or takes it away.
func label(t testing.TB, server *apiserver.Server, namespace, key, value string) {
	t.Helper()
	ns := &corev1.Namespace{}
	require.NoError(t, server.Client.Get(context.Background(), types.NamespacedName{Name: namespace}, ns))
	delete(ns.Labels, key)
	if value != "" {
		if ns.Labels == nil {
			ns.Labels = map[string]string{}
		}
		ns.Labels[key] = value
	}
	require.NoError(t, server.Client.Update(context.Background(), ns))
}

func TestNamespacesMoveInAndOut(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		team := "team-" + server.Namespace(t)
		first, second := server.Namespace(t), server.Namespace(t)
		for _, ns := range []string{first, second} {
			create(t, server, labelled(ns, "one", "app=web", "1"))
		}
		requests := &counter{}
		p := startEngine(t, requests.count(server.Config))
		p.Set(named("owner"), []Reference{selectsIn(t, "app=web", "team="+team)})
		p.eventually(named("owner"), consists(t))

		label(t, server, first, "team", team)
		p.eventually(named("owner"), consists(t, first+"/one=1"))
		label(t, server, second, "team", team)
		p.eventually(named("owner"), consists(t, first+"/one=1", second+"/one=1"))
		put(t, server, labelled(second, "one", "app=web", "2"))
		p.eventually(named("owner"), consists(t, first+"/one=1", second+"/one=2"))
		woken := p.wakeups(named("owner"))
		label(t, server, first, "color", "blue")
		label(t, server, first, "team", "")
		p.eventually(named("owner"), consists(t, second+"/one=2"))
		require.LessOrEqual(t, p.wakeups(named("owner")), woken+2, "other labels are nobody's news")

		require.Positive(t, requests.of("namespaces"))
		p.Remove(named("owner"))
		require.Eventually(t, func() bool {
			p.Engine.mu.RLock()
			defer p.Engine.mu.RUnlock()
			return len(p.kinds) == 0
		}, patience, blink, "Namespaces are watched while somebody needs it")
	})
}

func TestAllNamespacesAreSelectedByAnEmptySelector(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		first, second := server.Namespace(t), server.Namespace(t)
		for _, ns := range []string{first, second} {
			create(t, server, labelled(ns, "one", "app="+first, "1"))
		}
		requests := &counter{}
		p := startEngine(t, requests.count(server.Config))
		p.Set(named("owner"), []Reference{selectsIn(t, "app="+first, "")})
		p.Set(named("narrow"), []Reference{selects(t, "app="+first, second)})
		p.eventually(named("owner"), consists(t, first+"/one=1", second+"/one=1"))
		narrow := p.eventually(named("narrow"), consists(t, second+"/one=1"))
		remove(t, server, configMap(first, "one"))
		alone := p.eventually(named("owner"), consists(t, second+"/one=1"))
		require.Equal(t, narrow.Digests, alone.Digests)
		require.Zero(t, requests.of("namespaces"), "for that nobody needs their labels")
	})
}

func TestClusterScopedKindsAreSelected(t *testing.T) {
	server := servers["with WatchList"].Server(t)
	ns := server.Namespace(t)
	label(t, server, ns, "team", ns)
	p := startEngine(t, server.Config)
	r := refer(t, namespaces, "", "", "metadata.labels.color")
	r.Selector = selector(t, "team="+ns)
	p.Set(named("owner"), []Reference{r})
	before := p.eventuallyState(named("owner"), Synced)
	require.Equal(t, 1, before.Matched)
	label(t, server, ns, "color", "blue")
	p.eventually(named("owner"), func(o Observation) bool { return o.Matched == 1 && o.Digests[0] != before.Digests[0] })

	r.Namespaces = []string{ns}
	p.Set(named("owner"), []Reference{r})
	misfit := p.eventually(named("owner"), func(o Observation) bool { return o.Err != nil })
	require.Equal(t, &ScopeError{Namespaced: false}, misfit.Err)
	p.Set(named("owner"), []Reference{selects(t, "app=web")})
	misfit = p.eventually(named("owner"), func(o Observation) bool { return o.Err != nil })
	require.Equal(t, &ScopeError{Namespaced: true}, misfit.Err)
}

func TestChangesOfASelectionInAGapAreSeen(t *testing.T) {
	for sentence, gone := range map[string]bool{
		"when the watch goes on where it was":          false,
		"when the versions of the gap are gone by now": true,
	} {
		t.Run(sentence, func(t *testing.T) {
			onEachServer(t, func(t *testing.T, server *apiserver.Server) {
				ns := server.Namespace(t)
				for _, name := range []string{"changed", "deleted", "left", "same"} {
					create(t, server, labelled(ns, name, "app=web", "1"))
				}
				create(t, server, labelled(ns, "entered", "app=db", "1"))
				cut := &cutter{}
				p := startEngine(t, cut.wrap(server.Config))
				p.Set(named("owner"), []Reference{selects(t, "app=web", ns)})
				p.eventually(named("owner"), consists(t, ns+"/changed=1", ns+"/deleted=1", ns+"/left=1", ns+"/same=1"))

				cut.set(http.StatusServiceUnavailable, gone)
				cut.cut()
				put(t, server, labelled(ns, "changed", "app=web", "2"))
				remove(t, server, configMap(ns, "deleted"))
				put(t, server, labelled(ns, "left", "app=db", "1"))
				put(t, server, labelled(ns, "entered", "app=web", "1"))
				cut.set(0, gone)
				p.eventually(named("owner"), consists(t, ns+"/changed=2", ns+"/entered=1", ns+"/same=1"))
			})
		})
	}
}

func TestASelectionThatCannotBeSeenIsNeverEmpty(t *testing.T) {
	for sentence, c := range map[string]struct {
		code int
		want State
	}{
		"the API server fails":              {http.StatusInternalServerError, NotSynced},
		"the API server has too much to do": {http.StatusTooManyRequests, NotSynced},
		"the API server is gone":            {noConnection, NotSynced},
		"the operator may not read":         {http.StatusForbidden, Forbidden},
	} {
		t.Run(sentence, func(t *testing.T) {
			onEachServer(t, func(t *testing.T, server *apiserver.Server) {
				ns := server.Namespace(t)
				create(t, server, labelled(ns, "one", "app=web", "1"))
				cut := &cutter{}
				p := startEngine(t, cut.wrap(server.Config))
				p.Set(named("owner"), []Reference{selects(t, "app=web", ns)})
				p.eventually(named("owner"), consists(t, ns+"/one=1"))
				put(t, server, labelled(ns, "one", "app=web", "2"))
				p.eventually(named("owner"), consists(t, ns+"/one=2"))

				cut.set(c.code, false)
				cut.cut()
				o := p.eventuallyState(named("owner"), c.want)
				require.Empty(t, o.Digests)
				require.Empty(t, o.Objects)
				cut.set(0, false)
				p.eventually(named("owner"), func(o Observation) bool {
					require.False(t, o.State == Synced && o.Matched == 0)
					return consists(t, ns+"/one=2")(o)
				})
			})
		})
	}
}

func TestAForbiddenNamespaceForbidsTheSelection(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		granted, denied := server.Namespace(t), server.Namespace(t)
		for _, ns := range []string{granted, denied} {
			create(t, server, labelled(ns, "one", "app=web", "1"))
		}
		user := "selecting-" + granted
		role(t, server, user, granted, reading)
		p := startEngine(t, server.User(t, user), wide)
		p.Set(named("granted"), []Reference{selects(t, "app=web", granted)})
		p.Set(named("both"), []Reference{selects(t, "app=web", granted, denied)})
		p.Set(named("all"), []Reference{selectsIn(t, "app=web", "")})
		p.Set(named("labels"), []Reference{selectsIn(t, "app=web", "a=b")})
		p.eventually(named("granted"), consists(t, granted+"/one=1"))
		for _, name := range []string{"both", "all", "labels"} {
			require.ErrorContains(t, p.eventuallyState(named(name), Forbidden).Err, user)
		}
		put(t, server, labelled(granted, "one", "app=web", "2"))
		p.eventually(named("granted"), consists(t, granted+"/one=2"))

		role(t, server, user, denied, reading)
		p.eventually(named("both"), consists(t, granted+"/one=2", denied+"/one=1"))
	})
}

func TestASelectionThatIsTooLargeIsNotKept(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		ns := server.Namespace(t)
		for i := range 3 {
			create(t, server, labelled(ns, fmt.Sprint("at-first-", i), "app=web", "1"))
		}
		p := startEngine(t, server.Config, func(o *Options) {
			o.MaxMatched, o.PollInterval = 2, 50*time.Millisecond
		})
		p.Set(named("owner"), []Reference{selects(t, "app=web", ns)})
		p.Set(named("other"), []Reference{selects(t, "app=db", ns)})
		o := p.eventuallyState(named("owner"), TooMany)
		require.Empty(t, o.Digests)
		require.Zero(t, o.Matched)
		p.eventually(named("other"), consists(t))
		remove(t, server, configMap(ns, "at-first-0"))
		p.eventually(named("owner"), consists(t, ns+"/at-first-1=1", ns+"/at-first-2=1"))

		create(t, server, labelled(ns, "more", "app=web", "1"))
		p.eventuallyState(named("owner"), TooMany)
		p.Engine.mu.RLock()
		for _, sel := range p.kinds[configMaps].selections {
			require.Empty(t, sel.members)
		}
		p.Engine.mu.RUnlock()
		remove(t, server, configMap(ns, "more"))
		put(t, server, labelled(ns, "at-first-1", "app=web", "2"))
		p.eventually(named("owner"), consists(t, ns+"/at-first-1=2", ns+"/at-first-2=1"))
	})
}

func TestASelectionOfAKindThatCannotBeWatchedIsPolled(t *testing.T) {
	server := servers["with WatchList"].Server(t)
	ns := server.Namespace(t)
	create(t, server, labelled(ns, "one", "app=web", "1"))
	p := startEngine(t, answering(server.Config, func(path, query string) int {
		if strings.HasSuffix(path, "/configmaps") && strings.Contains(query, "watch=") {
			return http.StatusMethodNotAllowed
		}
		return 0
	}))
	p.Set(named("owner"), []Reference{selects(t, "app=web", ns)})
	p.eventually(named("owner"), consists(t, ns+"/one=1"))
	create(t, server, labelled(ns, "two", "app=web", "1"))
	p.eventually(named("owner"), consists(t, ns+"/one=1", ns+"/two=1"))
	put(t, server, labelled(ns, "one", "app=db", "1"))
	p.eventually(named("owner"), consists(t, ns+"/two=1"))
}

func TestAServerThatDoesNotSelectIsNotBelieved(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		ns := server.Namespace(t)
		create(t, server, labelled(ns, "one", "app=web", "1"))
		for i := range 5 { // more than may be selected, and before what is
			create(t, server, labelled(ns, fmt.Sprint("another-", i), "app=db", "1"))
		}
		p := startEngine(t, wrapped(server.Config, func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
			query := r.URL.Query()
			query.Del("labelSelector")
			r = r.Clone(r.Context())
			r.URL.RawQuery = query.Encode()
			return next.RoundTrip(r)
		}), func(o *Options) { o.MaxMatched = 2 })
		p.Set(named("owner"), []Reference{selects(t, "app=web", ns)})
		p.eventually(named("owner"), consists(t, ns+"/one=1"))
		late := selects(t, "app=web", ns)
		late.Paths = append(late.Paths, path(t, "data.b"))
		p.Set(named("late"), []Reference{late}) // for which it is listed
		p.eventually(named("late"), func(o Observation) bool { return o.State == Synced && o.Matched == 1 })
		create(t, server, labelled(ns, "new", "app=db", "1"))
		create(t, server, labelled(ns, "two", "app=web", "1"))
		p.eventually(named("owner"), consists(t, ns+"/one=1", ns+"/two=1"))
		put(t, server, labelled(ns, "one", "app=db", "1"))
		p.eventually(named("owner"), consists(t, ns+"/two=1"))
	})
}

func TestSelectionsOfAKindThatComesAndGoes(t *testing.T) {
	server := streaming(t)
	ns := server.Namespace(t)
	p := startEngine(t, server.Config)
	gvk := widgets
	gvk.Group = ns + ".example.com"
	r := refer(t, gvk, "", "", "spec")
	r.Selector, r.Namespaces = selector(t, "app=web"), []string{ns}
	p.Set(named("owner"), []Reference{r})
	p.eventuallyState(named("owner"), KindNotServed)
	crd := widgetDefinition(gvk.Group, "Namespaced", "v1")
	create(t, server, crd)
	p.eventually(named("owner"), func(o Observation) bool { return o.State == Synced && o.Matched == 0 })
	remove(t, server, crd)
	p.eventuallyState(named("owner"), KindNotServed)
}

func TestPlanSelections(t *testing.T) {
	in := func(count int) []scope {
		var selections []scope
		for i := range count {
			selections = append(selections, scope{namespace: fmt.Sprintf("ns-%d", i), selector: "app=web"})
		}
		return selections
	}
	cluster, other := scope{selector: "app=web"}, scope{namespace: "ns-0", selector: "app=db"}
	labels := scope{selector: "app=web", metadataOnly: true}
	for sentence, c := range map[string]struct {
		selections      []scope
		denied, current map[scope]bool
		threshold       int
		want            []scope
	}{
		"nothing needs nothing":                                  {threshold: 4},
		"a few namespaces have a watch each":                     {selections: in(4), threshold: 4, want: in(4)},
		"of many, the cluster is watched":                        {selections: in(5), threshold: 4, want: []scope{cluster}},
		"another selector is another watch":                      {selections: append(in(5), other), threshold: 4, want: []scope{other, cluster}},
		"the labels of what has labels are a watch of their own": {selections: []scope{cluster, labels}, threshold: 4, want: []scope{cluster, labels}},
		"the cluster serves the namespaces, too":                 {selections: append(in(2), cluster), threshold: 4, want: []scope{cluster}},
		"what is denied is done without":                         {selections: in(5), denied: scopes(cluster), threshold: 4, want: in(5)},
		"unless there is no other way": {
			selections: append(in(2), cluster), denied: scopes(cluster), threshold: 4, want: append([]scope{cluster}, in(2)...)},
		"a wide watch stays until it is half as many": {selections: in(3), current: scopes(cluster), threshold: 4, want: []scope{cluster}},
		"and goes then":                        {selections: in(2), current: scopes(cluster), threshold: 4, want: in(2)},
		"without a threshold it is the widest": {selections: in(1), threshold: -1, want: []scope{cluster}},
	} {
		t.Run(sentence, func(t *testing.T) {
			require.Equal(t, c.want, planSelections(c.selections, c.denied, c.current, c.threshold))
		})
	}
}

func TestThePlanOfSelectionsIsInOrder(t *testing.T) {
	objects, labels := scope{selector: "app=web"}, scope{selector: "app=web", metadataOnly: true}
	for _, given := range [][]scope{{objects, labels}, {labels, objects}} {
		sortScopes(given)
		require.Equal(t, []scope{objects, labels}, given)
	}
}

// Computed by another program. Stored hashes are made of it: it never changes.
func TestTheDigestOfASelectionIsFrozen(t *testing.T) {
	engine, err := New(Options{Config: &rest.Config{Host: "http://127.0.0.1:1"}, OnChange: func(types.NamespacedName) {}})
	require.NoError(t, err)
	ent := &entry{kind: newKind(engine, configMaps)}
	p := &watchedPath{of: ent}
	value := sha256.Sum256([]byte("3"))
	holding := func(digest [32]byte) member {
		return member{paths: []*watchedPath{p}, digests: []fieldpath.Digest{digest}}
	}
	a := &selection{members: map[types.NamespacedName]member{
		{Namespace: "a", Name: "two"}: holding(fieldpath.Absent), {Namespace: "a", Name: "one"}: holding(value)}}
	b := &selection{members: map[types.NamespacedName]member{{Namespace: "b", Name: "one"}: holding(value)}}
	both := &selection{members: map[types.NamespacedName]member{}}
	maps.Copy(both.members, a.members)
	maps.Copy(both.members, b.members)
	apart := digestOf(append(b.sum(p, nil), a.sum(p, nil)...))
	require.Equal(t, "cc998d870d3b3f327b50dd8c6e6d565ebb1e34693bf9a70c88a8667078fde67c", hex.EncodeToString(apart[:]))
	require.Equal(t, apart, digestOf(both.sum(p, nil)), "however it is watched")
	require.True(t, digestOf(nil).IsAbsent())
}

// FuzzLabels puts anything where an object has its labels. An object is selected if, and only if, labels that are any
// match; and nothing panics.
func FuzzLabels(f *testing.F) {
	for _, seed := range []string{`{"app":"web"}`, `{"app":"db"}`, `{"app":["web"]}`, `null`, `[]`, `"app"`, `{"app":1,"b":null}`, `{"\u0061pp":"w\u0065b"}`} {
		f.Add(seed)
	}
	web := labels.SelectorFromSet(labels.Set{"app": "web"})
	f.Fuzz(func(t *testing.T, content string) {
		set := labelsOf([]byte(`{"metadata":{"labels":` + content + `}}`))
		var plain map[string]string
		decoder := json.NewDecoder(strings.NewReader(content))
		if decoder.Decode(&plain) != nil || decoder.More() || !json.Valid([]byte(content)) || strings.Count(content, `:`) != len(plain) || !utf8.ValidString(content) {
			return // no labels, or not clearly which
		}
		require.Equal(t, web.Matches(labels.Set(plain)), web.Matches(set))
	})
}

// stillSelection is an engine that is never started, with a selection of one owner and a run that serves it and does nothing by itself.
func stillSelection(t *testing.T, maxMatched int) (*Engine, *testclock.FakeClock, *selection, *run) {
	t.Helper()
	clock := testclock.NewFakeClock(time.Unix(1e9, 0))
	e, err := New(Options{Config: &rest.Config{Host: "http://127.0.0.1:1"}, OnChange: func(types.NamespacedName) {}, Clock: clock, MaxMatched: maxMatched})
	require.NoError(t, err)
	e.Set(named("owner"), []Reference{selects(t, "app=web", "ns")})
	k := e.kinds[configMaps]
	e.update(func(wake wakeups) {
		k.answered(&resource{listable: true, watchable: true, namespaced: true}, NotSynced, nil, wake)
	})
	key := scope{namespace: "ns", selector: "app=web"}
	r := &run{kind: k, resource: *k.resource, scope: key, joins: map[*entry]struct{}{}, joined: make(chan struct{}, 1)}
	k.runs[key], k.planned[key] = r, true
	e.update(r.sync)
	return e, clock, k.selections[key], r
}

// selectedObject is an object as it was reduced to paths.
func selectedObject(name, version string, paths ...*watchedPath) *object {
	o := &object{paths: paths, digests: make([]fieldpath.Digest, len(paths))}
	o.Namespace, o.Name, o.ResourceVersion = "ns", name, version
	return o
}

// An operator that may watch and not list never reads what joins a watch that runs: what leaves meanwhile is not remembered for ever.
func TestWhatLeavesBeforeASelectionIsKnownIsRememberedWithinBounds(t *testing.T) {
	e, _, s, r := stillSelection(t, 3)
	again := 0
	r.again = func() { again++ }
	early := e.next()
	for i := range 10 {
		e.update(func(wake wakeups) { s.event(selectedObject(fmt.Sprint(i), fmt.Sprint(100+i)), false, wake) })
		require.LessOrEqual(t, len(s.gone), 3)
	}
	require.Equal(t, 2, again, "it is read anew with its watch")
	items := map[types.NamespacedName]*object{{Namespace: "ns", Name: "0"}: selectedObject("0", "50", s.paths...)}
	e.update(func(wake wakeups) { s.show(items, false, "60", early, false, wake) })
	require.False(t, s.confirmed, "a read that may tell of what is forgotten is not believed")
	require.Empty(t, s.members)
	e.update(func(wake wakeups) { s.show(nil, false, "200", e.next(), true, wake) })
	require.True(t, s.confirmed)
	e.update(func(wake wakeups) { s.event(selectedObject("0", "201"), false, wake) })
	require.Empty(t, s.gone, "once it is known, nothing needs to be remembered")
}

// Of a path that is to be read anew, status says nothing for a while, as of one that joins.
func TestAPathThatIsToBeReadAnewIsUnseenSinceThen(t *testing.T) {
	e, clock, s, _ := stillSelection(t, 0)
	former := s.paths
	items := map[types.NamespacedName]*object{{Namespace: "ns", Name: "one"}: selectedObject("one", "x1", former...)}
	e.update(func(wake wakeups) { s.show(items, false, "x2", e.next(), true, wake) })
	more := selects(t, "app=web", "ns")
	more.Paths = append(more.Paths, path(t, "data.b"))
	e.Set(named("owner"), []Reference{more})
	items = map[types.NamespacedName]*object{{Namespace: "ns", Name: "one"}: selectedObject("one", "x1", s.paths...)}
	e.update(func(wake wakeups) { s.show(items, false, "x2", e.next(), false, wake) })
	state := func() Observation {
		observations, _ := e.Observe(named("owner"))
		return observations[0]
	}
	require.Equal(t, Synced, state().State)

	clock.Step(time.Hour)
	e.update(func(wake wakeups) { s.event(selectedObject("one", "x3", former...), true, wake) })
	require.Equal(t, NotSynced, state().State)
	require.Equal(t, clock.Now(), state().Since)
}
