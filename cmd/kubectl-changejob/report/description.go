package report

import (
	"time"

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
	// LastTrigger is the last trigger, as its Job tells of it; absent where there was none, or LastTriggerUnknown says why.
	LastTrigger *Trigger `json:"lastTrigger,omitempty"`
	// LastTriggerUnknown says why nothing is known of the last trigger but what status says.
	LastTriggerUnknown string             `json:"lastTriggerUnknown,omitempty"`
	Resources          []Reference        `json:"resources"`
	Active             []string           `json:"active"`
	Conditions         []metav1.Condition `json:"conditions"`
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
		Active:            []string{},
		Conditions:        append([]metav1.Condition{}, ctj.Status.Conditions...),
	}
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
