package trigger

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// What a selector selects is one reference: one hash for each field stands for the field in all the objects, and
// decides, as that of one object does. What is here serves but to name what changed. Of the first objects, status keeps
// the hashes that the last Job ran for, and what is observed is compared with them.

// maxDetails is about how many bytes the details of all selected objects may take in status: etcd takes 1.5 MiB, and a
// Job template a third of it.
const maxDetails = 256 << 10

// ObservedObject is one of the objects that a selector selects. An Observation has the first of them, by namespace and
// name: all, or v1alpha.MaxObjects. It may leave them out where DetailsKnown says so.
type ObservedObject struct {
	Namespace, Name string
	// Hashes are the published hashes of the reference's fields, in the same order.
	Hashes []string
}

// SelectedChange names what has changed of the objects that a selector selects; never values.
type SelectedChange struct {
	Reference ObjectReference
	// Objects are those that are known to have changed, by namespace and name.
	Objects []ObjectChange
	// Unnamed is how many may have changed besides: those of which status has no details.
	Unnamed int
}

// ObjectChange names an object that has changed with what a selector selects.
type ObjectChange struct {
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Change says how.
	Change ObjectChangeType `json:"change"`
	// Fields are those that changed; empty unless the object was updated.
	Fields []string `json:"fields,omitempty"`
}

// ObjectChangeType is how an object changed with what a selector selects.
type ObjectChangeType string

const (
	// ObjectAdded means that the object was created, or came into the selection.
	ObjectAdded ObjectChangeType = "Added"
	// ObjectUpdated means that it was selected before, and is another now.
	ObjectUpdated ObjectChangeType = "Updated"
	// ObjectRemoved means that it was deleted, or left the selection.
	ObjectRemoved ObjectChangeType = "Removed"
)

// details are the first objects of a selection, and how many it had.
type details struct {
	matched int32
	// objects are sorted by namespace and name. A hash that is not known is empty.
	objects []v1alpha.ObjectHash
	// known is false where nothing is known of the selection.
	known bool
}

// complete reports whether every object of the selection is among the details.
func (d *details) complete() bool { return d.known && len(d.objects) == int(d.matched) }

// reaches reports whether the details would have the object if it were selected.
func (d *details) reaches(o *v1alpha.ObjectHash) bool {
	return d.complete() || len(d.objects) > 0 && compareObjects(o, &d.objects[len(d.objects)-1]) <= 0
}

// find returns the object of that name, or nil.
func (d *details) find(o *v1alpha.ObjectHash) *v1alpha.ObjectHash {
	i, found := slices.BinarySearchFunc(d.objects, o, func(a v1alpha.ObjectHash, b *v1alpha.ObjectHash) int { return compareObjects(&a, b) })
	if !found {
		return nil
	}
	return &d.objects[i]
}

// sort puts the objects in order, whoever gave them.
func (d *details) sort() {
	slices.SortStableFunc(d.objects, func(a, b v1alpha.ObjectHash) int { return compareObjects(&a, &b) })
}

func compareObjects(a, b *v1alpha.ObjectHash) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// selected is what is known of the objects of a selection.
type selected struct {
	// matched is how many were last observed, and observed is what is observed now.
	matched  int32
	counted  bool
	observed details
	// baseline is what the last trigger stood for.
	baseline details
	// written is what status has, where what it does not say yet is the baseline.
	written details
	// moment is that of what is observed, and the others are those at which a selected object last changed in each way; zero
	// where they are not known.
	moment, lastCreated, lastUpdated, lastDeleted uint64
	// wasPending is true where status says of a field that it is pending.
	wasPending bool
}

// selects reports whether the reference is a selection.
func (r *reference) selects() bool { return r.Selection != "" }

// saysSelection reports whether an entry of status is of a selection.
func saysSelection(entry *v1alpha.ResourceHash) bool { return entry.Selection != "" }

