package watch

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
)

func objects(namespace string, count int) []types.NamespacedName {
	names := make([]types.NamespacedName, 0, count)
	for i := range count {
		names = append(names, types.NamespacedName{Namespace: namespace, Name: fmt.Sprintf("object-%d", i)})
	}
	return names
}

func inNamespaces(count int) []types.NamespacedName {
	var names []types.NamespacedName
	for i := range count {
		names = append(names, objects(fmt.Sprintf("ns-%d", i), 1)...)
	}
	return names
}

// perNamespace are objects in so many namespaces, as many in each.
func perNamespace(namespaces, count int) []types.NamespacedName {
	var names []types.NamespacedName
	for i := range namespaces {
		names = append(names, objects(fmt.Sprintf("ns-%d", i), count)...)
	}
	return names
}

// wholes are so many of their scopes.
func wholes(namespaces int) []scope {
	var all []scope
	for i := range namespaces {
		all = append(all, scope{namespace: fmt.Sprintf("ns-%d", i)})
	}
	return all
}

func scopes(s ...scope) map[scope]bool {
	set := map[scope]bool{}
	for _, s := range s {
		set[s] = true
	}
	return set
}

func TestPlan(t *testing.T) {
	a := scope{namespace: "a"}
	single := func(objects []types.NamespacedName) []scope {
		var singles []scope
		for _, o := range objects {
			singles = append(singles, objectScope(o))
		}
		return singles
	}
	for sentence, c := range map[string]struct {
		objects         []types.NamespacedName
		denied, current map[scope]bool
		threshold       int
		want            []scope
	}{
		"no reference needs no watch": {threshold: 4},
		"few objects of a namespace are watched one by one": {
			objects: objects("a", 4), threshold: 4, want: single(objects("a", 4)),
		},
		"many objects of a namespace are watched as the namespace": {
			objects: objects("a", 5), threshold: 4, want: []scope{a},
		},
		"one crowded namespace does not widen another": {
			objects: append(objects("a", 5), objects("b", 1)...), threshold: 4,
			want: append([]scope{a}, single(objects("b", 1))...),
		},
		"few namespaces are watched one by one": {
			objects: inNamespaces(4), threshold: 4, want: single(inNamespaces(4)),
		},
		"many namespaces are watched as the cluster": {
			objects: inNamespaces(5), threshold: 4, want: []scope{clusterScope},
		},
		"few objects of several namespaces are watched one by one while they are few together": {
			objects: perNamespace(4, 4), threshold: 4, want: single(perNamespace(4, 4)),
		},
		"many objects of all namespaces together are watched as those namespaces that have more than one": {
			objects: append(perNamespace(6, 3), objects("a", 1)...), threshold: 4, denied: scopes(clusterScope),
			want: append(wholes(6), single(objects("a", 1))...),
		},
		"namespaces that are denied are no reason to watch others as a whole": {
			objects: perNamespace(6, 3), threshold: 4, denied: scopes(append(wholes(2), clusterScope)...), want: single(perNamespace(6, 3)),
		},
		"namespaces that are watched as a whole for all together are left at half of it": {
			objects: perNamespace(4, 2), threshold: 4, denied: scopes(clusterScope), current: scopes(wholes(4)...), want: single(perNamespace(4, 2)),
		},
		"namespaces that are watched as a whole for all together stay so while above half of it": {
			objects: perNamespace(5, 2), threshold: 4, denied: scopes(clusterScope), current: scopes(wholes(5)...), want: wholes(5),
		},
		"few cluster-scoped objects are watched one by one": {
			objects: objects("", 4), threshold: 4, want: single(objects("", 4)),
		},
		"many cluster-scoped objects are watched as the cluster": {
			objects: objects("", 5), threshold: 4, want: []scope{clusterScope},
		},
		"where the cluster is denied, the namespaces stand in": {
			objects:   append(objects("a", 5), inNamespaces(4)...),
			denied:    scopes(clusterScope),
			threshold: 4,
			want:      append([]scope{a}, single(inNamespaces(4))...),
		},
		"where the namespace is denied, its objects stand in": {
			objects: objects("a", 6), denied: scopes(a), threshold: 4, want: single(objects("a", 6)),
		},
		"where all is denied, the single object is still tried": {
			objects: objects("a", 1), threshold: -1,
			denied: scopes(clusterScope, a, objectScope(objects("a", 1)[0])), want: single(objects("a", 1)),
		},
		"where the cluster is denied, cluster-scoped objects stand in": {
			objects: objects("", 5), denied: scopes(clusterScope), threshold: 4, want: single(objects("", 5)),
		},
		"a namespace that is watched stays so while above half the threshold": {
			objects: objects("a", 3), current: scopes(a), threshold: 4, want: []scope{a},
		},
		"a namespace that is watched is left at half the threshold": {
			objects: objects("a", 2), current: scopes(a), threshold: 4, want: single(objects("a", 2)),
		},
		"the cluster that is watched stays so while above half the threshold": {
			objects: inNamespaces(3), current: scopes(clusterScope), threshold: 4, want: []scope{clusterScope},
		},
		"the cluster that is watched is left at half the threshold": {
			objects: inNamespaces(2), current: scopes(clusterScope), threshold: 4, want: single(inNamespaces(2)),
		},
		"a negative threshold gives the widest scope at once": {
			objects: objects("a", 1), threshold: -1, want: []scope{clusterScope},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			sortScopes(c.want)
			require.Equal(t, c.want, plan(c.objects, c.denied, c.current, c.threshold))
		})
	}
}

func TestPlanCoversEveryReferenceOnceWhateverTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clusterScoped := rapid.Bool().Draw(t, "cluster-scoped")
		object := rapid.Custom(func(t *rapid.T) types.NamespacedName {
			o := types.NamespacedName{Name: rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "name")}
			if !clusterScoped {
				o.Namespace = rapid.SampledFrom([]string{"v", "w", "x", "y", "z"}).Draw(t, "namespace")
			}
			return o
		})
		objects := rapid.SliceOfNDistinct(object, 0, 20, func(o types.NamespacedName) types.NamespacedName { return o }).Draw(t, "objects")
		some := func(label string) map[scope]bool {
			set := map[scope]bool{}
			for _, o := range objects {
				for _, s := range scopesOf(o) {
					if rapid.Bool().Draw(t, label) {
						set[s] = true
					}
				}
			}
			return set
		}
		denied, current := some("denied"), some("current")
		threshold := rapid.IntRange(-1, 4).Draw(t, "threshold")

		planned := plan(objects, denied, current, threshold)
		for _, o := range objects {
			covering := 0
			for _, s := range planned {
				if s.covers(o) {
					covering++
				}
			}
			if covering != 1 {
				t.Fatalf("%s is covered %d times by %v", o, covering, planned)
			}
		}
		for _, s := range planned {
			if denied[s] && !s.single() {
				t.Fatalf("%s is denied, and planned", s)
			}
			if !slices.ContainsFunc(objects, s.covers) {
				t.Fatalf("%s covers nothing", s)
			}
		}
		if again := plan(rapid.Permutation(objects).Draw(t, "order"), denied, current, threshold); !slices.Equal(planned, again) {
			t.Fatalf("another order gives %v, not %v", again, planned)
		}
		if settled := plan(objects, denied, scopes(planned...), threshold); !slices.Equal(settled, plan(objects, denied, scopes(settled...), threshold)) {
			t.Fatalf("%v is not settled", settled)
		}
	})
}
