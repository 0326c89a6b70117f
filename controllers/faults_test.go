package controllers

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// interrupted is what a client sees of a write whose answer was lost on the way.
func interrupted() error {
	return &url.Error{Op: "Post", URL: "https://127.0.0.1", Err: io.ErrUnexpectedEOF}
}

// failed is the API server's answer where a webhook that it must ask does not.
func failed() error { return apierrors.NewInternalError(context.DeadlineExceeded) }

func TestEveryFaultOfAWriteEndsInOneJobForOneChange(t *testing.T) {
	t.Parallel()
	// Each case spoils the first few writes of one kind; went says whether the write went through all the same.
	cases := map[string]func(spoil func() bool) interceptor.Funcs{
		"the create fails": func(spoil func() bool) interceptor.Funcs {
			return createFault(func(create func() error) error {
				if spoil() {
					return interrupted()
				}
				return create()
			})
		},
		"the create is answered with an error": func(spoil func() bool) interceptor.Funcs {
			return createFault(func(create func() error) error {
				if spoil() {
					return failed()
				}
				return create()
			})
		},
		"the create goes through and is answered with an error": func(spoil func() bool) interceptor.Funcs {
			return createFault(func(create func() error) error {
				err := create()
				if err == nil && spoil() {
					return failed()
				}
				return err
			})
		},
		"the create goes through and its answer is lost": func(spoil func() bool) interceptor.Funcs {
			return createFault(func(create func() error) error {
				err := create()
				if err == nil && spoil() {
					return interrupted()
				}
				return err
			})
		},
		"the status write fails": func(spoil func() bool) interceptor.Funcs {
			return statusFault(func(write func() error) error {
				if spoil() {
					return interrupted()
				}
				return write()
			})
		},
		"the status write goes through and its answer is lost": func(spoil func() bool) interceptor.Funcs {
			return statusFault(func(write func() error) error {
				err := write()
				if err == nil && spoil() {
					return interrupted()
				}
				return err
			})
		},
		"the status write conflicts": func(spoil func() bool) interceptor.Funcs {
			return statusFault(func(write func() error) error {
				if spoil() {
					return apierrors.NewConflict(schema.GroupResource{}, "ctj", nil)
				}
				return write()
			})
		},
	}
	for name, faults := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var armed atomic.Bool
			var spoiled atomic.Int64
			w.operate(withFaults(faults(func() bool { return armed.Load() && spoiled.Add(1) <= 3 })))
			w.configMap("config", "1")
			w.trigger("ctj", []string{"config"})
			w.watching("ctj")

			armed.Store(true)
			w.change("config", "2")
			w.triggered("ctj", 1)
			require.Positive(t, spoiled.Load())
			armed.Store(false)
			w.settled()
			assert.Len(t, w.jobs("ctj"), 1)
			assert.Equal(t, int64(1), w.get("ctj").Status.TriggerCount)
		})
	}
}

// The answer to a create comes after the cache has the Job, whose event is an echo then, and says that it failed.
func TestAJobThatIsThereAfterAllIsTakenOverAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var refusals atomic.Int64
	w.operate(withFaults(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if err := c.Create(ctx, o, opts...); err != nil || !isJob(o) {
				return err
			}
			assert.Eventually(t, func() bool { return c.Get(ctx, client.ObjectKeyFromObject(o), &batchv1.Job{}) == nil }, patience, tick)
			return failed()
		},
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			ctj, ok := o.(*v1alpha.ChangeTriggeredJob)
			if ok && meta.IsStatusConditionTrue(ctj.Status.Conditions, trigger.ConditionDegraded) {
				refusals.Add(1)
			}
			return c.SubResource(sub).Update(ctx, o, opts...)
		},
	}))
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"})
	w.watching("ctj")
	w.change("config", "2")
	w.triggered("ctj", 1)
	assert.Zero(t, refusals.Load(), "no status says that the Job was not created")
}

func isJob(o client.Object) bool { _, ok := o.(*batchv1.Job); return ok }

// createFault comes between the operator and the creates of its Jobs.
func createFault(fault func(create func() error) error) interceptor.Funcs {
	return interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
		if !isJob(o) {
			return c.Create(ctx, o, opts...)
		}
		return fault(func() error { return c.Create(ctx, o, opts...) })
	}}
}

