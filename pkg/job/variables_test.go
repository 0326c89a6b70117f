package job

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

func TestEveryContainerIsToldWhatChanged(t *testing.T) {
	template := batchv1.JobTemplateSpec{}
	template.Spec.Template.Spec = corev1.PodSpec{
		InitContainers: []corev1.Container{
			{Name: "init"},
			{Name: "sidecar", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)},
		},
		Containers: []corev1.Container{{Name: "main"}, {Name: "second"}},
	}
	ctj := watcher(template)
	pod := built(t, ctj, creation(ctj)).Spec.Template

	want := []corev1.EnvVar{
		{Name: "CHANGEJOB_NAME", Value: "watcher"},
		{Name: "CHANGEJOB_NAMESPACE", Value: "default"},
		{Name: "CHANGEJOB_TRIGGER", Value: "7"},
		{Name: "CHANGEJOB_REASON", Value: "Change"},
		{Name: "CHANGEJOB_CHANGED", ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['changejob.dev/changed']"}}},
	}
	containers := slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers)
	assert.Len(t, containers, 4)
	for _, container := range containers {
		assert.Equal(t, want, container.Env, container.Name)
	}
	assert.Contains(t, pod.Annotations, "changejob.dev/changed", "what the reference refers to is there")
}

func TestTheTemplatesVariables(t *testing.T) {
	secret := &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "k"}}
	for name, c := range map[string]struct {
		template []corev1.EnvVar
		names    []string
	}{
		"stand after ours, so that they can refer to ours": {
			[]corev1.EnvVar{{Name: "MESSAGE", Value: "number $(CHANGEJOB_TRIGGER)"}},
			[]string{NameVariable, NamespaceVariable, TriggerVariable, ReasonVariable, ChangedVariable, "MESSAGE"},
		},
		"replace ours of the same name": {
			[]corev1.EnvVar{{Name: ChangedVariable, Value: "mine"}, {Name: "A"}, {Name: NameVariable, ValueFrom: secret}},
			[]string{NamespaceVariable, TriggerVariable, ReasonVariable, ChangedVariable, "A", NameVariable},
		},
		"replace ours even where they are empty": {
			[]corev1.EnvVar{{Name: TriggerVariable}},
			[]string{NameVariable, NamespaceVariable, ReasonVariable, ChangedVariable, TriggerVariable},
		},
	} {
		t.Run(name, func(t *testing.T) {
			template := batchv1.JobTemplateSpec{}
			template.Spec.Template.Spec.Containers = []corev1.Container{{Name: "main", Env: c.template}}
			ctj := watcher(template)
			env := built(t, ctj, creation(ctj)).Spec.Template.Spec.Containers[0].Env
			var names []string
			for _, variable := range env {
				names = append(names, variable.Name)
			}
			assert.Equal(t, c.names, names)
			assert.Equal(t, c.template, env[len(env)-len(c.template):], "the template's are as they were")
		})
	}
}

func TestOneContainersVariablesAreNotAnothers(t *testing.T) {
	template := batchv1.JobTemplateSpec{}
	template.Spec.Template.Spec.Containers = []corev1.Container{{Name: "a"}, {Name: "b"}}
	ctj := watcher(template)
	containers := built(t, ctj, creation(ctj)).Spec.Template.Spec.Containers
	containers[0].Env[4].ValueFrom.FieldRef.FieldPath = "altered"
	assert.NotEqual(t, "altered", containers[1].Env[4].ValueFrom.FieldRef.FieldPath)
}
