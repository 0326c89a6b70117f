package controllers

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// laterBy moves a clock that stands still, and has the ChangeTriggeredJob looked at again, as the wait that ends would.
func (w *world) laterBy(clock *clocktesting.FakePassiveClock, name string, wait time.Duration) {
	w.t.Helper()
	clock.SetTime(clock.Now().Add(wait))
	ctj := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"now":%q}}}`, clock.Now())
	require.NoError(w.t, w.Patch(w.ctx, ctj, client.RawPatch(types.MergePatchType, []byte(patch))))
}

// waitsFor waits until what is pending waits for this reason.
func (w *world) waitsFor(name, reason string) {
	w.t.Helper()
	w.eventually(name, func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Progressing", metav1.ConditionTrue, reason)
	})
}

func standstill() *clocktesting.FakePassiveClock {
	return clocktesting.NewFakePassiveClock(time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC))
}

func reasonsOf(jobs []batchv1.Job) (reasons []string) {
	for i := range jobs {
		reasons = append(reasons, jobs[i].Annotations[job.ReasonAnnotation])
	}
	return reasons
}

func TestAFirstRunHappensOnceThoughNothingChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	operator := w.operate()
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config", "absent"}, func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.RunOnCreate, s.Condition = ptr.To(true), v1alpha.TriggerAll
	})
	w.trigger("later", []string{"config"})
	w.triggered("ctj", 1)
	assert.Equal(t, []string{string(trigger.ReasonFirstRun)}, reasonsOf(w.jobs("ctj")))

	w.watching("later")
	w.edit("later", func(s *v1alpha.ChangeTriggeredJobSpec) { s.RunOnCreate = ptr.To(true) })
	w.watching("later")
	operator.stop()
	w.operate()
	w.settled()
	assert.Len(t, w.jobs("ctj"), 1)
	assert.Empty(t, w.jobs("later"), "an edit makes no first run")
}

func TestAFirstRunThatIsSuspendedIsNotForgottenByARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	operator := w.operate()
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) { s.RunOnCreate, s.Suspend = ptr.To(true), ptr.To(true) })
	w.waitsFor("ctj", trigger.ReasonSuspended)
	assert.True(t, w.get("ctj").Status.FirstRunPending)

	operator.stop()
	w.operate()
	w.edit("ctj", func(s *v1alpha.ChangeTriggeredJobSpec) { s.Suspend = ptr.To(false) })
	w.triggered("ctj", 1)
	assert.Equal(t, []string{string(trigger.ReasonFirstRun)}, reasonsOf(w.jobs("ctj")))
	assert.False(t, w.get("ctj").Status.FirstRunPending)
}

func TestAFailedJobIsTriedAgainUntilItsLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	clock := standstill()
	operator := w.operate(withClock(clock))
	w.configMap("config", "1")
	ctj := w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.OnFailure, s.RetriggerLimit = v1alpha.RetriggerOnFailure, ptr.To(int32(1))
	})
	w.watching("ctj")
	w.change("config", "2")
	w.triggered("ctj", 1)
	w.finish(trigger.JobName("ctj", ctj.UID, 1), batchv1.JobFailed)
	w.waitsFor("ctj", trigger.ReasonRetrying)
	retry := w.get("ctj").Status.Retry
	require.NotNil(t, retry)
	assert.Equal(t, clock.Now().Add(10*time.Second), retry.NextTime.UTC())

	operator.stop() // and the next process goes by what is stored
	w.operate(withClock(clock))
	w.laterBy(clock, "ctj", 9*time.Second)
	w.settled()
	require.Len(t, w.jobs("ctj"), 1)
	w.laterBy(clock, "ctj", time.Second)
	w.triggered("ctj", 2)
	second := trigger.JobName("ctj", ctj.UID, 2)
	for _, job := range w.jobs("ctj") {
		if job.Name == second {
			assert.Equal(t, []string{string(trigger.ReasonRetry)}, reasonsOf([]batchv1.Job{job}))
			assert.Contains(t, job.Annotations["changejob.dev/changed"], `"config"`)
		}
	}

	w.finish(second, batchv1.JobFailed)
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Degraded", metav1.ConditionTrue, trigger.ReasonLastJobFailed)
		require.Contains(c, ctj.Status.Conditions[2].Message, "no more follow")
	})
	w.laterBy(clock, "ctj", time.Hour)
	w.settled()
	assert.Len(t, w.jobs("ctj"), 2)
	w.change("config", "3")
	w.triggered("ctj", 3)
}

func TestWhatIsPendingOutsideOfTheWindowsTriggersWhenOneOpens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	clock := standstill()
	w.operate(withClock(clock))
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Windows = []v1alpha.TriggerWindow{{Schedule: "0 22 * * *", TimeZone: "Europe/Berlin", Duration: metav1.Duration{Duration: time.Hour}}}
	})
	w.watching("ctj")
	w.change("config", "2")
	w.waitsFor("ctj", trigger.ReasonOutsideWindow)
	w.laterBy(clock, "ctj", 9*time.Hour-time.Second)
	w.settled()
	require.Empty(t, w.jobs("ctj"))
	w.laterBy(clock, "ctj", time.Second)
	w.triggered("ctj", 1)
}

func TestAWindowThatIsNoneIsAnInvalidSpec(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Windows = []v1alpha.TriggerWindow{{Schedule: "0 0 30 2 *", Duration: metav1.Duration{Duration: time.Hour}}}
	})
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Degraded", metav1.ConditionTrue, trigger.ReasonInvalidSpec)
		require.Contains(c, ctj.Status.Conditions[2].Message, "spec.windows[0].schedule")
	})
}

func TestSeveralChangesInARowSettleIntoOneJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	clock := standstill()
	w.operate(withClock(clock))
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Cooldown, s.Settle = &metav1.Duration{Duration: time.Minute}, &metav1.Duration{Duration: 20 * time.Second}
	})
	w.watching("ctj")
	w.change("config", "2")
	w.waitsFor("ctj", trigger.ReasonSettling)
	clock.SetTime(clock.Now().Add(15 * time.Second))
	w.change("config", "3")
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		require.NotNil(c, ctj.Status.ResourceHashes[0].ChangedTime)
	})
	w.laterBy(clock, "ctj", 19*time.Second)
	w.settled()
	require.Empty(t, w.jobs("ctj"))
	w.laterBy(clock, "ctj", time.Second)
	w.triggered("ctj", 1)
	w.settled()
	assert.Len(t, w.jobs("ctj"), 1)
}

func TestWhatIsPendingForTooLongIsForgottenVisibly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Suspend, s.PendingDeadline = ptr.To(true), &metav1.Duration{Duration: time.Second}
	})
	w.watching("ctj")
	w.change("config", "2")
	w.event("ctj", trigger.EventPendingForgotten)
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Progressing", metav1.ConditionFalse, trigger.ReasonIdle)
		require.Nil(c, ctj.Status.ResourceHashes[0].PendingSince)
	})
	for _, event := range w.events(t, "ctj") {
		if event.Reason == trigger.EventPendingForgotten {
			assert.Equal(t, corev1.EventTypeWarning, event.Type)
			assert.Contains(t, event.Note, "ConfigMap "+w.namespace+"/config (data)")
		}
	}
	w.edit("ctj", func(s *v1alpha.ChangeTriggeredJobSpec) { s.Suspend = ptr.To(false) })
	w.settled()
	assert.Empty(t, w.jobs("ctj"))
}
