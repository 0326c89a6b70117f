package trigger

import (
	"crypto/sha256"
	"encoding/hex"
	"unicode/utf8"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// A Job that is asked for by annotation is a trigger like any other: it has the next number, stands for the whole state,
// and begins a cooldown. It waits for no change, no cooldown and no condition; concurrencyPolicy holds for it.

const (
	whatRunNow              = "A Job was asked for by the annotation " + v1alpha.RunNowAnnotation
	messageRunNowSuspended  = "The annotation " + v1alpha.RunNowAnnotation + " asks for a Job, but the ChangeTriggeredJob is suspended: resume it, or set " + v1alpha.RunNowForceAnnotation + " to the same value, and then both to a new one"
	messageRunNowTooLong    = "The value of the annotation " + v1alpha.RunNowAnnotation + " is longer than 128 characters: no Job runs for it"
	messageRunNowFirstSight = "The annotation " + v1alpha.RunNowAnnotation + " was there when this ChangeTriggeredJob was seen first: no Job runs for it, but for the next value"
)

// runNowKey is what status remembers of a value: the value, or a hash of one that is too long for status.
func runNowKey(value string) string {
	if utf8.RuneCountInString(value) <= v1alpha.MaxRunNowLength {
		return value
	}
	sum := sha256.Sum256([]byte(value))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// isFirstSight reports whether nothing was ever written of the ChangeTriggeredJob, or nothing that can be read.
func (s *state) isFirstSight() bool {
	return s.stored.ObservedGeneration == 0 && s.stored.TriggerCount == 0 && s.stored.LastRunNow == ""
}

// answeredRunNow returns the value that was answered last.
//
// A ChangeTriggeredJob whose status was never written may be a copy, or restored from a backup: what it asks for was asked of
// another one. So the value that it is first seen with counts as answered, and a later one does not, be it written before
// status is. A process that ends in between takes what it said with it; the next one believes the later value to be the first.
func (s *state) answeredRunNow() string {
	if s.isFirstSight() {
		return runNowKey(s.in.FirstRunNow)
	}
	return s.stored.LastRunNow
}

// runNowAsked reports whether a Job is asked for that none was made for yet, and no refusal was.
func (s *state) runNowAsked() bool {
	return s.in.RunNow != "" && runNowKey(s.in.RunNow) != s.lastRunNow
}

// runNowRefusal says why what is asked for is refused; empty where it is not.
func (s *state) runNowRefusal() string {
	switch {
	case runNowKey(s.in.RunNow) != s.in.RunNow:
		return messageRunNowTooLong
	case s.spec.Suspended() && s.in.RunNowForce != s.in.RunNow:
		return messageRunNowSuspended
	default:
		return ""
	}
}

// runNowWanted reports whether a Job is to run because it is asked for. With an invalid spec it waits until that is mended.
func (s *state) runNowWanted() bool {
	return s.runNowAsked() && s.runNowRefusal() == ""
}

// refuseRunNow answers what is asked for without a Job, where it is to be refused: it must not run at a later time, when
// nobody thinks of it any more. Nothing is refused while the spec is invalid, of which suspend may be a part.
func (s *state) refuseRunNow() {
	if s.isFirstSight() && s.in.FirstRunNow != "" {
		s.events = append(s.events, Normal(EventRunNowRefused, messageRunNowFirstSight))
	}
	if s.in.Invalid != "" || !s.runNowAsked() {
		return
	}
	if job := s.lastJob(); job != nil && job.Deleting && job.Running() && s.askedAgain(job) {
		return // not before it is gone: nothing else may tell that it is replaced
	}
	if why := s.runNowRefusal(); why != "" {
		s.lastRunNow = runNowKey(s.in.RunNow)
		s.events = append(s.events, Warning(EventRunNowRefused, why))
	}
}

// awaitsLook reports whether some reference has no view yet, and it is too early to say so. The Job that is asked for is to
// stand for the present state, so it waits that long: a moment after a start, and never more than the 30 seconds
// after which a reference is said to be out of sync.
func (s *state) awaitsLook() bool {
	return s.anyRef(func(ref *reference) bool { return ref.unseen && ref.shownAt.After(s.in.Now) })
}

// answerRunNow marks what is asked for as answered by the Job that is made now, and returns its value; empty where nothing is
// asked for. Whatever made the Job due, it stands for the whole state, so that no second one need follow.
func (s *state) answerRunNow() string {
	if !s.runNowWanted() {
		return ""
	}
	s.lastRunNow = s.in.RunNow
	return s.in.RunNow
}

// askedAgain reports whether status says that the answer which a Job gave was taken back.
func (s *state) askedAgain(job *Job) bool { return job.RunNow != "" && s.lastRunNow == "" }

// askAgain takes back the answer that a Job gave, which is to be deleted before it has ended.
func (s *state) askAgain(job *Job) {
	if job.RunNow != "" && job.RunNow == s.lastRunNow {
		s.lastRunNow = ""
	}
}
