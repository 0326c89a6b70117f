package watch

import (
	"errors"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Stats is what an Engine has done, and what it watches now. It tells of no object.
type Stats struct {
	// Events are the events of watches since the process started, by what became of them.
	Events map[string]uint64
	// Failures are the watches and reads of whole scopes that failed since then, by why they did.
	Failures map[string]uint64
	// Watches are how many there are now, by the scope and the state of each.
	Watches map[Watching]int
	// Kinds and Objects are how many are referenced now, those that are selected included.
	Kinds, Objects int
}

// Watching is what a watch covers, and whether it sees that.
type Watching struct{ Scope, State string }

// What became of an event.
const (
	// EventDropped is of an object that nobody references, and was not looked at further.
	EventDropped = "dropped"
	// EventOutdated says nothing newer than what is stored.
	EventOutdated = "outdated"
	// EventUnchanged has altered nothing that is referenced.
	EventUnchanged = "unchanged"
	// EventChanged has altered something that is referenced.
	EventChanged = "changed"
)

// EventResults are what can become of an event.
var EventResults = []string{EventDropped, EventOutdated, EventUnchanged, EventChanged}

// Scopes are what a watch can cover: one object, a namespace, or the whole cluster.
var Scopes = []string{"object", "namespace", "cluster"}

// What can be said of a watch.
const (
	// WatchSynced sees its scope.
	WatchSynced = "synced"
	// WatchNotSynced does not see its scope, or not yet.
	WatchNotSynced = "notSynced"
	// WatchForbidden does not see its scope for want of rights. Those who reference what is in it are told.
	WatchForbidden = "forbidden"
	// WatchPolled cannot be: its scope is listed again and again.
	WatchPolled = "polled"
)

// WatchStates are what can be said of a watch.
var WatchStates = []string{WatchSynced, WatchNotSynced, WatchForbidden, WatchPolled}

// Why a watch or the read of a scope failed.
const (
	FailureForbidden   = "forbidden"
	FailureNotServed   = "notServed"
	FailureUnreachable = "unreachable"
	FailureAnswer      = "answer"
)

// Failures are why a watch or the read of a scope can fail: the operator may not read it; its resource is not served, or cannot be
// watched; the API server was not reached, or the connection broke; it answered with another error, or with what cannot be read.
var Failures = []string{FailureForbidden, FailureNotServed, FailureUnreachable, FailureAnswer}

// counts are what Stats tells of the past. Nothing but an atomic addition may be done for an event that is dropped.
type counts struct {
	dropped, outdated, unchanged, changed       atomic.Uint64
	forbidden, notServed, unreachable, answered atomic.Uint64
}

// failed counts a failure.
func (c *counts) failed(err error) {
	status, malformed := apierrors.APIStatus(nil), (*malformedError)(nil)
	switch {
	case isForbidden(err):
		c.forbidden.Add(1)
	case apierrors.IsNotFound(err), apierrors.IsMethodNotSupported(err):
		c.notServed.Add(1)
	case errors.As(err, &malformed), errors.As(err, &status):
		c.answered.Add(1)
	default:
		c.unreachable.Add(1)
	}
}

// Stats returns what the engine has done, and what it watches now.
func (e *Engine) Stats() Stats {
	c := &e.counts
	s := Stats{
		Events: map[string]uint64{
			EventDropped: c.dropped.Load(), EventOutdated: c.outdated.Load(), EventUnchanged: c.unchanged.Load(), EventChanged: c.changed.Load(),
		},
		Failures: map[string]uint64{
			FailureForbidden: c.forbidden.Load(), FailureNotServed: c.notServed.Load(),
			FailureUnreachable: c.unreachable.Load(), FailureAnswer: c.answered.Load(),
		},
		Watches: map[Watching]int{},
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	s.Kinds = len(e.kinds)
	for _, k := range e.kinds {
		s.Objects += len(k.entries)
		for _, sel := range k.selections {
			s.Objects += len(sel.members)
		}
		for _, r := range k.runs {
			s.Watches[r.state()]++
		}
	}
	return s
}

// state says what the run covers, and whether it sees that. It is called under the lock.
func (r *run) state() Watching {
	w := Watching{Scope: "cluster", State: WatchNotSynced}
	switch {
	case r.scope.single():
		w.Scope = "object"
	case r.scope.namespace != "":
		w.Scope = "namespace"
	}
	switch {
	case r.polled:
		w.State = WatchPolled
	case r.synced:
		w.State = WatchSynced
	case r.forbidden:
		w.State = WatchForbidden
	}
	return w
}
