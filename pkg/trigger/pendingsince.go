package trigger

import (
	"slices"
	"time"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// keptSince returns since when each object is pending, as far as status says so. Where an older release wrote an
// object twice, the first entry that says so counts.
func keptSince(entries []v1alpha.ResourceHash, now time.Time) map[ObjectReference]time.Time {
	var kept map[ObjectReference]time.Time
	for i := range entries {
		object := objectOf(&entries[i])
		if since := entries[i].PendingSince; since != nil && !since.IsZero() && kept[object].IsZero() {
			kept = with(kept, object, mendClock(since.Time, now))
		}
	}
	return kept
}

// with adds an entry to a map that is made for it: most references are not pending.
func with(kept map[ObjectReference]time.Time, object ObjectReference, at time.Time) map[ObjectReference]time.Time {
	if kept == nil {
		kept = map[ObjectReference]time.Time{}
	}
	kept[object] = at
	return kept
}

// since is when the reference, which is pending, was first seen so. It is stored in whole seconds, and rounded up like the
// last trigger, lest what counts from it is cut short.
func (r *reference) since(now time.Time) time.Time {
	if r.pendingSince.IsZero() {
		return wholeSecond(now)
	}
	return r.pendingSince
}

// leaveUndated takes from next since when something is pending that status has as pending without a time, as a release before
// this one left it, if next says nothing else that is new: that is not worth a write of its own, and is said with the next
// thing that is. Where something counts from that time, it is: else it would begin to count with each decision.
func (s *state) leaveUndated(next *v1alpha.ChangeTriggeredJobStatus) {
	if s.spec.EffectiveSettle() > 0 || s.spec.EffectivePendingDeadline() > 0 {
		return
	}
	undated, found := *next, false
	for i := range min(len(next.ResourceHashes), len(s.stored.ResourceHashes)) {
		stored := &s.stored.ResourceHashes[i]
		wasPending := slices.ContainsFunc(stored.Fields, func(f v1alpha.FieldHash) bool { return f.LastTriggeredHash != "" })
		if !wasPending || stored.PendingSince != nil || next.ResourceHashes[i].PendingSince == nil {
			continue
		}
		if !found {
			undated.ResourceHashes, found = slices.Clone(next.ResourceHashes), true
		}
		undated.ResourceHashes[i].PendingSince = nil
	}
	if found && alike(s.stored, &undated) {
		next.ResourceHashes = undated.ResourceHashes
	}
}
