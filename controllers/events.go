package controllers

import (
	"slices"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"

	"github.com/nusnewob/kube-changejob/pkg/metrics"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// triggerEvents is how many events a second tell of triggers and of waits, and how many do at once.
const triggerEvents = 10

// limitedReasons are those of the events that tell of triggers, and of pending changes that wait.
var limitedReasons = slices.Concat([]string{trigger.EventJobCreated, trigger.EventJobAdopted, trigger.EventJobReplaced}, trigger.Skips)

// eventsLeftOut counts the events that were not sent because there were too many of their kind.
var eventsLeftOut = metrics.NewCounters("changejob_events_left_out_total",
	"Events about triggers, and about pending changes that wait, that were not sent because there were more than 10 a second, by reason.",
	metrics.Label{Name: "reason", Values: limitedReasons})

// limitedRecorder passes on no more than triggerEvents a second of the events that tell of triggers and of waits. When thousands of Jobs are
// created at once, each of those events is one more write that the Jobs behind it wait for, and says what the Job's own
// annotations and status say. Events of trouble are not limited: somebody has to act on them.
type limitedRecorder struct {
	events.EventRecorder
	clock clock.PassiveClock
	limit *rate.Limiter
}

// LimitEvents returns a recorder that passes on to this one at most 10 events a second about Jobs that were created, taken
// over or replaced, and about changes that wait, and counts those that it leaves out in the metric changejob_events_left_out_total.
func LimitEvents(recorder events.EventRecorder, clock clock.PassiveClock) events.EventRecorder {
	return &limitedRecorder{EventRecorder: recorder, clock: clock, limit: rate.NewLimiter(triggerEvents, triggerEvents)}
}

// Eventf implements events.EventRecorder.
func (r *limitedRecorder) Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...any) {
	if slices.Contains(limitedReasons, reason) && !r.limit.AllowN(r.clock.Now(), 1) {
		eventsLeftOut.Of(reason).Inc()
		return
	}
	r.EventRecorder.Eventf(regarding, related, kind, reason, action, note, args...)
}
