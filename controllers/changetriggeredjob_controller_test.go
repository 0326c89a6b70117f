package controllers

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/jobs"
)

func TestAChangeOfAWatchedFieldRunsOneJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("my-config", "value")
	ctj := w.trigger("my-first-trigger", []string{"my-config"})
	w.watching(ctj.Name)
	require.Empty(t, w.jobs(ctj.Name), "the first look takes the baseline and triggers nothing")

	w.change("my-config", "newvalue")
	w.triggered(ctj.Name, 1)

	jobs := w.jobs(ctj.Name)
	require.Len(t, jobs, 1)
	assert.Equal(t, trigger.JobName(ctj.Name, ctj.UID, 1), jobs[0].Name)
	assert.True(t, metav1.IsControlledBy(&jobs[0], ctj))
	assert.Equal(t, "1", jobs[0].Annotations[job.TriggerAnnotation])
	assert.Equal(t, string(trigger.ReasonChange), jobs[0].Annotations[job.ReasonAnnotation])
	got := w.get(ctj.Name)
	assert.Equal(t, jobs[0].Name, got.Status.LastJobName)
	assert.Equal(t, v1alpha.JobActive, got.Status.LastJobStatus)
	requireCondition(t, got, "Progressing", metav1.ConditionTrue, trigger.ReasonJobActive)
	require.NotNil(t, got.Status.LastTriggeredTime)

	w.finish(jobs[0].Name, batchv1.JobComplete)
	w.eventually(ctj.Name, func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		require.Equal(c, v1alpha.JobSucceeded, ctj.Status.LastJobStatus)
		require.Empty(c, ctj.Status.Active)
		requireCondition(c, ctj, "Progressing", metav1.ConditionFalse, trigger.ReasonIdle)
	})
}

func TestWhatIsNotSelectedRunsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	object := w.configMap("config", "value")
	w.trigger("ctj", []string{"config"})
	w.watching("ctj")
	before := w.get("ctj")

	object.Labels = map[string]string{"team": "platform"}
	require.NoError(t, w.Update(t.Context(), object))
	w.change("config", "value") // an update that changes nothing
	w.settled()

	assert.Empty(t, w.jobs("ctj"))
	assert.Equal(t, before.ResourceVersion, w.get("ctj").ResourceVersion, "nothing was written")
}

func TestCreationAndDeletionAreChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("present", "value")
	w.trigger("ctj", []string{"present", "absent"})
	w.watching("ctj") // a missing object holds up nothing

	absent := w.configMap("absent", "value")
	w.triggered("ctj", 1)
	require.NoError(t, w.Delete(t.Context(), absent))
	w.triggered("ctj", 2)
	w.change("present", "other")
	w.triggered("ctj", 3)
	assert.Len(t, w.jobs("ctj"), 3)
}

func TestAllWaitsForEveryReference(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("one", "value")
	w.configMap("two", "value")
	w.trigger("ctj", []string{"one", "two"}, func(s *v1alpha.ChangeTriggeredJobSpec) { s.Condition = v1alpha.TriggerAll })
	w.watching("ctj")

	w.change("one", "other")
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Progressing", metav1.ConditionTrue, trigger.ReasonWaitingForAll)
	})
	w.settled()
	require.Empty(t, w.jobs("ctj"))

	w.change("two", "other")
	w.triggered("ctj", 1)
	assert.Len(t, w.jobs("ctj"), 1)
}

func TestAChangeInsideTheCooldownTriggersAtItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Cooldown = &metav1.Duration{Duration: 3 * time.Second}
	})
	w.watching("ctj")
	w.change("config", "2")
	first := w.triggered("ctj", 1)

	w.change("config", "3")
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Progressing", metav1.ConditionTrue, trigger.ReasonCooldown)
	})
	w.change("config", "4")
	second := w.triggered("ctj", 2)
	assert.Len(t, w.jobs("ctj"), 2)
	assert.GreaterOrEqual(t, second.Status.LastTriggeredTime.Sub(first.Status.LastTriggeredTime.Time), 3*time.Second)
}

func TestSuspendedChangesTriggerOnceAfterResume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) { s.Suspend = ptr.To(true) })
	w.watching("ctj")
	w.change("config", "2")
	w.change("config", "3")
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Progressing", metav1.ConditionTrue, trigger.ReasonSuspended)
	})
	w.settled()
	require.Empty(t, w.jobs("ctj"))

	w.edit("ctj", func(s *v1alpha.ChangeTriggeredJobSpec) { s.Suspend = ptr.To(false) })
	w.triggered("ctj", 1)
	w.settled()
	assert.Len(t, w.jobs("ctj"), 1)
}

func TestForbidWaitsForTheRunningJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) { s.ConcurrencyPolicy = v1alpha.ForbidConcurrent })
	w.watching("ctj")
	w.change("config", "2")
	running := w.triggered("ctj", 1).Status.LastJobName

	w.change("config", "3")
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Progressing", metav1.ConditionTrue, trigger.ReasonJobRunning)
	})
	w.settled()
	require.Len(t, w.jobs("ctj"), 1)

	w.finish(running, batchv1.JobFailed)
	w.triggered("ctj", 2)
	assert.Len(t, w.jobs("ctj"), 2)
}

func TestReplaceDeletesTheRunningJobFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("config", "1")
	w.configMap("other", "1")
	w.trigger("ctj", []string{"config", "other"}, func(s *v1alpha.ChangeTriggeredJobSpec) { s.ConcurrencyPolicy = v1alpha.ReplaceConcurrent })
	w.watching("ctj")
	w.change("config", "2")
	first := w.triggered("ctj", 1).Status.LastJobName

	w.change("other", "2")
	w.triggered("ctj", 2)
	jobs := w.jobs("ctj")
	require.Len(t, jobs, 1)
	assert.NotEqual(t, first, jobs[0].Name)
	changed := jobs[0].Annotations[job.ChangedAnnotation]
	assert.Contains(t, changed, `"config"`, "what the replaced Job stood for is unanswered again")
	assert.Contains(t, changed, `"other"`)
}

func TestHistoryKeepsTheNewestEndedJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("config", "0")
	w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) { s.History = ptr.To(int32(2)) })
	w.watching("ctj")
	for i := int64(1); i <= 4; i++ {
		w.change("config", fmt.Sprint(i))
		last := w.triggered("ctj", i).Status.LastJobName
		if i > 1 { // the first one keeps running
			w.finish(last, batchv1.JobComplete)
		}
	}
	uid := w.get("ctj").UID
	w.eventually("ctj", func(c *assert.CollectT, _ *v1alpha.ChangeTriggeredJob, jobs []batchv1.Job) {
		var names []string
		for i := range jobs {
			names = append(names, jobs[i].Name)
		}
		require.ElementsMatch(c, []string{
			trigger.JobName("ctj", uid, 1), // running: never deleted
			trigger.JobName("ctj", uid, 3),
			trigger.JobName("ctj", uid, 4),
		}, names)
	})
}

func TestTheLastJobsOutcomeIsShown(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		happens func(w *world, last string)
		want    v1alpha.JobStatus
		reason  string
	}{
		"it failed for good": {
			func(w *world, last string) { w.finish(last, batchv1.JobFailed) },
			v1alpha.JobFailed, trigger.ReasonLastJobFailed,
		},
		"it completed": {
			func(w *world, last string) { w.finish(last, batchv1.JobComplete) },
			v1alpha.JobSucceeded, "",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.operate()
			w.configMap("config", "1")
			w.trigger("ctj", []string{"config"})
			w.watching("ctj")
			w.change("config", "2")
			c.happens(w, w.triggered("ctj", 1).Status.LastJobName)
			w.eventually("ctj", func(collect *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
				require.Equal(collect, c.want, ctj.Status.LastJobStatus)
				if c.reason == "" {
					requireCondition(collect, ctj, "Degraded", metav1.ConditionFalse, "")
				} else {
					requireCondition(collect, ctj, "Degraded", metav1.ConditionTrue, c.reason)
				}
			})
		})
	}
}

func TestADifferenceThatAroseWhileTheOperatorWasDownTriggersAndARestartAloneDoesNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.operate()
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"})
	w.watching("ctj")
	first.stop()

	second := w.operate()
	w.settled()
	require.Empty(t, w.jobs("ctj"))
	second.stop()

	w.change("config", "2")
	w.operate()
	w.triggered("ctj", 1)
	assert.Len(t, w.jobs("ctj"), 1)
}

func TestAnInvalidSpecIsShownAndMended(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) { s.Resources[0].Fields = []string{"data..key"} })
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Available", metav1.ConditionFalse, trigger.ReasonInvalidSpec)
		requireCondition(c, ctj, "Progressing", metav1.ConditionFalse, "")
		requireCondition(c, ctj, "Degraded", metav1.ConditionTrue, trigger.ReasonInvalidSpec)
	})
	w.event("ctj", trigger.ReasonInvalidSpec)

	w.edit("ctj", func(s *v1alpha.ChangeTriggeredJobSpec) { s.Resources[0].Fields = []string{"data.key"} })
	w.watching("ctj")
	w.change("config", "2")
	w.triggered("ctj", 1)
}

func TestANamespaceOnAClusterScopedKindIsAnInvalidSpec(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.trigger("ctj", nil, func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Resources = []v1alpha.ResourceReference{{APIVersion: "v1", Kind: "Node", Name: "worker-1", Namespace: "default"}}
	})
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Degraded", metav1.ConditionTrue, trigger.ReasonInvalidSpec)
	})
}

