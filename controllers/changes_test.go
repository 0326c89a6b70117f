package controllers

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/jobs"
)

func TestOnlyChangesThatCountTrigger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	operator := w.operate()
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "config"}}
	w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Resources[0].Changes = []v1alpha.ChangeType{v1alpha.ChangeCreated}
	})
	w.watching("ctj")
	w.configMap("config", "1")
	w.triggered("ctj", 1)
	w.change("config", "2")
	require.NoError(t, w.Delete(t.Context(), config))
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		require.Equal(c, new(false), ctj.Status.ResourceHashes[0].Exists)
	})
	w.settled()
	assert.Len(t, w.jobs("ctj"), 1)
	operator.stop()
	w.configMap("config", "2") // while no operator runs
	w.operate()
	w.triggered("ctj", 2)
}

func TestAChangeWaitsUntilItsWhenIsTrue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	operator := w.operate()
	w.configMap("config", "wait 1")
	w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Resources[0].When = `object.data.key.startsWith('go')`
	})
	w.watching("ctj")
	w.change("config", "wait 2")
	w.waitsFor("ctj", trigger.ReasonWaitingForWhen)
	require.Equal(t, v1alpha.WhenFalse, w.get("ctj").Status.ResourceHashes[0].WaitingForWhen)
	operator.stop()
	before := w.get("ctj").ResourceVersion
	w.operate()
	w.settled()
	require.Equal(t, before, w.get("ctj").ResourceVersion, "a restart alone writes nothing")
	w.change("config", "go")
	w.triggered("ctj", 1)
	require.Empty(t, w.get("ctj").Status.ResourceHashes[0].WaitingForWhen)
}

func TestAWhenThatIsNoneIsInvalid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) { s.Resources[0].When = `object.data.key ==` })
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Available", metav1.ConditionFalse, trigger.ReasonInvalidSpec)
		require.Contains(c, ctj.Status.Conditions[0].Message, "spec.resources[0].when: Invalid value: Syntax error")
	})
}

// TestWorkIsChained has one ChangeTriggeredJob follow the Jobs of another that succeed: one Job for each, none for one that fails, none when
// history deletes them, and none again after a restart.
func TestWorkIsChained(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	operator := w.operate()
	build := func(name string) *batchv1.Job {
		j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name, Labels: map[string]string{job.OwnerLabel: "build"}}, Spec: jobs.Spec()}
		require.NoError(t, w.Create(t.Context(), j))
		return j
	}
	w.trigger("test", nil, func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Resources = []v1alpha.ResourceReference{{APIVersion: "batch/v1", Kind: "Job", Namespace: w.namespace,
			Selector: &v1alpha.LabelSelector{MatchLabels: map[string]v1alpha.LabelValue{job.OwnerLabel: "build"}},
			Changes:  []v1alpha.ChangeType{v1alpha.ChangeCreated},
			When:     `object.status.?conditions.orValue([]).exists(c, c.type == 'Complete' && c.status == 'True')`}}
	})
	w.watching("test")
	first := build("build-1")
	w.finish("build-1", batchv1.JobComplete)
	w.triggered("test", 1)
	require.Equal(t, []trigger.ObjectChange{{Namespace: w.namespace, Name: "build-1", Change: trigger.ObjectAdded}}, w.told("test", 1).Resources[0].Objects)

	build("build-2")
	w.finish("build-2", batchv1.JobFailed)
	build("build-3")
	w.finish("build-3", batchv1.JobComplete)
	w.triggered("test", 2)
	require.Equal(t, "build-3", w.told("test", 2).Resources[0].Objects[0].Name)

	require.NoError(t, w.Delete(t.Context(), first, client.PropagationPolicy(metav1.DeletePropagationBackground)))
	w.eventually("test", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		require.Equal(c, int32(1), *ctj.Status.ResourceHashes[0].Matched)
	})
	operator.stop()
	w.operate()
	w.settled()
	require.Len(t, w.jobs("test"), 2)
	build("build-4")
	w.finish("build-4", batchv1.JobComplete)
	w.triggered("test", 3)
}
