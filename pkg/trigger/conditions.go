package trigger

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// Types of the conditions in status.
const (
	// ConditionAvailable is True while every referenced object is watched and has a baseline.
	ConditionAvailable = "Available"
	// ConditionProgressing is True while a change waits to trigger, or a Job runs.
	ConditionProgressing = "Progressing"
	// ConditionDegraded is True while something needs a user's attention.
	ConditionDegraded = "Degraded"
)

// Reasons of the conditions in status.
const (
	// ReasonWatching (Available True): every referenced object is watched.
	ReasonWatching = "Watching"
	// ReasonFirstLook (Available Unknown): an object has not been looked at yet.
	ReasonFirstLook = "FirstLook"
	// ReasonInvalidSpec (Available False, Progressing False, Degraded True): the spec cannot work.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonForbidden (Available False, Degraded True): the operator may not read an object.
	ReasonForbidden = "Forbidden"
	// ReasonKindNotServed (Available False, Degraded True): the API server does not serve a kind, or not in the
	// version referenced.
	ReasonKindNotServed = "KindNotServed"
	// ReasonNotSynced (Available False, Degraded True): the operator has had no consistent view of an object for
	// 30 seconds.
	ReasonNotSynced = "NotSynced"
	// ReasonTooManyObjects (Available False, Degraded True): a selector selects more objects than are watched.
	ReasonTooManyObjects = "TooManyObjects"

	// ReasonIdle (Progressing False): nothing is pending and no Job runs.
	ReasonIdle = "Idle"
	// ReasonJobActive (Progressing True): a Job runs, and nothing is pending.
	ReasonJobActive = "JobActive"
	// ReasonCooldown (Progressing True): what is pending waits for the end of the cooldown.
	ReasonCooldown = "Cooldown"
	// ReasonWaitingForAll (Progressing True): condition All waits for a change of the other references.
	ReasonWaitingForAll = "WaitingForAll"
	// ReasonWaitingForWhen (Progressing True): what is pending waits until the expressions of its references are true.
	ReasonWaitingForWhen = "WaitingForWhen"
	// ReasonSuspended (Progressing True): what is pending waits for resume.
	ReasonSuspended = "Suspended"
	// ReasonJobRunning (Progressing True): what is pending waits for a running Job, by concurrencyPolicy.
	ReasonJobRunning = "JobRunning"
	// ReasonOutsideWindow (Progressing True): what is pending waits for a window to open.
	ReasonOutsideWindow = "OutsideWindow"
	// ReasonSettling (Progressing True): what is pending has changed too recently.
	ReasonSettling = "Settling"
	// ReasonRetrying (Progressing True): what the last Job failed at waits for the next try.
	ReasonRetrying = "Retrying"
	// ReasonTriggering (Progressing True): a Job is due at once, or may be once the present state is known.
	ReasonTriggering = "Triggering"

	// ReasonLoopSuspected (Degraded True; Progressing True while what is pending waits for it): the Jobs seem to change
	// what makes them run.
	ReasonLoopSuspected = "LoopSuspected"

	// ReasonJobNotCreated (Progressing True, Degraded True): the API server refused the Job for a reason that may
	// pass, such as a quota or a policy.
	ReasonJobNotCreated = "JobNotCreated"
	// ReasonNameTaken (Progressing True, Degraded True): a Job of the name exists that is not ours.
	ReasonNameTaken = "NameTaken"
	// ReasonLastJobFailed (Degraded True): the last Job failed, or was deleted before it had ended.
	ReasonLastJobFailed = "LastJobFailed"
	// ReasonAsExpected (Degraded False): nothing needs attention.
	ReasonAsExpected = "AsExpected"
)

// What is said of references.
const (
	messageAbsent           = "the object does not exist"
	messageForbidden        = "the operator may not read the object"
	messageKindNotServed    = "the API server does not serve this kind"
	messageVersionNotServed = "the API server does not serve this kind in this version, or cannot be asked"
	messageNotSynced        = "the operator has had no consistent view of the object for 30 seconds"

	messageNoneSelected = "no object matches"
	messageForbiddenAll = "the operator may not list and watch the objects, or the namespaces by which they are selected"
	messageNotSyncedAll = "the operator has had no consistent view of the objects for 30 seconds"
	messageTooMany      = "more than 10000 objects match: changes are not seen until there are fewer"
)

