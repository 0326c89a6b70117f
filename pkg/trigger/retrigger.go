package trigger

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// Waits between the failure of a Job and the next try: doubling from the first to the second.
const (
	minRetryWait = 10 * time.Second
	maxRetryWait = 10 * time.Minute
)

// retryWait is how long to wait after a failure that count tries have come before.
func retryWait(count int32) time.Duration {
	if count > 6 { // 640 s are more than ten minutes
		return maxRetryWait
	}
	return min(minRetryWait<<max(count, 0), maxRetryWait)
}

// retries is how the tries stand with the last Job.
type retries struct {
	// count is how many there have been in a row.
	count int32
	// next is when the next one is due; zero where none is.
	next time.Time
}

// keptRetries is what status says of the tries.
func keptRetries(stored *v1alpha.RetryStatus, now time.Time) retries {
	if stored == nil {
		return retries{}
	}
	kept := retries{count: min(max(stored.Count, 0), v1alpha.MaxRetriggerLimit)}
	if stored.NextTime != nil && !stored.NextTime.IsZero() {
		kept.next = stored.NextTime.Time
		if latest := now.Add(retryWait(kept.count) + clockTolerance); kept.next.After(latest) { // a clock jumped
			kept.next = wholeSecond(now.Add(retryWait(kept.count)))
		}
	}
	return kept
}

// status is the same for status.
func (r retries) status() *v1alpha.RetryStatus {
	if r == (retries{}) {
		return nil
	}
	stored := &v1alpha.RetryStatus{Count: r.count}
	if !r.next.IsZero() {
		stored.NextTime = &metav1.Time{Time: r.next}
	}
	return stored
}

// retrying reports whether what is pending is what the last Job failed at, and nothing else.
func (s *state) retrying() bool { return !s.retries.next.IsZero() }

// untilTried is the wait for the next try; it has no reason where none is waited for.
func (s *state) untilTried(o occasion) verdict {
	if o.reason != ReasonRetry || !s.retries.next.After(s.in.Now) {
		return verdict{}
	}
	return verdict{reason: ReasonRetrying, until: s.retries.next,
		message: fmt.Sprintf("%s; it is tried again at %s", o.what, s.retries.next.UTC().Format(time.RFC3339))}
}

// retriggers reports whether the spec asks to run again what failed.
func (s *state) retriggers() bool { return s.spec.EffectiveOnFailure() == v1alpha.RetriggerOnFailure }

// reviewRetries brings what is known of the tries in line with the spec as it is now, and with what has happened since.
//
// A new change takes the place of the next try: it is a reason of its own, waits for no back-off, and tells its Job what the
// failed one ran for, too. An edit that takes back the tries, or allows fewer, takes back what is pending because of them.
func (s *state) reviewRetries() {
	if s.spec.Undecoded() != nil {
		return // it is not known whether they were taken back
	}
	allowed := s.retriggers() && (!s.retrying() || s.retries.count < s.spec.EffectiveRetriggerLimit())
	switch {
	case s.retrying() && s.changedAnew():
		s.retries = retries{}
	case s.retrying() && !allowed:
		s.resign()
		s.retries.next = time.Time{}
	}
	s.endRetrying()
	if !s.retriggers() {
		s.retries = retries{}
	}
}

// endRetrying forgets the next try where nothing is left of what the last Job failed at: it was dropped from the spec, or its deadline has passed. What else is
// pending, and waits for its `when`, is no reason for a try, and the failure of a Job that runs for it later is the first.
func (s *state) endRetrying() {
	if !s.retrying() {
		return
	}
	for i := range s.refs {
		ref := &s.refs[i]
		for j := range ref.fields {
			if f := &ref.fields[j]; f.pending() && s.failedAt(ref, f) {
				return
			}
		}
	}
	s.retries = retries{}
}

// changedAnew reports whether something is pending beside what the last Job failed at, or has changed since.
func (s *state) changedAnew() bool {
	for _, ref := range s.dueRefs() {
		if ref.onlyUnknown() && !ref.lastChange(s.in.Now).IsZero() {
			return true // now, or while it waited for its when
		}
		for i := range ref.fields {
			if f := &ref.fields[i]; f.pending() && !s.failedAt(ref, f) {
				return true
			}
		}
	}
	return false
}

