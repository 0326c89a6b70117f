package v1alpha

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TriggerCondition says how many of the references must be pending before a Job runs.
//
// +kubebuilder:validation:Enum=Any;All
type TriggerCondition string

const (
	// TriggerAny triggers as soon as one reference is pending.
	TriggerAny TriggerCondition = "Any"
	// TriggerAll triggers once every reference is pending; the changes need not fall together.
	TriggerAll TriggerCondition = "All"
)

// ConcurrencyPolicy says what happens when a Job is due while an earlier one still runs.
//
// +kubebuilder:validation:Enum=Allow;Forbid;Replace
type ConcurrencyPolicy string

const (
	// AllowConcurrent lets Jobs run side by side.
	AllowConcurrent ConcurrencyPolicy = "Allow"
	// ForbidConcurrent waits until the running Job has ended.
	ForbidConcurrent ConcurrencyPolicy = "Forbid"
	// ReplaceConcurrent deletes the running Job, and starts the new one once it and its Pods are gone.
	ReplaceConcurrent ConcurrencyPolicy = "Replace"
)

// LoopPolicy says what happens when the Jobs seem to change what makes them run.
//
// +kubebuilder:validation:Enum=SlowDown;Ignore
type LoopPolicy string

const (
	// SlowDownLoop makes each Job wait longer than the one before, up to an hour, and says so.
	SlowDownLoop LoopPolicy = "SlowDown"
	// IgnoreLoop does not look for loops.
	IgnoreLoop LoopPolicy = "Ignore"
)

// FailurePolicy says what happens when the last Job failed for good.
//
// +kubebuilder:validation:Enum=Ignore;Retrigger
type FailurePolicy string

const (
	// IgnoreFailure shows the failure, and waits for the next change.
	IgnoreFailure FailurePolicy = "Ignore"
	// RetriggerOnFailure runs another Job for the state that the failed one ran for, after a back-off.
	RetriggerOnFailure FailurePolicy = "Retrigger"
)

// ChangeType is how an object has changed since the last Job.
//
// +kubebuilder:validation:Enum=Created;Updated;Deleted
type ChangeType string

const (
	// ChangeCreated means that the object did not exist, and does now.
	ChangeCreated ChangeType = "Created"
	// ChangeUpdated means that the object existed, and is another now.
	ChangeUpdated ChangeType = "Updated"
	// ChangeDeleted means that the object existed, and does not any more.
	ChangeDeleted ChangeType = "Deleted"
)

// WhenResult is what a `when` comes to that is not true.
//
// +kubebuilder:validation:Enum=False;Failed;Unknown
type WhenResult string

const (
	// WhenFalse means that it is false of the object as it is now.
	WhenFalse WhenResult = "False"
	// WhenFailed means that it could not be evaluated: a field that it reads is missing, for example.
	WhenFailed WhenResult = "Failed"
	// WhenUnknown means that the object cannot be seen.
	WhenUnknown WhenResult = "Unknown"
)

// JobStatus is the outcome of a Job as far as it is known.
//
// +kubebuilder:validation:Enum=Active;Succeeded;Failed
type JobStatus string

const (
	// JobActive means that the Job has neither completed nor failed for good.
	JobActive JobStatus = "Active"
	// JobSucceeded means that the Job completed.
	JobSucceeded JobStatus = "Succeeded"
	// JobFailed means that the Job failed for good, or was deleted before it had ended.
	JobFailed JobStatus = "Failed"
)

