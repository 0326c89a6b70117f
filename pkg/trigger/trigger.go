// Package trigger decides what is to be done for one ChangeTriggeredJob: whether a Job is to be created,
// which Jobs are to be deleted, and what status is to say. It is pure: it has no client, no clock, no
// logger and no randomness, and it changes none of its arguments.
//
// The rule it follows, in one sentence: a Job runs when the watched state differs from the state that the
// last Job ran for.
package trigger

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// Input is everything a decision is made from.
type Input struct {
	// Name, UID, Generation and Deleting are those of the ChangeTriggeredJob.
	Name       string
	UID        types.UID
	Generation int64
	Deleting   bool

	// Spec is what the user asks for.
	Spec *v1alpha.ChangeTriggeredJobSpec
	// Invalid says what is wrong with the spec, for the user; empty where nothing is.
	Invalid string

	// Status is what was last written.
	Status *v1alpha.ChangeTriggeredJobStatus

	// Observations holds one entry per object of References(Spec, Status). Of an object without an
	// entry (as there may be when the spec is invalid) nothing new is known: its status stays.
	Observations []Observation

	// Jobs are the Jobs whose controller is this ChangeTriggeredJob, by UID.
	Jobs []Job
	// MissingJobs names Jobs that a live read has shown not to exist, or to be another's. A Job that ran
	// when status was written, and is neither among Jobs nor here, is taken to be running still: the
	// decision asks for the live read (Decision.ReadJobs).
	MissingJobs []string

	// Refusal is the last failed attempt to create a Job for this generation of the spec and this RunNow, where the
	// last attempt failed; see Refusal.
	Refusal *Refusal

	// LastStatusWrite is when this process last wrote the status; zero where it has not. A status that
	// differs from the stored one by nothing but the hashes of what is pending anyway is written no more
	// often than every ten seconds.
	LastStatusWrite time.Time

	// RunNow and RunNowForce are the annotations that ask for a Job now; empty where they are not set.
	RunNow      string
	RunNowForce string
	// FirstRunNow is what RunNow was when this process saw the ChangeTriggeredJob first, if status had never been written
	// then; else it is RunNow. It counts as answered where status was never written, or cannot be read.
	FirstRunNow string
	// Deferred and Marks are those of this process's last decision whose Status, where it had one, was written; nil where that had
	// none or is not known.
	Deferred *Deferral
	Marks    []Mark

	// HashID is the id part of hashes made with the operator's present key (what stands before the
	// colon). A stored hash with another id cannot be compared with an observed one.
	HashID string

	// Now is the present time.
	Now time.Time
}

// Visibility says whether an object can be seen. Any value but those below counts as NotSynced.
type Visibility string

const (
	// Visible means that the object's state is known; it may be that it does not exist.
	Visible Visibility = "Visible"
	// Forbidden means that the operator may not read the object.
	Forbidden Visibility = "Forbidden"
	// KindNotServed means that discovery has answered and serves this kind in no version.
	// It counts as absence of the object (rule 2): Hashes are not looked at.
	KindNotServed Visibility = "KindNotServed"
	// VersionNotServed means that discovery serves the kind, but not in the version referenced, or could
	// not be asked: the object cannot be seen. It is shown as KindNotServed and is never a change.
	VersionNotServed Visibility = "VersionNotServed"
	// NotSynced means that no consistent view has been had yet, or that it was lost.
	NotSynced Visibility = "NotSynced"
	// TooMany means that a selector selects more objects than are watched.
	TooMany Visibility = "TooMany"
)

