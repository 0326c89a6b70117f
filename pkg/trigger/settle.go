package trigger

import (
	"fmt"
	"slices"
	"time"

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
// after it would have triggered otherwise at the latest, so that what never rests triggers, too. Zero where the spec does
// not ask.
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
	if latest := due.Add(s.spec.EffectiveCooldown()); latest.Before(changed.Add(settle)) {
		return latest
	}
	return changed.Add(settle)
}

// lastChange is when the reference, which is pending, was last seen to change.
func (r *reference) lastChange(now time.Time) time.Time {
	switch since := r.since(now); {
	case r.moved():
		return wholeSecond(now)
	case r.changedTime.After(since):
		return r.changedTime
	default:
		return since
	}
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
	changed := keptChangedTimes(deferred.ResourceHashes, now)
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

// follow takes over from a status that was decided on, and not written yet, that updates which did not count have moved the baseline.
func (r *reference) follow(deferred map[fieldKey]field) {
	for i := range r.fields {
		f := &r.fields[i]
		if last, ok := deferred[fieldKey{r.ObjectReference, f.path}]; ok && !f.pending() && !last.pending() && f.hash != "" && last.hash != "" {
			f.hash, f.baseline = last.hash, last.baseline
		}
	}
}

// keptChangedTimes returns when each object last changed, as far as a status says so.
func keptChangedTimes(entries []v1alpha.ResourceHash, now time.Time) map[ObjectReference]time.Time {
	var kept map[ObjectReference]time.Time
	for i := range entries {
		object := objectOf(&entries[i])
		if at := entries[i].ChangedTime; at != nil && !at.IsZero() && kept[object].IsZero() {
			kept = with(kept, object, mendClock(at.Time, now))
		}
	}
	return kept
}