// Limits and defaults of a spec. The CRD's schema states the same values; they are constants here for
// the checks that the schema cannot make and for objects that were stored before the schema had them.
const (
	// MaxNameLength is the longest name a ChangeTriggeredJob may have, in characters: a Job's name
	// (at most 63, the length of a label value) is the name, a hyphen and ten characters.
	MaxNameLength = 52
	// MaxFields is the largest number of field paths over all references of one ChangeTriggeredJob.
	MaxFields = 256
	// MaxJobTemplateBytes is the largest Job template, in bytes of its JSON.
	MaxJobTemplateBytes = 512 << 10
	// MaxNamespaces is the largest number of namespaces over all references of one ChangeTriggeredJob.
	MaxNamespaces = 256
	// MaxMatched is how many objects one reference may select.
	MaxMatched = 10000
	// MaxObjects is how many of the selected objects of one reference status describes.
	MaxObjects = 50
	// MaxSelectionLength is the longest text of status for a selector, in bytes.
	MaxSelectionLength = 512
	// MaxActive is the largest number of Jobs that status.active lists.
	MaxActive = 50
	// MaxWindows is the largest number of windows.
	MaxWindows = 16
	// MaxRetriggerLimit is the largest retriggerLimit.
	MaxRetriggerLimit = 100
	// DefaultRetriggerLimit is the number of retries in a row where the spec does not say.
	DefaultRetriggerLimit int32 = 3
	// DefaultHistory is the number of Jobs that are kept where the spec does not say.
	DefaultHistory int32 = 5
	// MaxRunNowLength is the longest value of RunNowAnnotation, in characters.
	MaxRunNowLength = 128
	// AllFields is the field path that selects the whole object; it is the default of fields.
	AllFields = "*"
)

// Annotations of a ChangeTriggeredJob by which one Job is asked for at once.
const (
	// RunNowAnnotation asks for one Job, whatever has changed, each time that it gets another value. Jobs
	// that were made for it carry it, too.
	RunNowAnnotation = "changejob.dev/run-now"
	// RunNowForceAnnotation, with the same value, asks for that Job even while the ChangeTriggeredJob is
	// suspended.
	RunNowForceAnnotation = "changejob.dev/run-now-force"
)

