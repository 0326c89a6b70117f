package job

import (
	"strconv"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// MaxNameLength is the longest name, in characters, that a ChangeTriggeredJob with this template may have:
// v1alpha.MaxNameLength, and for an Indexed Job as much less as the host names of its Pods need. They are the
// Job's name, a hyphen and the index, and must fit 63 characters, too; the API server refuses the Job
// otherwise. (It also refuses an Indexed Job with a dot in its name, however short.)
func MaxNameLength(template *batchv1.JobTemplateSpec) int {
	spec := &template.Spec
	if spec.CompletionMode == nil || *spec.CompletionMode != batchv1.IndexedCompletion ||
		spec.Completions == nil || *spec.Completions < 1 {
		return v1alpha.MaxNameLength
	}
	lastIndex := strconv.Itoa(int(*spec.Completions) - 1)
	return v1alpha.MaxNameLength - len("-") - len(lastIndex)
}
