package watch

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// scope is what one watch of a kind covers: one object (namespace and name set, or only name where the kind is
// cluster-scoped), one namespace (only namespace set), or the whole cluster (neither set). With a selector, it is what
// that selects in the namespace or the cluster.
type scope struct {
	namespace, name string
	selector        string
	// metadataOnly is true where nothing but the labels of what is selected counts.
	metadataOnly bool
}

var clusterScope = scope{}

func objectScope(object types.NamespacedName) scope {
	return scope{namespace: object.Namespace, name: object.Name}
}

func (s scope) covers(object types.NamespacedName) bool {
	return (s.namespace == "" || s.namespace == object.Namespace) && (s.name == "" || s.name == object.Name)
}

// single says whether the scope is one object. Nothing is narrower.
func (s scope) single() bool { return s.name != "" }

func (s scope) String() string {
	switch {
	case s.selector != "":
		return scope{namespace: s.namespace}.String() + "[" + s.selector + "]"
	case s.single():
		return types.NamespacedName{Namespace: s.namespace, Name: s.name}.String()
	case s.namespace != "":
		return s.namespace + "/*"
	default:
		return "*"
	}
}

// scopesOf are the scopes that cover an object, the widest first.
func scopesOf(object types.NamespacedName) []scope {
	if object.Namespace == "" {
		return []scope{clusterScope, objectScope(object)}
	}
	return []scope{clusterScope, {namespace: object.Namespace}, objectScope(object)}
}

// together is by how many times threshold the objects that are watched one by one may exceed it, those of all namespaces together.
const together = 4

// plan returns the narrowest scopes that serve the referenced objects of one kind: single objects while
// there are at most threshold of them in a namespace, else the namespace; and while there are at most
// threshold namespaces, those, else the cluster. Where that would still be more than together times threshold single
// objects, every namespace with more than one is watched as a whole: each watch takes memory on both sides, and time at the
// start. A scope that was denied is not used: the narrower ones
// stand in for it, down to the single object, which is used even if denied, because nothing is left.
//
// So that it does not flap, a wide scope that is in use (current) is left only at half the threshold, and so are
// the namespaces that are watched for all of them together.
// A negative threshold always gives the widest scope. The result is sorted and depends on nothing else.
func plan(objects []types.NamespacedName, denied, current map[scope]bool, threshold int) []scope {
	if len(objects) == 0 {
		return nil
	}
	byNamespace := map[string][]types.NamespacedName{}
	for _, object := range objects {
		byNamespace[object.Namespace] = append(byNamespace[object.Namespace], object)
	}
	wide := func(s scope, count int) bool {
		limit := threshold
		if current[s] {
			limit = threshold / 2
		}
		return count > limit && !denied[s]
	}

	// The objects of a cluster-scoped kind have the empty namespace: its scope is the cluster.
	if wide(clusterScope, len(byNamespace)) || wide(clusterScope, len(byNamespace[""])) {
		return []scope{clusterScope}
	}
	tooMany := crowded(byNamespace, denied, current, threshold)
	var scopes []scope
	for namespace, objects := range byNamespace {
		whole := scope{namespace: namespace}
		if namespace != "" && (wide(whole, len(objects)) || tooMany && len(objects) > 1 && !denied[whole]) {
			scopes = append(scopes, whole)
			continue
		}
		for _, object := range objects {
			scopes = append(scopes, objectScope(object))
		}
	}
	sortScopes(scopes)
	return scopes
}

// crowded says whether there are too many objects that might be watched one by one, all namespaces together. Those count
// for which there is a choice. It was so before where a namespace is watched for no more objects than it would be left with.
func crowded(byNamespace map[string][]types.NamespacedName, denied, current map[scope]bool, threshold int) bool {
	count, limit := 0, together*threshold
	for namespace, objects := range byNamespace {
		whole := scope{namespace: namespace}
		if namespace == "" || denied[whole] || len(objects) > threshold {
			continue
		}
		count += len(objects)
		if current[whole] && len(objects) <= threshold/2 {
			limit = together * threshold / 2
		}
	}
	return count > limit
}

// planSelections returns the narrowest scopes that serve the selections of one kind: for each selector the namespaces, while
// there are at most threshold of them, else the cluster. The cluster is watched, too, where all namespaces are meant, even
// if that was denied, because nothing else is left for it; the others have their own scopes then.
//
// It does not flap, and depends on nothing else, as plan.
func planSelections(selections []scope, denied, current map[scope]bool, threshold int) []scope {
	bySelector := map[scope][]scope{}
	for _, s := range selections {
		bySelector[s.widest()] = append(bySelector[s.widest()], s)
	}
	var scopes []scope
	for widest, selections := range bySelector {
		everywhere := slices.Contains(selections, widest)
		limit, count := threshold, len(selections)
		if current[widest] {
			limit = threshold / 2
		}
		switch {
		case everywhere && denied[widest]:
			scopes = append(scopes, selections...)
		case everywhere || count > limit && !denied[widest]:
			scopes = append(scopes, widest)
		default:
			scopes = append(scopes, selections...)
		}
	}
	sortScopes(scopes)
	return scopes
}

// widest is the scope of the same selector in the whole cluster.
func (s scope) widest() scope { return scope{selector: s.selector, metadataOnly: s.metadataOnly} }

// selects says whether the scope serves a selection, given as its narrowest scope.
func (s scope) selects(selection scope) bool { return s == selection || s == selection.widest() }

func sortScopes(scopes []scope) {
	slices.SortFunc(scopes, func(a, b scope) int {
		order := cmp.Or(cmp.Compare(a.selector, b.selector), cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
		switch {
		case order != 0 || a.metadataOnly == b.metadataOnly:
			return order
		case b.metadataOnly:
			return -1
		default:
			return 1
		}
	})
}
