package trigger

import (
	"time"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// keptSince returns since when each object is pending, as far as status says so. Where an older release wrote an
// object twice, the first entry that says so counts.
func keptSince(entries []v1alpha.ResourceHash, now time.Time) map[ObjectReference]time.Time {
	kept := map[ObjectReference]time.Time{}
	for i := range entries {
		object := objectOf(&entries[i])
		if since := entries[i].PendingSince; since != nil && !since.IsZero() && kept[object].IsZero() {
			kept[object] = mendClock(since.Time, now)
		}
	}
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

// pendingSinceAlone reports whether next says nothing new but since when something is pending that status has as pending
// without a time, as a release before this one left it. That is not worth a write of its own: it is said with the next
// thing that is.
func (s *state) pendingSinceAlone(next *v1alpha.ChangeTriggeredJobStatus) bool {
	dateless := func(i int) bool {
		return i < len(s.stored.ResourceHashes) && s.stored.ResourceHashes[i].PendingSince == nil && next.ResourceHashes[i].PendingSince != nil
	}
	var rest *v1alpha.ChangeTriggeredJobStatus
	for i := range next.ResourceHashes {
		if dateless(i) {
			if rest == nil {
				rest = next.DeepCopy()
			}
			rest.ResourceHashes[i].PendingSince = nil
		}
	}
	return rest != nil && alike(s.stored, rest)
}