// recall takes in what status says of the objects; nil is nothing. Of a field that joined the spec since nothing is known.
func (s *selected) recall(entry *v1alpha.ResourceHash, fields []string) {
	if entry == nil || entry.Matched == nil {
		return
	}
	s.matched, s.counted = max(*entry.Matched, 0), true
	s.baseline = details{matched: s.matched, known: true}
	if entry.LastTriggeredMatched != nil {
		s.baseline.matched = max(*entry.LastTriggeredMatched, 0)
	}
	s.wasPending = slices.ContainsFunc(entry.Fields, func(f v1alpha.FieldHash) bool { return f.LastTriggeredHash != "" })
	places := make([]int, 0, len(fields))
	for _, path := range fields {
		places = append(places, slices.IndexFunc(entry.Fields, func(f v1alpha.FieldHash) bool { return f.Field == path }))
	}
	for i := range entry.Objects {
		object := v1alpha.ObjectHash{Namespace: entry.Objects[i].Namespace, Name: entry.Objects[i].Name, Hashes: make([]string, len(fields))}
		for j, place := range places {
			if place >= 0 && place < len(entry.Objects[i].Hashes) {
				object.Hashes[j] = entry.Objects[i].Hashes[place]
			}
		}
		s.baseline.objects = append(s.baseline.objects, object)
	}
	s.baseline.sort()
}

// see takes in what is observed.
func (s *selected) see(o *Observation) {
	s.matched, s.counted = int32(min(max(o.Matched, 0), v1alpha.MaxMatched)), true
	s.moment, s.lastCreated, s.lastUpdated, s.lastDeleted = o.Moment, o.LastCreated, o.LastUpdated, o.LastDeleted
	if o.Visibility == KindNotServed {
		s.matched, s.moment = 0, 0
	}
	if s.matched > 0 && len(o.Objects) == 0 { // they are as status has them
		s.observed = s.written
		return
	}
	s.observed = details{matched: s.matched, known: true}
	if s.matched == 0 {
		return
	}
	for i := range o.Objects[:min(len(o.Objects), v1alpha.MaxObjects)] {
		object := &o.Objects[i]
		s.observed.objects = append(s.observed.objects,
			v1alpha.ObjectHash{Namespace: object.Namespace, Name: object.Name, Hashes: object.Hashes})
	}
	s.observed.sort()
}

// takeStock brings the details in line with what the fields say, whatever has been decided. Where nothing is pending, what is
// observed is what the last trigger stood for, or the first look found. Where that was pending and is no more, and
// nothing is observed, a trigger stands for what was known last, which status does not describe; and of what is unanswered,
// nobody knows what it was.
func (r *reference) takeStock() {
	s := &r.selected
	switch {
	case !r.pending() && s.observed.known:
		s.baseline = s.observed
	case !r.pending() && s.wasPending, r.unanswered():
		s.lose()
	}
}

// unanswered reports whether the baseline of a field is unknown.
func (r *reference) unanswered() bool {
	return slices.ContainsFunc(r.fields, func(f field) bool { return f.baseline == Unknown })
}

func (s *selected) lose() { s.baseline = details{} }

