package bench

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/bench/feed"
	"github.com/nusnewob/kube-changejob/test/bench/scaling"
	"github.com/nusnewob/kube-changejob/test/jobs"
)

// TestAJobIsUpdatedAsOftenAsTheFormulaSays counts what the Job controller writes of a Job whose Pod starts, is ready and succeeds.
func TestAJobIsUpdatedAsOftenAsTheFormulaSays(t *testing.T) {
	server := apiserver.Start(t, apiserver.CRDs())
	server.StartControllerManager(t, "job-controller")
	ctx, namespace := t.Context(), server.Namespace(t)
	c, err := client.NewWithWatch(server.Config, client.Options{Scheme: server.Scheme})
	require.NoError(t, err)
	events, err := feed.Follow(ctx, c, &batchv1.JobList{}, namespace)
	require.NoError(t, err)
	var updates atomic.Int64
	go func() {
		for event := range events {
			if event.Type == watch.Modified {
				updates.Add(1)
			}
		}
	}()

	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "job"}, Spec: jobs.Spec()}
	require.NoError(t, c.Create(ctx, job))
	await := func(what string, is func() bool) {
		t.Helper()
		require.Eventually(t, func() bool { return c.Get(ctx, client.ObjectKeyFromObject(job), job) == nil && is() }, timeout, 50*time.Millisecond, what)
	}
	var pod corev1.Pod
	await("a Pod", func() bool {
		var pods corev1.PodList
		if c.List(ctx, &pods, client.InNamespace(namespace)) != nil || len(pods.Items) == 0 {
			return false
		}
		pod = pods.Items[0]
		return job.Status.Active == 1
	})
	becomes := func(phase corev1.PodPhase, ready corev1.ConditionStatus) {
		require.NoError(t, c.Get(ctx, client.ObjectKeyFromObject(&pod), &pod))
		pod.Status.Phase = phase
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
		require.NoError(t, c.Status().Update(ctx, &pod))
	}
	becomes(corev1.PodRunning, corev1.ConditionTrue)
	await("a ready Pod", func() bool { return job.Status.Ready != nil && *job.Status.Ready == 1 })
	becomes(corev1.PodSucceeded, corev1.ConditionFalse)
	await("the end", func() bool { return job.Status.CompletionTime != nil })
	assert.Eventually(t, func() bool { return updates.Load() == scaling.Updates }, timeout, 50*time.Millisecond)
	assert.EqualValues(t, scaling.Updates, updates.Load())
}
