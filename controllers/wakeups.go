package controllers

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Wakeups leads from the watch engine to the reconciler's queue: Enqueue is the engine's callback, and the
// value itself is a source of the controller. The zero value is ready for use.
type Wakeups struct {
	// Clock is the time at which changes are seen; without it, how long triggers take is not measured.
	Clock clock.PassiveClock
	// Tracer, where there is one, begins a trace with each change.
	Tracer trace.Tracer

	queue atomic.Pointer[workqueue.TypedRateLimitingInterface[reconcile.Request]]

	mu sync.Mutex
	// seen is what no reconcile has taken up yet.
	seen map[types.NamespacedName]firstSeen
}

// firstSeen is when a change was seen that is unanswered, and the trace that began with it.
type firstSeen struct {
	at time.Time // zero where there is none
	// waited is true once the change has waited because the ChangeTriggeredJob says so.
	waited bool
	span   *trace.SpanContext // nil where nothing is traced
}

// Enqueue asks for a reconcile of the named ChangeTriggeredJob. It never blocks. Before the controller has
// started it does nothing: every ChangeTriggeredJob is reconciled at the start anyway.
func (w *Wakeups) Enqueue(name types.NamespacedName) {
	queue := w.queue.Load()
	if queue == nil {
		return
	}
	if w.Clock != nil {
		w.note(name)
	}
	(*queue).Add(reconcile.Request{NamespacedName: name})
}

// note remembers the first change that no reconcile has taken up.
func (w *Wakeups) note(name types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, unanswered := w.seen[name]; unanswered {
		return
	}
	if w.seen == nil {
		w.seen = map[types.NamespacedName]firstSeen{}
	}
	w.seen[name] = firstSeen{at: w.Clock.Now(), span: beginTrace(w.Tracer, name)}
}

// take returns the first change that was seen since it was last called for that name. Nothing is remembered of it here any more.
func (w *Wakeups) take(name types.NamespacedName) firstSeen {
	if w == nil {
		return firstSeen{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen[name]
	delete(w.seen, name)
	return seen
}

// Start implements source.Source.
func (w *Wakeups) Start(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	w.queue.Store(&queue)
	return nil
}
