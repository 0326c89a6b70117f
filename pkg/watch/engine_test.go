package watch

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
	"github.com/nusnewob/kube-changejob/pkg/when"
	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// shows says whether the observation is of an existing object, in which data.a has this value.
func shows(t testing.TB, value string) func(Observation) bool {
	want := digest(t, "data.a", fmt.Sprintf(`{"data":{"a":%q}}`, value))
	return func(o Observation) bool { return o.State == Synced && o.Exists && o.Digests[0] == want }
}

func absent(o Observation) bool {
	return o.State == Synced && !o.Exists && o.Digests[0].IsAbsent()
}

func (p *probe) referToA(owner, namespace, name string) {
	p.Set(named(owner), []Reference{refer(p.t, configMaps, namespace, name, "data.a")})
}

func TestAChangeWakesThoseWhosePathItChanges(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		create(t, server, configMap(namespace, "watched", "a", "1", "b", "1"))
		p := startEngine(t, server.Config)
		p.referToA("a", namespace, "watched")
		p.Set(named("b"), []Reference{refer(t, configMaps, namespace, "watched", "data.b")})
		p.eventuallyState(named("b"), Synced)
		p.eventually(named("a"), shows(t, "1"))
		woken := p.wakeups(named("b"))

		put(t, server, configMap(namespace, "watched", "a", "2", "b", "1"))
		p.eventually(named("a"), shows(t, "2"))
		require.Positive(t, p.wakeups(named("a")))
		require.Equal(t, woken, p.wakeups(named("b")))
	})
}

func TestIrrelevantChangesWakeNobody(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		create(t, server, configMap(namespace, "watched", "a", "1"))
		p := startEngine(t, server.Config, wide)
		p.Set(named("all"), []Reference{refer(t, configMaps, namespace, "watched", "*")})
		p.referToA("a", namespace, "watched")
		p.eventuallyState(named("all"), Synced)
		p.eventually(named("a"), shows(t, "1"))
		all, a := p.wakeups(named("all")), p.wakeups(named("a"))

		touched := configMap(namespace, "watched", "a", "1")
		touched.ManagedFields = []metav1.ManagedFieldsEntry{{}}
		put(t, server, touched)
		create(t, server, configMap(namespace, "other", "a", "1"))
		put(t, server, configMap(namespace, "other", "a", "2"))
		put(t, server, configMap(namespace, "watched", "a", "2")) // events come in order: this one is the last
		p.eventually(named("a"), shows(t, "2"))
		require.Equal(t, a+1, p.wakeups(named("a")))
		require.Equal(t, all+1, p.wakeups(named("all")))
	})
}

func TestCreationAndDeletionAreSeen(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		p := startEngine(t, server.Config)
		p.referToA("owner", namespace, "watched")
		p.eventually(named("owner"), absent)
		for range 2 {
			create(t, server, configMap(namespace, "watched", "a", "1"))
			p.eventually(named("owner"), shows(t, "1"))
			remove(t, server, configMap(namespace, "watched"))
			p.eventually(named("owner"), absent)
		}
	})
}

func TestReferencesGivenBeforeStartAreServed(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		create(t, server, configMap(namespace, "watched", "a", "1"))
		p := newEngine(t, server.Config)
		p.referToA("owner", namespace, "watched")
		p.referToA("gone", namespace, "watched")
		p.Remove(named("gone"))
		require.Equal(t, NotSynced, p.see(named("owner")).State)
		p.start()
		p.eventually(named("owner"), shows(t, "1"))
	})
}

func TestOwnersThatAreGivenTogetherAreServedByOnePlan(t *testing.T) {
	server := streaming(t)
	namespace := server.Namespace(t)
	requests := &counter{}
	p := startEngine(t, requests.count(server.Config))
	many := map[types.NamespacedName][]Reference{}
	for i := range 10 * DefaultThreshold {
		many[named(fmt.Sprint(i))] = []Reference{refer(t, configMaps, namespace, fmt.Sprint(i), "data.a")}
	}
	before := requests.total()
	p.SetAll(many)
	for owner := range many {
		p.eventually(owner, absent)
	}
	require.Less(t, requests.total()-before, 10, "the namespace is watched, and its kind asked for")
}

