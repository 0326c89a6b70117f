package controllers

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

var echoOwner = types.NamespacedName{Namespace: "ns", Name: "ctj"}

func versionOf(resourceVersion string, generation int64) *v1alpha.ChangeTriggeredJob {
	return &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ns", Name: "ctj", UID: "uid", ResourceVersion: resourceVersion, Generation: generation,
	}}
}

func TestOnlyAnEchoOfOurOwnStatusWakesNobody(t *testing.T) {
	cases := map[string]struct {
		before   func(*echoes)
		old, new *v1alpha.ChangeTriggeredJob
		wakes    bool
	}{
		"our own status": {
			before: func(e *echoes) { e.expectStatus(echoOwner, "7") },
			old:    versionOf("6", 1), new: versionOf("7", 1), wakes: false,
		},
		"nothing was written": {before: func(*echoes) {}, old: versionOf("6", 1), new: versionOf("7", 1), wakes: true},
		"another writer's change after ours": {
			before: func(e *echoes) { e.expectStatus(echoOwner, "7") },
			old:    versionOf("6", 1), new: versionOf("8", 1), wakes: true,
		},
		"another ChangeTriggeredJob's": {
			before: func(e *echoes) { e.expectStatus(types.NamespacedName{Namespace: "ns", Name: "other"}, "7") },
			old:    versionOf("6", 1), new: versionOf("7", 1), wakes: true,
		},
		"an edit that the cache has seen together with our status": {
			before: func(e *echoes) { e.expectStatus(echoOwner, "7") },
			old:    versionOf("5", 1), new: versionOf("7", 2), wakes: true,
		},
		"the same version a second time, after a restore of etcd": {
			before: func(e *echoes) {
				e.expectStatus(echoOwner, "7")
				e.hearStatuses().Update(event.UpdateEvent{ObjectOld: versionOf("6", 1), ObjectNew: versionOf("7", 1)})
			},
			old: versionOf("6", 1), new: versionOf("7", 1), wakes: true,
		},
		"our own status, for which a reconcile waits": {
			before: func(e *echoes) {
				e.expectStatus(echoOwner, "7")
				e.listen(echoOwner)
			},
			old: versionOf("6", 1), new: versionOf("7", 1), wakes: true,
		},
		"what was expected of one that is gone": {
			before: func(e *echoes) {
				e.expectStatus(echoOwner, "7")
				e.forget(echoOwner)
			},
			old: versionOf("6", 1), new: versionOf("7", 1), wakes: true,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := newEchoes()
			c.before(e)
			assert.Equal(t, c.wakes, e.hearStatuses().Update(event.UpdateEvent{ObjectOld: c.old, ObjectNew: c.new}))
		})
	}
}

func TestOnlyAnEchoOfOurOwnJobWakesNobody(t *testing.T) {
	ours := func(change func(*batchv1.Job)) *batchv1.Job {
		created := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "ctj-1",
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(versionOf("6", 1), v1alpha.GroupVersion.WithKind(v1alpha.Kind))},
		}}
		change(created)
		return created
	}
	cases := map[string]struct {
		job   *batchv1.Job
		wakes bool
	}{
		"our own Job":                 {job: ours(func(*batchv1.Job) {}), wakes: false},
		"one of another process":      {job: ours(func(j *batchv1.Job) { j.Name = "ctj-2" }), wakes: true},
		"one in another namespace":    {job: ours(func(j *batchv1.Job) { j.Namespace = "other" }), wakes: true},
		"one that nobody owns":        {job: ours(func(j *batchv1.Job) { j.OwnerReferences = nil }), wakes: true},
		"ours, when it has ended":     {job: ours(ended), wakes: true},
		"ours, when it is going away": {job: ours(func(j *batchv1.Job) { j.DeletionTimestamp = &metav1.Time{} }), wakes: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := newEchoes()
			e.expectJob(echoOwner, "ctj-1")
			assert.Equal(t, c.wakes, e.hearJobs().Create(event.CreateEvent{Object: c.job}))
			e.expectJob(echoOwner, "")
			assert.True(t, e.hearJobs().Create(event.CreateEvent{Object: c.job}), "once its create has failed")
		})
	}
}

func ended(j *batchv1.Job) {
	j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
}

// The cache is read, it is too old; then its event comes, which is an echo that wakes nobody; then the reconcile would wait for it.
func TestAnEventThatWentByUnheardIsNotWaitedFor(t *testing.T) {
	r := &Reconciler{Clock: clocktesting.NewFakePassiveClock(time.Now()), memory: newMemory()}
	cached := versionOf("5", 1)
	catchUp := func() {
		cached = versionOf("7", 1)
		require.False(t, r.memory.echoes.hearStatuses().Update(event.UpdateEvent{ObjectOld: versionOf("5", 1), ObjectNew: cached}))
	}
	reads := 0
	r.Client = interceptor.NewClient(fake.NewClientBuilder().WithScheme(server.Scheme).Build(), interceptor.Funcs{
		Get: func(_ context.Context, _ client.WithWatch, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
			cached.DeepCopyInto(object.(*v1alpha.ChangeTriggeredJob))
			if reads++; reads == 1 {
				catchUp()
			}
			return nil
		},
	})
	r.memory.of(cached).wrote("7", r.Clock.Now())
	r.memory.echoes.expectStatus(echoOwner, "7")

	ctj, wait, err := r.read(t.Context(), echoOwner)
	require.NoError(t, err)
	assert.Zero(t, wait)
	assert.Equal(t, "7", ctj.ResourceVersion)
}

// The Job is created, and no cache tells of it yet. Its status meets an edit that suspends, so that what is decided anew creates none: no status
// names the Job, and nothing but its event makes it known.
func TestAJobThatNoStatusNamesIsHeardOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var created atomic.Pointer[batchv1.Job]
	w.operate(withFaults(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			made, ok := o.(*batchv1.Job)
			if !ok || made.Labels[job.OwnerLabel] != "ctj" {
				return c.Create(ctx, o, opts...)
			}
			created.Store(made.DeepCopy())
			w.edit("ctj", func(s *v1alpha.ChangeTriggeredJobSpec) { s.Suspend = new(true) })
			return nil
		},
	}))
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"})
	w.watching("ctj")
	w.change("config", "2")
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Progressing", metav1.ConditionTrue, trigger.ReasonSuspended)
	})
	w.settled()

	require.NoError(t, w.Create(t.Context(), created.Load())) // now the caches tell of it
	w.triggered("ctj", 1)
}
