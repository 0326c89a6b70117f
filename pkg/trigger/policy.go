package trigger

import (
	"fmt"
	"time"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// messageUnsure ends what is said of what is known by status alone.
const messageUnsure = ", as far as is known; waiting for a look at the present state"

// verdict says whether a Job is due now, and if not, why not.
type verdict struct {
	// due is true when a Job is to be created now.
	due bool
	// replace is true when running Jobs are to be deleted first.
	replace bool
	// reason is the reason of the condition Progressing while something pending waits; empty where
	// nothing does, and where status is to keep what it says.
	reason string
	// message says what waits for what, for people.
	message string
	// until is when the wait ends by itself; zero where only news ends it.
	until time.Time
	// closes is when it becomes a wait for a window, as the one that is open closes; zero where none does.
	closes time.Time
}

// unsure says that a Job may be due, and that the present state is not known well enough to tell.
func (v verdict) unsure() bool { return v.reason == "" && v.message != "" && !v.due }

// judge says whether what is pending triggers now. What is asked first is what a user would change first.
func (s *state) judge() verdict {
	if s.in.Invalid != "" || s.count >= maxNumber {
		return verdict{}
	}
	if s.runNowWanted() && !s.awaitsLook() {
		return s.admit(whatRunNow)
	}
	occasion, ok := s.occasion()
	if !ok {
		if s.runNowWanted() {
			return verdict{message: whatRunNow + "; waiting for a look at the present state"}
		}
		if waiting := s.waiting(); len(waiting) > 0 {
			return verdict{reason: ReasonWaitingForWhen, message: messageWaiting(waiting)}
		}
		if unasked := s.where((*reference).unasked); len(unasked) > 0 {
			return verdict{message: describe(unasked) + " changed" + messageUnsure}
		}
		return verdict{}
	}
	what := occasion.what
	if s.spec.Suspended() {
		return verdict{reason: ReasonSuspended, message: what + "; suspended: a Job runs after resume"}
	}
	// The failed Job was due once, and a first run is due for what there is.
	if s.spec.EffectiveCondition() == v1alpha.TriggerAll && occasion.reason == ReasonChange {
		if missing := s.unchanged(); len(missing) > 0 {
			return verdict{reason: ReasonWaitingForAll, message: what + "; waiting for a change of " + describe(missing)}
		}
		if waiting := s.waiting(); len(waiting) > 0 {
			return verdict{reason: ReasonWaitingForWhen, message: what + "; " + messageWaiting(waiting)}
		}
	}
	if !s.sure(occasion) {
		return verdict{message: what + messageUnsure}
	}
	if wait := s.untilOpen(occasion); wait.reason != "" {
		return wait
	}
	v := s.judgeInWindow(occasion)
	v.closes = s.windowsClose(s.in.Now)
	return v
}

// judgeInWindow is the rest of judge, while no window is waited for.
func (s *state) judgeInWindow(occasion occasion) verdict {
	if end := s.cooldownEnd(); end.After(s.in.Now) {
		return verdict{reason: ReasonCooldown, until: end,
			message: fmt.Sprintf("%s; the cooldown ends at %s", occasion.what, end.UTC().Format(time.RFC3339))}
	}
	if wait := s.untilSettled(occasion); wait.reason != "" {
		return wait
	}
	if wait := s.untilTried(occasion); wait.reason != "" {
		return wait
	}
	if end := s.loopEnd(occasion.pending); occasion.reason == ReasonChange && end.After(s.in.Now) {
		return verdict{reason: ReasonLoopSuspected, until: end,
			message: fmt.Sprintf("%s; the Jobs seem to change it themselves: the next one waits until %s", occasion.what, end.UTC().Format(time.RFC3339))}
	}
	return s.admit(occasion.what)
}

// admit says whether the Job that is due can be created: not while an attempt that was refused waits to be made again, nor
// against the concurrencyPolicy.
func (s *state) admit(what string) verdict {
	if s.refusal != nil && s.refusal.RetryAt.After(s.in.Now) {
		return verdict{reason: s.refusal.reason(), message: what + "; waiting to retry: " + s.refusal.Message, until: s.refusal.RetryAt}
	}
	switch s.spec.EffectiveConcurrencyPolicy() {
	case v1alpha.ForbidConcurrent:
		if len(s.active) > 0 {
			return verdict{reason: ReasonJobRunning, message: what + "; waiting for the end of Job " + enumerate(s.active)}
		}
	case v1alpha.ReplaceConcurrent:
		if len(s.active) > 0 {
			return verdict{reason: ReasonJobRunning, replace: true, message: what + "; deleting Job " + enumerate(s.active) + " to replace it"}
		}
		if going := s.going(); len(going) > 0 {
			return verdict{reason: ReasonJobRunning, message: what + "; waiting for the end of Job " + enumerate(going)}
		}
	}
	return verdict{due: true, message: what}
}

// going returns the names of the Jobs whose deletion has begun and whose Pods may run. One that is replaced can fail while it
// goes, by its deadline or because its Pods are taken from it, and these still run until it is gone. Those of one that
// has succeeded have ended, whatever holds it back.
func (s *state) going() []string {
	var going []string
	for i := range s.jobs {
		if s.jobs[i].Deleting && s.jobs[i].Outcome != v1alpha.JobSucceeded {
			going = append(going, s.jobs[i].Name)
		}
	}
	return going
}

// pending returns the references that are pending, in the order of the spec.
func (s *state) pending() []*reference {
	return s.where((*reference).pending)
}

// unchanged returns the references that are not pending.
func (s *state) unchanged() []*reference {
	return s.where(func(ref *reference) bool { return !ref.pending() })
}

func (s *state) where(holds func(*reference) bool) []*reference {
	var refs []*reference
	for i := range s.refs {
		if holds(&s.refs[i]) {
			refs = append(refs, &s.refs[i])
		}
	}
	return refs
}

// sure reports whether enough of what is pending is known by more than what status remembers. Right after a
// start the watches have not synced, and the state may be back at its baseline: such a reference gets its
// time before a Job runs for it. One of several is enough for Any; All needs each, and a first run each that there is.
func (s *state) sure(o occasion) bool {
	if o.reason == ReasonFirstRun {
		return !s.anyRef(func(ref *reference) bool { return ref.unseen })
	}
	pending := o.pending
	unseen := 0
	for _, ref := range pending {
		if ref.unseen {
			unseen++
		}
	}
	if s.spec.EffectiveCondition() == v1alpha.TriggerAll {
		return unseen == 0 && !s.anyRef((*reference).unasked)
	}
	return unseen < len(pending)
}

// changes names the pending fields of references.
func changes(pending []*reference) []Change {
	changed := make([]Change, 0, len(pending))
	for _, ref := range pending {
		changed = append(changed, Change{ObjectReference: ref.ObjectReference, Fields: ref.pendingFields()})
	}
	return changed
}

// replace returns the running Jobs to delete, so that the next one can be created once they are gone. What an
// unfinished Job ran for is unanswered again; status must say so before the Job is deleted: a process that
// ended between the two would otherwise leave a state that no Job has run for and that is not pending.
func (s *state) replace() []Job {
	var doomed []Job
	for _, job := range s.jobs {
		if job.Running() && !job.Deleting {
			s.unanswer(job.Changed)
			s.askAgain(&job)
			doomed = append(doomed, job)
		}
	}
	if len(doomed) > 0 {
		s.retries = retries{} // what these ran for is pending as well, and no edit of onFailure is to take that back
		s.events = append(s.events, Normal(EventJobReplaced, "Deleting Job "+enumerate(names(doomed))+": it is to be replaced").about(doomed[0].Name))
	}
	return doomed
}

func names(jobs []Job) []string {
	list := make([]string, 0, len(jobs))
	for i := range jobs {
		list = append(list, jobs[i].Name)
	}
	return list
}
