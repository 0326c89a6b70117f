package trigger

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// numbered returns the Jobs with the numbers that they count under.
//
// A number above the count moves it, and a user can write annotations: it counts only under the name that it
// gives. The other way round, a Job whose annotation was taken away still tells its number by its name, if it is
// the last one or the next.
func (s *state) numbered(jobs []Job) []Job {
	jobs = slices.Clone(jobs)
	next := JobName(s.in.Name, s.in.UID, s.count+1)
	for i := range jobs {
		job := &jobs[i]
		switch {
		case job.Number > maxNumber, job.Number > max(farthest, s.count+1):
			job.Number = 0
		case job.Number > s.count && job.Name != JobName(s.in.Name, s.in.UID, job.Number):
			job.Number = 0
		case job.Number == 0 && job.Name == next:
			job.Number = s.count + 1
		case job.Number == 0 && job.Name == s.lastJobName:
			job.Number = s.count
		}
	}
	return jobs
}

// newestFirst sorts Jobs by number, those of the same by creation time, the newest first.
func newestFirst(jobs []Job) []Job {
	slices.SortFunc(jobs, func(a, b Job) int {
		return cmp.Or(
			cmp.Compare(b.Number, a.Number),
			b.CreationTimestamp.Compare(a.CreationTimestamp),
			cmp.Compare(b.Name, a.Name),
		)
	})
	return jobs
}

// unrecorded returns the newest Job if status does not know of it, or nil.
//
// A process created the Job of a trigger and ended before it wrote status. Were that trigger judged anew, it
// would be lost in the case that the state went back to the old baseline meanwhile: nothing would be
// pending, and the last Job ran for a state that is no more. So the Job is taken over before anything else
// is thought of, whatever the spec says by now.
func (s *state) unrecorded() *Job {
	if len(s.jobs) > 0 && s.jobs[0].Number > s.count {
		return &s.jobs[0]
	}
	return nil
}

// adopt takes over a Job that status does not know of, as the write that was lost would have.
func (s *state) adopt(job *Job) {
	s.lastFinished = s.finished() // of the Job before
	s.accountForLastJob(false)
	s.tellFailure()
	s.unanswerFailed() // the Job that is taken over does not stand for what waited for its `when`; what it stands for it answers below
	if job.RunNow != "" {
		s.forgetLoops()
	} else if !s.retrying() && !s.firstRun {
		s.countLoops(job.Name, pendingFor(job))
	}
	s.count, s.lastJobName = job.Number, job.Name
	for i := range s.refs {
		if ref := &s.refs[i]; !ref.held() || job.stoodFor(ref.ObjectReference) {
			ref.pendingSince = time.Time{} // the Job has answered what was pending until then
		}
	}
	if job.RunNow != "" {
		s.lastRunNow = runNowKey(job.RunNow)
	}
	s.refusal = nil // the attempt that seemed to fail did not, or another one succeeded
	s.accountForLastJob(false)
	s.lastFinished = s.finished()
	s.lastTriggered = wholeSecond(s.in.Now)
	if !job.CreationTimestamp.IsZero() {
		// The API server cuts the fraction of the second off; the cooldown counts from the next one.
		s.lastTriggered = mendClock(job.CreationTimestamp.Truncate(time.Second).Add(time.Second), s.in.Now)
	}
	message := fmt.Sprintf("Took over Job %s (trigger %d), which had been created before an interruption", job.Name, job.Number)
	if s.readable(job.Hashes) {
		s.answered(job.Hashes)
	} else {
		s.unanswerAll()
		message += "; what it ran for cannot be read, so everything counts as changed since"
	}
	s.firstRun = false
	s.adoptRetry()
	s.retrigger()
	s.events = append(s.events, Normal(EventJobAdopted, message).about(job.Name))
}

// readable reports whether a Job's hashes can be compared with present ones.
func (s *state) readable(hashes []TriggeredHash) bool {
	return hashes != nil && !slices.ContainsFunc(hashes, func(h TriggeredHash) bool { return !madeWith(s.in.HashID, h.Hash) })
}

// answered makes the hashes that a Job ran for the baseline. Fields that it does not mention, because they
// joined the spec since or had not been seen, keep theirs.
func (s *state) answered(hashes []TriggeredHash) {
	ranFor := make(map[fieldKey]string, len(hashes))
	for _, h := range hashes {
		ranFor[fieldKey{h.Reference, h.Field}] = h.Hash
	}
	for i := range s.refs {
		ref := &s.refs[i]
		said := map[string]string{}
		for j := range ref.fields {
			f := &ref.fields[j]
			hash, ok := ranFor[fieldKey{ref.ObjectReference, f.path}]
			if !ok {
				continue
			}
			said[f.path] = hash
			if f.baseline != hash {
				ref.selected.lose() // status describes what another trigger stood for
			}
			f.baseline = hash
			if !f.seen {
				f.hash = hash // newer than what status had
			}
		}
		if len(said) > 0 {
			ref.existed = existenceBy(maps.All(said))
			if !slices.ContainsFunc(ref.fields, func(f field) bool { return f.seen }) {
				ref.exists = ref.existed // which is newer than what status had, too
			}
		}
	}
}

// unanswerAll makes the baseline of every field unknown, so that all are pending. It is not known whether they have changed, and
// so they have.
func (s *state) unanswerAll() {
	for i := range s.refs {
		ref := &s.refs[i]
		ref.changedTime = wholeSecond(s.in.Now)
		for j := range ref.fields {
			ref.fields[j].baseline = Unknown
		}
	}
}

// stoodFor reports whether the Job's trigger stood for the object, as far as that can be read.
func (j *Job) stoodFor(object ObjectReference) bool {
	return j.Hashes == nil || slices.ContainsFunc(j.Hashes, func(h TriggeredHash) bool { return h.Reference == object })
}

// stoodForField reports the same of one field of the object.
func (j *Job) stoodForField(object ObjectReference, path string) bool {
	return j.Hashes == nil || slices.ContainsFunc(j.Hashes, func(h TriggeredHash) bool { return h.Reference == object && h.Field == path })
}

func mentions(changed []Change, object ObjectReference, path string) bool {
	return slices.ContainsFunc(changed, func(c Change) bool {
		return c.ObjectReference == object && slices.Contains(c.Fields, path)
	})
}

// Running reports whether the Job has neither completed nor failed; one whose deletion has begun runs until
// it is gone.
func (j *Job) Running() bool {
	return j.Outcome != v1alpha.JobSucceeded && j.Outcome != v1alpha.JobFailed
}
