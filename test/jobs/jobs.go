// Package jobs has the Job that tests of the whole operator run, and stands in for the Job controller.
package jobs

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// Spec is a Job with one container.
func Spec() batchv1.JobSpec {
	return batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever,
		Containers:    []corev1.Container{{Name: "hello", Image: "busybox:1.37"}},
	}}}
}

// Template is the template of that Job, changed by the edits.
func Template(edits ...func(*batchv1.JobSpec)) v1alpha.JobTemplate {
	spec := Spec()
	for _, edit := range edits {
		edit(&spec)
	}
	return v1alpha.NewJobTemplate(batchv1.JobTemplateSpec{Spec: spec})
}

// Finish ends a Job as the Job controller would: outcome is JobComplete or JobFailed. It does nothing to a Job
// that has ended.
func Finish(ctx context.Context, c client.Client, namespace, name string, outcome batchv1.JobConditionType) error {
	job := &batchv1.Job{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, job); err != nil {
		return err
	}
	if len(job.Status.Conditions) > 0 {
		return nil
	}
	End(job, outcome)
	return c.Status().Update(ctx, job)
}

// End writes that end into the status of a Job; not into that of one that has ended.
func End(job *batchv1.Job, outcome batchv1.JobConditionType) {
	if len(job.Status.Conditions) > 0 {
		return
	}
	now := metav1.Now()
	before := batchv1.JobFailureTarget
	job.Status.StartTime = &now
	if outcome == batchv1.JobComplete {
		before = batchv1.JobSuccessCriteriaMet
		job.Status.CompletionTime = &now
	}
	for _, condition := range []batchv1.JobConditionType{before, outcome} {
		job.Status.Conditions = append(job.Status.Conditions,
			batchv1.JobCondition{Type: condition, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
}
