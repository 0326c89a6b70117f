package controllers

import (
	"context"
	"sync/atomic"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// Lease is a leader election lock that knows for how long it has been held without a gap.
//
// A process that is stopped (a paused virtual machine, SIGSTOP) past its lease and wakes up believes for a
// moment that it still leads, with caches as old as its sleep, while another leader acts; or the other has come and gone
// meanwhile, and it is handed the lease without having noticed anything. Term tells both: it is 0 as long as another
// may lead, and afterwards another number than before.
type Lease struct {
	resourcelock.Interface
	// Duration is how long the lease lasts without being renewed.
	Duration time.Duration

	held atomic.Pointer[holding]
}

// holding is a lease that was renewed, in the term of that number.
type holding struct {
	renewed time.Time
	term    int64
}

// Create implements resourcelock.Interface.
func (l *Lease) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.renew(record, func() error { return l.Interface.Create(ctx, record) })
}

// Update implements resourcelock.Interface.
func (l *Lease) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.renew(record, func() error { return l.Interface.Update(ctx, record) })
}

// renew remembers a write that succeeded. The elector makes one at a time.
func (l *Lease) renew(record resourcelock.LeaderElectionRecord, write func() error) error {
	asked := time.Now()
	if err := write(); err != nil {
		return err
	}
	next := &holding{renewed: asked, term: 1}
	if before := l.held.Load(); before != nil {
		next.term = before.term
		if !l.lasts(before, asked) { // somebody else may have led in between
			next.term++
		}
	}
	if record.HolderIdentity != l.Identity() { // it was given back
		next.renewed = time.Time{}
	}
	l.held.Store(next)
	return nil
}

// Term is the number of the time, from 1 on, for which the lease has been held without a gap; 0 while it is not certainly
// held: it was never, or not renewed for its duration, or given back.
func (l *Lease) Term() int64 {
	held := l.held.Load()
	if held == nil || !l.lasts(held, time.Now()) {
		return 0
	}
	return held.term
}

// lasts says whether the lease was renewed less than its duration ago, by the monotonic clock and by the
// wall clock both: the first stands still in a paused virtual machine, the second can be set. The time of
// the request counts, not that of its answer.
func (l *Lease) lasts(held *holding, now time.Time) bool {
	byWall := now.Round(0).Sub(held.renewed.Round(0))
	return now.Sub(held.renewed) < l.Duration && byWall < l.Duration
}