// oldCache serves ChangeTriggeredJob ctj as old has it, from the moment that this is not nil.
func oldCache(old func() *v1alpha.ChangeTriggeredJob) interceptor.Funcs {
	return interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if err := c.Get(ctx, key, o, opts...); err != nil {
				return err
			}
			ctj, ok := o.(*v1alpha.ChangeTriggeredJob)
			if !ok || key.Name != "ctj" {
				return nil
			}
			if stale := old(); stale != nil {
				stale.DeepCopyInto(ctj)
			}
			return nil
		},
	}
}

func statusFault(fault func(write func() error) error) interceptor.Funcs {
	return interceptor.Funcs{SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
		return fault(func() error { return c.SubResource(sub).Update(ctx, o, opts...) })
	}}
}

func TestAProcessThatEndsBetweenJobAndStatusIsContinuedByTheNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var broken atomic.Bool
	first := w.operate(withFaults(statusFault(func(write func() error) error {
		if broken.Load() {
			return interrupted()
		}
		return write()
	})))
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"})
	w.watching("ctj")
	broken.Store(true)
	w.change("config", "2")
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, jobs []batchv1.Job) {
		require.Len(c, jobs, 1)
		require.Zero(c, ctj.Status.TriggerCount)
	})
	first.stop()

	// Back to the old state: without rule 0 nothing would differ, and the state the Job ran for would never be answered.
	w.change("config", "1")
	w.operate()
	ctj := w.triggered("ctj", 2)
	jobs := w.jobs("ctj")
	assert.Len(t, jobs, 2)
	assert.Equal(t, int64(2), ctj.Status.TriggerCount)
}

func TestAStatusThatTheCRDRefusesIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var refuse atomic.Bool
	refuse.Store(true)
	w.operate(withFaults(statusFault(func(write func() error) error {
		if refuse.Load() {
			return apierrors.NewInvalid(v1alpha.GroupVersion.WithKind(v1alpha.Kind).GroupKind(), "ctj", nil)
		}
		return write()
	})))
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"})
	w.event("ctj", reasonStatusRefused)
	assert.Empty(t, w.jobs("ctj"))
	refuse.Store(false)
	w.watching("ctj")
}

func TestACacheThatLagsBehindOurOwnWriteIsNotDecidedOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// The cache serves the ChangeTriggeredJob as it was before its first trigger, for a while.
	var old atomic.Pointer[v1alpha.ChangeTriggeredJob]
	var reads atomic.Int64
	w.operate(withFaults(oldCache(func() *v1alpha.ChangeTriggeredJob {
		stale := old.Load()
		if stale != nil {
			reads.Add(1)
		}
		return stale
	})))
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"})
	w.watching("ctj")
	old.Store(w.get("ctj"))
	w.change("config", "2")
	first := w.triggered("ctj", 1).Status.LastJobName
	w.finish(first, batchv1.JobComplete)
	require.NoError(t, w.Delete(t.Context(), &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: first}},
		client.PropagationPolicy(metav1.DeletePropagationBackground))) // its name is free: the lock holds no more
	for n := int64(2); n <= 3; n++ {
		w.change("config", fmt.Sprint(n+1))
		// After cacheGrace the operator reads live and goes on; the cache never recovers here.
		w.triggered("ctj", n)
	}
	jobs := w.jobs("ctj")
	require.Len(t, jobs, 2)
	for i := range jobs {
		assert.NotEqual(t, first, jobs[i].Name, "trigger 1 is not run again")
	}
	assert.Positive(t, reads.Load())
}

func TestTheMemoryOfRefusalsBacksOffAndForgetsAtAnEdit(t *testing.T) {
	r := &record{}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var waits []time.Duration
	for range 12 {
		waits = append(waits, r.refused(wish{generation: 1}, "JobNotCreated", "quota", now).RetryAt.Sub(now))
	}
	assert.Equal(t, time.Second, waits[0])
	assert.Equal(t, 2*time.Second, waits[1])
	assert.Equal(t, 10*time.Minute, waits[11])
	assert.NotNil(t, r.refusalFor(wish{generation: 1}))
	assert.Nil(t, r.refusalFor(wish{generation: 2}), "an edited spec is tried at once")
	asked := &v1alpha.ChangeTriggeredJob{}
	asked.Generation, asked.Annotations = 1, map[string]string{v1alpha.RunNowAnnotation: "again"}
	assert.Nil(t, r.refusalFor(wishOf(asked)), "who asks for a Job has it tried at once")
	assert.Equal(t, time.Second, r.refused(wish{generation: 2}, "JobNotCreated", "quota", now).RetryAt.Sub(now))
}

