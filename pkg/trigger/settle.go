package trigger

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// untilSettled is the wait until nothing that is pending has changed for long enough; it has no reason where nothing has. A first
// run and a try are for no change that could settle.
func (s *state) untilSettled(o occasion) verdict {
	end := s.settledAt(o.pending)
	if o.reason != ReasonChange || !end.After(s.in.Now) {
		return verdict{}
	}
	return verdict{reason: ReasonSettling, until: end,
		message: fmt.Sprintf("%s; settling until %s, or longer if it changes again", o.what, end.UTC().Format(time.RFC3339))}
}

// settledAt is when what is pending has settled: once nothing of it has changed for as long as the spec asks for, and a cooldown
// after it would have triggered otherwise at the latest, so that what never rests triggers, too: from the first window on that was open
// when it was pending and the cooldown over. Were it the one that is open now, windows shorter than a cooldown would
// put it off for ever. Of other waits nobody knows when they ended. Zero where the spec does not ask.
func (s *state) settledAt(pending []*reference) time.Time {
	settle := s.spec.EffectiveSettle()
	if settle == 0 || len(pending) == 0 {
		return time.Time{}
	}
	var changed, due time.Time
	for _, ref := range pending {
		if at := ref.lastChange(s.in.Now); at.After(changed) {
			changed = at
		}
		// With Any the first reference made it due, with All the last.
		since := ref.since(s.in.Now)
		if all := s.spec.EffectiveCondition() == v1alpha.TriggerAll; due.IsZero() || since.After(due) == all {
			due = since
		}
	}
	if end := s.cooldownEnd(); end.After(due) {
		due = end
	}
	if outside, opens := s.outsideWindows(due); outside && !opens.IsZero() {
		due = opens
	}
	if latest := due.Add(s.spec.EffectiveCooldown()); latest.Before(changed.Add(settle)) {
		return latest
	}
	return changed.Add(settle)
}

// lastChange is when the reference, which is pending, was last seen to change. It is zero where it is pending only because what a
// Job ran for is unanswered again: that is no change.
func (r *reference) lastChange(now time.Time) time.Time {
	switch since := r.since(now); {
	case r.moved() && (!r.onlyUnknown() || r.moveCounts()):
		return wholeSecond(now)
	case r.changedTime.After(since), r.onlyUnknown():
		return r.changedTime
	default:
		return since
	}
}

// onlyUnknown reports whether the baseline of each field that is pending is unknown. Then changedTime alone says that it has
// changed, whenever that was.
func (r *reference) onlyUnknown() bool {
	return r.pending() && !slices.ContainsFunc(r.fields, func(f field) bool { return f.pending() && f.baseline != Unknown })
}

// soFar is what changedTime is to be before a baseline becomes unknown: when the reference changed, where it is pending already.
func (r *reference) soFar(now time.Time) time.Time {
	if !r.pending() {
		return time.Time{}
	}
	return r.lastChange(now)
}

// moved reports whether a field is seen to differ from what it was when it was last decided on.
func (r *reference) moved() bool {
	return slices.ContainsFunc(r.fields, func(f field) bool { return f.moved() })
}

// moved reports whether the field is seen to differ from what it was when it was last decided on. A hash made with another
// key tells nothing.
func (f *field) moved() bool {
	return f.seen && f.was != "" && f.was != f.hash && canCompare(f.was, f.hash)
}

// remember takes over from a status that was decided on, and not written yet, what the objects were like and when they had
// changed last: the next decision is to notice what changes from then on.
func remember(refs []reference, deferred *v1alpha.ChangeTriggeredJobStatus, now time.Time) {
	if deferred == nil {
		return
	}
	kept := keptFields(deferred.ResourceHashes)
	changed := keptTimes(deferred.ResourceHashes, now, changedTimeOf)
	for i := range refs {
		ref := &refs[i]
		for j := range ref.fields {
			if f, ok := kept[fieldKey{ref.ObjectReference, ref.fields[j].path}]; ok {
				ref.fields[j].was = f.hash
			}
		}
		if at := changed[ref.ObjectReference]; at.After(ref.changedTime) {
			ref.changedTime = at
		}
	}
}

// changedTimeOf is when an entry of status says that its reference last changed.
func changedTimeOf(entry *v1alpha.ResourceHash) *metav1.Time { return entry.ChangedTime }
