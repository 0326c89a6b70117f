package job

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// Environment variables of every container, init containers and sidecars too, unless the template sets a
// variable of that name itself.
const (
	// NameVariable holds the name of the ChangeTriggeredJob.
	NameVariable = "CHANGEJOB_NAME"
	// NamespaceVariable holds its namespace.
	NamespaceVariable = "CHANGEJOB_NAMESPACE"
	// TriggerVariable holds the number of the trigger.
	TriggerVariable = "CHANGEJOB_TRIGGER"
	// ReasonVariable holds the reason of the trigger.
	ReasonVariable = "CHANGEJOB_REASON"
	// ChangedVariable holds what changed, as ChangedAnnotation does.
	ChangedVariable = "CHANGEJOB_CHANGED"
)

// addVariables adds our variables to every container of the Pods.
func addVariables(pod *corev1.PodSpec, ctj *v1alpha.ChangeTriggeredJob, c *trigger.Creation) {
	ours := []corev1.EnvVar{
		{Name: NameVariable, Value: ctj.Name},
		{Name: NamespaceVariable, Value: ctj.Namespace},
		{Name: TriggerVariable, Value: strconv.FormatInt(c.Number, 10)},
		{Name: ReasonVariable, Value: string(c.Reason)},
		// By reference it is stored once, however many containers there are, and the kubelet expands no
		// $(VARIABLE) in it, which a path may contain.
		{Name: ChangedVariable, ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['" + ChangedAnnotation + "']"},
		}},
	}
	for i := range pod.InitContainers {
		pod.InitContainers[i].Env = withVariables(pod.InitContainers[i].Env, ours)
	}
	for i := range pod.Containers {
		pod.Containers[i].Env = withVariables(pod.Containers[i].Env, ours)
	}
}

// withVariables returns theirs after those of ours that they do not set: a variable may refer to those before it,
// so that theirs may say $(CHANGEJOB_TRIGGER).
func withVariables(theirs, ours []corev1.EnvVar) []corev1.EnvVar {
	all := make([]corev1.EnvVar, 0, len(ours)+len(theirs))
	for _, variable := range ours {
		if !slices.ContainsFunc(theirs, func(v corev1.EnvVar) bool { return v.Name == variable.Name }) {
			all = append(all, *variable.DeepCopy())
		}
	}
	return append(all, theirs...)
}
