package controllers

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"

	"github.com/nusnewob/kube-changejob/pkg/metrics"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// triggerEvents is how many events tell of triggers and of waits in any second, at most.
const triggerEvents = 10

// limitedReasons are those of the events that tell of triggers, and of pending changes that wait.
var limitedReasons = slices.Concat([]string{trigger.EventJobCreated, trigger.EventJobAdopted, trigger.EventJobReplaced}, trigger.Skips)

// eventsLeftOut counts the events that were not sent because there were too many of their kind.
var eventsLeftOut = metrics.NewCounters("changejob_events_left_out_total",
	"Events about triggers, and about pending changes that wait, that were not sent because there were more than 10 a second, by reason.",
	metrics.Label{Name: "reason", Values: limitedReasons})

// limitedRecorder passes on no more than triggerEvents in any second of the events that tell of triggers and of waits. When thousands of Jobs are
// created at once, each of those events is one more write that the Jobs behind it wait for, and says what the Job's own
// annotations and status say. Events of trouble are not limited: somebody has to act on them.
type limitedRecorder struct {
	events.EventRecorder
	clock clock.PassiveClock

	mutex sync.Mutex
	// passed is when the last of these events were passed on. It is a ring: next is the oldest of them, whose place the next one takes.
	passed [triggerEvents]time.Time
	next   int
}

// LimitEvents returns a recorder that passes on to this one at most 10 events in any second about Jobs that were created, taken
// over or replaced, and about changes that wait, and counts those that it leaves out in the metric changejob_events_left_out_total.
func LimitEvents(recorder events.EventRecorder, clock clock.PassiveClock) events.EventRecorder {
	return &limitedRecorder{EventRecorder: recorder, clock: clock}
}

// Eventf implements events.EventRecorder.
func (r *limitedRecorder) Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...any) {
	if slices.Contains(limitedReasons, reason) && !r.allows() {
		eventsLeftOut.Of(reason).Inc()
		return
	}
	r.EventRecorder.Eventf(regarding, related, kind, reason, action, note, args...)
}

// allows reports whether one more of the limited events may pass, and takes it for passed if so: it may where the tenth before it
// passed a second ago or earlier. A bucket that fills up would let twice as many through in the first second after quiet.
func (r *limitedRecorder) allows() bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	now, tenth := r.clock.Now(), &r.passed[r.next]
	if !tenth.IsZero() && now.Sub(*tenth) < time.Second {
		return false
	}
	*tenth = now
	r.next = (r.next + 1) % triggerEvents
	return true
}
