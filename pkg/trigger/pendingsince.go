package trigger

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// pendingSinceOf is since when an entry of status says that its reference is pending.
func pendingSinceOf(entry *v1alpha.ResourceHash) *metav1.Time { return entry.PendingSince }

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
