package controllers

import (
	"slices"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// countOutcomes counts the Jobs that were active by the status that was stored, and are not by the one that was written in its place;
// and the last Job, where it had ended when it was first seen. So each that status has had room for counts once, whatever is restarted in
// between; of the others, see countUnlisted.
func countOutcomes(before, after *v1alpha.ChangeTriggeredJobStatus, jobs []trigger.Job) {
	for _, outcome := range outcomes(before, after, jobs) {
		jobOutcomes.Of(string(outcome)).Inc()
	}
}

// outcomes returns the Jobs whose end shows between two statuses, and how each ended.
func outcomes(before, after *v1alpha.ChangeTriggeredJobStatus, jobs []trigger.Job) map[string]v1alpha.JobStatus {
	ended := map[string]v1alpha.JobStatus{}
	for _, was := range before.Active {
		if slices.Contains(after.Active, was) {
			continue
		}
		// One that runs has made room in status for newer ones.
		if outcome := outcomeOf(was.Name, jobs); outcome != v1alpha.JobActive {
			ended[was.Name] = outcome
		}
	}
	last := after.LastJobStatus == v1alpha.JobSucceeded || after.LastJobStatus == v1alpha.JobFailed
	if _, counted := ended[after.LastJobName]; last && (counted || after.LastJobName != before.LastJobName) {
		ended[after.LastJobName] = after.LastJobStatus // of one that was deleted unfinished, status says that it failed
	}
	return ended
}

// outcomeOf is how a Job that ran has ended; Active while it runs.
func outcomeOf(name string, jobs []trigger.Job) v1alpha.JobStatus {
	i := slices.IndexFunc(jobs, func(j trigger.Job) bool { return j.Name == name })
	switch {
	case i < 0:
		return outcomeUnknown
	case jobs[i].Running():
		return v1alpha.JobActive
	default:
		return jobs[i].Outcome
	}
}

// countUnlisted counts the Jobs that have ended of those that ran while status had no room for them.
func (r *record) countUnlisted(status *v1alpha.ChangeTriggeredJobStatus, jobs []trigger.Job) {
	for _, outcome := range r.unlistedOutcomes(status, jobs) {
		jobOutcomes.Of(string(outcome)).Inc()
	}
}

// unlistedOutcomes returns how each of those has ended, and remembers which run unlisted by this status. This is not in status, so that
// a restart forgets them: which of them ended before it is over is not known then.
func (r *record) unlistedOutcomes(status *v1alpha.ChangeTriggeredJobStatus, jobs []trigger.Job) map[string]v1alpha.JobStatus {
	var ended map[string]v1alpha.JobStatus
	for _, name := range r.unlisted {
		if outcome := outcomeOf(name, jobs); outcome != v1alpha.JobActive {
			if ended == nil {
				ended = map[string]v1alpha.JobStatus{}
			}
			ended[name] = outcome
		}
	}
	r.unlisted = nil
	if len(status.Active) < v1alpha.MaxActive {
		return ended // it has room for all
	}
	for i := range jobs {
		if jobs[i].Running() && !slices.Contains(status.Active, v1alpha.JobReference{Name: jobs[i].Name}) {
			r.unlisted = append(r.unlisted, jobs[i].Name)
		}
	}
	return ended
}
