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

// References are the objects that a spec names. Of a spec that could not be decoded nothing is known, so that what
// status has is kept until it is mended: then they are those of status.
func References(spec *v1alpha.ChangeTriggeredJobSpec, status *v1alpha.ChangeTriggeredJobStatus) []MergedReference {
	if spec != nil && spec.Undecoded() == nil {
		return MergeReferences(spec.Resources)
	}
	if status == nil {
		return nil
	}
	kept := make([]v1alpha.ResourceReference, 0, len(status.ResourceHashes))
	for i := range status.ResourceHashes {
		entry := &status.ResourceHashes[i]
		ref := v1alpha.ResourceReference{APIVersion: entry.APIVersion, Kind: entry.Kind, Namespace: entry.Namespace, Name: entry.Name}
		for j := range entry.Fields {
			ref.Fields = append(ref.Fields, entry.Fields[j].Field)
		}
		kept = append(kept, ref)
	}
	return MergeReferences(kept)
}

// String names the object for people, for example "ConfigMap default/app-config" or "Node worker-1".
func (r ObjectReference) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}
