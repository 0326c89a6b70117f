package trigger

import (
	"fmt"
	"slices"
	"time"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// A Job that changes what its own ChangeTriggeredJob watches makes the next one run, and that one the next. Nobody sees into Jobs,
// so this is told by the time: an object that is pending again while a Job runs or right after its end, and that nothing changes
// later on, time and again. Each reference is counted by itself, at each trigger by change: among many objects that change
// now and then, some are always pending at that time, but never the same one every time.

const (
	// loopAfter is how often in a row an object must have been pending again by a Job to be suspected.
	loopAfter = 10
	// maxLoopCount is the largest count.
	maxLoopCount = 1000
	// effectTime is how long after the end of a Job a change may be its doing.
	effectTime = 30 * time.Second
	// longEffectTime bounds the time in which the effects of a Job may go on, such as a rollout: it is half the
	// cooldown, but no longer than this.
	longEffectTime = 5 * time.Minute
	// minLoopWait and maxLoopWait bound the wait of what is suspected. It is doubled at every trigger.
	minLoopWait = time.Minute
	maxLoopWait = time.Hour
)

// recallLoops takes the counts from status. An edit of the spec begins anew.
func (s *state) recallLoops() {
	if s.stored.ObservedGeneration != s.in.Generation || s.spec.OnLoop == v1alpha.IgnoreLoop {
		return
	}
	for i := range s.stored.ResourceHashes {
		entry := &s.stored.ResourceHashes[i]
		if entry.LoopCount == 0 {
			continue
		}
		for j := range s.refs {
			if ref := &s.refs[j]; ref.ObjectReference == objectOf(entry) {
				ref.loops = max(ref.loops, min(entry.LoopCount, maxLoopCount))
			}
		}
	}
}

// forgetLoops begins anew.
func (s *state) forgetLoops() {
	for i := range s.refs {
		s.refs[i].loops = 0
	}
}

// finished returns when the last Job ended; zero where it runs, where there was none, and where a release before this one
// has seen its end. What status has stays: the Job may be gone, by its TTL for example. One that was deleted unfinished has
// failed before it ends.
func (s *state) finished() time.Time {
	job := s.lastJob()
	switch {
	case s.lastJobName == "", job != nil && job.Running():
		return time.Time{}
	case s.lastJobName == s.stored.LastJobName && s.stored.LastJobStatus != v1alpha.JobActive && !s.wasActive(s.lastJobName):
		if s.stored.LastJobFinishedTime == nil {
			return time.Time{}
		}
		return mendClock(s.stored.LastJobFinishedTime.Time, s.in.Now)
	case job == nil || job.Finished.IsZero():
		return wholeSecond(s.in.Now)
	default:
		return mendClock(job.Finished, s.in.Now)
	}
}

// wasActive reports whether status says that the Job runs.
func (s *state) wasActive(name string) bool {
	return slices.ContainsFunc(s.stored.Active, func(job v1alpha.JobReference) bool { return job.Name == name })
}

// effectsEnd returns until when an object that becomes pending may be so by Jobs, other than the one that is left out: 30 seconds
// after the last of their ends.
//
// One that runs is taken to end when the longest wait after its creation is over, lest one that hangs makes a loop of each change
// there is. What it does later, though it still runs, is not counted: a loop by that alone is never suspected. It takes longer than the longest
// wait each time, so that it would not be slowed down anyway; that it is one goes unsaid.
func (s *state) effectsEnd(without string) time.Time {
	longest := max(s.spec.EffectiveCooldown(), maxLoopWait)
	end, running := s.lastFinished, 0
	later := func(at time.Time) {
		if at.After(end) {
			end = at
		}
	}
	for i := range s.jobs {
		job := &s.jobs[i]
		if job.Running() {
			running++
		}
		switch {
		case job.Name == without:
		case job.Running():
			later(mendClock(job.CreationTimestamp, s.in.Now).Add(longest))
		default:
			later(mendClock(job.Finished, s.in.Now))
		}
	}
	if len(s.active) > running { // one is being created, or has yet to be read
		later(s.in.Now.Add(longest))
	}
	if end.IsZero() {
		return time.Time{}
	}
	return end.Add(effectTime)
}

// countLoops counts, for a trigger by change, the references that are pending by a Job, and begins anew with the others. What has
// waited since before the last Job was created was no Job's doing, and what is unanswered again has not changed. Both times are rounded up to
// seconds: what changes in that of the creation, as a quota's status does, counts.
// pending says since when a reference that the trigger is for is pending; false for the others. without is the Job of the trigger.
func (s *state) countLoops(without string, pending func(*reference) (since time.Time, ok bool)) {
	before := len(s.suspects())
	end := s.effectsEnd(without)
	for i := range s.refs {
		ref := &s.refs[i]
		since, ok := pending(ref)
		if !ok && ref.held() {
			continue // it is pending all the time, and not answered
		}
		ok = ok && !since.Before(s.lastTriggered) && !since.After(end) && !ref.lastChange(s.in.Now).IsZero()
		if ok && s.spec.OnLoop != v1alpha.IgnoreLoop {
			ref.loops = min(ref.loops+1, maxLoopCount)
		} else {
			ref.loops = 0
		}
	}
	if suspects := s.suspects(); before == 0 && len(suspects) > 0 {
		s.events = append(s.events, Warning(ReasonLoopSuspected, messageLoop(suspects)))
	}
}

// pendingNow is what countLoops asks for of a trigger that is made now.
func (s *state) pendingNow(ref *reference) (time.Time, bool) {
	return ref.since(s.in.Now), ref.due()
}

// pendingFor is what countLoops asks for of a trigger whose Job is taken over.
func pendingFor(job *Job) func(*reference) (time.Time, bool) {
	return func(ref *reference) (time.Time, bool) {
		changed := slices.ContainsFunc(job.Changed, func(c Change) bool { return c.ObjectReference == ref.ObjectReference })
		if ref.pendingSince.IsZero() {
			return job.CreationTimestamp, changed
		}
		return ref.pendingSince, changed
	}
}

// reviewLoops begins anew with references of which it shows that it is not, or no longer, the Jobs that change them: one that
// is pending changes once more when that is no Job's doing, or one that is suspected is not pending again 30 seconds after the
// last Job's end.
func (s *state) reviewLoops() {
	var kept map[fieldKey]field
	var end, allEnd time.Time
	for i := range s.refs {
		ref := &s.refs[i]
		if ref.loops == 0 {
			continue
		}
		if kept == nil {
			kept = keptFields(s.stored.ResourceHashes)
			end, allEnd = s.effectsEnd(""), s.allEffectsEnd()
		}
		changes := s.in.Now.After(allEnd) && slices.ContainsFunc(ref.fields, func(f field) bool {
			was := kept[fieldKey{ref.ObjectReference, f.path}]
			return f.seen && was.pending() && f.hash != was.hash
		})
		over := ref.loops >= loopAfter && !ref.pending() && s.in.Now.After(end)
		if changes || over {
			ref.loops = 0
		}
	}
}

// allEffectsEnd returns until when an object that is pending already may change once more by Jobs: what they have begun may take
// longer than they do, though not much of the time to the next one.
func (s *state) allEffectsEnd() time.Time {
	end := s.effectsEnd("")
	if long := s.lastTriggered.Add(min(s.spec.EffectiveCooldown()/2, longEffectTime)); long.After(end) {
		return long
	}
	return end
}

// suspects returns the references that Jobs seem to change; with All, none unless it is all of them, since whatever changes
// the others sets the pace.
func (s *state) suspects() []*reference {
	looping := s.where(func(ref *reference) bool { return ref.loops >= loopAfter })
	if s.spec.EffectiveCondition() == v1alpha.TriggerAll && len(looping) < len(s.refs) {
		return nil
	}
	return looping
}

// loopEnd returns until when pending references wait because Jobs seem to change all of them; zero where they do not. The
// wait is twice the cooldown at first, but twice a minute at least, and doubled with every trigger up to an hour.
func (s *state) loopEnd(pending []*reference) time.Time {
	fewest := int32(maxLoopCount)
	for _, ref := range pending {
		fewest = min(fewest, ref.loops)
	}
	if fewest < loopAfter || len(pending) == 0 || s.lastTriggered.IsZero() {
		return time.Time{}
	}
	cooldown := s.spec.EffectiveCooldown()
	wait := max(cooldown, minLoopWait)
	for n := int32(loopAfter); n <= fewest && wait < maxLoopWait; n++ {
		wait *= 2
	}
	return s.lastTriggered.Add(max(cooldown, min(wait, maxLoopWait)))
}

// loopOver returns when it will be said of what is suspected and not pending that it is no loop any more.
func (s *state) loopOver() time.Time {
	if !s.anyRef(func(ref *reference) bool { return ref.loops >= loopAfter && !ref.pending() }) {
		return time.Time{}
	}
	return s.effectsEnd("").Add(time.Nanosecond)
}

// messageLoop says what is the matter, and what to do.
func messageLoop(suspects []*reference) string {
	parts := make([]string, 0, len(suspects))
	most := int32(0)
	for _, ref := range suspects {
		paths := make([]string, 0, len(ref.fields))
		for i := range ref.fields {
			paths = append(paths, ref.fields[i].path)
		}
		parts = append(parts, ref.String()+" ("+enumerate(paths)+")")
		most = max(most, ref.loops)
	}
	return fmt.Sprintf("The Jobs seem to change what makes them run: %s changed while a Job ran or within 30 seconds of its end, %d times in a row. "+
		"A Job for that alone waits longer and longer, up to an hour. Name fields that the Jobs do not change, or mend the Job; "+
		"an edit, or the annotation %s, begins anew", enumerate(parts), most, v1alpha.RunNowAnnotation)
}