// ChangeTriggeredJobSpec says what is watched, and which Job runs when it has changed.
//
// At most 256 fields over all resources: the webhook and the operator check that, since the cost of a CEL
// rule for it exceeds what an API server of v1.29 admits.
//
// +kubebuilder:validation:XValidation:rule="!has(self.settle) || !has(self.cooldown) || duration(self.settle) <= duration(self.cooldown)",message="settle must be no longer than cooldown: settling puts a trigger off by the cooldown at most",fieldPath=".settle"
// +kubebuilder:validation:XValidation:rule="!has(self.pendingDeadline) || !has(self.cooldown) || duration(self.pendingDeadline) > duration(self.cooldown)",message="pendingDeadline must be longer than cooldown: what changes inside the cooldown would be forgotten before it can trigger",fieldPath=".pendingDeadline"
type ChangeTriggeredJobSpec struct {
	// jobTemplate is the Job that runs. Labels and annotations of its metadata are copied to the Job.
	// At most 512 KiB as JSON.
	// +required
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Job template"
	JobTemplate JobTemplate `json:"jobTemplate"`

	// resources are the objects to watch, 1 to 64. Entries that name the same object, or select the same, are merged.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Watched resources"
	Resources []ResourceReference `json:"resources"`

	// condition is Any (a Job runs when one of the resources has changed since the last Job) or All
	// (when each of them has, not necessarily at the same time).
	// +optional
	// +kubebuilder:default=Any
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Trigger condition",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:select:Any","urn:alm:descriptor:com.tectonic.ui:select:All"}
	Condition TriggerCondition `json:"condition,omitempty"`

	// cooldown is the least time between two Jobs, as a duration such as 30s, 5m or 1h30m; from 0s to
	// 720h (30 days). A change inside it is not lost: it triggers when the cooldown ends, once, for
	// whatever then differs from the state the last Job ran for.
	// +optional
	// +kubebuilder:default="60s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$|^0$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('720h')",message="must be a duration from 0s to 720h (30 days)"
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Cooldown",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:text"}
	Cooldown *metav1.Duration `json:"cooldown,omitempty"`

	// settle is how long nothing that is pending must have changed before it triggers, as a duration such as
	// 5s or 2m, no longer than cooldown; 0s, the default, is off. What keeps changing triggers all the same
	// once it is a cooldown late.
	// +optional
	// +kubebuilder:default="0s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$|^0$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('720h')",message="must be a duration from 0s to 720h (30 days)"
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Settling time",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:text"}
	Settle *metav1.Duration `json:"settle,omitempty"`

	// pendingDeadline is how long a resource stays pending, from 1s to 8760h (a year) and longer than
	// cooldown; without it there is no end. What has waited for longer is forgotten with a warning event: the
	// next change of it counts. So it is whatever it waits for: the end of suspend, a window, the other
	// resources of condition All, its when, the running Job of concurrencyPolicy Forbid, the end of the wait
	// of a suspected loop, or a Job that the API server refuses, by a quota for example. What settles, a
	// failed Job's next try while it waits for its time, and what Replace deletes a Job for are not forgotten.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$|^0$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('8760h')",message="must be a duration from 1s to 8760h (365 days)"
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Pending deadline",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:text"}
	PendingDeadline *metav1.Duration `json:"pendingDeadline,omitempty"`

	// windows are the times in which Jobs may be created, at most 16; without any, that is always. What is
	// pending outside all of them waits for the next one to open.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Windows"
	Windows []TriggerWindow `json:"windows,omitempty"`

	// runOnCreate runs a first Job once the resources have been looked at for the first time, without any
	// change. It counts only for a ChangeTriggeredJob that is created with it: setting it later runs nothing.
	// +optional
	// +kubebuilder:default=false
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Run on create",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:booleanSwitch"}
	RunOnCreate *bool `json:"runOnCreate,omitempty"`

	// onFailure is Ignore (a Job that failed for good is shown, and nothing else) or Retrigger (if it was
	// the last one, another runs for the same state, 10 seconds after the failure and with twice the wait
	// each time, up to 10 minutes, at most retriggerLimit times in a row).
	// +optional
	// +kubebuilder:default=Ignore
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="On failure",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:select:Ignore","urn:alm:descriptor:com.tectonic.ui:select:Retrigger"}
	OnFailure FailurePolicy `json:"onFailure,omitempty"`

	// retriggerLimit is how many Jobs in a row onFailure Retrigger runs again for one state, 1 to 100.
	// +optional
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Retrigger limit",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:number"}
	RetriggerLimit *int32 `json:"retriggerLimit,omitempty"`

	// history is the number of Jobs to keep, 1 to 1000. Older ones are deleted once they have ended; a
	// running Job is never deleted for it.
	// +optional
	// +kubebuilder:default=5
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Jobs to keep",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:number"}
	History *int32 `json:"history,omitempty"`

	// suspend stops new Jobs while it is true. Changes are still noticed; what then differs triggers
	// once after it is set back to false.
	// +optional
	// +kubebuilder:default=false
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Suspended",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:booleanSwitch"}
	Suspend *bool `json:"suspend,omitempty"`

	// concurrencyPolicy is Allow (Jobs may run side by side), Forbid (a due Job waits for the running
	// one) or Replace (the running Job is deleted, and the new one starts once it and its Pods are gone).
	// +optional
	// +kubebuilder:default=Allow
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Concurrency policy",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:select:Allow","urn:alm:descriptor:com.tectonic.ui:select:Forbid","urn:alm:descriptor:com.tectonic.ui:select:Replace"}
	ConcurrencyPolicy ConcurrencyPolicy `json:"concurrencyPolicy,omitempty"`

	// onLoop is SlowDown (where the Jobs seem to change what makes them run, ten times in a row, each waits
	// longer than the one before, up to an hour) or Ignore (for objects that change all the time while Jobs
	// run all the time, too, which looks the same).
	// +optional
	// +kubebuilder:default=SlowDown
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="On a loop",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:select:SlowDown","urn:alm:descriptor:com.tectonic.ui:select:Ignore"}
	OnLoop LoopPolicy `json:"onLoop,omitempty"`

	// undecoded is set where the stored spec does not fit these types; see Undecoded.
	undecoded *undecoded `json:"-"`
}

// TriggerWindow is a recurring time in which Jobs may be created.
type TriggerWindow struct {
	// schedule says when the window opens, as a cron expression of five fields (minute, hour, day of the
	// month, month, day of the week), for example "0 22 * * 1-5".
	// +required
	// +kubebuilder:validation:MinLength=9
	// +kubebuilder:validation:MaxLength=256
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Schedule",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:text"}
	Schedule string `json:"schedule"`

	// timeZone is the IANA name of the time zone of schedule, for example Europe/Berlin.
	// +optional
	// +kubebuilder:default=UTC
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Time zone",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:text"}
	TimeZone string `json:"timeZone,omitempty"`

	// duration is how long the window stays open, from 1m to 168h (7 days).
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$|^0$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('168h')",message="must be a duration from 1m to 168h (7 days)"
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Duration",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:text"}
	Duration metav1.Duration `json:"duration"`
}

