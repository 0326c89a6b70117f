package report

import (
	"cmp"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// History is what `history` tells: the triggers whose Jobs are still there.
type History struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// TriggerCount is the number of the last trigger; those that are not listed have no Job any more.
	TriggerCount int64 `json:"triggerCount"`
	// Triggers are those whose Jobs are there, the last one first.
	Triggers []Trigger `json:"triggers"`
}

// Trigger is a trigger, as its Job tells of it.
type Trigger struct {
	// Number is absent where the Job does not say it in a way that can be believed.
	Number  int64          `json:"number,omitempty"`
	Reason  trigger.Reason `json:"reason,omitempty"`
	Time    metav1.Time    `json:"time"`
	Job     string         `json:"job"`
	Outcome string         `json:"outcome"`
	// DurationSeconds is how long the Job ran, or has run; absent where it has not started.
	DurationSeconds *int64 `json:"durationSeconds,omitempty"`
	// Changed are the objects and fields that had changed, never values.
	Changed       []job.Change `json:"changed"`
	OmittedFields int          `json:"omittedFields,omitempty"`
	// ChangedUnknown is true where the Job does not tell what changed in a way that can be read.
	ChangedUnknown bool `json:"changedUnknown,omitempty"`
}

// HistoryOf tells of the triggers of a ChangeTriggeredJob. Jobs that are not its own are left out.
func HistoryOf(ctj *v1alpha.ChangeTriggeredJob, jobs []batchv1.Job, now time.Time) History {
	h := History{Namespace: ctj.Namespace, Name: ctj.Name, TriggerCount: ctj.Status.TriggerCount, Triggers: []Trigger{}}
	for i := range jobs {
		if job.Owned(&jobs[i], ctj.UID) {
			h.Triggers = append(h.Triggers, triggerOf(ctj, &jobs[i], now))
		}
	}
	slices.SortStableFunc(h.Triggers, func(a, b Trigger) int {
		return cmp.Or(cmp.Compare(b.Number, a.Number), b.Time.Compare(a.Time.Time), cmp.Compare(a.Job, b.Job))
	})
	return h
}

func triggerOf(ctj *v1alpha.ChangeTriggeredJob, j *batchv1.Job, now time.Time) Trigger {
	said := job.ReadAccount(j, ctj)
	t := Trigger{
		Number: said.Number, Reason: said.Reason, Time: j.CreationTimestamp, Job: j.Name, Outcome: string(job.Outcome(j)),
		Changed: said.Changed, OmittedFields: said.OmittedFields, ChangedUnknown: said.Unreadable,
	}
	if t.Changed == nil {
		t.Changed = []job.Change{}
	}
	if j.Status.StartTime != nil {
		seconds := int64(endOf(j, now).Sub(j.Status.StartTime.Time).Seconds())
		seconds = max(seconds, 0)
		t.DurationSeconds = &seconds
	}
	return t
}

// endOf is when a Job ended, or now where it runs.
func endOf(j *batchv1.Job, now time.Time) time.Time {
	if j.Status.CompletionTime != nil {
		return j.Status.CompletionTime.Time
	}
	for i := range j.Status.Conditions {
		if c := &j.Status.Conditions[i]; c.Type == batchv1.JobFailed && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time
		}
	}
	return now
}