const (
	messageWatching   = "Every referenced object is watched"
	messageIdle       = "Nothing is pending"
	messageAsExpected = "Nothing needs attention"
	messageTriggering = "A Job is about to be created"

	messageCountExhausted = "status.triggerCount is at its largest value: delete the ChangeTriggeredJob and create it again"
)

// troubles are the reasons for which objects cannot be seen, the one to show first at first.
var troubles = []string{ReasonForbidden, ReasonKindNotServed, ReasonTooManyObjects, ReasonNotSynced}

// troubleMessages are what is said of references in trouble, in the same order.
var troubleMessages = []string{
	messageForbidden, messageForbiddenAll, messageKindNotServed, messageVersionNotServed, messageTooMany, messageNotSynced, messageNotSyncedAll,
}

// Waits are the reasons of the condition Progressing while something is pending: what is asked for (Skips, and for a retry and a loop), that
// a Job is about to be created, and what stands against it.
var Waits = slices.Concat(Skips, []string{ReasonRetrying, ReasonLoopSuspected, ReasonTriggering, ReasonJobNotCreated, ReasonNameTaken})

// maxMessageLength is the longest message of conditions and events, in bytes; events take no more.
const maxMessageLength = 1024

// conditions says the same things as verdict and state in the words of Kubernetes.
func (s *state) conditions(v verdict) []metav1.Condition {
	available := s.available(v)
	conditions := []metav1.Condition{available, s.progressing(v), s.degraded(available, v)}
	for i := range conditions {
		c := &conditions[i]
		c.Message = shorten(c.Message)
		c.ObservedGeneration = s.in.Generation
		c.LastTransitionTime = metav1.NewTime(s.in.Now)
		if last := s.lastCondition(c.Type); last != nil && last.Status == c.Status && !last.LastTransitionTime.IsZero() {
			c.LastTransitionTime = last.LastTransitionTime
		}
	}
	return conditions
}

func (s *state) available(v verdict) metav1.Condition {
	if why := s.invalid(v); why != "" {
		return condition(ConditionAvailable, metav1.ConditionFalse, ReasonInvalidSpec, why)
	}
	for _, trouble := range troubles {
		if s.anyRef(func(ref *reference) bool { return ref.trouble == trouble }) {
			return condition(ConditionAvailable, metav1.ConditionFalse, trouble, s.troubleMessage())
		}
	}
	if last := s.lastCondition(ConditionAvailable); s.anyRef(func(ref *reference) bool { return ref.unseen }) &&
		last != nil && slices.Contains(troubles, last.Reason) {
		return *last // what was in trouble may be so still
	}
	if fresh := s.where((*reference).lacksBaseline); len(fresh) > 0 {
		return condition(ConditionAvailable, metav1.ConditionUnknown, ReasonFirstLook, "Waiting for the first look at "+describe(fresh))
	}
	return condition(ConditionAvailable, metav1.ConditionTrue, ReasonWatching, messageWatching)
}

// troubleMessage says of each reference in trouble what the trouble is, the same trouble once.
func (s *state) troubleMessage() string {
	var parts []string
	for _, message := range troubleMessages {
		in := s.where(func(ref *reference) bool { return ref.trouble != "" && ref.message == message })
		if len(in) > 0 {
			parts = append(parts, describe(in)+": "+message)
		}
	}
	return strings.Join(parts, "; ")
}