// ResourceReference names one object, or selects many by their labels, and says which parts of them count.
//
// +kubebuilder:validation:XValidation:rule="has(self.name) != has(self.selector)",message="exactly one of name and selector must be set"
// +kubebuilder:validation:XValidation:rule="has(self.selector) || !has(self.namespaces) && !has(self.namespaceSelector)",message="namespaces and namespaceSelector may be set only together with selector"
// +kubebuilder:validation:XValidation:rule="!(has(self.__namespace__) && has(self.namespaces)) && !(has(self.__namespace__) && has(self.namespaceSelector)) && !(has(self.namespaces) && has(self.namespaceSelector))",message="at most one of namespace, namespaces and namespaceSelector may be set"
type ResourceReference struct {
	// apiVersion of the object, for example v1 or apps/v1.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="API version",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:text"}
	APIVersion string `json:"apiVersion"`

	// kind of the object, capitalised as the API server has it, for example ConfigMap.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Kind",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:text"}
	Kind string `json:"kind"`

	// name of the object. Exactly one of name and selector is set.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Name",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:text"}
	Name string `json:"name,omitempty"`

	// selector selects the objects by their labels, in place of a name; an empty one, {}, selects all of the kind. One
	// that comes into the selection, changes, or leaves it is a change of the reference. At most 10,000
	// objects may match.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Selector"
	Selector *LabelSelector `json:"selector,omitempty"`

	// namespace of the object; not allowed for cluster-scoped kinds. For namespaced ones it is required, or, with
	// selector, one of namespaces and namespaceSelector in its place.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Namespace",xDescriptors={"urn:alm:descriptor:io.kubernetes:Namespace"}
	Namespace string `json:"namespace,omitempty"`

	// namespaces are those in which selector selects, 1 to 64. At most 256 over all resources.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Namespaces"
	Namespaces []string `json:"namespaces,omitempty"`

	// namespaceSelector selects the namespaces in which selector selects by their labels; an empty one, {}, selects
	// all. Namespaces that come, go, or change their labels bring their objects in, or take them out.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Namespace selector"
	NamespaceSelector *LabelSelector `json:"namespaceSelector,omitempty"`

	// fields are the paths that count in each object, for example data or spec.template.spec.containers[*].image.
	// The default, "*", is the whole object. At most 256 over all resources, each at most 256
	// characters.
	// +optional
	// +listType=atomic
	// +kubebuilder:default={"*"}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Fields"
	Fields []string `json:"fields,omitempty"`

	// changes are those that count, 1 to 3 of Created, Updated and Deleted; without it, all do. A change of the
	// object that is not among them triggers nothing, now or later. With selector, they are those of each selected
	// object: one that comes into the selection is Created, one that leaves it Deleted. Entries that name the same
	// object, or select the same, must have the same.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=3
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Changes"
	Changes []ChangeType `json:"changes,omitempty"`

	// when is a CEL expression over object, the object as it is now, null where it does not exist; at most 1024 characters, and
	// 8192 in all that differ. A change counts while it is true, and waits until then. With selector, those objects are selected
	// of which it is true. It may use what a ValidatingAdmissionPolicy may, but for what makes new texts, lists or maps. Entries
	// that name the same object must have the same.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="When",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:text"}
	When string `json:"when,omitempty"`
}

