package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
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
	owner := client.ObjectKeyFromObject(ctj)
	r.memory.echoes.expectJob(owner, built.Name)
	err = r.createJob(ctx, ctj, decision.Create, built)
	if err != nil {
		r.memory.echoes.expectJob(owner, "") // if it exists all the same, its event is news
	}
	switch {
	case err == nil:
		record.refusal = nil
		decision.Created(r.Clock.Now())
		record.answered(decision.Create, r.Clock.Now())
		logger.Info("Triggered", "reason", decision.Create.Reason, "changed", decision.Create.Changed)
		return decision, nil
	case apierrors.IsAlreadyExists(err):
		return r.takeOverLive(ctx, ctj, record, input, built.Name)
	case apierrors.IsInvalid(err):
		return r.refused(ctx, ctj, record, input, trigger.ReasonInvalidSpec, err), nil
	case refusedForNow(err):
		// It may exist all the same, if it was the time to answer that ran out: then it is taken over. Its event has gone by as an echo if
		// it came before this answer, and the cache, which is brought up to date first, has the Job; else it is still to come, and is heard.
		record.readLive = true
		existing := &batchv1.Job{}
		if r.Client.Get(ctx, client.ObjectKeyFromObject(built), existing) == nil && job.Owned(existing, ctj.UID) {
			return r.takeOver(ctx, ctj, input, existing)
		}
		return r.refused(ctx, ctj, record, input, trigger.ReasonJobNotCreated, err), nil
	default:
		// The answer was lost, or never came: the Job may exist.
		record.readLive = true
		return trigger.Decision{}, fmt.Errorf("create Job %s: %w: %w", built.Name, errDecideAnew, err)
	}
}

// refusedForNow says whether the API server has answered that it does not create the Job, for a reason that may
// pass without an edit: a quota, a policy, missing rights, a namespace that is going away, a webhook that does
// not answer, too many requests. A conflict is none of these: a quota was counted by another request meanwhile.
func refusedForNow(err error) bool {
	var answer apierrors.APIStatus
	return errors.As(err, &answer) && !apierrors.IsConflict(err)
}

// takeOverLive reads the Job that already has the name, and decides anew with it.
func (r *Reconciler) takeOverLive(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, record *record, input *trigger.Input, name string) (trigger.Decision, error) {
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
	return r.takeOver(ctx, ctj, input, existing)
}

// takeOver decides anew with a Job of ours that is there already.
func (r *Reconciler) takeOver(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, input *trigger.Input, existing *batchv1.Job) (trigger.Decision, error) {
	name := existing.Name
	input.Jobs = slices.DeleteFunc(input.Jobs, func(j trigger.Job) bool { return j.Name == name })
	input.Jobs = append(input.Jobs, job.Observe(existing, ctj, trigger.References(&ctj.Spec, &ctj.Status)))
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
	input.Refusal = record.refused(wishOf(ctj), reason, why.Error(), input.Now)
	log.FromContext(ctx).Info("Job not created", "reason", reason, "retryAt", input.Refusal.RetryAt, "why", why.Error())
	return trigger.Decide(*input)
}

// writeStatus writes the status of a decision on the version that was decided on, where there is one to write; jobs are those that were
// decided on.
func (r *Reconciler) writeStatus(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, record *record, decision trigger.Decision, jobs []trigger.Job) error {
	if decision.Status == nil {
		return nil
	}
	written := statusUpdate(ctj, decision.Status)
	switch err := r.updateStatus(ctx, ctj, decision.Create, written); {
	case err == nil:
		countOutcomes(&ctj.Status, decision.Status, jobs)
		record.wrote(written.ResourceVersion, r.Clock.Now())
		r.memory.echoes.expectStatus(client.ObjectKeyFromObject(ctj), written.ResourceVersion)
		return nil
	case apierrors.IsConflict(err), apierrors.IsNotFound(err): // changed, or deleted, and the cache does not know
		record.readLive = true
		return errDecideAnew
	case apierrors.IsInvalid(err):
		r.emit(ctj, trigger.Warning(reasonStatusRefused, "The API server refuses the status: "+err.Error()))
		return fmt.Errorf("write status: %w", err)
	default:
		record.readLive = true
		return fmt.Errorf("write status: %w: %w", errDecideAnew, err)
	}
}

// plainly spares the API server the search for unknown fields: there are none.
const plainly = client.FieldValidation(metav1.FieldValidationIgnore)

// reasonStatusRefused is the reason of the event for a status that does not fit the CRD's schema.
const reasonStatusRefused = "StatusRefused"

// deleteJobs deletes Jobs, each only if it is still the one that was meant. It returns when to try those again that
// could not be deleted: they hold up nothing else.
//
// A running one, which is to be replaced, goes after its Pods: it is the witness that they still run, and its
// successor waits until it is gone. Ended ones go at once, and their Pods in the background.
func (r *Reconciler) deleteJobs(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, record *record, jobs []trigger.Job) (retry time.Duration) {
	if len(jobs) > 0 && r.term() == 0 {
		return leadingPoll // another one may lead, and know better what is to be kept
	}
	now := r.Clock.Now()
	early := now.Before(record.deleteAgain)
	failed := false
	for _, doomed := range jobs {
		policy := metav1.DeletePropagationForeground
		if !doomed.Running() {
			if early {
				continue
			}
			policy = metav1.DeletePropagationBackground
		}
		if err := r.deleteJob(ctx, ctj, doomed, policy); err != nil {
			log.FromContext(ctx).Error(err, "Could not delete a Job", "job", doomed.Name)
			deletionsFailed.Inc()
			failed = true
		}
	}
	switch {
	case failed && !early: // else the tries at a running Job would put off those at the ended ones for ever
		record.deleteAgain = now.Add(record.deletes.next())
	case !early:
		record.deletes.reset()
	}
	if failed || early && len(jobs) > 0 {
		return record.deleteAgain.Sub(now)
	}
	return 0
}

func (r *Reconciler) deleteJob(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, doomed trigger.Job, policy metav1.DeletionPropagation) error {
	object := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: ctj.Namespace, Name: doomed.Name}}
	err := r.Client.Delete(ctx, object, client.Preconditions{UID: &doomed.UID}, client.PropagationPolicy(policy))
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // gone, or another one by now
		return nil
	}
	if err == nil {
		log.FromContext(ctx).Info("Deleted a Job", "job", doomed.Name, "outcome", doomed.Outcome)
	}
	return err
}
