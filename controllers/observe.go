package controllers

import (
	"context"
	"errors"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/pkg/validate"
	"github.com/nusnewob/kube-changejob/pkg/watch"
	"github.com/nusnewob/kube-changejob/pkg/when"
)

// jobOwnerIndex is the cache index that leads from a ChangeTriggeredJob's UID to its Jobs.
const jobOwnerIndex = "changejob.dev/owner-uid"

// observe gathers what the decision is made from: the spec, what the watches have seen, and the Jobs.
func (r *Reconciler) observe(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, record *record) (trigger.Input, error) {
	record.check(ctj)
	owner := client.ObjectKeyFromObject(ctj)
	problems := record.spec.problems
	if len(problems) > 0 {
		r.Watches.Remove(owner)
	} else {
		// A reference that does not fit its kind stays with the engine, which alone knows the kind.
		if watched := record.spec.handOver(); watched != nil {
			r.Watches.Set(owner, watched)
		}
		problems = r.misfits(ctj.Spec.Resources)
	}

	input := trigger.Input{
		Name:       ctj.Name,
		UID:        ctj.UID,
		Generation: ctj.Generation,
		Deleting:   !ctj.DeletionTimestamp.IsZero(),
		Spec:       &ctj.Spec,
		Status:     &ctj.Status,
		Refusal:    record.refusalFor(wishOf(ctj)),
		HashID:     r.Key.ID(),
		Now:        r.Clock.Now(),

		RunNow:      ctj.Annotations[v1alpha.RunNowAnnotation],
		RunNowForce: ctj.Annotations[v1alpha.RunNowForceAnnotation],
		FirstRunNow: record.seenFirst(ctj),

		LastStatusWrite: record.statusWritten,
		Deferred:        record.deferred,
		Marks:           record.marks,
	}
	merged := trigger.References(&ctj.Spec, &ctj.Status)
	if len(problems) > 0 {
		input.Invalid = problems.ToAggregate().Error()
	} else {
		input.Observations = r.observations(ctj, owner, merged)
	}

	jobs, err := r.jobs(ctx, ctj, merged)
	if err != nil {
		return trigger.Input{}, err
	}
	input.Jobs = jobs
	return input, nil
}

// misfits returns the references that do not fit their kinds, by what the watch engine knows of these: of a kind that is
// not served there may be more to know later, of one whose objects are never listed there will not.
func (r *Reconciler) misfits(references []v1alpha.ResourceReference) field.ErrorList {
	neverListed := map[schema.GroupVersionKind]bool{}
	kinds := func(kind schema.GroupVersionKind) (namespaced bool, err error) {
		namespaced, err = r.Watches.Scope(kind)
		if errors.Is(err, watch.ErrNotListable) {
			neverListed[kind] = true
			err = validate.ErrNotListable
		}
		return namespaced, err
	}
	return validate.References(references, kinds, func(kind schema.GroupVersionKind) bool { return neverListed[kind] })
}

// observations turns what the watches have seen into what may be published: digests become keyed hashes.
func (r *Reconciler) observations(ctj *v1alpha.ChangeTriggeredJob, owner types.NamespacedName, merged []trigger.MergedReference) []trigger.Observation {
	seen, ok := r.Watches.Observe(owner)
	if !ok || len(seen) != len(merged) {
		seen = make([]watch.Observation, len(merged)) // not synced, as of now
		for i := range seen {
			seen[i].Since = r.Clock.Now()
		}
	}
	observations := make([]trigger.Observation, 0, len(merged))
	for i, reference := range merged {
		observation := trigger.Observation{
			Reference:  reference.Reference,
			Fields:     reference.Fields,
			Visibility: visibility[seen[i].State],
			Since:      seen[i].Since,
			Exists:     seen[i].Exists,
		}
		if reference.When != "" && reference.Reference.Selection == "" {
			observation.WaitingForWhen = waitingForWhen[seen[i].When]
		}
		for j, digest := range seen[i].Digests {
			observation.Hashes = append(observation.Hashes, r.Key.Publish(ctj.UID, reference.Reference, reference.Fields[j], digest))
		}
		if reference.Reference.Selection != "" {
			observation.Matched, observation.Moment = seen[i].Matched, seen[i].Moment
			observation.LastCreated, observation.LastUpdated, observation.LastDeleted = seen[i].LastCreated, seen[i].LastUpdated, seen[i].LastDeleted
			if !trigger.DetailsKnown(&ctj.Status, &observation) {
				observation.Objects = r.objects(ctj.UID, reference, seen[i].Objects)
			}
		}
		observations = append(observations, observation)
	}
	return observations
}

// objects turns what the watches have seen of selected objects into what may be published.
func (r *Reconciler) objects(uid types.UID, reference trigger.MergedReference, seen []watch.Object) []trigger.ObservedObject {
	objects := make([]trigger.ObservedObject, 0, len(seen))
	for _, object := range seen {
		place := reference.Reference
		place.Namespace, place.Name = object.Namespace, object.Name
		observed := trigger.ObservedObject{Namespace: object.Namespace, Name: object.Name, Hashes: make([]string, 0, len(object.Digests))}
		for j, digest := range object.Digests {
			observed.Hashes = append(observed.Hashes, r.Key.Publish(uid, place, reference.Fields[j], digest))
		}
		objects = append(objects, observed)
	}
	return objects
}

var visibility = map[watch.State]trigger.Visibility{
	watch.NotSynced:        trigger.NotSynced,
	watch.Synced:           trigger.Visible,
	watch.Forbidden:        trigger.Forbidden,
	watch.KindNotServed:    trigger.KindNotServed,
	watch.VersionNotServed: trigger.VersionNotServed,
	watch.TooMany:          trigger.TooMany,
}

// waitingForWhen is for what a reference waits, by what its `when` comes to.
var waitingForWhen = map[when.Result]v1alpha.WhenResult{when.False: v1alpha.WhenFalse, when.Failed: v1alpha.WhenFailed, when.True: ""}

// jobs returns the Jobs of ctj as far as the cache has them.
func (r *Reconciler) jobs(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, merged []trigger.MergedReference) ([]trigger.Job, error) {
	var owned batchv1.JobList
	err := r.Client.List(ctx, &owned, client.InNamespace(ctj.Namespace),
		client.MatchingFields{jobOwnerIndex: string(ctj.UID)}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list the Jobs: %w", err)
	}
	jobs := make([]trigger.Job, 0, len(owned.Items))
	for i := range owned.Items {
		jobs = append(jobs, job.Observe(&owned.Items[i], ctj, merged))
	}
	return jobs, nil
}