func TestAnObjectThatJoinsARunningScopeIsReadAtOnce(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		for _, name := range []string{"first", "second"} {
			create(t, server, configMap(namespace, name, "a", "1", "b", "2"))
		}
		p := startEngine(t, server.Config, wide)
		p.referToA("first", namespace, "first")
		p.eventually(named("first"), shows(t, "1"))

		p.referToA("second", namespace, "second")
		p.referToA("missing", namespace, "missing")
		p.Set(named("path"), []Reference{refer(t, configMaps, namespace, "first", "data.b")})
		p.eventually(named("second"), shows(t, "1"))
		p.eventually(named("missing"), absent)
		p.eventuallyState(named("path"), Synced)

		put(t, server, configMap(namespace, "second", "a", "3"))
		p.eventually(named("second"), shows(t, "3"))
	})
}

func TestManyObjectsThatJoinAreReadTogether(t *testing.T) {
	server := servers["with WatchList"].Server(t)
	namespace := server.Namespace(t)
	create(t, server, configMap(namespace, "first", "a", "1"))
	requests := &counter{}
	p := startEngine(t, requests.count(server.Config), wide)
	p.referToA("first", namespace, "first")
	p.eventually(named("first"), shows(t, "1"))
	before := requests.total()

	const count = 500
	many := make([]Reference, 0, count)
	for i := range count {
		many = append(many, refer(t, configMaps, namespace, fmt.Sprint(i), "data.a"))
	}
	p.Set(named("many"), many)
	require.Eventually(t, func() bool {
		observations, _ := p.Observe(named("many"))
		for _, o := range observations {
			if !absent(o) {
				return false
			}
		}
		return true
	}, patience, blink)
	require.Less(t, requests.total()-before, 10)
}

func TestWideningAndNarrowingLeaveNoGap(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		create(t, server, configMap(namespace, "object-0", "a", "1"))
		p := startEngine(t, server.Config, func(o *Options) { o.Threshold = 2 })
		p.referToA("owner", namespace, "object-0")
		p.eventually(named("owner"), shows(t, "1"))
		since := p.see(named("owner")).Since
		running := func(scopes ...scope) func() bool {
			return func() bool {
				p.Engine.mu.RLock()
				defer p.Engine.mu.RUnlock()
				k := p.kinds[configMaps]
				for _, s := range scopes {
					if k.runs[s] == nil || !k.runs[s].synced {
						return false
					}
				}
				return len(k.runs) == len(scopes)
			}
		}
		single := scope{namespace: namespace, name: "object-0"}
		require.Eventually(t, running(single), patience, blink)

		value := "1"
		for _, c := range []struct {
			others int
			want   scope
		}{{2, scope{namespace: namespace}}, {0, single}, {3, scope{namespace: namespace}}} {
			var others []Reference
			for i := range c.others {
				others = append(others, refer(t, configMaps, namespace, fmt.Sprintf("object-%d", i+1), "data.a"))
			}
			p.Set(named("others"), others)
			require.Eventually(t, func() bool {
				require.Equal(t, Synced, p.see(named("owner")).State)
				return running(c.want)()
			}, patience, blink)
			require.Equal(t, since, p.see(named("owner")).Since, "it was synced all the time")

			value += "1"
			put(t, server, configMap(namespace, "object-0", "a", value))
			p.eventually(named("owner"), shows(t, value))
		}

		p.Remove(named("others"))
		p.Remove(named("owner"))
		require.Eventually(t, func() bool {
			p.Engine.mu.RLock()
			defer p.Engine.mu.RUnlock()
			return len(p.kinds) == 0
		}, patience, blink)
	})
}

// role lets the user do these things with ConfigMaps of a namespace, all of them or one.
func role(t *testing.T, server *apiserver.Server, user, namespace string, verbs []string, names ...string) *rbacv1.Role {
	t.Helper()
	meta := metav1.ObjectMeta{Namespace: namespace, GenerateName: "watcher-"}
	r := &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: verbs, ResourceNames: names,
	}}}
	create(t, server, r)
	create(t, server, &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: r.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	})
	return r
}

var reading = []string{"get", "list", "watch"}

