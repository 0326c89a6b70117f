package trigger

import (
	"slices"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// MergedReference is one referenced object, and the field paths that count in it.
type MergedReference struct {
	Reference ObjectReference
	// Fields are the paths, each once, in the order of the spec.
	Fields []string
}

// MergeReferences returns the objects that refs name, each once, at the place where it is named first, with
// the fields of all its entries. A reference without fields means the whole object. Watches, observations,
// decisions and Jobs all go by this list.
func MergeReferences(refs []v1alpha.ResourceReference) []MergedReference {
	merged := make([]MergedReference, 0, len(refs))
	places := make(map[ObjectReference]int, len(refs))
	for i := range refs {
		ref := &refs[i]
		object := ObjectReference{APIVersion: ref.APIVersion, Kind: ref.Kind, Namespace: ref.Namespace, Name: ref.Name}
		place, ok := places[object]
		if !ok {
			place = len(merged)
			places[object] = place
			merged = append(merged, MergedReference{Reference: object})
		}
		for _, path := range ref.EffectiveFields() {
			if !slices.Contains(merged[place].Fields, path) {
				merged[place].Fields = append(merged[place].Fields, path)
			}
		}
	}
	return merged
}

// String names the object for people, for example "ConfigMap default/app-config" or "Node worker-1".
func (r ObjectReference) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}
