package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
)

const (
	// minRetry and maxRetry are the waits after a reconcile that failed: doubling from the first to the second.
	minRetry = 50 * time.Millisecond
	maxRetry = 30 * time.Second
	// reconcileTimeout is longer than any request lasts that the API server answers.
	reconcileTimeout = 2 * time.Minute
)

// SetupWithManager registers the reconciler with mgr: it is woken by ChangeTriggeredJobs, by their Jobs,
// and through wakeups by changes of what they reference.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, wakeups *Wakeups, options controller.Options) error {
	r.memory, r.wakeups = newMemory(), wakeups
	if options.RateLimiter == nil {
		// The default waits up to a quarter of an hour: that long after the API server is back, a trigger would be late.
		options.RateLimiter = workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](minRetry, maxRetry)
	}
	if options.ReconciliationTimeout == 0 {
		options.ReconciliationTimeout = reconcileTimeout
	}
	err := mgr.GetFieldIndexer().IndexField(context.Background(), &batchv1.Job{}, jobOwnerIndex, jobOwner)
	if err != nil {
		return fmt.Errorf("index Jobs by owner: %w", err)
	}
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha.ChangeTriggeredJob{}, builder.WithPredicates(r.memory.echoes.hearStatuses())).
		Owns(&batchv1.Job{}, builder.WithPredicates(jobMatters, r.memory.echoes.hearJobs())).
		WatchesRawSource(wakeups).
		WithOptions(options).
		Complete(r)
}

// jobOwner is the UID of the ChangeTriggeredJob that controls a Job.
func jobOwner(object client.Object) []string {
	owner := metav1.GetControllerOf(object)
	if owner == nil || owner.Kind != v1alpha.Kind {
		return nil
	}
	return []string{string(owner.UID)}
}

// jobMatters lets through what can alter a decision: a Job that comes, ends, is being deleted, changes hands or
// goes; not the counts of its Pods.
var jobMatters = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*batchv1.Job)
		after, ok2 := e.ObjectNew.(*batchv1.Job)
		return !ok || !ok2 || job.Outcome(before) != job.Outcome(after) ||
			before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero() ||
			!slices.Equal(jobOwner(before), jobOwner(after))
	},
}
