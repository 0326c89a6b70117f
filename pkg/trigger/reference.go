package trigger

import (
	"slices"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// MergedReference is one referenced object, or what one selector selects, and the field paths that count in it.
type MergedReference struct {
	Reference ObjectReference
	// Index is the place of its first entry.
	Index int
	// Fields are the paths, each once, in the order of the spec.
	Fields []string
	// Changes are those that count, as its first entry has them; none where all do.
	Changes []v1alpha.ChangeType
	// When is the expression that must be true for a change to count, as its first entry has it; empty where there is none.
	When string
}

// MergeReferences returns the objects that refs name, and what they select, each once, at the place where it is named
// first, with the fields of all its entries; in a valid spec, these agree in everything else. A reference without fields means the whole object. Watches, observations,
// decisions and Jobs all go by this list.
func MergeReferences(refs []v1alpha.ResourceReference) []MergedReference {
	m := newMerger(len(refs))
	for i := range refs {
		ref := &refs[i]
		m.add(ReferenceOf(ref), i, ref.EffectiveFields(), ref)
	}
	return m.merged
}

// ReferenceOf is what an entry of a spec names or selects.
func ReferenceOf(ref *v1alpha.ResourceReference) ObjectReference {
	return ObjectReference{
		APIVersion: ref.APIVersion, Kind: ref.Kind, Namespace: ref.SelectedNamespace(), Name: ref.Name, Selection: ref.Selection(),
	}
}

// merger gathers references, each object once.
type merger struct {
	merged []MergedReference
	places map[ObjectReference]int
}

func newMerger(entries int) *merger {
	return &merger{merged: make([]MergedReference, 0, entries), places: make(map[ObjectReference]int, entries)}
}

func (m *merger) add(object ObjectReference, index int, fields []string, ref *v1alpha.ResourceReference) {
	place, ok := m.places[object]
	if !ok {
		place = len(m.merged)
		m.places[object] = place
		m.merged = append(m.merged, MergedReference{Reference: object, Index: index, Changes: ref.Changes, When: ref.When})
	}
	for _, path := range fields {
		if !slices.Contains(m.merged[place].Fields, path) {
			m.merged[place].Fields = append(m.merged[place].Fields, path)
		}
	}
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
	m := newMerger(len(status.ResourceHashes))
	for i := range status.ResourceHashes {
		entry := &status.ResourceHashes[i]
		fields := make([]string, 0, len(entry.Fields))
		for j := range entry.Fields {
			fields = append(fields, entry.Fields[j].Field)
		}
		if len(fields) == 0 {
			fields = []string{v1alpha.AllFields}
		}
		m.add(objectOf(entry), i, fields, &v1alpha.ResourceReference{})
	}
	return m.merged
}

// String names the object for people, for example "ConfigMap default/app-config" or "Node worker-1"; what a selector
// selects, as "ConfigMap default/[app=web]" or "Node [pool=blue]".
func (r ObjectReference) String() string {
	name := r.Name
	if r.Selection != "" {
		name = "[" + r.Selection + "]"
	}
	if r.Namespace == "" {
		return r.Kind + " " + name
	}
	return r.Kind + " " + r.Namespace + "/" + name
}
