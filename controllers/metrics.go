package controllers

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/metrics"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// triggerReasons are why a trigger happens.
var triggerReasons = []string{string(trigger.ReasonChange), string(trigger.ReasonFirstRun), string(trigger.ReasonRetry), string(trigger.ReasonRunNow)}

// askedReasons are for what a pending change waits because its ChangeTriggeredJob asks for it.
var askedReasons = slices.Concat(trigger.Skips, []string{trigger.ReasonRetrying, trigger.ReasonLoopSuspected})

// degradedReasons are why a ChangeTriggeredJob can need attention.
var degradedReasons = []string{
	trigger.ReasonInvalidSpec, trigger.ReasonForbidden, trigger.ReasonKindNotServed, trigger.ReasonTooManyObjects, trigger.ReasonNotSynced,
	trigger.ReasonJobNotCreated, trigger.ReasonNameTaken, trigger.ReasonLoopSuspected, trigger.ReasonLastJobFailed,
}

// What can become of a write of status, and of a request to create a Job.
const (
	statusWritten  = "written"
	statusConflict = "conflict"
	statusRefused  = "refused"

	jobCreated = "created"
	jobExists  = "exists"
	jobInvalid = "invalid"
	jobRefused = "refused"

	requestFailed = "failed"
)

// outcomeUnknown is the outcome of a Job whose end was not seen.
const outcomeUnknown = "Unknown"

var (
	triggersTotal = metrics.NewCounters("changejob_triggers_total",
		"Jobs that were created, by why.",
		metrics.Label{Name: "reason", Values: triggerReasons, Open: true})
	triggerDuration = metrics.NewHistograms("changejob_trigger_duration_seconds",
		"Time from when a change was seen until its Job was created, in seconds; of several changes that one Job stands for, that of the first. "+
			"waited is true where the ChangeTriggeredJob asked for a wait: by its cooldown, condition All, when, suspend, windows, settle, onFailure, onLoop or "+
			"concurrencyPolicy.",
		[]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600},
		metrics.Label{Name: "waited", Values: []string{"false", "true"}})
	jobOutcomes = metrics.NewCounters("changejob_job_outcomes_total",
		"Jobs that have ended, by how. Unknown are those that were gone before their end was seen: deleted, or replaced. Of more than 50 that run at a "+
			"time for one ChangeTriggeredJob, the oldest are left out where they end while no operator runs.",
		metrics.Label{Name: "outcome", Values: []string{string(v1alpha.JobSucceeded), string(v1alpha.JobFailed), outcomeUnknown}})
	jobsAdopted = metrics.NewCounter("changejob_jobs_adopted_total",
		"Jobs that were created before an interruption, and taken over after it.")
	jobRequests = metrics.NewCounters("changejob_job_requests_total",
		"Requests to create a Job, by what became of them. refused are those that a quota, a policy or missing rights stood against, invalid those "+
			"that the API server takes for no Job; exists: a Job of that name was there; failed: no answer came.",
		metrics.Label{Name: "result", Values: []string{jobCreated, jobExists, jobRefused, jobInvalid, requestFailed}})
	deletionsFailed = metrics.NewCounter("changejob_job_deletions_failed_total",
		"Jobs that could not be deleted when history or a replacement asked for it; each try counts.")
	statusWrites = metrics.NewCounters("changejob_status_writes_total",
		"Writes of status, by what became of them. conflict: the ChangeTriggeredJob had changed, and is decided on anew; refused: the API server "+
			"does not take the status; failed: no answer came, or another error.",
		metrics.Label{Name: "result", Values: []string{statusWritten, statusConflict, statusRefused, requestFailed}})
	baselinesLost = metrics.NewCounter("changejob_baselines_lost_total",
		"ChangeTriggeredJobs whose hashes in status could not be compared, since they were made with another key or by another release: what was not "+
			"pending took its present state as the new baseline.")
	pendingForgotten = metrics.NewCounter("changejob_pending_forgotten_total",
		"Times that references of a ChangeTriggeredJob were pending for longer than its pendingDeadline, and were forgotten.")

	buildInfo = metrics.Describe(metrics.Definition{Name: "changejob_build_info", Type: metrics.Gauge,
		Help:   "1, for the version that runs.",
		Labels: []metrics.Label{{Name: "version", Free: "the release"}, {Name: "goversion", Free: "the release of Go it was built with"}}})
	leadingGauge = metrics.Describe(metrics.Definition{Name: "changejob_leading", Type: metrics.Gauge,
		Help: "1 where the process leads, or need not ask who does; else 0."})
	knownGauge = metrics.Describe(metrics.Definition{Name: "changejob_changetriggeredjobs", Type: metrics.Gauge, Leader: true,
		Help: "ChangeTriggeredJobs that there are."})
	pendingGauge = metrics.Describe(metrics.Definition{Name: "changejob_pending", Type: metrics.Gauge, Leader: true,
		Help:   "ChangeTriggeredJobs for which something is pending, by what it waits for: the reason of their condition Progressing.",
		Labels: []metrics.Label{{Name: "reason", Values: trigger.Waits, Open: true}}})
	degradedGauge = metrics.Describe(metrics.Definition{Name: "changejob_degraded", Type: metrics.Gauge, Leader: true,
		Help:   "ChangeTriggeredJobs that need attention, by the reason of their condition Degraded.",
		Labels: []metrics.Label{{Name: "reason", Values: degradedReasons, Open: true}}})
)

// pendingReason says for what something pending waits, by the condition Progressing; it is empty where nothing is pending.
func pendingReason(status *v1alpha.ChangeTriggeredJobStatus) string {
	c := meta.FindStatusCondition(status.Conditions, trigger.ConditionProgressing)
	if c == nil || c.Status != metav1.ConditionTrue || c.Reason == trigger.ReasonJobActive {
		return ""
	}
	return known(c.Reason, trigger.Waits)
}

// degradedReason says why a ChangeTriggeredJob needs attention; it is empty where it needs none.
func degradedReason(status *v1alpha.ChangeTriggeredJobStatus) string {
	c := meta.FindStatusCondition(status.Conditions, trigger.ConditionDegraded)
	if c == nil || c.Status != metav1.ConditionTrue {
		return ""
	}
	return known(c.Reason, degradedReasons)
}

// known bounds what may become the value of a label: who may write status can write anything there.
func known(reason string, reasons []string) string {
	if slices.Contains(reasons, reason) {
		return reason
	}
	return metrics.Other
}