func TestAnOldCacheIsWaitedForAndThenPassedBy(t *testing.T) {
	stored := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "ctj", UID: "uid", ResourceVersion: "7"}}
	old := stored.DeepCopy()
	old.ResourceVersion = "5"
	now := clocktesting.NewFakePassiveClock(time.Now())
	r := &Reconciler{
		Client: fake.NewClientBuilder().WithScheme(server.Scheme).WithObjects(old).Build(),
		Live:   fake.NewClientBuilder().WithScheme(server.Scheme).WithObjects(stored).Build(),
		Clock:  now, memory: newMemory(),
	}
	name := client.ObjectKeyFromObject(stored)
	r.memory.of(stored).wrote("7", now.Now())

	_, wait, err := r.read(t.Context(), name)
	require.NoError(t, err)
	assert.Equal(t, cacheGrace, wait, "the cache is waited for")

	now.SetTime(now.Now().Add(cacheGrace))
	ctj, wait, err := r.read(t.Context(), name)
	require.NoError(t, err)
	assert.Zero(t, wait)
	assert.Equal(t, "7", ctj.ResourceVersion, "and then read past")

	ctj, _, err = r.read(t.Context(), name)
	require.NoError(t, err)
	assert.Equal(t, "7", ctj.ResourceVersion, "a cache that is older than what was read live is not believed afterwards")

	r.Client = r.Live.(client.Client)
	ctj, _, err = r.read(t.Context(), name)
	require.NoError(t, err)
	assert.Equal(t, "7", ctj.ResourceVersion)
	assert.Empty(t, r.memory.of(ctj).written, "the cache has caught up")
}

func TestWhatIsReadLiveIsBelievedThoughItIsOlderThanOurOwnWrite(t *testing.T) {
	restored := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "ctj", UID: "uid", ResourceVersion: "3"}}
	now := clocktesting.NewFakePassiveClock(time.Now())
	c := fake.NewClientBuilder().WithScheme(server.Scheme).WithObjects(restored).Build()
	r := &Reconciler{Client: c, Live: c, Clock: now, memory: newMemory()}
	r.memory.of(restored).wrote("7", now.Now().Add(-cacheGrace))
	for range 2 { // etcd was restored from a backup: versions have gone back
		ctj, wait, err := r.read(t.Context(), client.ObjectKeyFromObject(restored))
		require.NoError(t, err)
		assert.Zero(t, wait)
		assert.Equal(t, "3", ctj.ResourceVersion)
	}
	assert.Empty(t, r.memory.of(restored).written)
}

func TestAJobThatAWebhookDoesNotAnswerForIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var down atomic.Bool
	down.Store(true)
	w.operate(withFaults(createFault(func(create func() error) error {
		if down.Load() {
			return failed()
		}
		return create()
	})))
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"})
	w.watching("ctj")
	w.change("config", "2")
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Degraded", metav1.ConditionTrue, trigger.ReasonJobNotCreated)
		require.NotEmpty(c, ctj.Status.ResourceHashes[0].Fields[0].LastTriggeredHash, "it is pending")
	})
	down.Store(false)
	w.triggered("ctj", 1)
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Degraded", metav1.ConditionFalse, "")
	})
}

// A policy refuses the Job as invalid, and the state is back at its baseline before it is tried again.
func TestASpecThatTheAPIServerRefusedIsShownNoLongerThanItIsTried(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.operate(withFaults(createFault(func(func() error) error {
		return apierrors.NewInvalid(batchv1.SchemeGroupVersion.WithKind("Job").GroupKind(), "ctj", nil)
	})))
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"})
	w.watching("ctj")
	w.change("config", "2")
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Degraded", metav1.ConditionTrue, trigger.ReasonInvalidSpec)
	})
	w.change("config", "1")
	w.watching("ctj")
	before := w.get("ctj")
	requireCondition(t, before, "Degraded", metav1.ConditionFalse, trigger.ReasonAsExpected)
	first.stop()

	w.operate()
	w.settled()
	assert.Equal(t, before.ResourceVersion, w.get("ctj").ResourceVersion, "a restart alone writes nothing")
}

func TestAChangeTriggeredJobThatIsGoneIsNoSuccessfulWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate(withFaults(interceptor.Funcs{SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
		if o.GetName() == "ctj" {
			return apierrors.NewNotFound(schema.GroupResource{}, "ctj")
		}
		return c.SubResource(sub).Update(ctx, o, opts...)
	}}))
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) { s.Resources[0].Kind = "Nothing" }) // an event is due
	w.settled()
	assert.Empty(t, w.events(t, "ctj"), "events speak of writes")
}

