package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/watch"
)

// introduce tells the watches what all ChangeTriggeredJobs reference that the cache has at the start, before the first of
// them is reconciled. One by one, thousands would have their references watched object by object first, then by namespace, and
// then in the cluster, and most of them read again each time.
func (r *Reconciler) introduce(ctx context.Context) {
	var list v1alpha.ChangeTriggeredJobList
	if err := r.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		// Each is introduced by its own reconcile, then.
		log.FromContext(ctx).Error(err, "Could not list the ChangeTriggeredJobs of the cache")
		return
	}
	references := make(map[types.NamespacedName][]watch.Reference, len(list.Items))
	for i := range list.Items {
		ctj := &list.Items[i]
		if !ctj.DeletionTimestamp.IsZero() {
			continue
		}
		if watched := r.memory.of(ctj).check(ctj).handOver(); watched != nil {
			references[client.ObjectKeyFromObject(ctj)] = watched
		}
	}
	r.Watches.SetAll(references)
}