func (s *state) progressing(v verdict) metav1.Condition {
	last := s.lastCondition(ConditionProgressing)
	switch {
	case s.invalid(v) != "":
		return condition(ConditionProgressing, metav1.ConditionFalse, ReasonInvalidSpec, s.invalid(v))
	case v.reason != "":
		return condition(ConditionProgressing, metav1.ConditionTrue, v.reason, v.message)
	case v.unsure() && s.waitsStill(last):
		return *last // the present state is not known yet
	case len(s.active) > 0:
		return condition(ConditionProgressing, metav1.ConditionTrue, ReasonJobActive, "Running: Job "+enumerate(s.active))
	case v.unsure():
		return condition(ConditionProgressing, metav1.ConditionTrue, ReasonTriggering, v.message)
	case v.due:
		return condition(ConditionProgressing, metav1.ConditionTrue, ReasonTriggering, messageTriggering)
	default:
		return condition(ConditionProgressing, metav1.ConditionFalse, ReasonIdle, messageIdle)
	}
}

// waitsStill reports whether what status says is waited for may be so still: not what a Job has just been created for, nor to be resumed where
// nothing is suspended.
func (s *state) waitsStill(last *metav1.Condition) bool {
	return last != nil && last.Status == metav1.ConditionTrue && slices.Contains(Waits, last.Reason) &&
		s.count == s.persisted && (last.Reason != ReasonSuspended || s.spec.Suspended())
}

func (s *state) degraded(available metav1.Condition, v verdict) metav1.Condition {
	switch {
	case available.Status == metav1.ConditionFalse:
		return condition(ConditionDegraded, metav1.ConditionTrue, available.Reason, available.Message)
	case s.refusal != nil && v.reason == s.refusal.reason():
		return condition(ConditionDegraded, metav1.ConditionTrue, v.reason, s.refusal.Message)
	case s.refusedBefore(v) != nil:
		return *s.refusedBefore(v)
	case len(s.suspects()) > 0:
		return condition(ConditionDegraded, metav1.ConditionTrue, ReasonLoopSuspected, messageLoop(s.suspects()))
	case s.lastJobStatus == v1alpha.JobFailed:
		return condition(ConditionDegraded, metav1.ConditionTrue, ReasonLastJobFailed, s.failure())
	default:
		return condition(ConditionDegraded, metav1.ConditionFalse, ReasonAsExpected, messageAsExpected)
	}
}

// invalid says why the spec cannot work, empty where it can: by our own checks, or by the API server's, which sees
// the Job only when it is created. The latter holds while the next try is what is waited for, or what is waited for is not known for the moment:
// where nothing is tried, nobody would find out that it is over, as when a policy refused the Job and was mended.
func (s *state) invalid(v verdict) string {
	if s.count >= maxNumber {
		return messageCountExhausted
	}
	waits := v.reason == ReasonInvalidSpec || v.unsure()
	if s.in.Invalid == "" && s.refusal != nil && s.refusal.Reason == ReasonInvalidSpec && waits {
		return s.refusal.Message
	}
	if told := s.refusedBefore(v); told != nil && told.Reason == ReasonInvalidSpec {
		return told.Message
	}
	return s.in.Invalid
}

// refusedBefore is what status says of a Job that was refused to a process before this one, until it is known whether it is due still. If so, it is
// tried again, and refused or not; a start alone tells nothing new.
func (s *state) refusedBefore(v verdict) *metav1.Condition {
	last := s.lastCondition(ConditionDegraded)
	if s.in.Invalid != "" || s.refusal != nil || !v.unsure() || last == nil || last.ObservedGeneration != s.in.Generation ||
		!slices.Contains([]string{ReasonInvalidSpec, ReasonJobNotCreated, ReasonNameTaken}, last.Reason) {
		return nil
	}
	return last
}

// reason is the condition reason of a refusal.
func (r *Refusal) reason() string {
	switch r.Reason {
	case ReasonInvalidSpec, ReasonNameTaken:
		return r.Reason
	default:
		return ReasonJobNotCreated
	}
}

func (s *state) lastCondition(conditionType string) *metav1.Condition {
	return meta.FindStatusCondition(s.stored.Conditions, conditionType)
}

func (s *state) anyRef(holds func(*reference) bool) bool { return len(s.where(holds)) > 0 }

func condition(conditionType string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: conditionType, Status: status, Reason: reason, Message: message}
}
