package trigger

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// Reasons of events. Events for trouble have the reason of the condition that shows it.
const (
	// EventJobCreated (Normal): a Job was created.
	EventJobCreated = "JobCreated"
	// EventJobAdopted (Normal): a Job that was created before an interruption was taken over.
	EventJobAdopted = "JobAdopted"
	// EventJobReplaced (Normal): running Jobs are deleted so that a new one can take their place.
	EventJobReplaced = "JobReplaced"
	// EventRunNowRefused (Warning; Normal for what was asked for before the first look): no Job runs for the value of
	// the annotation that asks for one.
	EventRunNowRefused = "RunNowRefused"
	// EventUnknownHashes (Warning): stored hashes could not be compared with present ones.
	EventUnknownHashes = "UnknownHashes"
	// EventPendingForgotten (Warning): references were pending for longer than the spec allows.
	EventPendingForgotten = "PendingForgotten"
	// EventRecovered (Normal): every referenced object can be seen again, and the spec is valid.
	EventRecovered = "Recovered"
)

const messageUnknownHashes = "Stored hashes were made with another key or by another release: what was pending stays pending, " +
	"the present state of the rest is the new baseline; changes made in between go unnoticed"

func messageJobCreated(creation *Creation) string {
	what := describeChanges(creation.Changed, creation.Selected...)
	switch creation.Reason {
	case ReasonFirstRun:
		what = "the first run, for " + what
	case ReasonRetry:
		what = "the last Job failed, once more for " + what
	case ReasonRunNow:
		if what != "" {
			what = "; " + what + " changed"
		}
		what = "asked for by run-now" + what
	default:
		what += " changed"
	}
	return fmt.Sprintf("Created Job %s (trigger %d): %s", creation.Name, creation.Number, what)
}

// describeChanges names references with their fields, and of selections what is known of the objects.
func describeChanges(changed []Change, selected ...SelectedChange) string {
	list := make([]string, 0, len(changed))
	for _, change := range changed {
		list = append(list, change.String()+" ("+enumerate(change.Fields)+describeObjects(change.ObjectReference, selected)+")")
	}
	return enumerate(list)
}

// Skips are the reasons of the events (Normal) that tell why what is pending does not trigger yet: those of the condition Progressing, where it is
// the ChangeTriggeredJob that asks for the wait. One is told when the wait begins, or is for something else than before. That a failed Job
// is to be tried again is told with its failure.
var Skips = []string{ReasonCooldown, ReasonWaitingForAll, ReasonWaitingForWhen, ReasonSuspended, ReasonOutsideWindow, ReasonSettling, ReasonJobRunning}

// skipped is the condition Progressing where something pending waits for one of Skips; else it is empty.
func skipped(status *v1alpha.ChangeTriggeredJobStatus) metav1.Condition {
	if c := meta.FindStatusCondition(status.Conditions, ConditionProgressing); c != nil && slices.Contains(Skips, c.Reason) {
		return *c
	}
	return metav1.Condition{}
}

// skips is the event that tells of a wait which begins between last and next.
func skips(last, next *v1alpha.ChangeTriggeredJobStatus) []Event {
	if wait := skipped(next); wait.Reason != "" && wait.Reason != skipped(last).Reason {
		return []Event{Normal(wait.Reason, wait.Message)}
	}
	return nil
}

// transitions are the events that tell a user how status moves from last to next. They follow from the two alone,
// so that none is repeated while nothing moves.
func transitions(last, next *v1alpha.ChangeTriggeredJobStatus) []Event {
	var events []Event
	before, after := degradation(last), degradation(next)
	told := after.Reason == ReasonLastJobFailed || after.Reason == ReasonLoopSuspected // by an event of its own
	if after.Reason != before.Reason && !told && after.Reason != "" {
		events = append(events, Warning(after.Reason, after.Message))
	}
	if meta.IsStatusConditionFalse(last.Conditions, ConditionAvailable) && meta.IsStatusConditionTrue(next.Conditions, ConditionAvailable) {
		events = append(events, Normal(EventRecovered, messageWatching))
	}
	failed := next.LastJobStatus == v1alpha.JobFailed
	if failed && (last.LastJobStatus != v1alpha.JobFailed || last.LastJobName != next.LastJobName) {
		message := messageLastJobFailed(next.LastJobName)
		if after.Reason == ReasonLastJobFailed {
			message = after.Message // which says what follows, too
		}
		events = append(events, Warning(ReasonLastJobFailed, message).about(next.LastJobName))
	}
	return events
}

// degradation is the condition Degraded where it is True; else it is empty.
func degradation(status *v1alpha.ChangeTriggeredJobStatus) metav1.Condition {
	if c := meta.FindStatusCondition(status.Conditions, ConditionDegraded); c != nil && c.Status == metav1.ConditionTrue {
		return *c
	}
	return metav1.Condition{}
}