// changedObjects names what has changed since the last trigger, as far as the details tell, and counts the objects
// that they do not tell of. Of what is pending, that is never nothing: a Job that is told of neither would have nothing to do.
func (r *reference) changedObjects() (changed []ObjectChange, others unnamed) {
	was, is := &r.selected.baseline, &r.selected.observed
	if !was.known || !is.known || r.unanswered() {
		// It may be the last one that went: status would say one, too, were the Job not made by the same decision that finds it unanswered.
		return nil, unnamed{now: int(r.selected.matched), then: max(int(was.matched), 1)}
	}
	told := 0 // of the objects that are selected now
	lost := 0 // of those that were
	for i := range is.objects {
		now := &is.objects[i]
		then := was.find(now)
		switch {
		case then == nil && !was.reaches(now):
			continue
		case then == nil:
			changed = append(changed, ObjectChange{Namespace: now.Namespace, Name: now.Name, Change: ObjectAdded})
		default:
			fields, certain := r.differing(then, now)
			if !certain {
				continue
			}
			if len(fields) > 0 {
				changed = append(changed, ObjectChange{Namespace: now.Namespace, Name: now.Name, Change: ObjectUpdated, Fields: fields})
			}
			lost++
		}
		told++
	}
	for i := range was.objects {
		then := &was.objects[i]
		if is.find(then) == nil && is.reaches(then) {
			changed = append(changed, ObjectChange{Namespace: then.Namespace, Name: then.Name, Change: ObjectRemoved})
			lost++
		}
	}
	slices.SortFunc(changed, func(a, b ObjectChange) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return changed, unnamed{known: true, now: int(is.matched) - told, then: int(was.matched) - lost}
}

// unnamed counts the objects of which it is not known whether they have changed: those that are selected now, and those that
// were when the last Job ran. It is not known where nothing is known of any.
type unnamed struct {
	known     bool
	now, then int
}

func (u unnamed) count() int { return max(u.now, u.then) }

// differing returns the fields in which an object is another now, and whether all that are pending could be compared.
func (r *reference) differing(then, now *v1alpha.ObjectHash) (fields []string, certain bool) {
	for i := range r.fields {
		if i >= len(then.Hashes) || i >= len(now.Hashes) || then.Hashes[i] == "" || !canCompare(then.Hashes[i], now.Hashes[i]) {
			if r.fields[i].pending() {
				return nil, false
			}
			continue
		}
		if then.Hashes[i] != now.Hashes[i] {
			fields = append(fields, r.fields[i].path)
		}
	}
	return fields, true
}

// describe writes what status is to say of the objects, in no more than about room bytes, and returns how many it took.
func (s *selected) describe(entry *v1alpha.ResourceHash, room int) (size int) {
	if !s.counted {
		return 0
	}
	entry.Matched = &s.matched
	if !s.baseline.known {
		// Nothing is known of what the last trigger stood for: said as a number that cannot be complete with no details.
		unknown := max(s.matched, 1)
		if unknown != s.matched {
			entry.LastTriggeredMatched = &unknown
		}
		return 0
	}
	if s.baseline.matched != s.matched {
		entry.LastTriggeredMatched = &s.baseline.matched
	}
	for i := range s.baseline.objects {
		object := &s.baseline.objects[i]
		size += len(`{"namespace":"","name":"","hashes":[]},`) + len(object.Namespace) + len(object.Name)
		for _, hash := range object.Hashes {
			size += len(`"",`) + len(hash)
		}
		if size > room {
			return room
		}
		entry.Objects = append(entry.Objects, *object)
	}
	return size
}

// DetailsKnown reports whether an observation need not have its objects: what status says of the selection is what is
// observed, and nothing of it is pending.
func DetailsKnown(status *v1alpha.ChangeTriggeredJobStatus, o *Observation) bool {
	for i := range status.ResourceHashes {
		entry := &status.ResourceHashes[i]
		if objectOf(entry) != o.Reference {
			continue
		}
		return entry.Matched != nil && int(*entry.Matched) == o.Matched && entry.LastTriggeredMatched == nil &&
			len(entry.Objects) == min(o.Matched, v1alpha.MaxObjects) && len(entry.Fields) == len(o.Fields) && len(o.Hashes) == len(o.Fields) &&
			!slices.ContainsFunc(entry.Fields, func(f v1alpha.FieldHash) bool {
				place := slices.Index(o.Fields, f.Field)
				return place < 0 || f.Hash != o.Hashes[place] || f.LastTriggeredHash != ""
			})
	}
	return false
}

// selectedChanges names the objects that have changed, for each reference that a Job of the occasion is told of and that is a
// selection.
func (s *state) selectedChanges(o occasion) []SelectedChange {
	var changed []SelectedChange
	for i := range s.refs {
		ref := &s.refs[i]
		first := o.reason == ReasonFirstRun
		if !ref.selects() || !first && !ref.pending() {
			continue
		}
		c := SelectedChange{Reference: ref.ObjectReference}
		if first {
			c.Objects, c.Unnamed = ref.allObjects()
		} else {
			var others unnamed
			c.Objects, others = ref.changedObjects()
			c.Objects = slices.DeleteFunc(c.Objects, func(o ObjectChange) bool { return !ref.counts(o.Change.kind()) })
			c.Unnamed = others.count()
		}
		changed = append(changed, c)
	}
	return changed
}

// allObjects names what a first run is to look at: all there is.
func (r *reference) allObjects() (all []ObjectChange, unnamed int) {
	is := &r.selected.observed
	if !is.known && !r.pending() {
		is = &r.selected.baseline
	}
	for i := range is.objects {
		all = append(all, ObjectChange{Namespace: is.objects[i].Namespace, Name: is.objects[i].Name, Change: ObjectAdded})
	}
	return all, max(int(r.selected.matched)-len(all), 0)
}

// describeObjects names the objects of a selection that have changed, for people; it is empty for a named object.
func describeObjects(selection ObjectReference, selected []SelectedChange) string {
	for i := range selected {
		changed := &selected[i]
		if changed.Reference != selection {
			continue
		}
		if len(changed.Objects) == 0 {
			if changed.Unnamed == 1 {
				return " of an object"
			}
			return " of some of " + strconv.Itoa(changed.Unnamed) + " objects"
		}
		names := make([]string, 0, len(changed.Objects))
		for _, object := range changed.Objects {
			name := object.Name
			if selection.Namespace == "" && object.Namespace != "" {
				name = object.Namespace + "/" + name
			}
			names = append(names, name)
		}
		return " of " + enumerate(names)
	}
	return ""
}
