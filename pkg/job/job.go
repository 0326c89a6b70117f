// Package job makes the Job of a trigger from the template of a ChangeTriggeredJob, and reads back from Jobs
// what they were made for. It is pure: it has no client, and changes none of its arguments but what Strip is
// given.
//
// A Job carries all that is needed to write status after a crash between the creation of the Job and the
// write of status: the number of its trigger, what was pending, and the hashes that the trigger stood for.
package job

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

const (
	// OwnerLabel is the label of Jobs and their Pods that holds the name of the ChangeTriggeredJob.
	OwnerLabel = "changejob.dev/owner"
	// TriggerAnnotation is the annotation of Jobs and their Pods that holds the number of the trigger.
	TriggerAnnotation = "changejob.dev/trigger"
	// ReasonAnnotation is the annotation of Jobs and their Pods that says why the trigger happened.
	ReasonAnnotation = "changejob.dev/reason"
	// ChangedAnnotation is the annotation of Jobs and their Pods that says what changed: an account as
	// JSON, at most MaxChangedBytes long, of references and fields, never values.
	ChangedAnnotation = "changejob.dev/changed"
	// HashesAnnotation is the annotation of Jobs that holds the hashes that the trigger stood for, and which
	// of them were pending, for the operator's own use.
	HashesAnnotation = "changejob.dev/hashes"
)

// ownerKind is what the controller reference of our Jobs points to.
var ownerKind = schema.GroupKind{Group: v1alpha.GroupVersion.Group, Kind: v1alpha.Kind}

// Owned says whether the controller of the Job is the ChangeTriggeredJob with this UID.
func Owned(job *batchv1.Job, uid types.UID) bool {
	owner := metav1.GetControllerOfNoCopy(job)
	if owner == nil {
		return false
	}
	version, err := schema.ParseGroupVersion(owner.APIVersion)
	return err == nil && version.WithKind(owner.Kind).GroupKind() == ownerKind && owner.UID == uid
}

// Outcome is Succeeded or Failed once the Job has ended, and Active until then. A Job that is suspended,
// that has failed Pods but goes on, or whose last Pods are being cleared away, has not ended.
func Outcome(job *batchv1.Job) v1alpha.JobStatus {
	outcome, _ := ending(job)
	return outcome
}

// ending returns how the Job has ended, and when; Active and zero while it has not.
func ending(job *batchv1.Job) (outcome v1alpha.JobStatus, at time.Time) {
	for i := range job.Status.Conditions {
		switch condition := &job.Status.Conditions[i]; {
		case condition.Status != corev1.ConditionTrue:
		case condition.Type == batchv1.JobComplete:
			return v1alpha.JobSucceeded, condition.LastTransitionTime.Time
		case condition.Type == batchv1.JobFailed:
			return v1alpha.JobFailed, condition.LastTransitionTime.Time
		}
	}
	return v1alpha.JobActive, time.Time{}
}