func TestDeniedScopesFallBackToNarrowerOnes(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		create(t, server, configMap(namespace, "granted", "a", "1"))
		create(t, server, configMap(namespace, "denied", "a", "1"))
		user := "narrow-" + namespace
		role(t, server, user, namespace, reading, "granted")
		p := startEngine(t, server.User(t, user), wide)
		p.referToA("granted", namespace, "granted")
		p.referToA("denied", namespace, "denied")
		p.eventually(named("granted"), shows(t, "1"))
		forbidden := p.eventuallyState(named("denied"), Forbidden)
		require.Empty(t, forbidden.Digests)
		require.ErrorContains(t, forbidden.Err, user)
		require.Equal(t, map[Watching]int{{"object", WatchSynced}: 1, {"object", WatchForbidden}: 1}, p.Stats().Watches)
		since := p.see(named("granted")).Since

		put(t, server, configMap(namespace, "granted", "a", "2"))
		p.eventually(named("granted"), shows(t, "2"))

		role(t, server, user, namespace, reading)
		p.eventually(named("denied"), shows(t, "1"))
		require.Nil(t, p.see(named("denied")).Err)
		require.Equal(t, since, p.see(named("granted")).Since)
		put(t, server, configMap(namespace, "granted", "a", "3"))
		p.eventually(named("granted"), shows(t, "3"))
	})
}

func TestAWideScopeTakesOverWhenItIsGranted(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		names := []string{"one", "two", "three"}
		user := "widened-" + namespace
		role(t, server, user, namespace, reading, names...)
		before := map[string]Observation{}
		for _, name := range names {
			create(t, server, configMap(namespace, name, "a", "1"))
		}
		requests := &counter{}
		p := startEngine(t, requests.count(server.User(t, user)), wide)
		for _, name := range names {
			p.referToA(name, namespace, name)
			p.eventually(named(name), shows(t, "1"))
			before[name] = p.see(named(name))
		}
		p.referToA("denied", namespace, "denied")
		p.eventuallyState(named("denied"), Forbidden)
		run := func(s scope) *run {
			p.Engine.mu.RLock()
			defer p.Engine.mu.RUnlock()
			return p.kinds[configMaps].runs[s]
		}
		denied := run(scope{namespace: namespace, name: "denied"})
		steady := func(done func() bool) {
			require.Eventually(t, func() bool {
				for _, name := range names {
					require.Equal(t, before[name], p.see(named(name)), "nothing changed")
				}
				return done()
			}, patience, blink)
		}

		// The wide scopes are tried again and again, while the singles go on.
		tried := func() int { return requests.at("/api/v1/namespaces/" + namespace + "/configmaps?") }
		first := tried()
		steady(func() bool { return tried() > first+2 })
		require.Same(t, denied, run(denied.scope), "it was not started anew")

		role(t, server, user, namespace, reading)
		steady(func() bool {
			p.Engine.mu.RLock()
			defer p.Engine.mu.RUnlock()
			k := p.kinds[configMaps]
			r := k.runs[scope{namespace: namespace}]
			return r != nil && r.synced && len(k.runs) == 1
		})
		p.eventually(named("denied"), absent)
		for _, name := range names {
			put(t, server, configMap(namespace, name, "a", "2"))
			p.eventually(named(name), shows(t, "2"))
		}
	})
}

func TestAThousandOwnersThatJoinAnObjectReadItTogether(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		create(t, server, configMap(namespace, "watched", "a", "1"))
		requests := &counter{}
		p := startEngine(t, requests.count(server.Config))
		p.referToA("first", namespace, "watched")
		p.eventually(named("first"), shows(t, "1"))
		woken, before := p.wakeups(named("first")), requests.of("configmaps")

		const count = 1000
		for i := range count {
			p.referToA(fmt.Sprint(i), namespace, "watched")
		}
		for i := range count {
			p.eventually(named(fmt.Sprint(i)), shows(t, "1"))
		}
		after := requests.of("configmaps")
		require.Greater(t, after, before, "they wait for a read")
		require.Less(t, after-before, 50)
		require.Equal(t, woken, p.wakeups(named("first")), "it is nobody else's news")
	})
}

