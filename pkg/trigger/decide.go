package trigger

import (
	"slices"
	"time"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// atOnce is the wait before the next decision where there is something to decide already.
const atOnce = time.Nanosecond

// Decide says what is to be done.
func Decide(in Input) Decision {
	if in.Deleting {
		return Decision{} // the garbage collector takes the Jobs
	}
	s := recall(in)
	if job := s.unrecorded(); job != nil {
		s.adopt(job)
		return s.conclude(Decision{Adopted: s.count, RequeueAfter: atOnce}, s.judge())
	}
	if unknown := s.unaccounted(); len(unknown) > 0 {
		return Decision{ReadJobs: unknown}
	}

	s.reviewRetries()
	s.lastFinished = s.finished()
	s.reviewLoops()
	s.refuseRunNow()
	verdict := s.judge()
	s.accountForLastJob(verdict.replace)
	if s.retrigger() {
		verdict = s.judge()
	}
	if s.forgets(verdict) {
		s.forget()
		s.reviewLoops() // what is forgotten is pending no more
	}
	var d Decision
	switch {
	case verdict.due:
		s.tellFailure() // status will speak of the next Job
		d.Create = s.trigger()
	case verdict.replace:
		d.Delete = s.replace()
	}
	d.Delete = append(d.Delete, s.outdated()...)
	return s.conclude(d, s.judge())
}

// state is what a decision works on: what is known at first, and what is to be said of it in the end.
type state struct {
	in Input
	// stored is what status says, as far as it can be read; never nil.
	stored *v1alpha.ChangeTriggeredJobStatus
	spec   *v1alpha.ChangeTriggeredJobSpec

	refs []reference
	// jobs are newest first, by number; those without a number last.
	jobs []Job
	// refusal is the last failed attempt, until there is another one.
	refusal *Refusal

	// persisted is the count that status has; count is the one that it is to have.
	persisted     int64
	count         int64
	lastTriggered time.Time // zero where nothing was triggered yet
	lastJobName   string
	lastJobStatus v1alpha.JobStatus
	lastFinished  time.Time // of the last Job; zero while it runs
	active        []string
	// firstRun is true while the Job that runOnCreate asks for has yet to be created.
	firstRun bool
	retries  retries
	// lastRunNow is the value of the annotation that was answered last; see runNowKey.
	lastRunNow string

	events []Event
}

// recall puts together what status remembers and what is seen now.
func recall(in Input) *state {
	s := &state{in: in, stored: in.Status, spec: in.Spec, refusal: in.Refusal}
	if s.stored == nil || s.stored.Undecoded() != nil {
		// What cannot be read is taken for nothing: the first look takes the baseline, and Jobs of ours
		// bring back the number and what they ran for (rule 0).
		s.stored = &v1alpha.ChangeTriggeredJobStatus{}
	}
	if s.spec == nil {
		s.spec = &v1alpha.ChangeTriggeredJobSpec{}
	}
	s.persisted = min(max(s.stored.TriggerCount, 0), maxNumber)
	s.count = s.persisted
	s.firstRun = s.awaitsFirstRun()
	s.retries = keptRetries(s.stored.Retry, in.Now)
	s.lastJobName, s.lastJobStatus = s.stored.LastJobName, s.stored.LastJobStatus
	s.lastRunNow = s.answeredRunNow()
	if s.stored.LastTriggeredTime != nil {
		s.lastTriggered = mendClock(s.stored.LastTriggeredTime.Time, in.Now)
	}
	s.jobs = newestFirst(s.numbered(in.Jobs))
	for i := range s.jobs {
		if s.jobs[i].Running() {
			s.active = append(s.active, s.jobs[i].Name)
		}
	}
	s.active = append(s.active, s.unaccounted()...) // lest a status that is written first forgets them
	var incomparable bool
	if s.refs, incomparable = references(in, s.stored); incomparable {
		s.events = append(s.events, Warning(EventUnknownHashes, messageUnknownHashes))
	}
	s.recallLoops()
	return s
}

// trigger makes the next Job, and every last known state the baseline: the Job stands for all of them,
// whichever of them it was that changed, but for those that wait for their `when`.
func (s *state) trigger() *Creation {
	occasion, _ := s.occasion()
	runNow := s.answerRunNow()
	if runNow != "" {
		occasion.reason = ReasonRunNow
	}
	creation := &Creation{
		Number: s.count + 1, Reason: occasion.reason, RunNow: runNow,
		Changed: s.changed(occasion), Selected: s.selectedChanges(occasion),
	}
	switch occasion.reason {
	case ReasonRunNow:
		s.forgetLoops()
	case ReasonChange:
		s.countLoops("", s.pendingNow)
	}
	creation.Name = JobName(s.in.Name, s.in.UID, creation.Number)
	for i := range s.refs {
		ref := &s.refs[i]
		if ref.held() {
			continue // the Job does not stand for it
		}
		ref.pendingSince = time.Time{}
		for j := range ref.fields {
			f := &ref.fields[j]
			f.answer()
			if madeWith(s.in.HashID, f.hash) {
				creation.Hashes = append(creation.Hashes, TriggeredHash{Reference: ref.ObjectReference, Field: f.path, Hash: f.hash})
			}
		}
	}
	s.count, s.lastJobName, s.lastJobStatus = creation.Number, creation.Name, v1alpha.JobActive
	s.lastTriggered, s.lastFinished = wholeSecond(s.in.Now), time.Time{}
	s.active = append([]string{creation.Name}, s.active...)
	s.refusal = nil
	s.firstRun = false
	if occasion.reason == ReasonRetry {
		s.retries = retries{count: s.retries.count + 1}
	} else {
		s.retries = retries{}
	}
	s.events = append(s.events, Normal(EventJobCreated, messageJobCreated(creation)).about(creation.Name))
	return creation
}

// conclude completes a decision: the status that it leads to, whether that is to be written now, and when
// to decide again without any news.
func (s *state) conclude(d Decision, v verdict) Decision {
	next := s.status(v)
	wake := soonest{now: s.in.Now}
	if !alike(s.stored, next) { // there is something to write
		if at := s.writeAt(next); at.After(s.in.Now) {
			wake.at(at)
			if s.spec.EffectiveSettle() > 0 || s.anyRef((*reference).countsInPart) {
				d.Deferred = s.putOff(next)
			}
		} else {
			d.Status, d.Events = next, slices.Concat(s.events, transitions(s.stored, next))
			if !v.replace { // else the event of the replacement tells of the wait
				d.Events = append(d.Events, skips(s.stored, next)...)
			}
		}
	}
	d.Marks = s.marks()
	if d.RequeueAfter == 0 {
		wake.at(v.until)
		for i := range s.refs {
			wake.at(s.refs[i].shownAt)
		}
		wake.at(v.closes)
		for _, ref := range s.pending() {
			end := s.forgottenAt(ref)
			if d.Create != nil && !end.IsZero() && !end.After(s.in.Now) {
				end = s.in.Now.Add(atOnce) // it waited in vain, and for the sake of others that were due nothing was forgotten
			}
			wake.at(end)
		}
		wake.at(s.loopOver())
		d.RequeueAfter = wake.after
	}
	if !v.due {
		d.Skip = v.message
	}
	return d
}

// soonest is the shortest of several waits; zero where there is none.
type soonest struct {
	now   time.Time
	after time.Duration
}

func (s *soonest) at(t time.Time) {
	if wait := t.Sub(s.now); wait > 0 && (s.after == 0 || wait < s.after) {
		s.after = wait
	}
}
