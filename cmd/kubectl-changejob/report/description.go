package report

import (
	"time"
	"unicode/utf8"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// Descriptions is what `describe` tells.
type Descriptions struct {
	Items []Description `json:"items"`
}

// Description is all that is known of a ChangeTriggeredJob.
type Description struct {
	Summary           `json:",inline"`
	ConcurrencyPolicy v1alpha.ConcurrencyPolicy `json:"concurrencyPolicy"`
	History           int                       `json:"history"`
	// Settle and PendingDeadline are absent where the spec has none.
	Settle          string                  `json:"settle,omitempty"`
	PendingDeadline string                  `json:"pendingDeadline,omitempty"`
	Windows         []v1alpha.TriggerWindow `json:"windows"`
	// Retry tells of onFailure Retrigger; absent where the spec has it not.
	Retry *Retry `json:"retry,omitempty"`
	// FirstRunPending is true where runOnCreate owes a Job.
	FirstRunPending bool `json:"firstRunPending"`
	// LastTrigger is the last trigger, as its Job tells of it; absent where there was none, or LastTriggerUnknown says why.
	LastTrigger *Trigger `json:"lastTrigger,omitempty"`
	// LastTriggerUnknown says why nothing is known of the last trigger but what status says.
	LastTriggerUnknown string      `json:"lastTriggerUnknown,omitempty"`
	Resources          []Reference `json:"resources"`
	// RunNowPending is true where a Job was asked for, and the operator has not answered yet.
	RunNowPending bool               `json:"runNowPending"`
	Active        []string           `json:"active"`
	Conditions    []metav1.Condition `json:"conditions"`
}

// Retry says how far the retries of a failed Job have come.
type Retry struct {
	Limit    int32        `json:"limit"`
	Count    int32        `json:"count"`
	NextTime *metav1.Time `json:"nextTime,omitempty"`
}

// What is said where the last Job cannot tell of its trigger.
const (
	lastJobGone     = "its Job is gone, and with it what it ran for"
	lastJobNotShown = "you may not list the Jobs of this namespace"
)

// DescriptionOf tells all of a ChangeTriggeredJob. jobs are the Jobs of its namespace that bear its name in their label;
// mayListJobs is false where the user may not see them.
func DescriptionOf(ctj *v1alpha.ChangeTriggeredJob, jobs []batchv1.Job, mayListJobs bool, now time.Time) Description {
	d := Description{
		Summary:           SummaryOf(ctj, now),
		ConcurrencyPolicy: ctj.Spec.EffectiveConcurrencyPolicy(),
		History:           ctj.Spec.EffectiveHistory(),
		Resources:         ReferencesOf(ctj),
		RunNowPending:     runNowPending(ctj),
		Active:            []string{},
		Conditions:        append([]metav1.Condition{}, ctj.Status.Conditions...),
	}
	d.addTimes(ctj)
	for _, active := range ctj.Status.Active {
		d.Active = append(d.Active, active.Name)
	}
	if ctj.Status.TriggerCount == 0 && ctj.Status.LastJobName == "" {
		return d
	}
	for _, t := range HistoryOf(ctj, jobs, now).Triggers {
		if t.Job == ctj.Status.LastJobName {
			d.LastTrigger = &t
			return d
		}
	}
	d.LastTriggerUnknown = lastJobGone
	if !mayListJobs {
		d.LastTriggerUnknown = lastJobNotShown
	}
	return d
}

// addTimes tells when and how often the spec has Jobs run.
func (d *Description) addTimes(ctj *v1alpha.ChangeTriggeredJob) {
	d.Windows = append([]v1alpha.TriggerWindow{}, ctj.Spec.Windows...)
	d.FirstRunPending = ctj.Status.FirstRunPending
	if settle := ctj.Spec.EffectiveSettle(); settle > 0 {
		d.Settle = settle.String()
	}
	if deadline := ctj.Spec.EffectivePendingDeadline(); deadline > 0 {
		d.PendingDeadline = deadline.String()
	}
	if ctj.Spec.EffectiveOnFailure() == v1alpha.RetriggerOnFailure {
		d.Retry = &Retry{Limit: ctj.Spec.EffectiveRetriggerLimit()}
		if retry := ctj.Status.Retry; retry != nil {
			d.Retry.Count, d.Retry.NextTime = retry.Count, retry.NextTime
		}
	}
}

// runNowPending reports whether a Job was asked for that there is no answer to yet. A value that is too long is answered by
// another text.
func runNowPending(ctj *v1alpha.ChangeTriggeredJob) bool {
	asked := ctj.Annotations[v1alpha.RunNowAnnotation]
	return asked != "" && utf8.RuneCountInString(asked) <= v1alpha.MaxRunNowLength && asked != ctj.Status.LastRunNow
}
