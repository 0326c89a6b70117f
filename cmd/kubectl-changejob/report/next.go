package report

import (
	"regexp"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// Next is what is known of the next trigger.
type Next struct {
	// Time is when it is due; absent where that depends on more than time.
	Time *metav1.Time `json:"time,omitempty"`
	// NotBefore is a time before which no Job runs, as things are: the end of a cooldown, or of what else is waited for. It
	// is absent where there is none, and where it has passed.
	NotBefore *metav1.Time `json:"notBefore,omitempty"`
	// Message says what it waits for.
	Message string `json:"message"`
}

// What the next trigger may wait for, where nothing is pending.
const (
	forALook    = "after the first look at what is watched"
	forMending  = "when the spec is mended"
	forAChange  = "when something changes"
	forResume   = "after resume"
	forWhatever = "when what it waits for is there"
)

// waits says what is waited for, by the reason of the condition Progressing; the API server takes a Job, and its name
// is free, by no doing of the operator, which tries again.
var waits = map[string]string{
	trigger.ReasonCooldown:       "the cooldown ends",
	trigger.ReasonWaitingForAll:  "the other resources have changed, too",
	trigger.ReasonWaitingForWhen: "what it waits for is true",
	trigger.ReasonJobRunning:     "the running Job has ended",
	trigger.ReasonOutsideWindow:  "the next window opens",
	trigger.ReasonSettling:       "nothing has changed for a while",
	trigger.ReasonRetrying:       "the last Job is tried again",
	trigger.ReasonLoopSuspected:  "the wait for what may be a loop is over",
	trigger.ReasonJobNotCreated:  "the API server takes the Job, which is tried again and again",
	trigger.ReasonNameTaken:      "the Job's name is free, which is tried again and again",
}

// nextOf says when the next Job is due, or what it waits for. It goes by the conditions alone: a first run, and a Job that was asked for,
// wait as well, and are pending in no reference.
func nextOf(ctj *v1alpha.ChangeTriggeredJob, now time.Time) Next {
	available := meta.FindStatusCondition(ctj.Status.Conditions, trigger.ConditionAvailable)
	progressing := meta.FindStatusCondition(ctj.Status.Conditions, trigger.ConditionProgressing)
	next := Next{NotBefore: later(now, cooldownEnd(ctj))}
	switch {
	case available == nil || progressing == nil:
		next.Message = forALook
	case available.Reason == trigger.ReasonInvalidSpec:
		next.Message = forMending
	case progressing.Status == metav1.ConditionTrue && progressing.Reason != trigger.ReasonJobActive:
		return waitOf(ctj, progressing, now)
	case available.Status == metav1.ConditionUnknown:
		next.Message = forALook
	default:
		next.Message = forAChange
	}
	if ctj.Spec.Suspended() {
		next.Message += ", " + forResume
	}
	return next
}

// waitOf tells of something that waits.
func waitOf(ctj *v1alpha.ChangeTriggeredJob, progressing *metav1.Condition, now time.Time) Next {
	reason := progressing.Reason
	what, known := waits[reason]
	message := "when " + what
	if !known {
		message = forWhatever
	}
	if ctj.Spec.Suspended() && !forced(ctj) {
		next := Next{NotBefore: later(now, cooldownEnd(ctj)), Message: forResume}
		if reason == trigger.ReasonWaitingForWhen {
			next.Message = message + ", " + forResume
		}
		return next
	}
	switch reason {
	case trigger.ReasonTriggering:
		at := metav1.NewTime(now)
		return Next{Time: &at, Message: "now"}
	case trigger.ReasonJobRunning, trigger.ReasonJobNotCreated, trigger.ReasonNameTaken:
		return Next{Message: message} // no cooldown holds it up: it is over, or the Job was asked for
	case trigger.ReasonCooldown, trigger.ReasonOutsideWindow, trigger.ReasonSettling, trigger.ReasonRetrying, trigger.ReasonLoopSuspected:
		return untilTime(ctj, progressing, now)
	default:
		return Next{NotBefore: later(now, cooldownEnd(ctj)), Message: message}
	}
}

// untilTime tells of a wait that ends by itself. It is due then where nothing else is to be waited for afterwards; else all
// that is known is a time before which it is not.
func untilTime(ctj *v1alpha.ChangeTriggeredJob, progressing *metav1.Condition, now time.Time) Next {
	reason, end := progressing.Reason, endOfWait(progressing)
	at := later(now, end, cooldownEnd(ctj), nextTry(ctj))
	all := []string{waits[reason]}
	switch {
	case reason == trigger.ReasonCooldown && nextTry(ctj) != nil:
		all[0] = waits[trigger.ReasonRetrying]
	case reason == trigger.ReasonOutsideWindow && at != nil && at == nextTry(ctj):
		all = []string{aWindow, waits[trigger.ReasonRetrying]} // the next window may be closed again by then
	case reason == trigger.ReasonOutsideWindow && at != nil && at != end:
		all = []string{aWindow, "the cooldown has ended"}
	}
	all = append(all, afterwards(ctj, reason)...)
	next := Next{NotBefore: at, Message: "when " + strings.Join(all, " and ")}
	if len(all) == 1 {
		next.Time = at
	}
	return next
}

const aWindow = "a window is open"

// afterwards says for what else it may have to wait when what it waits for now is over.
func afterwards(ctj *v1alpha.ChangeTriggeredJob, reason string) []string {
	var more []string
	if len(ctj.Spec.Windows) > 0 && reason != trigger.ReasonOutsideWindow {
		more = append(more, aWindow)
	}
	// What a failed Job ran for, and a first run, need not settle, and are taken for no loop.
	if nextTry(ctj) == nil && !ctj.Status.FirstRunPending {
		if settle := ctj.Spec.EffectiveSettle(); settle > 0 && (reason == trigger.ReasonCooldown || reason == trigger.ReasonOutsideWindow) {
			more = append(more, "nothing has changed for "+settle.String())
		}
		degraded := meta.FindStatusCondition(ctj.Status.Conditions, trigger.ConditionDegraded)
		if degraded != nil && degraded.Reason == trigger.ReasonLoopSuspected && reason != trigger.ReasonLoopSuspected {
			more = append(more, waits[trigger.ReasonLoopSuspected])
		}
	}
	if ctj.Spec.EffectiveConcurrencyPolicy() == v1alpha.ForbidConcurrent && len(ctj.Status.Active) > 0 {
		more = append(more, waits[trigger.ReasonJobRunning])
	}
	return more
}

// forced reports whether a Job was asked for that runs in spite of suspend.
func forced(ctj *v1alpha.ChangeTriggeredJob) bool {
	return runNowPending(ctj) && ctj.Annotations[v1alpha.RunNowForceAnnotation] == ctj.Annotations[v1alpha.RunNowAnnotation]
}

// endsWithTime finds the time that the messages of waits end with. Before it, they name objects and selections, in which a time may
// mean anything.
var endsWithTime = regexp.MustCompile(` (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)(?:, or longer if it changes again)?$`)

// endOfWait is when a wait ends by what the operator says of it; nil where it does not say so.
func endOfWait(progressing *metav1.Condition) *metav1.Time {
	found := endsWithTime.FindStringSubmatch(progressing.Message)
	if found == nil || progressing.Reason == trigger.ReasonCooldown {
		return nil // a cooldown's end is in status, and right where the spec has changed since
	}
	at, err := time.Parse(time.RFC3339, found[1])
	if err != nil {
		return nil
	}
	return &metav1.Time{Time: at}
}

// nextTry is when what the last Job failed at is tried again; nil where it is not.
func nextTry(ctj *v1alpha.ChangeTriggeredJob) *metav1.Time {
	if ctj.Status.Retry == nil {
		return nil
	}
	return ctj.Status.Retry.NextTime
}

// cooldownEnd is when the cooldown ends; nil where nothing was triggered yet.
func cooldownEnd(ctj *v1alpha.ChangeTriggeredJob) *metav1.Time {
	last := ctj.Status.LastTriggeredTime
	if last == nil {
		return nil
	}
	end := metav1.NewTime(last.Add(ctj.Spec.EffectiveCooldown()))
	return &end
}

// later is the latest of those times that are there and after now; nil where none is.
func later(now time.Time, times ...*metav1.Time) *metav1.Time {
	var latest *metav1.Time
	for _, at := range times {
		if at != nil && at.After(now) && (latest == nil || at.After(latest.Time)) {
			latest = at
		}
	}
	return latest
}
