package controllers

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/nusnewob/kube-changejob/pkg/metrics"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// measured returns how many triggers were measured with that value of waited, and how many seconds all of them took.
func measured(t *testing.T, waited string) (count uint64, sum float64) {
	t.Helper()
	var m dto.Metric
	require.NoError(t, triggerDuration.Of(waited).(prometheus.Metric).Write(&m))
	return m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum()
}

// started are wakeups whose queue runs.
func started(t *testing.T, now *clocktesting.FakePassiveClock) (*Wakeups, workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	t.Helper()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	t.Cleanup(queue.ShutDown)
	w := &Wakeups{Clock: now}
	require.NoError(t, w.Start(t.Context(), queue))
	return w, queue
}

var somebody = types.NamespacedName{Namespace: "ns", Name: "ctj"}

func TestTheFirstChangeThatIsUnansweredIsRemembered(t *testing.T) {
	now := clocktesting.NewFakePassiveClock(time.Now())
	w, queue := started(t, now)
	first := now.Now()
	w.Enqueue(somebody)
	now.SetTime(first.Add(time.Second))
	w.Enqueue(somebody)
	assert.Equal(t, 1, queue.Len())
	r := &record{}
	r.saw(w.take(somebody))
	assert.Equal(t, first, r.seen.at)
	assert.Empty(t, w.seen, "it is remembered in one place")

	t.Run("while it is pending", func(t *testing.T) {
		w.Enqueue(somebody)
		r.saw(w.take(somebody))
		r.answer(showing(trigger.ReasonTriggering, ""), trigger.Decision{})
		assert.Equal(t, first, r.seen.at)
		assert.False(t, r.seen.waited, "nobody has asked for a wait")
	})
	t.Run("until it is not pending any more", func(t *testing.T) {
		r.answer(showing(trigger.ReasonJobActive, ""), trigger.Decision{})
		assert.Zero(t, *r)
	})
	t.Run("by nobody who does not act", func(t *testing.T) {
		idle := &Wakeups{Clock: now}
		idle.Enqueue(somebody)
		assert.Empty(t, idle.seen)
	})
	t.Run("not of what is deleted", func(t *testing.T) {
		w.Enqueue(somebody)
		reconciler := &Reconciler{Watches: nowhere{}, memory: newMemory(), wakeups: w}
		reconciler.forget(somebody)
		assert.Empty(t, w.seen)
	})
}

func TestTheTimeFromAChangeToItsJobIsMeasured(t *testing.T) {
	seen := time.Now()
	for name, c := range map[string]struct {
		record record
		waits  []string
		want   string
	}{
		"at once":                        {record{seen: firstSeen{at: seen}}, nil, "false"},
		"after a cooldown":               {record{seen: firstSeen{at: seen}}, []string{trigger.ReasonCooldown}, "true"},
		"after a suspension that is off": {record{seen: firstSeen{at: seen}}, []string{trigger.ReasonSuspended, trigger.ReasonTriggering}, "true"},
		"after a Job that failed":        {record{seen: firstSeen{at: seen}}, []string{trigger.ReasonRetrying}, "true"},
		"after a quota was raised":       {record{seen: firstSeen{at: seen}}, []string{trigger.ReasonJobNotCreated}, "false"},
		"a change from before the start": {record{}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			counts, sums := map[string]uint64{}, map[string]float64{}
			for _, waited := range []string{"false", "true"} {
				counts[waited], sums[waited] = measured(t, waited)
			}
			for _, reason := range c.waits {
				c.record.answer(showing(reason, ""), trigger.Decision{})
			}
			c.record.answered(&trigger.Creation{Reason: trigger.ReasonChange}, seen.Add(3*time.Second))
			for _, waited := range []string{"false", "true"} {
				count, sum := measured(t, waited)
				want := uint64(0)
				if waited == c.want {
					want = 1
				}
				assert.Equal(t, want, count-counts[waited], waited)
				assert.InDelta(t, 3*float64(want), sum-sums[waited], 0.01, waited)
			}
			assert.Zero(t, c.record.seen, "nothing is remembered of what is answered")
		})
	}
}

func TestAWakeUpOfWhatIsUnansweredAllocatesNothing(t *testing.T) {
	w, _ := started(t, clocktesting.NewFakePassiveClock(time.Now()))
	w.Enqueue(somebody)
	assert.Zero(t, testing.AllocsPerRun(100, func() { w.Enqueue(somebody) }))
}

func TestEveryMetricOfThisPackageIsDefinedOnce(t *testing.T) {
	names := map[string]bool{}
	for _, d := range metrics.Definitions() {
		assert.False(t, names[d.Name], d.Name)
		names[d.Name] = true
	}
}

// nowhere are watches that have nothing to forget.
type nowhere struct{ Watches }

func (nowhere) Remove(types.NamespacedName) {}
