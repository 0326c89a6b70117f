package report

import (
	"regexp"
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

// Next is what is known of the next trigger.
type Next struct {
	// Time is when it is due; absent where that depends on more than time.
	Time *metav1.Time `json:"time,omitempty"`
	// NotBefore is the end of a cooldown that has not passed.
	NotBefore *metav1.Time `json:"notBefore,omitempty"`
	// Message says what it waits for.
	Message string `json:"message"`
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
	s.Next = nextOf(ctj, s.State, s.Pending, now)
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

// nextOf says when the next Job is due, or what it waits for.
func nextOf(ctj *v1alpha.ChangeTriggeredJob, state string, pending int, now time.Time) Next {
	next := Next{NotBefore: cooldownEnd(ctj, now)}
	switch state {
	case StateNotObserved, trigger.ReasonFirstLook:
		next.Message = "after the first look at what is watched"
	case trigger.ReasonInvalidSpec:
		next.Message = "when the spec is mended"
	case trigger.ReasonSuspended:
		next.Message = "after resume"
		if pending == 0 {
			next.Message = "when something changes, after resume"
		}
	case trigger.ReasonTriggering:
		at := metav1.NewTime(now)
		next.Time, next.Message = &at, "now"
	case trigger.ReasonCooldown:
		next.Time, next.Message = next.NotBefore, "when the cooldown ends"
	case trigger.ReasonWaitingForAll:
		next.Message = "when the other resources have changed, too"
	case trigger.ReasonWaitingForWhen:
		next.Message = "when what it waits for is true"
	case trigger.ReasonJobRunning:
		next.Message = "when the running Job has ended"
	case trigger.ReasonIdle, trigger.ReasonJobActive:
		next.Message = "when something changes"
	default:
		next.Message, next.Time = waitOf(ctj, pending, now)
	}
	return next
}

// waitOf tells of a wait that has no more to it than what the operator says of it.
func waitOf(ctj *v1alpha.ChangeTriggeredJob, pending int, now time.Time) (message string, end *metav1.Time) {
	progressing := meta.FindStatusCondition(ctj.Status.Conditions, trigger.ConditionProgressing)
	if progressing == nil || progressing.Status != metav1.ConditionTrue {
		return "when something changes", nil
	}
	message = "when something changes"
	if pending > 0 {
		message = "when what it waits for is there"
	}
	switch progressing.Reason {
	case trigger.ReasonJobNotCreated, trigger.ReasonNameTaken, trigger.ReasonJobActive:
		return message, nil // it tells what the API server said, in whose words a time may mean anything
	}
	// The message ends with the time, where there is one.
	times := timestamp.FindAllString(progressing.Message, -1)
	if len(times) == 0 {
		return message, nil
	}
	at, err := time.Parse(time.RFC3339, times[len(times)-1])
	if err != nil || !at.After(now) {
		return message, nil
	}
	if said, known := waits[progressing.Reason]; known {
		return said, &metav1.Time{Time: at}
	}
	return "when what it waits for is there", &metav1.Time{Time: at}
}

// waits says of waits with an end what they wait for.
var waits = map[string]string{
	trigger.ReasonOutsideWindow: "when the next window opens",
	trigger.ReasonSettling:      "when nothing has changed for a while",
	trigger.ReasonRetrying:      "when the last Job is tried again",
}

// timestamp finds times as the operator writes them into conditions.
var timestamp = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// cooldownEnd is when the cooldown ends, or nil where it is over.
func cooldownEnd(ctj *v1alpha.ChangeTriggeredJob, now time.Time) *metav1.Time {
	last := ctj.Status.LastTriggeredTime
	if last == nil {
		return nil
	}
	end := metav1.NewTime(last.Add(ctj.Spec.EffectiveCooldown()))
	if !end.After(now) {
		return nil
	}
	return &end
}
