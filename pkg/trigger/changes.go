package trigger

import (
	"iter"
	"slices"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// A reference may say which changes of its object count. How the object has changed since the last Job is told by whether it
// existed then and whether it does now; a selection has changed in every way in which one of its objects has. A change that does not
// count moves the baseline along, at once and silently: were it remembered, the next creation of an object that was
// created and deleted would be no creation any more. Where it cannot be told how a reference has changed, the change counts.

// existence says whether an object exists, as far as that is known.
type existence int

const (
	existenceUnknown existence = iota
	isAbsent
	isThere
)

func existenceOf(exists bool) existence {
	if exists {
		return isThere
	}
	return isAbsent
}

// existenceBy tells by hashes of an object's fields whether it exists. One that has none of the fields can exist or not.
func existenceBy(hashes iter.Seq2[string, string]) existence {
	known := existenceUnknown
	for path, hash := range hashes {
		switch {
		case hash == Absent && path == v1alpha.AllFields:
			known = isAbsent
		case hash != "" && hash != Absent && hash != Unknown:
			return isThere
		}
	}
	return known
}

// saysExistence reports whether an entry of status says whether its object exists.
func saysExistence(entry *v1alpha.ResourceHash) bool {
	return entry.Exists != nil && entry.Selection == ""
}

// recallExistence takes in what status says, which is nil where it says nothing: a release before this one wrote it, or the spec did
// not ask. Then the hashes tell what can be told.
func (r *reference) recallExistence(entry *v1alpha.ResourceHash) {
	if entry == nil {
		r.exists = existenceBy(r.each(func(f *field) string { return f.hash }))
		r.existed = existenceBy(r.each(func(f *field) string { return f.baseline }))
		// A field that was not there, and another one that was: if the latter joined the spec later, the object may have come in between.
		if slices.ContainsFunc(r.fields, func(f field) bool { return f.pending() && f.baseline == Absent && f.path != v1alpha.AllFields }) {
			r.existed = existenceUnknown
		}
	} else {
		r.exists = existenceOf(*entry.Exists)
		r.existed = r.exists
		if entry.LastTriggeredExists != nil {
			r.existed = existenceOf(*entry.LastTriggeredExists)
		}
	}
	r.wasThere = r.exists
}

// each gives the paths of the fields, each with a hash of it.
func (r *reference) each(of func(*field) string) iter.Seq2[string, string] {
	return func(yield func(path, hash string) bool) {
		for i := range r.fields {
			if !yield(r.fields[i].path, of(&r.fields[i])) {
				return
			}
		}
	}
}

// counts reports whether a change of that type counts.
func (r *reference) counts(change v1alpha.ChangeType) bool {
	return len(r.changes) == 0 || slices.Contains(r.changes, change)
}

// changeOf tells how an object has changed, by whether it existed and whether it exists; it is empty where that is not known, or
// where there can be no change.
func changeOf(existed, exists existence) v1alpha.ChangeType {
	switch {
	case existed == isAbsent && exists == isThere:
		return v1alpha.ChangeCreated
	case existed == isThere && exists == isAbsent:
		return v1alpha.ChangeDeleted
	case existed == isThere && exists == isThere:
		return v1alpha.ChangeUpdated
	default:
		return ""
	}
}

// disregard moves the baseline along with a change that does not count. What the last Job ran for and failed at stays
// unanswered: that it counted is settled.
func (r *reference) disregard() {
	if len(r.changes) == 0 || !r.pending() {
		return
	}
	if r.selects() {
		if kinds, known := r.selectedKinds(); !known || kinds.any(r.counts) {
			return
		}
	} else {
		if change := changeOf(r.existed, r.exists); change == "" || r.counts(change) {
			return
		}
		r.existed = r.exists
	}
	for i := range r.fields {
		if f := &r.fields[i]; f.pending() && f.baseline != Unknown {
			f.answer()
		}
	}
}

// moveCounts reports whether what has changed since the last decision counts, whatever the last Job ran for.
func (r *reference) moveCounts() bool {
	switch {
	case len(r.changes) == 0:
		return true
	case r.selects():
		kinds, known := r.mark.kindsSince(r, r.mark.Hashes, r.mark.At, func(f *field) string { return f.was })
		return !known || kinds.any(r.counts)
	default:
		change := changeOf(r.wasThere, r.exists)
		return change == "" || r.counts(change)
	}
}

// describeExistence writes what status is to say of the object's existence.
func (r *reference) describeExistence(entry *v1alpha.ResourceHash) {
	if !r.tracksExistence || r.selects() {
		return
	}
	if !r.pending() {
		r.existed = r.exists
	}
	if r.exists == existenceUnknown || r.existed == existenceUnknown {
		return
	}
	exists, existed := r.exists == isThere, r.existed == isThere
	entry.Exists = &exists
	if existed != exists {
		entry.LastTriggeredExists = &existed
	}
}

// kinds are the ways in which the objects of a selection have changed.
type kinds map[v1alpha.ChangeType]bool

func (k kinds) any(holds func(v1alpha.ChangeType) bool) bool {
	for kind, is := range k {
		if is && holds(kind) {
			return true
		}
	}
	return false
}

// Mark is what a process remembers of a selection of which only some changes count, to tell how it has changed where
// status does not describe all of its objects: as of which moment of the watches it was what status says.
type Mark struct {
	Reference ObjectReference
	// Hashes are those of the fields as status has them, and At is the moment at which they were observed.
	Hashes []string
	At     uint64
	// Baseline are those that the last Job ran for, and BaselineAt is the last moment at which they were observed; empty
	// where that is not known.
	Baseline   []string
	BaselineAt uint64
}

// kindsSince tells in which ways the selection has changed since a moment of the mark, if the hashes of then are still those
// that are to be compared with.
func (m *Mark) kindsSince(r *reference, hashes []string, at uint64, of func(*field) string) (since kinds, known bool) {
	if at == 0 || len(hashes) != len(r.fields) || r.selected.moment == 0 {
		return nil, false
	}
	for i := range r.fields {
		if of(&r.fields[i]) != hashes[i] {
			return nil, false
		}
	}
	return kinds{
		v1alpha.ChangeCreated: r.selected.lastCreated > at,
		v1alpha.ChangeUpdated: r.selected.lastUpdated > at,
		v1alpha.ChangeDeleted: r.selected.lastDeleted > at,
	}, true
}

// selectedKinds tells in which ways the objects of a selection have changed since the last Job: by what is known of them one by
// one, and of those of which nothing is, by what this process has seen.
func (r *reference) selectedKinds() (changed kinds, known bool) {
	objects, unnamed := r.changedObjects()
	changed = kinds{}
	for i := range objects {
		changed[objects[i].Change.kind()] = true
	}
	switch {
	case unnamed.count() == 0:
		return changed, true
	case unnamed.known && unnamed.now == 0: // what is there now is known: the others are gone
		changed[v1alpha.ChangeDeleted] = true
		return changed, true
	case unnamed.known && unnamed.then == 0:
		changed[v1alpha.ChangeCreated] = true
		return changed, true
	}
	return r.mark.kindsSince(r, r.mark.Baseline, r.mark.BaselineAt, func(f *field) string { return f.baseline })
}

// kind is what a change of a selected object is called in a spec.
func (t ObjectChangeType) kind() v1alpha.ChangeType {
	switch t {
	case ObjectAdded:
		return v1alpha.ChangeCreated
	case ObjectRemoved:
		return v1alpha.ChangeDeleted
	default:
		return v1alpha.ChangeUpdated
	}
}

// marks are what is to be remembered of the selections after this decision.
func (s *state) marks() []Mark {
	var marks []Mark
	for i := range s.refs {
		if ref := &s.refs[i]; len(ref.changes) > 0 && ref.selects() {
			marks = append(marks, ref.remark())
		}
	}
	return marks
}

// remark is what is to be remembered once status says what is known of the selection, or is put off.
func (r *reference) remark() Mark {
	mark := Mark{Reference: r.ObjectReference}
	var baseline []string
	for i := range r.fields {
		mark.Hashes = append(mark.Hashes, r.fields[i].hash)
		baseline = append(baseline, r.fields[i].baseline)
	}
	switch seen := r.selected.moment; {
	case seen != 0:
		mark.At = seen
	case slices.Equal(mark.Hashes, r.mark.Hashes):
		mark.At = r.mark.At
	}
	switch {
	case !r.pending() && mark.At != 0:
		mark.Baseline, mark.BaselineAt = baseline, mark.At
	case slices.Equal(baseline, r.mark.Baseline):
		mark.Baseline, mark.BaselineAt = baseline, r.mark.BaselineAt
	}
	return mark
}

// countsInPart reports whether there are changes that do not count, and that status need not follow one by one: updates, and of the
// objects of a selection those that come and go. Of a single object, that is written at once: the next time that it comes or goes, it
// must be known that it had gone or come.
func (r *reference) countsInPart() bool {
	return !r.counts(v1alpha.ChangeUpdated) || r.selects() && len(r.changes) > 0
}
