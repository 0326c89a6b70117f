package report

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// StateNotObserved is the state of a ChangeTriggeredJob that no operator has looked at. The other states are the reasons of
// the conditions.
const StateNotObserved = "NotObserved"

// List is what `list` tells.
type List struct {
	Items []Summary `json:"items"`
}

// Summary is a ChangeTriggeredJob in a line.
type Summary struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// State is the reason of the condition that says most.
	State string `json:"state"`
	// Message is that condition's message.
	Message string `json:"message,omitempty"`
	// Degraded is true where something needs attention.
	Degraded bool `json:"degraded"`
	// Outdated is true where status does not speak of the present spec.
	Outdated   bool                     `json:"outdated"`
	Condition  v1alpha.TriggerCondition `json:"condition"`
	Cooldown   string                   `json:"cooldown"`
	Suspended  bool                     `json:"suspended"`
	References int                      `json:"references"`
	// Pending is how many of the references are pending.
	Pending           int               `json:"pending"`
	TriggerCount      int64             `json:"triggerCount"`
	LastTriggeredTime *metav1.Time      `json:"lastTriggeredTime,omitempty"`
	LastJobName       string            `json:"lastJobName,omitempty"`
	LastJobStatus     v1alpha.JobStatus `json:"lastJobStatus,omitempty"`
	Next              Next              `json:"next"`
	CreationTimestamp metav1.Time       `json:"creationTimestamp"`
}

// ListOf sums up ChangeTriggeredJobs.
func ListOf(ctjs []v1alpha.ChangeTriggeredJob, now time.Time) List {
	list := List{Items: make([]Summary, 0, len(ctjs))}
	for i := range ctjs {
		list.Items = append(list.Items, SummaryOf(&ctjs[i], now))
	}
	return list
}

// SummaryOf sums up a ChangeTriggeredJob.
func SummaryOf(ctj *v1alpha.ChangeTriggeredJob, now time.Time) Summary {
	status := &ctj.Status
	references := ReferencesOf(ctj)
	s := Summary{
		Namespace:         ctj.Namespace,
		Name:              ctj.Name,
		Outdated:          status.ObservedGeneration < ctj.Generation,
		Condition:         ctj.Spec.EffectiveCondition(),
		Cooldown:          ctj.Spec.EffectiveCooldown().String(),
		Suspended:         ctj.Spec.Suspended(),
		References:        len(references),
		Pending:           len(PendingOf(references)),
		TriggerCount:      status.TriggerCount,
		LastTriggeredTime: status.LastTriggeredTime,
		LastJobName:       status.LastJobName,
		LastJobStatus:     status.LastJobStatus,
		CreationTimestamp: ctj.CreationTimestamp,
	}
	s.State, s.Message, s.Degraded = stateOf(ctj)
	s.Next = nextOf(ctj, now)
	return s
}

// stateOf says the most important of what the conditions say: what hinders, then what waits, and else that all is well.
// That the last Job failed hinders nothing, and is told beside it.
func stateOf(ctj *v1alpha.ChangeTriggeredJob) (state, message string, degraded bool) {
	available := meta.FindStatusCondition(ctj.Status.Conditions, trigger.ConditionAvailable)
	progressing := meta.FindStatusCondition(ctj.Status.Conditions, trigger.ConditionProgressing)
	bad := meta.FindStatusCondition(ctj.Status.Conditions, trigger.ConditionDegraded)
	degraded = bad != nil && bad.Status == metav1.ConditionTrue
	switch {
	case degraded && bad.Reason != trigger.ReasonLastJobFailed:
		return bad.Reason, bad.Message, true
	case progressing == nil || available == nil:
		return StateNotObserved, "no operator has looked at it yet", degraded
	case available.Status == metav1.ConditionUnknown:
		return available.Reason, available.Message, degraded
	case ctj.Spec.Suspended() && (progressing.Status != metav1.ConditionTrue || progressing.Reason == trigger.ReasonSuspended):
		return trigger.ReasonSuspended, progressing.Message, degraded
	default:
		return progressing.Reason, progressing.Message, degraded
	}
}
