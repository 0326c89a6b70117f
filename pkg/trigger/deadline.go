package trigger

import (
	"fmt"
	"slices"
	"time"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// forgets reports whether references that have been pending for too long are to be forgotten after this verdict: not while a
// Job is on its way to be created for them. What settles is created for soon, what failed is tried again at a time that status
// has named, however long the back-off is, and Replace has begun to delete the Job that ran before.
func (s *state) forgets(v verdict) bool {
	replacing := v.reason == ReasonJobRunning && s.spec.EffectiveConcurrencyPolicy() == v1alpha.ReplaceConcurrent
	coming := v.due || v.reason == ReasonSettling || v.reason == ReasonRetrying
	// While others have yet to be looked at, All may be complete: which of two watches is synced first is to make no difference.
	unseen := s.spec.EffectiveCondition() == v1alpha.TriggerAll && s.anyRef(func(ref *reference) bool { return ref.unseen })
	return s.in.Invalid == "" && !coming && !replacing && !unseen && !v.unsure() && !s.replacedGo()
}

// replacedGo reports whether a Job still goes that was deleted to be replaced, whatever the spec says by now: what it ran for
// is unanswered, and tells that it has not failed.
func (s *state) replacedGo() bool {
	return slices.ContainsFunc(s.jobs, func(j Job) bool { return j.Deleting && j.Running() && s.replaced(&j, false) })
}

// forget makes the present state of the references that have been pending for longer than the spec allows their
// baseline, and says so: nobody is to wonder where a Job is.
//
// A reference that the watches have not synced yet is given time: had the operator been there, it might have
// triggered for it.
func (s *state) forget() {
	var forgotten []Change
	for _, ref := range s.pending() {
		if end := s.forgottenAt(ref); end.IsZero() || end.After(s.in.Now) || ref.unseen {
			continue
		}
		forgotten = append(forgotten, Change{ObjectReference: ref.ObjectReference, Fields: ref.pendingFields()})
		ref.pendingSince = time.Time{}
		for i := range ref.fields {
			ref.fields[i].answer()
		}
	}
	s.endRetrying()
	if len(forgotten) > 0 {
		s.events = append(s.events, Warning(EventPendingForgotten, fmt.Sprintf(
			"Pending for longer than pendingDeadline (%s), and forgotten without a Job: %s", s.spec.EffectivePendingDeadline(), describeChanges(forgotten))))
	}
}

// forgottenAt is when a pending reference is forgotten; zero for never.
func (s *state) forgottenAt(ref *reference) time.Time {
	deadline := s.spec.EffectivePendingDeadline()
	if deadline == 0 {
		return time.Time{}
	}
	return ref.since(s.in.Now).Add(deadline)
}