// anotherSettles has another leader make a trigger and settle it; its Job somebody has deleted since.
func (w *world) anotherSettles(before *v1alpha.ChangeTriggeredJob, number int64) {
	settled := before.DeepCopy()
	settled.Status.TriggerCount = number
	settled.Status.LastJobName = trigger.JobName(before.Name, before.UID, number)
	settled.Status.LastJobStatus, settled.Status.Active = v1alpha.JobSucceeded, nil
	require.NoError(w.t, w.Status().Update(w.t.Context(), settled))
}

func TestALeaderThatIsNotCertainCreatesNothingAndReadsLiveOnceItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var certain, held atomic.Bool
	var terms atomic.Int64
	certain.Store(true)
	terms.Store(1)
	term := func() int64 {
		held.Store(!certain.Load())
		if !certain.Load() {
			return 0
		}
		return terms.Load()
	}
	var old atomic.Pointer[v1alpha.ChangeTriggeredJob]
	w.operate(withTerm(term), withFaults(oldCache(old.Load)))
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"})
	w.watching("ctj")
	w.change("config", "2")
	w.triggered("ctj", 1)

	// It is paused past its lease and wakes up with an old cache. Another leader has acted meanwhile: it has made and
	// settled trigger 2, whose Job somebody has deleted since.
	before := w.get("ctj")
	certain.Store(false)
	old.Store(before)
	w.anotherSettles(before, 2)
	w.change("config", "3")
	require.Eventually(t, held.Load, patience, tick, "it would create a Job")
	assert.Len(t, w.jobs("ctj"), 1, "it may be that another one leads")
	terms.Add(1)
	certain.Store(true)
	w.triggered("ctj", 3)
	for _, j := range w.jobs("ctj") {
		assert.NotEqual(t, trigger.JobName("ctj", before.UID, 2), j.Name, "trigger 2 is not run again")
	}
}

func TestAReplacementThatCannotBeginPutsOffNoHistory(t *testing.T) {
	ctj := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "ctj"}}
	now := clocktesting.NewFakePassiveClock(time.Now())
	refuse := interceptor.Funcs{Delete: func(context.Context, client.WithWatch, client.Object, ...client.DeleteOption) error { return failed() }}
	r := &Reconciler{Client: fake.NewClientBuilder().WithScheme(server.Scheme).WithInterceptorFuncs(refuse).Build(), Clock: now}
	record := &record{}
	doomed := []trigger.Job{{Name: "running", Outcome: v1alpha.JobActive}, {Name: "ended", Outcome: v1alpha.JobSucceeded}}
	require.Equal(t, minBackoff, r.deleteJobs(t.Context(), ctj, record, doomed))
	for range 20 { // the watched object changes again and again
		require.Equal(t, minBackoff, r.deleteJobs(t.Context(), ctj, record, doomed))
	}
	now.SetTime(now.Now().Add(minBackoff))
	require.Equal(t, 2*minBackoff, r.deleteJobs(t.Context(), ctj, record, doomed))
}

func TestALeaderThatIsNotCertainDeletesNothing(t *testing.T) {
	ctj := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "ctj"}}
	old := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "old", UID: "old"}}
	term := int64(0)
	r := &Reconciler{Client: fake.NewClientBuilder().WithScheme(server.Scheme).WithObjects(old).Build(), Clock: clocktesting.NewFakePassiveClock(time.Now()),
		Term: func() int64 { return term }}
	doomed := []trigger.Job{{Name: "old", UID: "old", Outcome: v1alpha.JobSucceeded}}
	assert.Equal(t, leadingPoll, r.deleteJobs(t.Context(), ctj, &record{}, doomed))
	require.NoError(t, r.Client.Get(t.Context(), client.ObjectKeyFromObject(old), old))
	assert.Zero(t, r.deleteJobs(t.Context(), ctj, &record{}, nil), "there is nothing to do")
	term = 1
	assert.Zero(t, r.deleteJobs(t.Context(), ctj, &record{}, doomed))
	assert.True(t, apierrors.IsNotFound(r.Client.Get(t.Context(), client.ObjectKeyFromObject(old), old)))
}