// Observation is what is known of one referenced object, or of all that a selector selects.
type Observation struct {
	// Reference identifies the object.
	Reference ObjectReference
	// Visibility says whether Exists and Hashes are known.
	Visibility Visibility
	// Since is when Visibility last changed. NotSynced is shown, and a trigger may stand for the last known
	// state, once it has lasted for 30 seconds.
	Since time.Time
	// Exists says whether the object exists, or one that is selected. Known only when Visible.
	Exists bool
	// WaitingForWhen is what the reference's `when` comes to where that is not true; empty where it is, and where there is none.
	// Known when Visible or KindNotServed. Where objects are selected, it is always empty.
	WaitingForWhen v1alpha.WhenResult
	// Fields are the paths that count, each once.
	Fields []string
	// Hashes are the published hashes of Fields, in the same order: Absent where the field or the object
	// does not exist. Empty unless Visible. Where a selector selects many objects, each stands for the field in all of
	// them.
	Hashes []string
	// Matched is how many objects a selector selects, and Objects are the first of them; see ObservedObject.
	Matched int
	Objects []ObservedObject
	// Moment is when a selection was observed, and LastCreated, LastUpdated and LastDeleted are when an object came into it, changed in
	// one of Fields, and left it, for the last time. They order what one process has seen, and say nothing to another
	// one. Zero where that is not known.
	Moment, LastCreated, LastUpdated, LastDeleted uint64
}

// ObjectReference identifies one object, or all that a selector selects.
type ObjectReference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	// Name is empty where objects are selected.
	Name string `json:"name,omitempty"`
	// Selection says what is selected; see v1alpha.ResourceReference.
	Selection string `json:"selection,omitempty"`
}

const (
	// Absent is the hash of what does not exist.
	Absent = "absent"
	// Unknown is the baseline of a field whose last triggered state is not known; it equals no hash, so
	// that the field is pending.
	Unknown = "unknown"
)

// Job is what the decision needs to know of a Job.
type Job struct {
	Name              string
	UID               types.UID
	CreationTimestamp time.Time
	// Deleting is true once the Job's deletion has begun; its Pods may still run.
	Deleting bool
	// Number is the trigger number in the Job's annotation; 0 where there is none, where it cannot be
	// read, or where the Job's name is not the one that UID and number give (see JobName).
	Number int64
	// Outcome is Active until the Job has the condition Complete or Failed. Any value but Succeeded and
	// Failed counts as Active.
	Outcome v1alpha.JobStatus
	// Finished is when the Job got the condition Complete or Failed; zero before.
	Finished time.Time
	// Hashes are the hashes that the Job's trigger stood for, as far as their fields are still in the
	// spec; nil where they could not be read.
	Hashes []TriggeredHash
	// Changed names what the Job's trigger was for, as far as it is still in the spec; nil where it could
	// not be read. With policy Replace, these fields are pending again when the Job is deleted unfinished, and with
	// onFailure Retrigger when it fails; while it is to be tried again, only these are what it failed at.
	Changed []Change
	// RunNow is the value of the annotation that the Job was asked for by; empty where it was not.
	RunNow string
}

// TriggeredHash is the hash of one field that a trigger stood for.
type TriggeredHash struct {
	Reference ObjectReference
	Field     string
	Hash      string
}

// Reason is why a trigger happened.
type Reason string

const (
	// ReasonChange is the reason of a trigger by a change of the watched state.
	ReasonChange Reason = "Change"
	// ReasonRunNow is the reason of a trigger that a user asked for by annotation.
	ReasonRunNow Reason = "RunNow"
	// ReasonFirstRun is the reason of the trigger that spec.runOnCreate asks for.
	ReasonFirstRun Reason = "FirstRun"
	// ReasonRetry is the reason of a trigger for what the last Job ran for and failed at.
	ReasonRetry Reason = "Retry"
)

// Creation is a Job to create.
type Creation struct {
	// Name is JobName of the ChangeTriggeredJob and Number.
	Name   string
	Number int64
	Reason Reason
	// RunNow is the value of the annotation by which the Job was asked for; empty for any other reason.
	RunNow string
	// Changed names the references and fields that were pending, in the order of the spec; for a first run, all of them.
	// Where the Job was asked for there may be none.
	Changed []Change
	// Selected names the objects that have changed, for each of Changed that a selector selects, in the same order.
	Selected []SelectedChange
	// Hashes are the hashes of every field of the spec that this trigger stands for: the observed one, or
	// the last known one where the object cannot be seen now. Fields that were never seen, or not since
	// the operator's key was replaced, have none, and neither do those of a reference that waits for its `when`. The Job carries the hashes, so that a process that
	// crashed before it wrote status finds them again (rule 0).
	Hashes []TriggeredHash
}

