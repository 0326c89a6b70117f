package job

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
)

// ended returns a large Job that has ended and is being deleted, as the API server may have it.
func ended(t *testing.T) *batchv1.Job {
	template := batchv1.JobTemplateSpec{}
	template.Labels = map[string]string{"app": "sync"}
	template.Annotations = map[string]string{"note": strings.Repeat("n", 10000)}
	template.Spec.Template.Spec.Containers = []corev1.Container{{Name: "main", Args: []string{strings.Repeat("a", 100000)}}}
	ctj := watcher(template)
	job := stored(t, ctj, creation(ctj))
	now := metav1.Now()
	job.DeletionTimestamp = &now
	job.ResourceVersion = "42"
	job.Finalizers = []string{"foregroundDeletion"}
	job.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kube-changejob"}}
	job.OwnerReferences = append(job.OwnerReferences, metav1.OwnerReference{Kind: "ConfigMap", Name: "another owner", Controller: ptr.To(false)})
	job.Status = batchv1.JobStatus{Succeeded: 1, CompletionTime: &now, Conditions: []batchv1.JobCondition{
		{Type: batchv1.JobSuccessCriteriaMet, Status: corev1.ConditionTrue, Message: "Reached expected number of succeeded pods"},
		{Type: batchv1.JobComplete, Status: corev1.ConditionTrue, LastTransitionTime: now, Message: "Reached expected number of succeeded pods"},
	}}
	return job
}

func TestAStrippedJobTellsTheSame(t *testing.T) {
	ctj := watcher()
	before := ended(t)
	job := before.DeepCopy()
	got, err := Strip(job)
	require.NoError(t, err)
	assert.Same(t, job, got)

	assert.Equal(t, observe(before, ctj), observe(job, ctj))
	assert.True(t, Owned(job, ctj.UID))
	assert.Equal(t, Outcome(before), Outcome(job))
	assert.Equal(t, before.Status.CompletionTime.Time, observe(job, ctj).Finished)
	assert.Equal(t, before.Namespace, job.Namespace)
	assert.Equal(t, before.ResourceVersion, job.ResourceVersion)
	assert.Equal(t, "watcher", job.Labels[OwnerLabel], "it is still found by label")

	left, err := json.Marshal(job)
	require.NoError(t, err)
	assert.Less(t, len(left), 1024, "and little is left")
	assert.Equal(t, batchv1.JobSpec{}, job.Spec)
	assert.Empty(t, job.ManagedFields)
}

func TestStrippingTwiceIsAsStrippingOnce(t *testing.T) {
	job := ended(t)
	_, err := Strip(job)
	require.NoError(t, err)
	once := job.DeepCopy()
	_, err = Strip(job)
	require.NoError(t, err)
	assert.Equal(t, once, job)
}

func TestAJobThatIsNotOursIsStripped(t *testing.T) {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "by-hand", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"}}}
	_, err := Strip(job)
	require.NoError(t, err)
	assert.Equal(t, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "by-hand"}}, job)
}

func TestWhatIsNoJobIsPassedOn(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod", ManagedFields: []metav1.ManagedFieldsEntry{{}}}}
	before := pod.DeepCopy()
	got, err := Strip(pod)
	require.NoError(t, err)
	assert.Same(t, pod, got)
	assert.Equal(t, before, pod)

	got, err = Strip(nil)
	require.NoError(t, err)
	assert.Nil(t, got)
}

func TestTheLastKnownStateOfADeletedJobIsStripped(t *testing.T) {
	job := ended(t)
	got, err := Strip(cache.DeletedFinalStateUnknown{Key: "default/x", Obj: job})
	require.NoError(t, err)
	assert.Equal(t, cache.DeletedFinalStateUnknown{Key: "default/x", Obj: job}, got)
	assert.Equal(t, batchv1.JobSpec{}, job.Spec)
}