func TestARunningJobThatTheCacheDoesNotHaveIsAskedForAgain(t *testing.T) {
	running, ended := trigger.Job{Outcome: v1alpha.JobActive}, trigger.Job{Outcome: v1alpha.JobSucceeded}
	assert.Zero(t, pollRunning([]trigger.Job{running}, 1), "its end makes an event")
	assert.Zero(t, pollRunning([]trigger.Job{running, ended}, 1))
	assert.Equal(t, runningPoll, pollRunning([]trigger.Job{ended, running}, 1))
	assert.Equal(t, time.Second, soonest(0, time.Minute, time.Second))
	assert.Zero(t, soonest(0, 0))
}

func TestAProcessReadsLiveBeforeItsFirstJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.operate()
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"})
	w.watching("ctj")
	before := w.get("ctj")
	w.change("config", "2")
	last := w.triggered("ctj", 1).Status.LastJobName
	w.finish(last, batchv1.JobComplete)
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		require.Equal(c, v1alpha.JobSucceeded, ctj.Status.LastJobStatus)
	})
	first.stop()
	require.NoError(t, w.Delete(t.Context(), &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: last}},
		client.PropagationPolicy(metav1.DeletePropagationBackground)))

	// The next process' cache was filled by an API server that lags behind: in it, trigger 1 has not happened,
	// and its Job's name is free.
	w.operate(withFaults(oldCache(func() *v1alpha.ChangeTriggeredJob { return before })))
	w.settled()
	assert.Empty(t, w.jobs("ctj"), "trigger 1 is not run again")
}

// TestALeaderThatDidNotNoticeItsGapReadsLive is about one that is paused past its lease and handed it again when it wakes up:
// the other leader has come and gone, and nothing was reconciled in between.
func TestALeaderThatDidNotNoticeItsGapReadsLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var term atomic.Int64
	term.Store(1)
	var old atomic.Pointer[v1alpha.ChangeTriggeredJob]
	w.operate(withTerm(term.Load), withFaults(oldCache(old.Load)))
	w.configMap("config", "1")
	w.trigger("ctj", []string{"config"})
	w.watching("ctj")
	w.change("config", "2")
	w.triggered("ctj", 1)

	before := w.get("ctj")
	old.Store(before)
	w.anotherSettles(before, 2)
	term.Store(2)
	w.change("config", "3")
	w.triggered("ctj", 3)
	for _, j := range w.jobs("ctj") {
		assert.NotEqual(t, trigger.JobName("ctj", before.UID, 2), j.Name, "trigger 2 is not run again")
	}
}

func TestATermThatEndsDuringTheReadEndsTheCreate(t *testing.T) {
	ctj := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "ctj", UID: "uid"}}
	term := int64(1)
	slow := interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
		term = 0
		return c.Get(ctx, key, object, options...)
	}}
	r := &Reconciler{Live: fake.NewClientBuilder().WithScheme(server.Scheme).WithObjects(ctj).WithInterceptorFuncs(slow).Build(), Term: func() int64 { return term }}
	stored := &v1alpha.ChangeTriggeredJob{}
	require.NoError(t, r.Live.Get(t.Context(), client.ObjectKeyFromObject(ctj), stored))
	for _, began := range []int64{1, 0, 2} {
		term = began
		certain, err := r.confirm(t.Context(), stored, &record{})
		require.NoError(t, err)
		assert.False(t, certain)
	}
}

func TestALeaseIsHeldInTermsWithoutAGap(t *testing.T) {
	lease := &Lease{Interface: &resourcelock.LeaseLock{LockConfig: resourcelock.ResourceLockConfig{Identity: "me"}}, Duration: time.Hour}
	renew := func(holder string, err error) {
		_ = lease.renew(resourcelock.LeaderElectionRecord{HolderIdentity: holder}, func() error { return err })
	}
	assert.Zero(t, lease.Term(), "before it was ever held")
	renew("me", interrupted())
	assert.Zero(t, lease.Term(), "after a renewal that failed")
	renew("me", nil)
	assert.EqualValues(t, 1, lease.Term())
	renew("me", nil)
	assert.EqualValues(t, 1, lease.Term(), "renewed in time")
	renew("", nil)
	assert.Zero(t, lease.Term(), "after it was given back")
	renew("me", nil)
	assert.EqualValues(t, 2, lease.Term(), "another may have held it meanwhile")
	lease.Duration = 0
	assert.Zero(t, lease.Term(), "after its duration")
	renew("me", nil)
	lease.Duration = time.Hour
	assert.EqualValues(t, 3, lease.Term(), "renewed too late")
}
