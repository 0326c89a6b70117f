package controllers

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// As often as a Job appears, this test does what that Job would do: it changes what is watched.
func TestALoopIsSlowedDownUntilAJobIsAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	operator := w.operate()
	w.configMap("config", "0")
	w.trigger("ctj", []string{"config"})
	w.watching("ctj")

	triggers := int64(0)
	change := func() {
		w.change("config", strconv.FormatInt(triggers+1, 10))
		w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
			require.Greater(c, ctj.Status.TriggerCount, triggers)
		})
		triggers = w.get("ctj").Status.TriggerCount
	}
	for range 11 { // the first is no Job's doing
		change()
	}
	slowed := func() {
		t.Helper()
		w.event("ctj", trigger.ReasonLoopSuspected)
		w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
			requireCondition(c, ctj, "Degraded", metav1.ConditionTrue, trigger.ReasonLoopSuspected)
			requireCondition(c, ctj, "Progressing", metav1.ConditionTrue, trigger.ReasonLoopSuspected)
			require.EqualValues(c, 10, ctj.Status.ResourceHashes[0].LoopCount)
			require.NotEmpty(c, ctj.Status.ResourceHashes[0].Fields[0].LastTriggeredHash, "the change is not lost")
		})
		require.Equal(t, triggers, w.get("ctj").Status.TriggerCount)
	}
	w.change("config", "once more")
	slowed()
	got := w.get("ctj")
	assert.Equal(t, trigger.ReasonLoopSuspected, degradedReason(&got.Status), "it is counted")
	assert.Equal(t, trigger.ReasonLoopSuspected, pendingReason(&got.Status))

	operator.stop()
	w.operate()
	slowed()

	w.runNow("ctj", "mended")
	triggers++
	w.triggered("ctj", triggers)
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Degraded", metav1.ConditionFalse, trigger.ReasonAsExpected)
		require.Zero(c, ctj.Status.ResourceHashes[0].LoopCount)
	})
	change() // at once
}

func TestTheEndOfTheLastJobIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("config", "value")
	w.trigger("ctj", []string{"config"})
	w.watching("ctj")
	w.change("config", "other")
	require.Nil(t, w.triggered("ctj", 1).Status.LastJobFinishedTime)
	before := time.Now().Add(-2 * time.Second)
	w.finish(w.jobs("ctj")[0].Name, batchv1.JobComplete)
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		require.NotNil(c, ctj.Status.LastJobFinishedTime)
		require.True(c, ctj.Status.LastJobFinishedTime.After(before))
	})
}