// failedAt reports whether a pending field is so because the last Job, which has failed, ran for it. What that Job did not stand for, as it
// waited for its `when` then, may be unanswered by an older one. Where the Job is gone, the time tells: what is unanswered since before
// the Job was created was not answered by it.
func (s *state) failedAt(ref *reference, f *field) bool {
	if f.baseline != Unknown {
		return false
	}
	if job := s.lastJob(); job != nil && job.Changed != nil {
		return mentions(job.Changed, ref.ObjectReference, f.path)
	}
	return !ref.since(s.in.Now).Add(clockTolerance).Before(s.lastTriggered)
}

// resign takes back that what the last Job failed at is unanswered, also where it waits for its `when` now. What has changed besides stays pending.
func (s *state) resign() {
	for i := range s.refs {
		ref := &s.refs[i]
		if ref.onlyUnknown() && !ref.lastChange(s.in.Now).IsZero() {
			continue
		}
		for j := range ref.fields {
			if f := &ref.fields[j]; f.pending() && s.failedAt(ref, f) {
				f.answer()
			}
		}
	}
}

// failed reports whether the last Job is found to have failed by this decision: status does not say so yet.
func (s *state) failed() bool {
	return s.lastJobStatus == v1alpha.JobFailed && !s.failedAlready()
}

// failedAlready reports whether status says that the last Job failed.
func (s *state) failedAlready() bool {
	return s.stored.LastJobStatus == v1alpha.JobFailed && s.stored.LastJobName == s.lastJobName
}

// retrigger draws the consequence of how the last Job ended, and reports whether that is to be judged anew.
//
// What a failed Job ran for is unanswered again, in the same write that says that it failed, so that whoever decides next finds
// both or neither. One that vanished has not failed. One that Replace deletes may fail while it goes: what it ran for is pending
// already then, and waits for no try.
func (s *state) retrigger() bool {
	if s.lastJobStatus == v1alpha.JobSucceeded {
		tried := s.retrying()
		if tried { // it was deleted, and succeeded while it went
			s.resign()
		}
		s.retries = retries{}
		return tried
	}
	alone := len(s.dueRefs()) == 0
	if !s.unanswerFailed() {
		return false
	}
	if alone {
		s.retries.next = wholeSecond(s.in.Now.Add(retryWait(s.retries.count)))
	} else {
		s.retries = retries{} // a change waits already, and its Job is told of this, too
	}
	return true
}

// unanswerFailed makes unanswered what the last Job ran for, if that is found to have failed and is to be tried again, and reports whether it has.
func (s *state) unanswerFailed() bool {
	job := s.lastJob()
	if !s.failed() || job == nil || !s.retriggers() || s.spec.Undecoded() != nil {
		return false
	}
	return s.retries.count < s.spec.EffectiveRetriggerLimit() && s.unanswer(job.Changed)
}

// unanswer makes the baseline of the named fields unknown, so that they are pending; of all fields where changed is nil. What has
// never been seen, such as a first run may have been for, is left out: its first sight is no change. It reports whether there is any other.
func (s *state) unanswer(changed []Change) (found bool) {
	for i := range s.refs {
		ref := &s.refs[i]
		changedTime, pending := ref.soFar(s.in.Now), ref.pending()
		for j := range ref.fields {
			if f := &ref.fields[j]; f.hash != "" && (changed == nil || mentions(changed, ref.ObjectReference, f.path)) {
				if !pending {
					f.was = f.hash // that it is just back at what the Job ran for is no change
				}
				f.baseline, ref.changedTime, found = Unknown, changedTime, true
			}
		}
	}
	return found
}

// adoptRetry accounts for a Job that is taken over. While a try was due, it counts as that: were it none, the process that ended
// having seen a change as well, one try too few is better than one more after each crash.
func (s *state) adoptRetry() {
	if s.retrying() {
		s.retries = retries{count: min(s.retries.count+1, v1alpha.MaxRetriggerLimit)}
	} else {
		s.retries = retries{}
	}
}

func messageLastJobFailed(name string) string {
	return "Job " + name + " failed, or was deleted before it had ended"
}

// failure says for people that the last Job failed, and whether it is tried again.
func (s *state) failure() string {
	message := messageLastJobFailed(s.lastJobName)
	limit := s.spec.EffectiveRetriggerLimit()
	switch {
	case !s.retriggers():
	case s.retrying():
		// It may wait for something else then, which Progressing says.
		message += fmt.Sprintf("; try %d of %d to run it again is due from %s on", s.retries.count+1, limit, s.retries.next.UTC().Format(time.RFC3339))
	case s.retries.count >= limit:
		message += fmt.Sprintf("; it was the last of %d tries to run it again, and no more follow until something changes", s.retries.count)
	}
	return message
}
