package job

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// shared is the API server of this package's tests.
var shared = apiserver.OnDemand(apiserver.CRDs())

func server(t *testing.T) *apiserver.Server {
	t.Helper()
	return shared.Server(t)
}

func TestMain(m *testing.M) { os.Exit(apiserver.MainOnDemand(m, shared)) }

var (
	config = trigger.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: "app-config"}
	node   = trigger.ObjectReference{APIVersion: "v1", Kind: "Node", Name: "worker-1"}
)

// watcher returns a ChangeTriggeredJob that watches two fields of a ConfigMap, and a Node, and runs this
// template, by default one with a single container.
func watcher(templates ...batchv1.JobTemplateSpec) *v1alpha.ChangeTriggeredJob {
	template := batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever,
		Containers:    []corev1.Container{{Name: "main", Image: "busybox:1.37"}},
	}}}}
	if len(templates) > 0 {
		template = templates[0]
	}
	return &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{
			Name: "watcher", Namespace: "default", UID: "2b0a9a7e-94c8-4b51-a7f6-a1c3a5a0f7d1",
			Labels:      map[string]string{"team": "platform"},
			Annotations: map[string]string{"description": "watches"},
		},
		Spec: v1alpha.ChangeTriggeredJobSpec{
			JobTemplate: v1alpha.NewJobTemplate(template),
			Resources: []v1alpha.ResourceReference{
				{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: "app-config", Fields: []string{"data.a", "data.b"}},
				{APIVersion: "v1", Kind: "Node", Name: "worker-1"},
			},
		},
	}
}

// creation returns trigger 7 of ctj: data.a has changed.
func creation(ctj *v1alpha.ChangeTriggeredJob) *trigger.Creation {
	return &trigger.Creation{
		Name:    trigger.JobName(ctj.Name, ctj.UID, 7),
		Number:  7,
		Reason:  trigger.ReasonChange,
		Changed: []trigger.Change{{ObjectReference: config, Fields: []string{"data.a"}}},
		Hashes: []trigger.TriggeredHash{
			{Reference: config, Field: "data.a", Hash: "v1-0a1b2c3d:00112233445566778899aabbccddeeff"},
			{Reference: config, Field: "data.b", Hash: trigger.Absent},
			{Reference: node, Field: "*", Hash: "v1-0a1b2c3d:ffeeddccbbaa99887766554433221100"},
		},
	}
}

func built(t *testing.T, ctj *v1alpha.ChangeTriggeredJob, c *trigger.Creation) *batchv1.Job {
	t.Helper()
	job, err := Build(ctj, c)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func TestAJobIsOwnedByTheUIDOfItsController(t *testing.T) {
	ctj := watcher()
	for name, c := range map[string]struct {
		alter func(*metav1.OwnerReference)
		owned bool
	}{
		"the Job that is made for it":            {func(*metav1.OwnerReference) {}, true},
		"made under another version of the API":  {func(o *metav1.OwnerReference) { o.APIVersion = "triggers.changejob.dev/v1" }, true},
		"of a CTJ of the same name, made before": {func(o *metav1.OwnerReference) { o.UID = "another" }, false},
		"of another group's kind":                {func(o *metav1.OwnerReference) { o.APIVersion = "example.com/v1alpha" }, false},
		"of another kind":                        {func(o *metav1.OwnerReference) { o.Kind = "CronJob" }, false},
		"owned, but not controlled":              {func(o *metav1.OwnerReference) { o.Controller = nil }, false},
		"with a version that is none":            {func(o *metav1.OwnerReference) { o.APIVersion = "a/b/c" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			job := built(t, ctj, creation(ctj))
			c.alter(&job.OwnerReferences[0])
			assert.Equal(t, c.owned, Owned(job, ctj.UID))
		})
	}
	assert.False(t, Owned(&batchv1.Job{}, ctj.UID), "nobody's Job")
	assert.False(t, Owned(&batchv1.Job{}, ""), "nobody's Job, for no UID")
}

func TestTheOutcomeOfAJob(t *testing.T) {
	condition := func(kind batchv1.JobConditionType, status corev1.ConditionStatus) batchv1.JobCondition {
		return batchv1.JobCondition{Type: kind, Status: status}
	}
	for name, c := range map[string]struct {
		status  batchv1.JobStatus
		suspend bool
		want    v1alpha.JobStatus
	}{
		"new":                                    {want: v1alpha.JobActive},
		"suspended":                              {suspend: true, status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{condition(batchv1.JobSuspended, corev1.ConditionTrue)}}, want: v1alpha.JobActive},
		"a Pod has failed, and another one runs": {status: batchv1.JobStatus{Active: 1, Failed: 1}, want: v1alpha.JobActive},
		"its Pods are done, but not cleared away":     {status: batchv1.JobStatus{Succeeded: 1, Conditions: []batchv1.JobCondition{condition(batchv1.JobSuccessCriteriaMet, corev1.ConditionTrue)}}, want: v1alpha.JobActive},
		"it is to fail once its Pods have ended":      {status: batchv1.JobStatus{Failed: 1, Conditions: []batchv1.JobCondition{condition(batchv1.JobFailureTarget, corev1.ConditionTrue)}}, want: v1alpha.JobActive},
		"complete":                                    {status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{condition(batchv1.JobSuccessCriteriaMet, corev1.ConditionTrue), condition(batchv1.JobComplete, corev1.ConditionTrue)}}, want: v1alpha.JobSucceeded},
		"a Pod failed, and then the Job completed":    {status: batchv1.JobStatus{Failed: 1, Succeeded: 1, Conditions: []batchv1.JobCondition{condition(batchv1.JobComplete, corev1.ConditionTrue)}}, want: v1alpha.JobSucceeded},
		"failed for good":                             {status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{condition(batchv1.JobFailureTarget, corev1.ConditionTrue), condition(batchv1.JobFailed, corev1.ConditionTrue)}}, want: v1alpha.JobFailed},
		"conditions that say that it is not the case": {status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{condition(batchv1.JobFailed, corev1.ConditionFalse), condition(batchv1.JobComplete, corev1.ConditionUnknown)}}, want: v1alpha.JobActive},
	} {
		t.Run(name, func(t *testing.T) {
			job := &batchv1.Job{Spec: batchv1.JobSpec{Suspend: ptr.To(c.suspend)}, Status: c.status}
			assert.Equal(t, c.want, Outcome(job))
		})
	}
}