// Change names what changed in one object, or in those that a selector selects; never values.
type Change struct {
	ObjectReference `json:",inline"`
	Fields          []string `json:"fields"`
}

// Refusal is a failed attempt to create a Job. The caller remembers it until an attempt succeeds, the
// spec's generation changes or a user asks for a Job by annotation; it does not outlive the process, so that a new one tries at once.
type Refusal struct {
	// Reason is the condition reason to show: ReasonInvalidSpec (the API server refused the Job as
	// invalid), ReasonNameTaken (a Job of that name exists that is not ours) or ReasonJobNotCreated
	// (quota, policy, …), which also stands for any other value.
	Reason string
	// Message says what the API server said.
	Message string
	// RetryAt is when the next attempt is due.
	RetryAt time.Time
}

// Event is a Kubernetes event to emit once the writes it speaks of have succeeded.
type Event struct {
	// Type is corev1.EventTypeNormal or corev1.EventTypeWarning.
	Type string
	// Reason is one CamelCase word per kind of happening.
	Reason string
	// Message is for people; it names references and fields, never values.
	Message string
	// Job names the Job that the event is about; empty where it is about none. Events with the same reason
	// and different Jobs are told apart; without it they would be counted as one, with the first one's message.
	Job string
}

// Normal returns an event of type Normal. A message that is too long for an event is cut.
func Normal(reason, message string) Event {
	return Event{Type: corev1.EventTypeNormal, Reason: reason, Message: shorten(message)}
}

// Warning returns an event of type Warning. A message that is too long for an event is cut.
func Warning(reason, message string) Event {
	return Event{Type: corev1.EventTypeWarning, Reason: reason, Message: shorten(message)}
}

// about returns the event as one about a Job.
func (e Event) about(job string) Event {
	e.Job = job
	return e
}

// Decision is what is to be done. The caller acts in this order: Create, then Status, then Events, then
// Delete; a Create or Status that fails ends the reconcile.
//
//   - With Create set, Status is what is to be written once the create succeeded, and Delete counts on it.
//   - With Adopted set, Status takes over a Job that exists already; nothing else is to be done before the
//     next decision, which RequeueAfter wants at once.
//   - With ReadJobs set, nothing else is.
//   - Events are there only with a Status.
type Decision struct {
	// Create is the Job to create, or nil.
	Create *Creation
	// Delete are the Jobs to delete, with a precondition on their UID. They are ended ones (history), or
	// the running one that is to be replaced.
	Delete []Job
	// Status is the status to write, or nil where what is stored is right.
	Status *v1alpha.ChangeTriggeredJobStatus
	// Deferred is the status that was not written because one was not long ago, where the next decision needs to know it:
	// when what is pending changed last, so that it settles, and which changes did not count. It takes the place of the one before, be it nil,
	// once Status is written, or at once where there is none: where the write fails, that one still holds. It may be forgotten at any
	// time; then it settles later, an edit by which those count makes them pending, and what of a selection has changed and changed
	// back has not changed at all.
	Deferred *Deferral
	// Marks are to be remembered at the same time, and may be forgotten at any time, too.
	Marks []Mark
	// Adopted is the number of the Job that rule 0 took over, or 0.
	Adopted int64
	// ReadJobs names Jobs that the decision needs a live read of. The caller reads them, adds each to
	// Jobs or MissingJobs, and decides again.
	ReadJobs []string
	// RequeueAfter is when to decide again without any news; 0 where only news matters.
	RequeueAfter time.Duration
	// Events are to be emitted after the writes.
	Events []Event
	// Skip says why what is pending does not trigger now (in cooldown, waiting for all, …), for the log;
	// empty where nothing is pending or a Job is created.
	Skip string
}

// Created says when the answer to the create was there. The cooldown counts from then: counted from the decision,
// it would be cut short by as long as the create took.
func (d *Decision) Created(at time.Time) {
	if d.Create != nil && d.Status != nil {
		d.Status.LastTriggeredTime = &metav1.Time{Time: wholeSecond(at)}
	}
}