// ChangeTriggeredJobStatus is what the operator has seen and done.
//
// Nobody but the operator writes it, and it always writes the whole: it is atomic, so that the API server does not keep an account of
// who owns which of its fields, nor compute it anew with each write.
//
// +structType=atomic
type ChangeTriggeredJobStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Observed generation"
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Available (everything referenced can be seen), Progressing (a change waits, or a
	// Job runs) and Degraded (something needs attention).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Conditions",xDescriptors={"urn:alm:descriptor:io.kubernetes.conditions"}
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// resourceHashes holds, for each reference, a keyed hash of each field that counts.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Resource hashes"
	ResourceHashes []ResourceHash `json:"resourceHashes,omitempty"`

	// lastTriggeredTime is when the last Job was created, in whole seconds. The cooldown counts from it.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Last triggered"
	LastTriggeredTime *metav1.Time `json:"lastTriggeredTime,omitempty"`

	// lastJobName is the name of the last Job.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Last Job",xDescriptors={"urn:alm:descriptor:io.kubernetes:Job"}
	LastJobName string `json:"lastJobName,omitempty"`

	// lastJobStatus is the outcome of the last Job: Active, Succeeded or Failed. It is absent when the
	// Job vanished and its end was not seen.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Last Job status",xDescriptors={"urn:alm:descriptor:text"}
	LastJobStatus JobStatus `json:"lastJobStatus,omitempty"`

	// lastJobFinishedTime is when the last Job ended, or was seen to be gone; absent while it runs.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Last Job finished"
	LastJobFinishedTime *metav1.Time `json:"lastJobFinishedTime,omitempty"`

	// triggerCount is the number of the last trigger: 1 for the first Job, 2 for the second.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9007199254740991
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Triggers"
	TriggerCount int64 `json:"triggerCount,omitempty"`

	// lastRunNow is the value of the annotation changejob.dev/run-now that was answered last: by a Job, or
	// by the event RunNowRefused. Any other value asks for a Job. Of a value that is too long it is a hash.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Last run-now",xDescriptors={"urn:alm:descriptor:text"}
	LastRunNow string `json:"lastRunNow,omitempty"`
	// retry says how far onFailure Retrigger has come with the last Job; it is absent where no Job has been
	// run again since the last change, and none is to be.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Retry"
	Retry *RetryStatus `json:"retry,omitempty"`

	// firstRunPending is true from the creation with runOnCreate until its first Job.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="First run pending"
	FirstRunPending bool `json:"firstRunPending,omitempty"`

	// active lists the Jobs that have not ended, at most 50.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Active Jobs"
	Active []JobReference `json:"active,omitempty"`

	// undecoded is set where the stored status does not fit these types; see Undecoded.
	undecoded *undecoded `json:"-"`
}

// RetryStatus says how far the retries of a failed Job have come.
type RetryStatus struct {
	// count is how many Jobs have been run again in a row. A Job that succeeds and a new change begin anew.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Retries in a row"
	Count int32 `json:"count,omitempty"`

	// nextTime is when the next one is due; absent while one runs, and after the last one.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Next retry"
	NextTime *metav1.Time `json:"nextTime,omitempty"`
}