func TestAKindThatIsNotServedHoldsUpNoOtherReference(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Resources = append(s.Resources, v1alpha.ResourceReference{
			APIVersion: "example.com/v1", Kind: "Widget", Name: "w", Namespace: w.namespace,
		})
	})
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Available", metav1.ConditionFalse, trigger.ReasonKindNotServed)
		require.NotEmpty(c, ctj.Status.ResourceHashes)
		require.NotEmpty(c, ctj.Status.ResourceHashes[0].Fields[0].Hash)
	})
	w.change("config", "2")
	w.triggered("ctj", 1)
}

func TestAJobThatTheAPIServerRefusesIsShownAndTriedAgainAfterAnEdit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.JobTemplate = jobs.Template(func(spec *batchv1.JobSpec) { spec.Template.Spec.RestartPolicy = corev1.RestartPolicyAlways })
	})
	w.watching("ctj")
	w.change("config", "2")
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Available", metav1.ConditionFalse, trigger.ReasonInvalidSpec)
		requireCondition(c, ctj, "Degraded", metav1.ConditionTrue, trigger.ReasonInvalidSpec)
	})
	w.edit("ctj", func(s *v1alpha.ChangeTriggeredJobSpec) { s.JobTemplate = jobs.Template() })
	w.triggered("ctj", 1)
	w.watching("ctj")
}

func TestAFullQuotaIsShownAndRetried(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "no-jobs"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/jobs.batch": resource.MustParse("0")}},
	}
	require.NoError(t, w.Create(t.Context(), quota))
	quota.Status.Hard = quota.Spec.Hard
	quota.Status.Used = quota.Spec.Hard
	require.NoError(t, w.Status().Update(t.Context(), quota))
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"})
	w.watching("ctj")
	w.change("config", "2")
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Available", metav1.ConditionTrue, "")
		requireCondition(c, ctj, "Degraded", metav1.ConditionTrue, trigger.ReasonJobNotCreated)
	})
	require.NoError(t, w.Delete(t.Context(), quota))
	w.triggered("ctj", 1)
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Degraded", metav1.ConditionFalse, "")
	})
}

func TestAForeignJobOfThatNameIsNeverAdopted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configMap("config", "1")
	ctj := w.trigger("ctj", []string{"config"})
	foreign := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
		Namespace: w.namespace, Name: trigger.JobName(ctj.Name, ctj.UID, 1),
		Labels: map[string]string{job.OwnerLabel: ctj.Name},
	}}
	template, err := ctj.Spec.JobTemplate.Decode()
	require.NoError(t, err)
	foreign.Spec = template.Spec
	require.NoError(t, w.Create(t.Context(), foreign))

	w.operate()
	w.watching("ctj")
	w.change("config", "2")
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Degraded", metav1.ConditionTrue, trigger.ReasonNameTaken)
		require.Zero(c, ctj.Status.TriggerCount)
	})
	w.event("ctj", trigger.ReasonNameTaken)

	require.NoError(t, w.Delete(t.Context(), foreign, client.PropagationPolicy(metav1.DeletePropagationBackground)))
	w.triggered("ctj", 1)
}

func TestADeletedChangeTriggeredJobLeavesNothingBehindInTheOperator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("config", "1")
	ctj := w.trigger("ctj", []string{"config"})
	w.watching("ctj")
	require.NoError(t, w.Delete(t.Context(), ctj))
	w.settled()
	w.change("config", "2")
	w.settled()
	assert.Empty(t, w.jobs("ctj"))
}

func TestOneTemplateThatCannotBeDecodedHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configMap("config", "1")
	w.trigger("bad", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.JobTemplate = v1alpha.JobTemplate{Raw: []byte(`{"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[
			{"name":"c","image":"busybox:1.37","resources":{"limits":{"memory":"1e1.5"}}}]}}}}`)}
	})
	w.trigger("good", []string{"config"})
	w.operate()
	w.watching("good")
	w.eventually("bad", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Degraded", metav1.ConditionTrue, trigger.ReasonInvalidSpec)
	})
	w.change("config", "2")
	w.triggered("good", 1)
	assert.Empty(t, w.jobs("bad"))
}

func TestOneObjectInSeveralReferencesIsMerged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config", "config"}, func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Resources[1].Fields = []string{"metadata.labels"}
		s.Condition = v1alpha.TriggerAll
	})
	w.watching("ctj")
	require.Len(t, w.get("ctj").Status.ResourceHashes, 1)
	w.change("config", "2")
	w.triggered("ctj", 1)
	w.settled()
	assert.Len(t, w.jobs("ctj"), 1)
}

func TestEditsAloneMakeNothingPending(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("config", "1")
	w.configMap("other", "1")
	w.trigger("ctj", []string{"config"})
	w.watching("ctj")
	w.edit("ctj", func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Resources[0].Fields = []string{"data", "metadata.name", "data.key"}
		s.Resources = append(s.Resources, v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: w.namespace, Name: "other"})
	})
	w.watching("ctj")
	w.settled()
	assert.Empty(t, w.jobs("ctj"))
}
