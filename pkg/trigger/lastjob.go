package trigger

import (
	"slices"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// lastJob returns the Job that status.lastJobName names, or nil.
func (s *state) lastJob() *Job {
	for i := range s.jobs {
		if s.jobs[i].Name == s.lastJobName {
			return &s.jobs[i]
		}
	}
	return nil
}

// unaccounted returns the names of the Jobs that ran when status was written, and are not among the Jobs. The cache
// may not have them yet, or have lost them with their label, so nothing can be decided before they are read live.
func (s *state) unaccounted() []string {
	ran := make([]string, 0, len(s.stored.Active)+1)
	if s.lastJobStatus == v1alpha.JobActive {
		ran = append(ran, s.lastJobName)
	}
	for _, job := range s.stored.Active {
		ran = append(ran, job.Name)
	}
	var unknown []string
	for _, name := range ran {
		known := name == "" || slices.Contains(s.in.MissingJobs, name) || slices.Contains(unknown, name) ||
			slices.ContainsFunc(s.jobs, func(j Job) bool { return j.Name == name })
		if !known {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// accountForLastJob says what became of the last Job. One that is deleted unfinished has failed, unless it is us
// who replace it: it counts as active until its successor is. Where status cannot tell, it is us if a Job is due that would replace it. Of
// one that vanished nothing is known, and that is no failure.
func (s *state) accountForLastJob(replacing bool) {
	job := s.lastJob()
	switch {
	case job == nil && s.lastJobStatus == v1alpha.JobActive:
		s.lastJobStatus = ""
	case job == nil: // it ended before it was deleted
	case !job.Running():
		s.lastJobStatus = job.Outcome
	case job.Deleting && s.failedAlready(): // and what it ran for may be unanswered for that
		s.lastJobStatus = v1alpha.JobFailed
	case job.Deleting && !s.replaced(job, replacing):
		s.lastJobStatus = v1alpha.JobFailed
	default:
		s.lastJobStatus = v1alpha.JobActive
	}
}

// tellFailure tells of a failure that is found by the very decision after which another Job is the last one: no status will say
// of this one that it failed, so that no transition tells of it.
func (s *state) tellFailure() {
	if s.failed() {
		s.events = append(s.events, Warning(ReasonLastJobFailed, messageLastJobFailed(s.lastJobName)).about(s.lastJobName))
	}
}

// replaced reports whether status says that what the Job ran for is unanswered again: then it is us who delete it,
// whatever else has come in between, an edit or a restart. What the Job did not stand for, as a first run does not for what it has never seen, tells
// nothing. unknown is the answer where nothing that it ran for tells, because it has left the spec.
func (s *state) replaced(job *Job, unknown bool) bool {
	found := false
	for i := range s.refs {
		ref := &s.refs[i]
		for j := range ref.fields {
			f := &ref.fields[j]
			if job.Changed != nil && !mentions(job.Changed, ref.ObjectReference, f.path) {
				continue
			}
			switch {
			case f.baseline == Unknown:
				found = true
			case f.hash != "" && job.stoodForField(ref.ObjectReference, f.path):
				return false
			}
		}
	}
	switch {
	case found, s.askedAgain(job):
		return true
	case job.RunNow != "" && runNowKey(job.RunNow) == s.lastRunNow:
		return false
	default:
		return unknown
	}
}
