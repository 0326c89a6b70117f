package controllers

import (
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// triggerEvents is how many events a second tell of triggers, and how many do at once.
const triggerEvents = 10

// eventsLeftOut counts the events that were not sent because there were too many of their kind.
var eventsLeftOut = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "changejob_events_left_out_total",
	Help: "Events about triggers that were not sent because there were more than 10 a second, by reason.",
}, []string{"reason"})

func init() { metrics.Registry.MustRegister(eventsLeftOut) }

// limitedRecorder passes on no more than triggerEvents a second of the events that tell of triggers. When thousands of Jobs are
// created at once, each of those events is one more write that the Jobs behind it wait for, and says what the Job's own
// annotations and status say. Events of trouble are not limited: somebody has to act on them.
type limitedRecorder struct {
	events.EventRecorder
	clock clock.PassiveClock
	limit *rate.Limiter
}

// LimitEvents returns a recorder that passes on to this one at most 10 events a second about Jobs that were created, taken
// over or replaced, and counts those that it leaves out in the metric changejob_events_left_out_total.
func LimitEvents(recorder events.EventRecorder, clock clock.PassiveClock) events.EventRecorder {
	return &limitedRecorder{EventRecorder: recorder, clock: clock, limit: rate.NewLimiter(triggerEvents, triggerEvents)}
}

// Eventf implements events.EventRecorder.
func (r *limitedRecorder) Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...any) {
	switch reason {
	case trigger.EventJobCreated, trigger.EventJobAdopted, trigger.EventJobReplaced:
		if !r.limit.AllowN(r.clock.Now(), 1) {
			eventsLeftOut.WithLabelValues(reason).Inc()
			return
		}
	}
	r.EventRecorder.Eventf(regarding, related, kind, reason, action, note, args...)
}
