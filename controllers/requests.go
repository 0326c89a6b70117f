package controllers

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// createJob asks the API server for a Job, and counts and traces that.
func (r *Reconciler) createJob(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, creation *trigger.Creation, built *batchv1.Job) error {
	ctx, span := r.span(ctx, ctj, spanCreateJob)
	describeTrigger(span, creation)
	err := r.Client.Create(ctx, built)
	end(span, err)
	jobRequests.Of(jobResult(err)).Inc()
	return err
}

// updateStatus asks the API server to store a status, and counts and traces that; creation is the trigger that it tells of, nil where it tells of none.
func (r *Reconciler) updateStatus(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, creation *trigger.Creation, written *v1alpha.ChangeTriggeredJob) error {
	ctx, span := r.span(ctx, ctj, spanStatusWrite)
	describeTrigger(span, creation)
	err := r.Client.Status().Update(ctx, written, plainly)
	end(span, err)
	statusWrites.Of(statusResult(err)).Inc()
	return err
}

// jobResult says what became of a request to create a Job.
func jobResult(err error) string {
	switch {
	case err == nil:
		return jobCreated
	case apierrors.IsAlreadyExists(err):
		return jobExists
	case apierrors.IsInvalid(err):
		return jobInvalid
	case refusedForNow(err):
		return jobRefused
	default:
		return requestFailed
	}
}

// statusResult says what became of a write of status.
func statusResult(err error) string {
	switch {
	case err == nil:
		return statusWritten
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return statusConflict
	case apierrors.IsInvalid(err):
		return statusRefused
	default:
		return requestFailed
	}
}
