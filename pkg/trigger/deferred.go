package trigger

import (
	"slices"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// A change that does not count moves the baseline along, and status need not say so each time: the process that has put that off
// goes by what it has decided on. Were it to go by what is written, what goes after it had come, and counts, would
// not have changed at all.

// deferral is a status that was decided on, and not written yet.
type deferral struct {
	fields     map[fieldKey]field
	existence  map[ObjectReference]*v1alpha.ResourceHash
	selections map[ObjectReference]*v1alpha.ResourceHash
}

// deferralOf returns what there is to follow of a status that was put off; nil where there was none, or a trigger has come since.
func deferralOf(deferred, stored *v1alpha.ChangeTriggeredJobStatus) *deferral {
	if deferred == nil || deferred.TriggerCount != stored.TriggerCount {
		return nil
	}
	return &deferral{
		fields:     keptFields(deferred.ResourceHashes),
		existence:  firstEntries(deferred.ResourceHashes, saysExistence),
		selections: firstEntries(deferred.ResourceHashes, saysSelection),
	}
}

// follow takes over from a status that was put off that changes which did not count have moved the baseline; existence is what the
// one that is written says of the object's. Where that is not the one that was there when it was put off, another process has
// seen more since, and is believed.
func (r *reference) follow(d *deferral, existence *v1alpha.ResourceHash) {
	if d == nil {
		return
	}
	if r.selects() {
		r.followSelection(d)
		return
	}
	if !sameExistence(d.existence[r.ObjectReference], existence) {
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
func (r *reference) followSelection(d *deferral) {
	entry := d.selections[r.ObjectReference]
	if entry == nil || len(r.mark.Written) != len(r.fields) {
		return
	}
	for i := range r.fields {
		f := &r.fields[i]
		last, ok := d.fields[fieldKey{r.ObjectReference, f.path}]
		if !ok || !canFollow(f, &last) || f.hash != r.mark.Written[i] {
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
