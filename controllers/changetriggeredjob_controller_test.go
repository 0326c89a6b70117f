package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

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
	var replaced *batchv1.Job
	w.eventually("ctj", func(c *assert.CollectT, _ *v1alpha.ChangeTriggeredJob, jobs []batchv1.Job) {
		require.Len(c, jobs, 1)
		require.NotNil(c, jobs[0].DeletionTimestamp)
		replaced = &jobs[0]
	})
	require.Equal(t, []string{metav1.FinalizerDeleteDependents}, replaced.Finalizers, "it goes after its Pods")
	w.settled()
	require.Equal(t, int64(1), w.get("ctj").Status.TriggerCount, "its Pods may still run")

	replaced.Finalizers = nil // as the garbage collector does once the Pods are gone
	require.NoError(t, w.Update(t.Context(), replaced))
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
		require.ElementsMatch(c, []string{
			trigger.JobName("ctj", uid, 1), // running: never deleted
			trigger.JobName("ctj", uid, 3),
			trigger.JobName("ctj", uid, 4),
		}, namesOf(jobs))
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

func TestAKindThatCannotBeListedIsAnInvalidSpec(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.trigger("ctj", nil, func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Resources = []v1alpha.ResourceReference{{APIVersion: "authorization.k8s.io/v1", Kind: "SubjectAccessReview", Name: "review"}}
	})
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Degraded", metav1.ConditionTrue, trigger.ReasonInvalidSpec)
		require.Contains(c, meta.FindStatusCondition(ctj.Status.Conditions, "Degraded").Message, "spec.resources[0].kind")
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
		require.Len(c, ctj.Status.ResourceHashes, 2)
		require.NotEmpty(c, ctj.Status.ResourceHashes[0].Fields[0].Hash)
		require.Equal(c, trigger.Absent, ctj.Status.ResourceHashes[1].Fields[0].Hash, "a kind that is not served counts as absence")
	})
	w.change("config", "2")
	w.triggered("ctj", 1)
}

func TestAKindThatComesWithItsObjectAndGoesIsAChangeEachTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	operator := w.operate()
	gadget := schema.GroupVersionKind{Group: "gadgets.example.com", Version: "v1", Kind: "Gadget"}
	w.trigger("ctj", nil, func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Resources = []v1alpha.ResourceReference{{APIVersion: gadget.GroupVersion().String(), Kind: gadget.Kind, Name: "g", Namespace: w.namespace}}
	})
	hashIs := func(check func(c *assert.CollectT, hash string)) {
		t.Helper()
		w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
			require.Len(c, ctj.Status.ResourceHashes, 1)
			check(c, ctj.Status.ResourceHashes[0].Fields[0].Hash)
		})
	}
	absent := func(c *assert.CollectT, hash string) { require.Equal(c, trigger.Absent, hash) }
	hashIs(absent)

	// The definition and the object come together: the object is not there any longer by the first look at its kind.
	definition := definitionOf(gadget)
	require.NoError(t, w.Create(w.ctx, definition))
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(gadget)
	object.SetNamespace(w.namespace)
	object.SetName("g")
	require.EventuallyWithT(t, func(c *assert.CollectT) { require.NoError(c, w.Create(w.ctx, object)) }, patience, tick)
	w.triggered("ctj", 1)
	w.watching("ctj")

	// It goes while nothing runs.
	operator.stop()
	require.NoError(t, w.Delete(w.ctx, definition))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		err := w.Get(w.ctx, client.ObjectKeyFromObject(object), object.DeepCopy())
		require.True(c, meta.IsNoMatchError(err) || apierrors.IsNotFound(err), "%v", err)
	}, patience, tick)
	w.operate()
	w.triggered("ctj", 2)
	hashIs(absent)
}

// definitionOf defines a namespaced kind that holds anything.
func definitionOf(gvk schema.GroupVersionKind) *apiextensionsv1.CustomResourceDefinition {
	singular := strings.ToLower(gvk.Kind)
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: singular + "s." + gvk.Group},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: gvk.Group, Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: singular + "s", Singular: singular, Kind: gvk.Kind},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: gvk.Version, Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", XPreserveUnknownFields: new(true),
				}},
			}},
		},
	}
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
	operator := w.operate()
	w.configMap("config", "1")
	ctj := w.trigger("ctj", []string{"config"})
	w.watching("ctj")
	require.NoError(t, w.Delete(t.Context(), ctj))
	name := client.ObjectKeyFromObject(ctj)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.False(c, operator.remembers(name))
		_, watched := operator.engine.Observe(name)
		require.False(c, watched)
	}, patience, tick)
	w.change("config", "2")
	w.settled()
	assert.Empty(t, w.jobs("ctj"))
}

func TestAJobThatCannotBeDeletedHoldsUpNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var forbidden atomic.Bool
	forbidden.Store(true)
	w.operate(withFaults(interceptor.Funcs{Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
		if isJob(o) && forbidden.Load() {
			return apierrors.NewForbidden(batchv1.Resource("jobs"), o.GetName(), errors.New("a policy forbids it"))
		}
		return c.Delete(ctx, o, opts...)
	}}))
	w.configMap("config", "0")
	w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) { s.History = ptr.To(int32(1)) })
	w.watching("ctj")
	for i := int64(1); i <= 3; i++ {
		w.change("config", fmt.Sprint(i))
		w.finish(w.triggered("ctj", i).Status.LastJobName, batchv1.JobComplete)
	}
	require.Len(t, w.jobs("ctj"), 3)
	w.settled()
	forbidden.Store(false) // which makes no event: it is tried again by itself
	uid := w.get("ctj").UID
	w.eventually("ctj", func(c *assert.CollectT, _ *v1alpha.ChangeTriggeredJob, jobs []batchv1.Job) {
		require.Equal(c, []string{trigger.JobName("ctj", uid, 3)}, namesOf(jobs))
	})
	for i := int64(1); i <= 3; i++ {
		w.eventAbout("ctj", trigger.EventJobCreated, trigger.JobName("ctj", uid, i))
	}
}

func TestTheCooldownCountsFromTheEndOfTheCreate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := clocktesting.NewFakePassiveClock(time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC))
	w.operate(withClock(now), withFaults(createFault(func(create func() error) error {
		now.SetTime(now.Now().Add(3500 * time.Millisecond)) // a slow webhook
		return create()
	})))
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"})
	w.watching("ctj")
	w.change("config", "2")
	ctj := w.triggered("ctj", 1)
	assert.Equal(t, time.Date(2026, 3, 4, 12, 0, 4, 0, time.UTC), ctj.Status.LastTriggeredTime.UTC())
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
