package job

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

func TestAJobSaysWhatItIsFor(t *testing.T) {
	ctj := watcher()
	job := built(t, ctj, creation(ctj))

	const changed = `{"resources":[{"apiVersion":"v1","kind":"ConfigMap","namespace":"default","name":"app-config","fields":["data.a"]}],"omittedFields":0}`
	assert.Equal(t, metav1.ObjectMeta{
		Name:      trigger.JobName("watcher", ctj.UID, 7),
		Namespace: "default",
		Labels:    map[string]string{"changejob.dev/owner": "watcher"},
		Annotations: map[string]string{
			"changejob.dev/trigger": "7",
			"changejob.dev/reason":  "Change",
			"changejob.dev/changed": changed,
			"changejob.dev/hashes": "*2ac13e92bf3e=v1-0a1b2c3d:00112233445566778899aabbccddeeff" +
				" 5c3602a41a80=absent 1c4dbe976882=v1-0a1b2c3d:ffeeddccbbaa99887766554433221100",
		},
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: "triggers.changejob.dev/v1alpha", Kind: "ChangeTriggeredJob", Name: "watcher", UID: ctj.UID,
			Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true),
		}},
	}, job.ObjectMeta, "and nothing of the CTJ's own labels and annotations")
	assert.Equal(t, metav1.ObjectMeta{
		Labels: map[string]string{"changejob.dev/owner": "watcher"},
		Annotations: map[string]string{
			"changejob.dev/trigger": "7",
			"changejob.dev/reason":  "Change",
			"changejob.dev/changed": changed,
		},
	}, job.Spec.Template.ObjectMeta)
	assert.Equal(t, batchv1.JobStatus{}, job.Status)
}

func TestTheTemplateIsHonoured(t *testing.T) {
	template := batchv1.JobTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{
			Name: "mine", GenerateName: "mine-", Namespace: "elsewhere", Finalizers: []string{"example.com/stay"},
			Labels:          map[string]string{"app": "sync", OwnerLabel: "someone-else"},
			Annotations:     map[string]string{"note": "job", TriggerAnnotation: "99", HashesAnnotation: "forged", ChangedAnnotation: "forged"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x", Controller: ptr.To(true)}},
		},
		Spec: batchv1.JobSpec{
			Suspend:                 ptr.To(true),
			ManualSelector:          ptr.To(true),
			Selector:                &metav1.LabelSelector{MatchLabels: map[string]string{"app": "sync"}},
			BackoffLimit:            ptr.To[int32](3),
			TTLSecondsAfterFinished: ptr.To[int32](60),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels:      map[string]string{"app": "sync"},
					Annotations: map[string]string{"note": "pod", ReasonAnnotation: "Boredom", ChangedAnnotation: "forged"},
				},
				Spec: corev1.PodSpec{
					Containers:                    []corev1.Container{{Name: "main", Image: "sync:1"}},
					TerminationGracePeriodSeconds: ptr.To[int64](5),
				},
			},
		},
	}
	ctj := watcher(template)
	before := ctj.DeepCopy()
	c := creation(ctj)
	job := built(t, ctj, c)
	assert.Equal(t, before, ctj, "the argument is not changed")
	assert.Equal(t, creation(ctj), c, "the argument is not changed")

	plain := watcher()
	bare := built(t, plain, creation(plain))
	assert.Equal(t, bare.Name, job.Name, "the template's name does not count")
	assert.Empty(t, job.GenerateName)
	assert.Equal(t, "default", job.Namespace)
	assert.Empty(t, job.Finalizers)
	assert.Equal(t, bare.OwnerReferences, job.OwnerReferences)
	assert.Equal(t, map[string]string{"app": "sync", OwnerLabel: "watcher"}, job.Labels)
	assert.Equal(t, merge(bare.Annotations, map[string]string{"note": "job"}), job.Annotations, "ours win")

	pod := job.Spec.Template
	assert.Equal(t, map[string]string{"app": "sync", OwnerLabel: "watcher"}, pod.Labels)
	assert.Equal(t, merge(bare.Spec.Template.Annotations, map[string]string{"note": "pod"}), pod.Annotations, "ours win")

	job.Spec.Template.ObjectMeta = template.Spec.Template.ObjectMeta
	job.Spec.Template.Spec.Containers[0].Env = nil
	assert.Equal(t, template.Spec, job.Spec, "the rest is the template's")
}