func TestWatchingWithoutListingIsForbiddenToWhoJoins(t *testing.T) {
	server := streaming(t)
	namespace := server.Namespace(t)
	create(t, server, configMap(namespace, "watched", "a", "1"))
	user := "watcher-" + namespace
	role(t, server, user, namespace, []string{"get", "watch"})
	p := startEngine(t, server.User(t, user))
	p.referToA("owner", namespace, "watched")
	p.eventually(named("owner"), shows(t, "1"))
	p.referToA("late", namespace, "watched")
	require.ErrorContains(t, p.eventuallyState(named("late"), Forbidden).Err, user)
	require.Equal(t, Synced, p.see(named("owner")).State)

	role(t, server, user, namespace, reading)
	p.eventually(named("late"), shows(t, "1"))
}

func TestListingWithoutWatchingIsForbidden(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		create(t, server, configMap(namespace, "watched", "a", "1"))
		user := "lister-" + namespace
		role(t, server, user, namespace, []string{"get", "list"})
		p := startEngine(t, server.User(t, user))
		p.referToA("owner", namespace, "watched")
		p.eventuallyState(named("owner"), Forbidden)
		woken := p.wakeups(named("owner"))
		require.Never(t, func() bool { return p.see(named("owner")).State != Forbidden }, 4*p.PollInterval, blink)
		require.Equal(t, woken, p.wakeups(named("owner")), "trying again is nobody's news")

		role(t, server, user, namespace, reading)
		p.eventually(named("owner"), shows(t, "1"))
	})
}

func TestARevokedPermissionIsNoAbsence(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		create(t, server, configMap(namespace, "watched", "a", "1"))
		user := "revoked-" + namespace
		granted := role(t, server, user, namespace, reading)
		cut := &cutter{}
		p := startEngine(t, cut.wrap(server.User(t, user)))
		p.referToA("owner", namespace, "watched")
		p.eventually(named("owner"), shows(t, "1"))

		remove(t, server, granted)
		require.Eventually(t, func() bool {
			cut.cut() // a running watch lives on without the permission
			o := p.see(named("owner"))
			require.NotEqual(t, true, o.State == Synced && !o.Exists)
			return o.State == Forbidden
		}, patience, 10*blink)
	})
}

var widgets = schema.GroupVersionKind{Version: "v1", Kind: "Widget"}

// widgetDefinition defines the kind Widget in a group, served in these versions.
func widgetDefinition(group string, scope apiextensionsv1.ResourceScope, versions ...string) *apiextensionsv1.CustomResourceDefinition {
	yes := true
	crd := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "widgets." + group},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: group, Scope: scope,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "widgets", Singular: "widget", Kind: "Widget", ListKind: "WidgetList"},
		},
	}
	for i, version := range versions {
		crd.Spec.Versions = append(crd.Spec.Versions, apiextensionsv1.CustomResourceDefinitionVersion{
			Name: version, Served: true, Storage: i == 0,
			Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
				Type: "object", XPreserveUnknownFields: &yes,
			}},
		})
	}
	return crd
}

func widget(group, version, namespace, name, value string) *unstructured.Unstructured {
	w := &unstructured.Unstructured{Object: map[string]any{"data": map[string]any{"a": value}}}
	w.SetGroupVersionKind(schema.GroupVersionKind{Group: group, Version: version, Kind: "Widget"})
	w.SetNamespace(namespace)
	w.SetName(name)
	return w
}

func TestKindsComeAndGo(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		gvk := widgets
		gvk.Group = "comeandgo.example.com"
		// A long poll interval: the definitions' watch is to be what finds the kind.
		p := startEngine(t, server.Config, func(o *Options) { o.PollInterval = time.Hour })
		p.Set(named("owner"), []Reference{refer(t, gvk, namespace, "w", "data.a")})
		p.referToA("other", namespace, "other")
		p.eventually(named("other"), absent)
		p.eventuallyState(named("owner"), KindNotServed)
		_, err := p.Scope(gvk)
		require.ErrorIs(t, err, ErrKindUnknown)

		for _, value := range []string{"1", "2"} {
			create(t, server, widgetDefinition(gvk.Group, apiextensionsv1.NamespaceScoped, "v1"))
			p.eventually(named("owner"), absent)
			namespaced, err := p.Scope(gvk)
			require.NoError(t, err)
			require.True(t, namespaced)
			create(t, server, widget(gvk.Group, "v1", namespace, "w", value))
			p.eventually(named("owner"), shows(t, value))

			remove(t, server, widgetDefinition(gvk.Group, apiextensionsv1.NamespaceScoped, "v1"))
			o := p.eventuallyState(named("owner"), KindNotServed)
			require.Empty(t, o.Digests)
		}
		require.Equal(t, Synced, p.see(named("other")).State)
	})
}

