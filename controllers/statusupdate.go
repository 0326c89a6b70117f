package controllers

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// statusUpdate returns what is sent to replace the stored status of ctj by status.
//
// It carries the resourceVersion that was decided on, so that a process that acts on an old copy gets a
// conflict instead of moving the baseline back. It leaves the spec out, which an update of status does not touch: a Job template
// can be large, and this is written for every trigger. A patch would cost the API server half as much again, which
// encodes what is stored, applies the patch to that, and decodes it, before it does what an update does.
func statusUpdate(ctj *v1alpha.ChangeTriggeredJob, status *v1alpha.ChangeTriggeredJobStatus) *v1alpha.ChangeTriggeredJob {
	return &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: ctj.Namespace, Name: ctj.Name, UID: ctj.UID, ResourceVersion: ctj.ResourceVersion,
		},
		Status: *status,
	}
}
