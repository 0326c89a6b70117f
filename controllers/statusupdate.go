package controllers

import (
	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// statusUpdate returns what is sent to replace the stored status of ctj by status.
//
// It carries the resourceVersion that was decided on, so that a process that acts on an old copy gets a
// conflict instead of moving the baseline back. It leaves the spec out, which an update of status does not touch: a Job template
// can be large, and this is written for every trigger. It does not leave the metadata out: that is not touched either, but API
// servers of v1.29 take what is missing from those who have applied it. A patch would need neither, and cost the API server half as
// much again: it encodes what is stored, applies the patch to that, and decodes it, before it does what an update does.
func statusUpdate(ctj *v1alpha.ChangeTriggeredJob, status *v1alpha.ChangeTriggeredJobStatus) *v1alpha.ChangeTriggeredJob {
	update := &v1alpha.ChangeTriggeredJob{Status: *status}
	ctj.ObjectMeta.DeepCopyInto(&update.ObjectMeta)
	update.ManagedFields = nil // those that are stored stay
	return update
}
