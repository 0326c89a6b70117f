package trigger

import "github.com/nusnewob/kube-changejob/apis/v1alpha"

// lastJob returns the Job that status.lastJobName names, or nil.
func (s *state) lastJob() *Job {
	for i := range s.jobs {
		if s.jobs[i].Name == s.lastJobName {
			return &s.jobs[i]
		}
	}
	return nil
}

// lastJobUnaccounted reports whether the last Job ran when it was last heard of, and is not among the Jobs. The
// cache may not have it yet, so nothing can be decided before it is read live.
func (s *state) lastJobUnaccounted() bool {
	return s.lastJobName != "" && s.lastJobStatus == v1alpha.JobActive && s.lastJob() == nil && !s.in.LastJobMissing
}

// accountForLastJob says what became of the last Job. One that is deleted unfinished has failed, unless it is us
// who replace it: it counts as active until its successor is. Of one that vanished nothing is known, and
// that is no failure.
func (s *state) accountForLastJob(replacing bool) {
	job := s.lastJob()
	switch {
	case job == nil && s.lastJobStatus == v1alpha.JobActive:
		s.lastJobStatus = ""
	case job == nil: // it ended before it was deleted
	case !job.running():
		s.lastJobStatus = job.Outcome
	case job.Deleting && !replacing:
		s.lastJobStatus = v1alpha.JobFailed
	default:
		s.lastJobStatus = v1alpha.JobActive
	}
}