// JobReference names a Job in the namespace of the ChangeTriggeredJob.
//
// +structType=atomic
type JobReference struct {
	// name of the Job.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// ResourceHash is what is known of one reference: of an object, or of all that a selector selects.
type ResourceHash struct {
	// apiVersion of the object.
	// +required
	// +kubebuilder:validation:MaxLength=317
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="API version"
	APIVersion string `json:"apiVersion"`

	// kind of the object.
	// +required
	// +kubebuilder:validation:MaxLength=63
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Kind"
	Kind string `json:"kind"`

	// name of the object; absent where a selector selects many.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Name"
	Name string `json:"name,omitempty"`

	// selection is the selector as a text, and the namespaces where it is not one that selects; absent where the
	// reference names an object. A long one is cut, and ends with a hash of the whole.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Selection"
	Selection string `json:"selection,omitempty"`

	// namespace of the object, or of those that are selected; absent for cluster-scoped kinds, and where objects of
	// more than one namespace are selected.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Namespace",xDescriptors={"urn:alm:descriptor:io.kubernetes:Namespace"}
	Namespace string `json:"namespace,omitempty"`

	// matched is how many objects the selector selects, as last observed. Absent where the reference names an object.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Matched"
	Matched *int32 `json:"matched,omitempty"`

	// lastTriggeredMatched is how many it selected when the last Job ran. Present only while that is another number.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Matched at the last trigger"
	LastTriggeredMatched *int32 `json:"lastTriggeredMatched,omitempty"`

	// fields holds a hash for each field that counts. Where a selector selects many objects, one hash stands for the
	// field in all of them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Fields"
	Fields []FieldHash `json:"fields,omitempty"`

	// objects are the first 50 of the selected objects, by namespace and name, as the last Job found them: by these a
	// Job is told which have changed since. Fewer where all of status would become too large.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Objects"
	Objects []ObjectHash `json:"objects,omitempty"`

	// exists says whether the object exists, as last observed. Present only where the spec says which changes count, and
	// for an object that is named.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Exists"
	Exists *bool `json:"exists,omitempty"`

	// lastTriggeredExists says whether it existed when the last Job ran. Present only while one of the fields is pending,
	// and that differs from exists.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Existed at the last trigger"
	LastTriggeredExists *bool `json:"lastTriggeredExists,omitempty"`

	// waitingForWhen says why the reference, which is pending, waits for its `when`: that is False of the object as it is now, or it
	// Failed (it could not be evaluated), or it is Unknown, as the object cannot be seen. Present only while it waits.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Waiting for when",xDescriptors={"urn:alm:descriptor:text"}
	WaitingForWhen WhenResult `json:"waitingForWhen,omitempty"`

	// pendingSince is when the operator first saw this object differ from the state that the last Job ran
	// for, in whole seconds. It is present only while one of the fields is pending.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Pending since"
	PendingSince *metav1.Time `json:"pendingSince,omitempty"`

	// loopCount is how many times in a row this object was pending again while a Job ran or within 30 seconds of
	// its end, and not changed by anybody later; from 10 on, the Jobs themselves are suspected to change it.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Loop count"
	LoopCount int32 `json:"loopCount,omitempty"`
	// changedTime is when the operator last saw a pending field of this object change, in whole seconds. It
	// is present only where the spec has settle, and where that was later than pendingSince; and where all that is pending
	// has lastTriggeredHash "unknown", if it has changed besides.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Changed"
	ChangedTime *metav1.Time `json:"changedTime,omitempty"`

	// message says what is wrong with this reference, where something is: the object does not exist,
	// or the operator cannot see it.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Message"
	Message string `json:"message,omitempty"`
}

// ObjectHash is the state of one of the objects that a selector selects.
type ObjectHash struct {
	// namespace of the object; absent for cluster-scoped kinds.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Namespace"
	Namespace string `json:"namespace,omitempty"`

	// name of the object.
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Name"
	Name string `json:"name"`

	// hashes stand for the values of the fields, in the order of the reference's fields.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=128
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Hashes"
	Hashes []string `json:"hashes,omitempty"`
}

// FieldHash is the state of one field of one object. The hashes are keyed: they tell whether a value
// changed, and nothing else about it.
type FieldHash struct {
	// field is the path as the spec has it.
	// +required
	// +kubebuilder:validation:MaxLength=256
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Field path"
	Field string `json:"field"`

	// hash stands for the value that was last observed; "absent" where the object or the field does not
	// exist. It is empty until the operator has seen the object for the first time.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Observed hash"
	Hash string `json:"hash,omitempty"`

	// lastTriggeredHash stands for the value that the last Job ran for. It is present only while it
	// differs from hash, that is while this field is pending; "unknown" where that value is not known.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Hash at the last trigger"
	LastTriggeredHash string `json:"lastTriggeredHash,omitempty"`
}

// ChangeTriggeredJob runs a Job when watched objects have changed.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ctj;ctjs
// +kubebuilder:printcolumn:name="Condition",type=string,JSONPath=`.spec.condition`
// +kubebuilder:printcolumn:name="Cooldown",type=string,JSONPath=`.spec.cooldown`
// +kubebuilder:printcolumn:name="Last Triggered",type=date,JSONPath=`.status.lastTriggeredTime`
// +kubebuilder:printcolumn:name="Last Job",type=string,JSONPath=`.status.lastJobName`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.lastJobStatus`
// +kubebuilder:printcolumn:name="Available",type=string,JSONPath=`.status.conditions[?(@.type=="Available")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +operator-sdk:csv:customresourcedefinitions:displayName="Change-Triggered Job",resources={{Job,v1,""},{Event,v1,""}}
type ChangeTriggeredJob struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what is watched, and which Job runs when it has changed.
	// +required
	Spec ChangeTriggeredJobSpec `json:"spec"`

	// status is what the operator has seen and done.
	// +optional
	Status ChangeTriggeredJobStatus `json:"status,omitempty"`
}

// ChangeTriggeredJobList is a list of ChangeTriggeredJobs.
//
// +kubebuilder:object:root=true
type ChangeTriggeredJobList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ChangeTriggeredJob `json:"items"`
}