func TestATemplateThatCannotBeUsedIsAnError(t *testing.T) {
	annotated := func(job, pod int) batchv1.JobTemplateSpec {
		template := batchv1.JobTemplateSpec{}
		template.Annotations = map[string]string{"k": strings.Repeat("x", job)}
		template.Spec.Template.Annotations = map[string]string{"k": strings.Repeat("x", pod)}
		return template
	}
	for name, c := range map[string]struct {
		template v1alpha.JobTemplate
		want     string
	}{
		"a port that is no port":           {v1alpha.JobTemplate{Raw: []byte(`{"spec":{"template":{"spec":{"containers":[{"ports":[{"containerPort":99999999999}]}]}}}}`)}, "spec.jobTemplate: "},
		"a quantity that is none":          {v1alpha.JobTemplate{Raw: []byte(`{"spec":{"template":{"spec":{"containers":[{"resources":{"limits":{"cpu":"1e1.5"}}}]}}}}`)}, "spec.jobTemplate: "},
		"no JSON":                          {v1alpha.JobTemplate{Raw: []byte(`{`)}, "spec.jobTemplate: "},
		"no room in the Job's annotations": {v1alpha.NewJobTemplate(annotated(256<<10, 0)), "spec.jobTemplate.metadata.annotations: Too long: may not be more than "},
		"no room in the Pod's annotations": {v1alpha.NewJobTemplate(annotated(0, 256<<10)), "spec.jobTemplate.spec.template.metadata.annotations: Too long: may not be more than "},
	} {
		t.Run(name, func(t *testing.T) {
			ctj := watcher()
			ctj.Spec.JobTemplate = c.template
			job, err := Build(ctj, creation(ctj))
			assert.Nil(t, job)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestTheAccountShrinksWhereTheTemplateTakesItsRoom(t *testing.T) {
	const limit = 256 << 10
	ctj := watcher()
	c := creation(ctj)
	c.Changed[0].Fields = []string{strings.Repeat("a", 200), strings.Repeat("b", 200)}
	ours := built(t, ctj, c)
	whole := ours.Annotations[ChangedAnnotation]
	essential := func(annotations map[string]string) int {
		return sizeOf(annotations) - len(whole) + len(describe(c.Changed, 0))
	}
	rest := len(whole) - len(describe(c.Changed, 0))
	forJob, forPod := limit-essential(ours.Annotations), limit-essential(ours.Spec.Template.Annotations)

	for name, s := range map[string]struct {
		job, pod int // bytes of the template's own annotations
		kept     int // fields that the account still names
		refused  string
	}{
		"plenty of room": {job: 1000, pod: 1000, kept: 2},
		"the Job's annotations just leave room for all":  {job: forJob - headroom - rest, kept: 2},
		"one byte less than that":                        {job: forJob - headroom - rest + 1, kept: 1},
		"the Pod's annotations leave room for one field": {job: 0, pod: forPod - headroom - 400, kept: 1},
		"what the cluster adds goes before the account":  {job: 0, pod: forPod - headroom, kept: 0},
		"just room for what is essential":                {job: forJob, pod: forPod, kept: 0},
		"one byte too many in the Job's":                 {job: forJob + 1, refused: "spec.jobTemplate.metadata.annotations"},
		"one byte too many in the Pod's":                 {pod: forPod + 1, refused: "spec.jobTemplate.spec.template.metadata.annotations"},
	} {
		t.Run(name, func(t *testing.T) {
			template := batchv1.JobTemplateSpec{}
			template.Annotations = map[string]string{"k": strings.Repeat("x", max(0, s.job-1))}
			template.Spec.Template.Annotations = map[string]string{"k": strings.Repeat("x", max(0, s.pod-1))}
			ctj := watcher(template)
			job, err := Build(ctj, c)
			if s.refused != "" {
				var invalid *field.Error
				require.ErrorAs(t, err, &invalid)
				assert.Equal(t, s.refused, invalid.Field)
				assert.Contains(t, err.Error(), "may not be more than 26")
				return
			}
			require.NoError(t, err)
			account := decodeAccount(t, job.Annotations[ChangedAnnotation])
			assert.Equal(t, 2-s.kept, account.OmittedFields)
			assert.Equal(t, s.kept, fieldsIn(account))
			assert.Equal(t, job.Annotations[ChangedAnnotation], job.Spec.Template.Annotations[ChangedAnnotation])
			assert.LessOrEqual(t, sizeOf(job.Annotations), limit)
			assert.LessOrEqual(t, sizeOf(job.Spec.Template.Annotations), limit)
			assert.Equal(t, "7", job.Annotations[TriggerAnnotation])
			assert.Equal(t, ours.Annotations[HashesAnnotation], job.Annotations[HashesAnnotation], "hashes are never cut")
		})
	}
}
