package job

import (
	"fmt"
	"maps"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// headroom is what the account of what changed leaves free of the bytes that annotations may take, for what
// the cluster adds to Jobs and Pods: an Indexed Job's index, a LimitRange's note, a mesh's settings.
const headroom = 16 << 10

// Build returns the Job to create for c. Labels and annotations of the template's metadata are honoured; ours
// win. Nothing of ctj's own metadata but its name is copied.
//
// The error is about the template: a *field.Error where its annotations leave no room for ours, otherwise
// what JobTemplate.Decode says.
func Build(ctj *v1alpha.ChangeTriggeredJob, c *trigger.Creation) (*batchv1.Job, error) {
	path := field.NewPath("spec", "jobTemplate")
	template, err := ctj.Spec.JobTemplate.Decode()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	label := map[string]string{OwnerLabel: ctj.Name}
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Name:            c.Name,
			Namespace:       ctj.Namespace,
			Labels:          merge(template.Labels, label),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(ctj, v1alpha.GroupVersion.WithKind(v1alpha.Kind))},
		},
		Spec: template.Spec,
	}
	pod := &job.Spec.Template
	pod.Labels = merge(pod.Labels, label)

	ours := map[string]string{
		TriggerAnnotation: strconv.FormatInt(c.Number, 10),
		ReasonAnnotation:  string(c.Reason),
		ChangedAnnotation: describe(c.Changed, 0, c.Selected...),
	}
	podAnnotations, podRoom, err := annotate(pod.Annotations, ours, path.Child("spec", "template", "metadata", "annotations"))
	if err != nil {
		return nil, err
	}
	ours[HashesAnnotation] = encodeHashes(c)
	if c.RunNow != "" {
		ours[v1alpha.RunNowAnnotation] = c.RunNow
	}
	jobAnnotations, jobRoom, err := annotate(template.Annotations, ours, path.Child("metadata", "annotations"))
	if err != nil {
		return nil, err
	}
	// What is essential has its place; the account of what changed takes what remains.
	changed := describe(c.Changed, min(MaxChangedBytes, len(ours[ChangedAnnotation])+min(jobRoom, podRoom)-headroom), c.Selected...)
	jobAnnotations[ChangedAnnotation] = changed
	podAnnotations[ChangedAnnotation] = changed
	job.Annotations, pod.Annotations = jobAnnotations, podAnnotations

	addVariables(&pod.Spec, ctj, c)
	return job, nil
}

// merge returns a map with the entries of both; those of ours win.
func merge(theirs, ours map[string]string) map[string]string {
	all := make(map[string]string, len(theirs)+len(ours))
	maps.Copy(all, theirs)
	maps.Copy(all, ours)
	return all
}

// annotate merges annotations, and returns how many bytes more they may take, or an error that says how many
// bytes theirs may.
func annotate(theirs, ours map[string]string, path *field.Path) (all map[string]string, room int, err error) {
	all = merge(theirs, ours)
	room = validation.TotalAnnotationSizeLimitB - sizeOf(all)
	if room < 0 {
		return nil, 0, field.TooLong(path, "", validation.TotalAnnotationSizeLimitB-sizeOf(ours))
	}
	return all, room, nil
}

// sizeOf counts the bytes of annotations as the API server does.
func sizeOf(annotations map[string]string) int {
	size := 0
	for key, value := range annotations {
		size += len(key) + len(value)
	}
	return size
}
