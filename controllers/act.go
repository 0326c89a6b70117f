package controllers

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// create creates the Job of a decision, and returns the decision whose status is to be written then. That
// is another one where the Job could not be created, or existed already.
//
// If this process ends right after the create, before status is written, the next one finds a Job with a
// number above status.triggerCount and takes it over (rule 0). If the cache of the next one has not seen
// that Job yet, it decides to create the same number again; the name is taken then, and the same rule
// applies to the Job that is read live.
func (r *Reconciler) create(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, record *record, input *trigger.Input, decision trigger.Decision) (trigger.Decision, error) {
	logger := log.FromContext(ctx).WithValues("job", decision.Create.Name, "trigger", decision.Create.Number)
	built, err := job.Build(ctj, decision.Create)
	if err != nil {
		return r.refused(ctx, ctj, record, input, trigger.ReasonInvalidSpec, err), nil
	}
	switch err := r.Client.Create(ctx, built); {
	case err == nil:
		record.refusal = nil
		logger.Info("Triggered", "reason", decision.Create.Reason, "changed", decision.Create.Changed)
		return decision, nil
	case apierrors.IsAlreadyExists(err):
		return r.takeOver(ctx, ctj, record, input, built.Name)
	case apierrors.IsInvalid(err):
		return r.refused(ctx, ctj, record, input, trigger.ReasonInvalidSpec, err), nil
	case refusedForNow(err):
		return r.refused(ctx, ctj, record, input, trigger.ReasonJobNotCreated, err), nil
	default:
		// The answer was lost, or never came: the Job may exist.
		record.readLive = true
		return trigger.Decision{}, fmt.Errorf("create Job %s: %w: %w", built.Name, errDecideAnew, err)
	}
}

// refusedForNow says whether the API server has certainly not created the Job, for a reason that may pass
// without an edit: a quota, a policy, missing rights, a namespace that is going away.
func refusedForNow(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsNotFound(err) ||
		apierrors.IsBadRequest(err) || apierrors.IsRequestEntityTooLargeError(err) || apierrors.IsMethodNotSupported(err)
}

// takeOver decides anew with the Job that already has the name.
func (r *Reconciler) takeOver(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, record *record, input *trigger.Input, name string) (trigger.Decision, error) {
	existing := &batchv1.Job{}
	err := r.Live.Get(ctx, types.NamespacedName{Namespace: ctj.Namespace, Name: name}, existing)
	switch {
	case apierrors.IsNotFound(err): // deleted since
		record.readLive = true
		return trigger.Decision{}, errDecideAnew
	case err != nil:
		return trigger.Decision{}, fmt.Errorf("read Job %s: %w", name, err)
	case !job.Owned(existing, ctj.UID):
		taken := fmt.Errorf("a Job named %s exists that does not belong to this ChangeTriggeredJob", name)
		return r.refused(ctx, ctj, record, input, trigger.ReasonNameTaken, taken), nil
	}
	input.Jobs = append(input.Jobs, job.Observe(existing, ctj, record.spec.merged))
	decision := trigger.Decide(*input)
	if decision.Create != nil {
		// Cannot be: a Job of that name and owner counts as that number. Never create in a circle.
		return trigger.Decision{}, fmt.Errorf("job %s exists and was not taken over", name)
	}
	log.FromContext(ctx).Info("Took over a Job that was created before status was written", "job", name, "trigger", decision.Adopted)
	return decision, nil
}

// refused decides anew with the knowledge that the Job was not created.
func (r *Reconciler) refused(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, record *record, input *trigger.Input, reason string, why error) trigger.Decision {
	input.Refusal = record.refused(ctj.Generation, reason, why.Error(), input.Now)
	log.FromContext(ctx).Info("Job not created", "reason", reason, "retryAt", input.Refusal.RetryAt, "why", why.Error())
	return trigger.Decide(*input)
}

// writeStatus writes status on the version that was decided on; nil is nothing to write.
func (r *Reconciler) writeStatus(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, record *record, status *v1alpha.ChangeTriggeredJobStatus) error {
	if status == nil {
		return nil
	}
	patch, err := statusPatch(ctj, status)
	if err != nil {
		return err
	}
	// Not a copy of ctj: its template can be large, and the answer overwrites all of it.
	written := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: ctj.Namespace, Name: ctj.Name}}
	switch err := r.Client.Status().Patch(ctx, written, patch); {
	case err == nil:
		record.wrote(written.ResourceVersion, r.Clock.Now())
		return nil
	case apierrors.IsNotFound(err): // deleted meanwhile; its event follows
		return nil
	case apierrors.IsConflict(err):
		record.readLive = true
		return errDecideAnew
	case apierrors.IsInvalid(err):
		r.Recorder.Eventf(ctj, nil, corev1.EventTypeWarning, reasonStatusRefused, eventAction, "The API server refuses the status: %s", err)
		return fmt.Errorf("write status: %w", err)
	default:
		record.readLive = true
		return fmt.Errorf("write status: %w: %w", errDecideAnew, err)
	}
}

// reasonStatusRefused is the reason of the event for a status that does not fit the CRD's schema.
const reasonStatusRefused = "StatusRefused"

// deleteJobs deletes Jobs in the background, each only if it is still the one that was meant.
func (r *Reconciler) deleteJobs(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, jobs []trigger.Job) error {
	for _, doomed := range jobs {
		object := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: ctj.Namespace, Name: doomed.Name}}
		err := r.Client.Delete(ctx, object, client.Preconditions{UID: &doomed.UID},
			client.PropagationPolicy(metav1.DeletePropagationBackground))
		switch {
		case err == nil:
			log.FromContext(ctx).Info("Deleted a Job", "job", doomed.Name, "outcome", doomed.Outcome)
		case apierrors.IsNotFound(err), apierrors.IsConflict(err): // gone, or another one by now
		default:
			return fmt.Errorf("delete Job %s: %w", doomed.Name, err)
		}
	}
	return nil
}
