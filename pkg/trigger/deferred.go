package trigger

import (
	"slices"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// A change that does not count moves the baseline along, and status need not say so each time: the process that has put that off
// goes by what it has decided on. Were it to go by what is written, what goes after it had come, and counts, would
// not have changed at all.

// Deferral is a status that was decided on, and not written yet.
type Deferral struct {
	// Status is that one.
	Status *v1alpha.ChangeTriggeredJobStatus
	// from is the one that was stored then.
	from *v1alpha.ChangeTriggeredJobStatus
}

// putOff returns the status to be, not to be written yet.
func (s *state) putOff(next *v1alpha.ChangeTriggeredJobStatus) *Deferral {
	from := *s.stored // alone, and not the object that it is a part of
	return &Deferral{Status: next, from: &from}
}

// over returns the status that was put off, if the one that is stored is still the one that was then; else nil. Where another has been
// written since, by another process or by this one, which had no answer, it is believed: who wrote it may have seen more.
func (d *Deferral) over(stored *v1alpha.ChangeTriggeredJobStatus) *v1alpha.ChangeTriggeredJobStatus {
	if d == nil || d.from == nil || !alike(d.from, stored) {
		return nil
	}
	return d.Status
}

// followed is what there is to follow of a status that was put off.
type followed struct {
	fields     map[fieldKey]field
	selections map[ObjectReference]*v1alpha.ResourceHash
}

// followedOf returns that; nil where none was put off.
func followedOf(deferred *v1alpha.ChangeTriggeredJobStatus) *followed {
	if deferred == nil {
		return nil
	}
	return &followed{
		fields:     keptFields(deferred.ResourceHashes),
		selections: firstEntries(deferred.ResourceHashes, saysSelection),
	}
}

// follow takes over from a status that was put off that changes which did not count have moved the baseline.
func (r *reference) follow(d *followed) {
	if d == nil {
		return
	}
	if r.selects() {
		r.followSelection(d)
		return
	}
	for i := range r.fields {
		f := &r.fields[i]
		if last, ok := d.fields[fieldKey{r.ObjectReference, f.path}]; ok && canFollow(f, &last) {
			f.hash, f.baseline = last.hash, last.baseline
		}
	}
}

// followSelection is the same for a selection, as a whole: its objects tell in which ways it has changed.
func (r *reference) followSelection(d *followed) {
	entry := d.selections[r.ObjectReference]
	if entry == nil {
		return
	}
	for i := range r.fields {
		f := &r.fields[i]
		last, ok := d.fields[fieldKey{r.ObjectReference, f.path}]
		if !ok || !canFollow(f, &last) {
			return
		}
	}
	for i := range r.fields {
		f := &r.fields[i]
		last := d.fields[fieldKey{r.ObjectReference, f.path}]
		f.hash, f.baseline = last.hash, last.baseline
	}
	written := r.selected.baseline
	paths := make([]string, 0, len(r.fields))
	for i := range r.fields {
		paths = append(paths, r.fields[i].path)
	}
	r.selected = selected{}
	r.selected.recall(entry, paths)
	r.selected.written = written
}

// canFollow reports whether a field that is known and not pending is so in both.
func canFollow(written, deferred *field) bool {
	return !written.pending() && !deferred.pending() && written.hash != "" && deferred.hash != ""
}

// leaveUncounted takes from next, which is an entry of a status to be, what is new in it by changes that do not count. They may be
// said later.
func (s *state) leaveUncounted(place int, next, stored *v1alpha.ResourceHash) {
	if place >= len(s.refs) || !s.refs[place].countsInPart() {
		return
	}
	if s.refs[place].selects() {
		leaveMoves(next, stored)
		return
	}
	for j := range min(len(next.Fields), len(stored.Fields)) {
		if f, was := &next.Fields[j], &stored.Fields[j]; isMove(f, was) {
			f.Hash = was.Hash
		}
	}
}

// leaveMoves is the same for a selection of which nothing is pending: whatever has moved in it did not count.
func leaveMoves(next, stored *v1alpha.ResourceHash) {
	if len(next.Fields) != len(stored.Fields) || next.Matched == nil || stored.Matched == nil ||
		next.LastTriggeredMatched != nil || stored.LastTriggeredMatched != nil {
		return
	}
	for j := range next.Fields {
		if !isMove(&next.Fields[j], &stored.Fields[j]) {
			return
		}
	}
	for j := range next.Fields {
		next.Fields[j].Hash = stored.Fields[j].Hash
	}
	next.Matched, next.Objects = stored.Matched, stored.Objects
	if none := []string{"", messageNoneSelected}; slices.Contains(none, next.Message) && slices.Contains(none, stored.Message) {
		next.Message = stored.Message
	}
}

// isMove reports whether a field is pending neither before nor after, so that its hash has moved along with the baseline, if at all.
func isMove(next, stored *v1alpha.FieldHash) bool {
	return next.LastTriggeredHash == "" && stored.LastTriggeredHash == "" && stored.Hash != "" && canCompare(next.Hash, stored.Hash)
}