func TestAKindServedInAnotherVersionOnlyIsNotAbsent(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		gvk := widgets
		gvk.Group = namespace + ".example.com" // the definition stays
		create(t, server, widgetDefinition(gvk.Group, apiextensionsv1.NamespaceScoped, "v2"))
		p := startEngine(t, server.Config)
		p.Set(named("owner"), []Reference{refer(t, gvk, namespace, "w", "data.a")})
		p.Set(named("core"), []Reference{refer(t, schema.GroupVersionKind{Version: "v2", Kind: "ConfigMap"}, namespace, "w", "data.a")})
		p.eventuallyState(named("owner"), VersionNotServed)
		p.eventuallyState(named("core"), VersionNotServed)
	})
}

func TestANamespaceThatDoesNotFitTheKindIsTold(t *testing.T) {
	server := servers["with WatchList"].Server(t)
	p := startEngine(t, server.Config)
	nodes := schema.GroupVersionKind{Version: "v1", Kind: "Node"}
	for sentence, c := range map[string]struct {
		reference Reference
		want      string
	}{
		"no namespace, though objects have one":   {refer(t, configMaps, "", "name", "*"), "namespace is required for namespaced resources"},
		"a namespace, though objects have none":   {refer(t, nodes, "default", "name", "*"), "namespace must not be set for cluster-scoped resources"},
		"a namespace that leads to another path":  {refer(t, configMaps, "../..", "name", "*"), "cannot be the name of a namespace"},
		"a version that leads to another path":    {refer(t, schema.GroupVersionKind{Group: "..", Version: "v1", Kind: "A"}, "", "name", "*"), "is not a group and version"},
		"no name":                                 {refer(t, configMaps, "default", "", "*"), "the name is empty"},
		"a kind that is there to be created only": {refer(t, schema.GroupVersionKind{Group: "authentication.k8s.io", Version: "v1", Kind: "TokenReview"}, "", "a", "*"), "neither listed nor watched"},
	} {
		t.Run(sentence, func(t *testing.T) {
			owner := named(sentence)
			p.Set(owner, []Reference{c.reference})
			o := p.eventually(owner, func(o Observation) bool { return o.Err != nil })
			require.Equal(t, NotSynced, o.State)
			require.ErrorContains(t, o.Err, c.want)
		})
	}
}

func TestAKindThatCannotBeWatchedIsPolled(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		// Of the API server's own kinds, ComponentStatus has the verbs get and list only.
		componentStatuses := schema.GroupVersionKind{Version: "v1", Kind: "ComponentStatus"}
		requests := &counter{}
		p := startEngine(t, requests.count(server.Config))
		p.Set(named("owner"), []Reference{refer(t, componentStatuses, "", "etcd-0", "metadata.name")})
		o := p.eventually(named("owner"), func(o Observation) bool { return o.State == Synced })
		require.True(t, o.Exists)
		polls := requests.of("componentstatuses")
		require.Eventually(t, func() bool { return requests.of("componentstatuses") > polls+2 }, patience, blink)
	})
}

func TestAKindWhoseWatchIsRefusedIsPolled(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		p := startEngine(t, answering(server.Config, func(path, query string) int {
			if strings.HasSuffix(path, "/configmaps") && strings.Contains(query, "watch=true") {
				return 405
			}
			return 0
		}))
		p.referToA("owner", namespace, "watched")
		p.eventually(named("owner"), absent)
		create(t, server, configMap(namespace, "watched", "a", "1"))
		p.eventually(named("owner"), shows(t, "1"))
	})
}

