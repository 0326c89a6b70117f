package controllers

import (
	"slices"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// countOutcomes counts the Jobs that were active by the status that was stored, and are not by the one that was written in its place;
// and the last Job, where it had ended when it was first seen. So each counts once, whatever is restarted in between.
func countOutcomes(before, after *v1alpha.ChangeTriggeredJobStatus, jobs []trigger.Job) {
	for _, outcome := range outcomes(before, after, jobs) {
		jobOutcomes.Of(string(outcome)).Inc()
	}
}

// outcomes returns the Jobs whose end shows between two statuses, and how each ended.
func outcomes(before, after *v1alpha.ChangeTriggeredJobStatus, jobs []trigger.Job) map[string]v1alpha.JobStatus {
	ended := map[string]v1alpha.JobStatus{}
	for _, was := range before.Active {
		i := slices.IndexFunc(jobs, func(j trigger.Job) bool { return j.Name == was.Name })
		switch {
		case slices.Contains(after.Active, was):
		case i < 0:
			ended[was.Name] = outcomeUnknown
		case !jobs[i].Running(): // else it runs, and others that run are newer than what status has room for
			ended[was.Name] = jobs[i].Outcome
		}
	}
	last := after.LastJobStatus == v1alpha.JobSucceeded || after.LastJobStatus == v1alpha.JobFailed
	if _, counted := ended[after.LastJobName]; last && (counted || after.LastJobName != before.LastJobName) {
		ended[after.LastJobName] = after.LastJobStatus // of one that was deleted unfinished, status says that it failed
	}
	return ended
}
