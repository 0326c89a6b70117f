package controllers

import (
	"context"
	"sync/atomic"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// Lease is a leader election lock that remembers when it was last held for certain.
//
// A process that is stopped (a paused virtual machine, SIGSTOP) past its lease and wakes up believes for a
// moment that it still leads, with caches as old as its sleep, while another leader acts. Fresh tells: a
// leader whose lease is not fresh reads live before it creates anything.
type Lease struct {
	resourcelock.Interface
	// Duration is how long the lease lasts without being renewed.
	Duration time.Duration

	renewed atomic.Pointer[time.Time]
}

// Create implements resourcelock.Interface.
func (l *Lease) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.renew(record, func() error { return l.Interface.Create(ctx, record) })
}

// Update implements resourcelock.Interface.
func (l *Lease) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.renew(record, func() error { return l.Interface.Update(ctx, record) })
}

func (l *Lease) renew(record resourcelock.LeaderElectionRecord, write func() error) error {
	asked := time.Now()
	if err := write(); err != nil {
		return err
	}
	if record.HolderIdentity != l.Identity() { // it was given back
		l.renewed.Store(nil)
		return nil
	}
	l.renewed.Store(&asked)
	return nil
}

// Fresh says whether the lease was renewed less than its duration ago, by the monotonic clock and by the
// wall clock both: the first stands still in a paused virtual machine, the second can be set. The time of
// the request counts, not that of its answer.
func (l *Lease) Fresh() bool {
	renewed := l.renewed.Load()
	if renewed == nil {
		return false
	}
	now := time.Now()
	byWall := now.Round(0).Sub(renewed.Round(0))
	return now.Sub(*renewed) < l.Duration && byWall < l.Duration
}
