package job

import (
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// Strip takes from a Job all that Observe, Owned and Outcome, a cache and a list by label do not need: a cached
// Job takes about a kilobyte, however large its template is. It is a cache.TransformFunc, and passes on
// whatever is no Job. A stripped Job must never be written back.
func Strip(object any) (any, error) {
	switch o := object.(type) {
	case *batchv1.Job:
		strip(o)
	case cache.DeletedFinalStateUnknown:
		if job, ok := o.Obj.(*batchv1.Job); ok {
			strip(job)
		}
	}
	return object, nil
}

func strip(job *batchv1.Job) {
	kept := batchv1.Job{
		TypeMeta: job.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{
			Name:              job.Name,
			Namespace:         job.Namespace,
			UID:               job.UID,
			ResourceVersion:   job.ResourceVersion,
			CreationTimestamp: job.CreationTimestamp,
			DeletionTimestamp: job.DeletionTimestamp,
			Labels:            pick(job.Labels, OwnerLabel),
			Annotations:       pick(job.Annotations, TriggerAnnotation, HashesAnnotation),
		},
	}
	if runNow(job) != "" {
		kept.Annotations = merge(kept.Annotations, pick(job.Annotations, ReasonAnnotation, v1alpha.RunNowAnnotation))
	}
	if owner := metav1.GetControllerOf(job); owner != nil {
		kept.OwnerReferences = []metav1.OwnerReference{*owner}
	}
	for i := range job.Status.Conditions {
		condition := &job.Status.Conditions[i]
		if condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed {
			kept.Status.Conditions = append(kept.Status.Conditions,
				batchv1.JobCondition{Type: condition.Type, Status: condition.Status, LastTransitionTime: condition.LastTransitionTime})
		}
	}
	*job = kept
}

// pick returns the entries with these keys, or nil.
func pick(from map[string]string, keys ...string) map[string]string {
	var picked map[string]string
	for _, key := range keys {
		if value, ok := from[key]; ok {
			if picked == nil {
				picked = make(map[string]string, len(keys))
			}
			picked[key] = value
		}
	}
	return picked
}
