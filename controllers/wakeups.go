package controllers

import (
	"context"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Wakeups leads from the watch engine to the reconciler's queue: Enqueue is the engine's callback, and the
// value itself is a source of the controller. The zero value is ready for use.
type Wakeups struct {
	queue atomic.Pointer[workqueue.TypedRateLimitingInterface[reconcile.Request]]
}

// Enqueue asks for a reconcile of the named ChangeTriggeredJob. It never blocks. Before the controller has
// started it does nothing: every ChangeTriggeredJob is reconciled at the start anyway.
func (w *Wakeups) Enqueue(name types.NamespacedName) {
	if queue := w.queue.Load(); queue != nil {
		(*queue).Add(reconcile.Request{NamespacedName: name})
	}
}

// Start implements source.Source.
func (w *Wakeups) Start(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	w.queue.Store(&queue)
	return nil
}
