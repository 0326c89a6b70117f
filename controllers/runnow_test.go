package controllers

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// annotate sets annotations of a ChangeTriggeredJob.
func (w *world) annotate(name string, annotations map[string]string) {
	w.t.Helper()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	require.NoError(w.t, err)
	ctj := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	require.NoError(w.t, w.Patch(w.ctx, ctj, client.RawPatch(types.MergePatchType, patch)))
}

func (w *world) runNow(name, value string) {
	w.t.Helper()
	w.annotate(name, map[string]string{v1alpha.RunNowAnnotation: value})
}

func TestAJobThatIsAskedForRunsAtOnceAndOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	operator := w.operate()
	w.configMap("config", "value")
	ctj := w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Condition = v1alpha.TriggerAll
		s.Cooldown.Duration = v1alpha.MaxCooldown
	})
	w.watching("ctj")

	w.runNow("ctj", "first")
	got := w.triggered("ctj", 1)
	assert.Equal(t, "first", got.Status.LastRunNow)
	made := w.jobs("ctj")
	require.Len(t, made, 1)
	assert.Equal(t, trigger.JobName(ctj.Name, ctj.UID, 1), made[0].Name)
	assert.Equal(t, "RunNow", made[0].Annotations[job.ReasonAnnotation])
	assert.Equal(t, "first", made[0].Annotations[v1alpha.RunNowAnnotation])
	w.eventAbout("ctj", trigger.EventJobCreated, made[0].Name)

	w.change("config", "other") // waits for the cooldown that it began
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Progressing", metav1.ConditionTrue, trigger.ReasonCooldown)
	})
	w.runNow("ctj", "second")
	w.triggered("ctj", 2)
	require.Len(t, w.jobs("ctj"), 2)

	operator.stop()
	w.operate()
	w.settled()
	assert.Len(t, w.jobs("ctj"), 2, "a restart asks for nothing")
}

func TestAJobIsAskedForWhileItIsSuspended(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("config", "value")
	w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) { s.Suspend = new(true) })
	w.watching("ctj")

	w.runNow("ctj", "in vain")
	w.event("ctj", trigger.EventRunNowRefused)
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, jobs []batchv1.Job) {
		require.Equal(c, "in vain", ctj.Status.LastRunNow)
		require.Empty(c, jobs)
	})

	w.annotate("ctj", map[string]string{v1alpha.RunNowAnnotation: "forced", v1alpha.RunNowForceAnnotation: "forced"})
	w.triggered("ctj", 1)

	w.edit("ctj", func(s *v1alpha.ChangeTriggeredJobSpec) { s.Suspend = new(false) })
	w.settled()
	assert.Len(t, w.jobs("ctj"), 1, "what was refused does not run after resume")
}

func TestWhatACopyAsksForDoesNotRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configMap("config", "value")
	ctj := w.trigger("ctj", []string{"config"})
	w.runNow("ctj", "of another")
	w.operate() // sees it with its annotation first
	w.watching("ctj")
	w.settled()
	assert.Empty(t, w.jobs("ctj"))
	assert.Equal(t, "of another", w.get("ctj").Status.LastRunNow)

	w.runNow("ctj", "its own")
	w.triggered("ctj", 1)
	assert.Equal(t, trigger.JobName(ctj.Name, ctj.UID, 1), w.jobs("ctj")[0].Name)
}

func TestWhatIsAskedForOfAnInvalidSpecRunsOnceThatIsMended(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("config", "value")
	w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) { s.Resources[0].Fields = []string{"data..key"} })
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Degraded", metav1.ConditionTrue, trigger.ReasonInvalidSpec)
	})
	w.runNow("ctj", "later")
	w.settled()
	require.Empty(t, w.jobs("ctj"))
	w.edit("ctj", func(s *v1alpha.ChangeTriggeredJobSpec) { s.Resources[0].Fields = []string{"data"} })
	assert.Equal(t, "later", w.triggered("ctj", 1).Status.LastRunNow)
}

// The status write is lost with the process; the next one finds the Job, and what it was asked for by.
func TestAJobThatWasAskedForIsTakenOverWithWhatItWasAskedForBy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configMap("config", "value")
	w.trigger("ctj", []string{"config"})
	operator := w.operate(withFaults(interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, name string, object client.Object, options ...client.SubResourceUpdateOption) error {
			if ctj, ok := object.(*v1alpha.ChangeTriggeredJob); ok && ctj.Status.LastRunNow != "" {
				return apierrors.NewServiceUnavailable("down")
			}
			return c.SubResource(name).Update(ctx, object, options...)
		},
	}))
	w.watching("ctj")
	w.runNow("ctj", "once")
	w.eventually("ctj", func(c *assert.CollectT, _ *v1alpha.ChangeTriggeredJob, jobs []batchv1.Job) { require.Len(c, jobs, 1) })
	operator.stop()
	require.Empty(t, w.get("ctj").Status.LastRunNow)

	w.operate()
	assert.Equal(t, "once", w.triggered("ctj", 1).Status.LastRunNow)
	w.settled()
	assert.Len(t, w.jobs("ctj"), 1)
}

func TestWhatIsSeenFirstIsRememberedUntilStatusSaysIt(t *testing.T) {
	ctj := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{UID: "u", Annotations: map[string]string{v1alpha.RunNowAnnotation: "copied"}}}
	m := newMemory()
	assert.Equal(t, "copied", m.of(ctj).seenFirst(ctj))
	ctj.Annotations[v1alpha.RunNowAnnotation] = "asked"
	assert.Equal(t, "copied", m.of(ctj).seenFirst(ctj), "nothing was written yet")
	ctj.Status.ObservedGeneration = 1
	assert.Equal(t, "asked", m.of(ctj).seenFirst(ctj))
	ctj.Status.ObservedGeneration = 0
	assert.Equal(t, "asked", m.of(ctj).seenFirst(ctj), "a status that is lost makes nothing run again")
}
