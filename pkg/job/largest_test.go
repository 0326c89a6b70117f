package job

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// largest returns the largest ChangeTriggeredJob that the schema takes, with this template: 64 objects with
// the longest names, and 256 fields of 256 characters of four bytes each.
func largest(namespace string, template batchv1.JobTemplateSpec) *v1alpha.ChangeTriggeredJob {
	ctj := &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: strings.Repeat("n", v1alpha.MaxNameLength)},
		Spec:       v1alpha.ChangeTriggeredJobSpec{JobTemplate: v1alpha.NewJobTemplate(template)},
	}
	for object := range 64 {
		ref := v1alpha.ResourceReference{
			APIVersion: strings.Repeat("g", 253) + "/" + strings.Repeat("v", 63),
			Kind:       strings.Repeat("K", 63),
			Namespace:  strings.Repeat("s", 63),
			Name:       fmt.Sprintf("%0253d", object),
		}
		for i := range v1alpha.MaxFields / 64 {
			ref.Fields = append(ref.Fields, fmt.Sprintf("f%d", i)+strings.Repeat("𝒳", 254))
		}
		ctj.Spec.Resources = append(ctj.Spec.Resources, ref)
	}
	return ctj
}

// everything returns the largest trigger of ctj: every field has changed.
func everything(ctj *v1alpha.ChangeTriggeredJob) *trigger.Creation {
	const number = 1<<63 - 1
	c := &trigger.Creation{Name: trigger.JobName(ctj.Name, ctj.UID, number), Number: number, Reason: trigger.ReasonChange}
	for _, ref := range trigger.MergeReferences(ctj.Spec.Resources) {
		c.Changed = append(c.Changed, trigger.Change{ObjectReference: ref.Reference, Fields: ref.Fields})
		for _, field := range ref.Fields {
			c.Hashes = append(c.Hashes, trigger.TriggeredHash{Reference: ref.Reference, Field: field,
				Hash: "v1-0a1b2c3d:00112233445566778899aabbccddeeff"})
		}
	}
	return c
}

func TestTheLargestCTJGivesAJobThatStarts(t *testing.T) {
	main := corev1.Container{Name: "main", Image: "busybox:1.37"}
	template := func(containers ...corev1.Container) batchv1.JobTemplateSpec {
		return batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{
			Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: containers},
		}}}
	}
	many := template()
	for i := range 200 {
		container := main
		container.Name = fmt.Sprintf("c%d", i)
		many.Spec.Template.Spec.Containers = append(many.Spec.Template.Spec.Containers, container)
	}
	argued := main
	for range 4 {
		argued.Args = append(argued.Args, strings.Repeat("a", 127<<10))
	}
	// What Build needs for itself in the largest case, so that the template takes all that remains.
	probe := largest("x", template(main))
	least := describe(everything(probe).Changed, 0)
	essential := func(annotations map[string]string) int {
		return sizeOf(annotations) - len(annotations[ChangedAnnotation]) + len(least)
	}
	ours := built(t, probe, everything(probe))
	const limit = validation.TotalAnnotationSizeLimitB
	annotated := template(main)
	annotated.Annotations = map[string]string{"k": strings.Repeat("x", limit-essential(ours.Annotations)-1)}
	annotated.Spec.Template.Annotations = map[string]string{"k": strings.Repeat("x", limit-essential(ours.Spec.Template.Annotations)-1)}

	for name, c := range map[string]struct {
		template batchv1.JobTemplateSpec
		told     func(*testing.T, account)
	}{
		"with a plain template": {template(main), func(t *testing.T, a account) {
			assert.Positive(t, fieldsIn(a))
			assert.Equal(t, v1alpha.MaxFields, fieldsIn(a)+a.OmittedFields)
		}},
		"with two hundred containers": {many, func(t *testing.T, a account) { assert.Positive(t, fieldsIn(a)) }},
		"with half a megabyte of arguments": {template(argued), func(t *testing.T, a account) {
			assert.Positive(t, fieldsIn(a))
		}},
		"with annotations that leave no room": {annotated, func(t *testing.T, a account) {
			assert.Equal(t, account{Resources: []Change{}, OmittedFields: v1alpha.MaxFields}, a)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			ctj := largest(server(t).Namespace(t), c.template)
			require.LessOrEqual(t, len(ctj.Spec.JobTemplate.Raw), v1alpha.MaxJobTemplateBytes)
			require.NoError(t, server(t).Client.Create(t.Context(), ctj), "it is legal")
			creation := everything(ctj)
			require.NoError(t, server(t).Client.Create(t.Context(), built(t, ctj, creation)), "the API server takes the Job")

			job := &batchv1.Job{}
			require.NoError(t, server(t).Client.Get(t.Context(), client.ObjectKey{Namespace: ctj.Namespace, Name: creation.Name}, job))
			observed := observe(job, ctj)
			assert.Equal(t, creation.Number, observed.Number)
			assert.Equal(t, creation.Hashes, observed.Hashes)
			assert.Equal(t, creation.Changed, observed.Changed)

			for _, container := range job.Spec.Template.Spec.Containers {
				told := run(t, container, job.Spec.Template.ObjectMeta)
				assert.LessOrEqual(t, len(told), MaxChangedBytes)
				c.told(t, decodeAccount(t, told))
			}
		})
	}
}

// run starts a process of this machine with the container's arguments and environment, as a kubelet
// would, and returns what it finds in CHANGEJOB_CHANGED.
func run(t *testing.T, container corev1.Container, pod metav1.ObjectMeta) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "/bin/sh", append([]string{"-c", `printf %s "$CHANGEJOB_CHANGED"`, "sh"}, container.Args...)...)
	for _, variable := range container.Env {
		value := variable.Value
		if variable.ValueFrom != nil {
			key, ok := strings.CutPrefix(variable.ValueFrom.FieldRef.FieldPath, "metadata.annotations['")
			require.True(t, ok)
			value = pod.Annotations[strings.TrimSuffix(key, "']")]
		}
		command.Env = append(command.Env, variable.Name+"="+value)
	}
	out, err := command.Output()
	require.NoError(t, err, "the container starts")
	return string(out)
}