func TestIdleMeansNoRequest(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		create(t, server, configMap(namespace, "watched", "a", "1"))
		requests := &counter{}
		p := startEngine(t, requests.count(server.Config))
		p.referToA("owner", namespace, "watched")
		p.referToA("missing", namespace, "missing")
		conditional := refer(t, configMaps, namespace, "watched", "data.a")
		conditional.When = mustCompileWhen(t, `object.data.a == '2'`)
		narrow, byLabels := selects(t, "app=web", namespace), selectsIn(t, "app=web", "kubernetes.io/metadata.name="+namespace)
		byLabels.When = mustCompileWhen(t, `object.data.a == '1'`)
		create(t, server, labelled(namespace, "selected", "app=web", "1"))
		again := func() {
			p.referToA("owner", namespace, "watched")
			p.Set(named("when"), []Reference{conditional})
			p.Set(named("selects"), []Reference{narrow, byLabels})
		}
		again()
		p.eventually(named("owner"), shows(t, "1"))
		p.eventually(named("missing"), absent)
		p.eventually(named("when"), comesTo(t, "1", when.False))
		require.Eventually(t, func() bool {
			seen, ok := p.Observe(named("selects"))
			selected := consists(t, namespace+"/selected=1")
			return ok && selected(seen[0]) && selected(seen[1])
		}, patience, blink)
		require.Eventually(t, func() bool { return requests.of("customresourcedefinitions") > 0 && requests.of("apiservices") > 0 }, patience, blink)
		requests.settle(t)
		before := requests.total()
		for range 3 {
			again() // as every reconcile does
		}
		require.Never(t, func() bool { return requests.total() > before }, 5*p.PollInterval, blink)
	})
}

func TestNoWatchIsLeftBehind(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		p := startEngine(t, server.Config)
		secrets := schema.GroupVersionKind{Version: "v1", Kind: "Secret"}
		const count = 5
		for i := range count {
			p.Set(named(fmt.Sprint(i)), []Reference{refer(t, secrets, namespace, fmt.Sprint(i), "data.a")})
		}
		watches := func() int { return longRunning(t, server, "secrets") }
		// The API server watches its own Secrets too.
		require.Eventually(t, func() bool { return watches() >= count }, patience, 10*blink)
		all := watches()

		p.Remove(named("0"))
		require.Eventually(t, func() bool { return watches() == all-1 }, patience, 10*blink)
		p.stop()
		require.Eventually(t, func() bool { return watches() == all-count }, patience, 10*blink)

		observations, ok := p.Observe(named("1"))
		require.True(t, ok)
		require.Len(t, observations, 1)
	})
}

// longRunning returns how many watches of a resource the API server serves.
func longRunning(t *testing.T, server *apiserver.Server, resource string) int {
	t.Helper()
	client, err := newClient(server.Config)
	require.NoError(t, err)
	metrics, err := client.Get().AbsPath("/metrics").SetHeader("Accept", "text/plain").DoRaw(context.Background())
	require.NoError(t, err)
	total := 0
	for line := range strings.Lines(string(metrics)) {
		if strings.HasPrefix(line, "apiserver_longrunning_requests{") &&
			strings.Contains(line, fmt.Sprintf("resource=%q", resource)) && strings.Contains(line, `verb="WATCH"`) {
			var n int
			_, err := fmt.Sscan(line[strings.LastIndex(line, " ")+1:], &n)
			require.NoError(t, err)
			total += n
		}
	}
	return total
}

func TestOneOwnerMayReferenceManyKinds(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		create(t, server, configMap(namespace, "watched", "a", "1"))
		create(t, server, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "watched"}})
		p := startEngine(t, server.Config)
		p.Set(named("owner"), []Reference{
			refer(t, configMaps, namespace, "watched", "data.a", "data.b"),
			refer(t, schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, "", namespace, "metadata.name"),
			refer(t, schema.GroupVersionKind{Version: "v1", Kind: "Secret"}, namespace, "watched", "type"),
			refer(t, schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, namespace, "missing", "*"),
			refer(t, schema.GroupVersionKind{Group: "nowhere.example.com", Version: "v1", Kind: "Nothing"}, namespace, "missing", "*"),
		})
		states := func() (states []State) {
			observations, _ := p.Observe(named("owner"))
			for _, o := range observations {
				states = append(states, o.State)
			}
			return states
		}
		want := []State{Synced, Synced, Synced, Synced, KindNotServed}
		require.Eventually(t, func() bool { return fmt.Sprint(states()) == fmt.Sprint(want) }, patience, blink)
		observations, _ := p.Observe(named("owner"))
		require.Equal(t, []fieldpath.Digest{digest(t, "data.a", `{"data":{"a":"1"}}`), fieldpath.Absent}, observations[0].Digests)
		require.False(t, observations[3].Exists)
	})
}

// wide has the widest scopes used that permissions let.
func wide(o *Options) { o.Threshold = -1 }
