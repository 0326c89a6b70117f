package watch

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// joinLimit is how many objects are read one by one before the whole scope is read again instead.
const joinLimit = 64

// join has an entry read that joined while the run was synced: the watch tells of its next change, not of
// what it is now.
func (r *run) join(ent *entry) {
	r.joins[ent] = struct{}{}
	signal(r.joined)
	if !r.joining {
		r.joining = r.kind.engine.spawn(r.readJoined)
	}
}

// readJoined reads the entries that joined, until everything that is referenced of them is known. It reads
// together what joins within a moment: a thousand owners that join one object cost a few reads of it.
func (r *run) readJoined() {
	e := r.kind.engine
	delay := newBackoff(e.Clock)
	for e.sleep(r.ctx, settleTime) {
		select {
		case <-r.joined:
		default:
		}
		scopes := r.incomplete()
		if len(scopes) == 0 {
			return
		}
		err := r.readAgain(scopes)
		if r.ctx.Err() != nil {
			return
		}
		if err != nil {
			e.Log.V(1).Info("cannot read what joined", "kind", r.kind.gvk.String(), "scope", r.scope.String(), "error", err.Error())
			pause := max(delay(), retryAfter(err))
			if apierrors.IsForbidden(err) {
				pause = e.PollInterval
			}
			// What joins meanwhile need not wait for what fails.
			if _, ok := e.sleepOr(r.ctx, pause, r.joined); !ok {
				return
			}
		}
	}
}

// incomplete returns the narrowest scopes of the entries that are still to be read. Where there are none, the goroutine
// that asks is to end.
func (r *run) incomplete() []scope {
	e := r.kind.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	var scopes []scope
	for ent := range r.joins {
		if !ent.lives() || ent.complete() {
			delete(r.joins, ent)
			continue
		}
		scopes = append(scopes, ent.narrowest())
	}
	r.joining = len(scopes) > 0
	return scopes
}

// readAgain reads the scopes, or the whole one of the run where that is less work. One that cannot be read holds up
// no other.
func (r *run) readAgain(scopes []scope) error {
	if len(scopes) > joinLimit {
		err := r.readScope(r.scope)
		r.cannotRead(err, scopes...)
		return err
	}
	var errs []error
	for _, s := range scopes {
		err := r.readScope(s)
		if r.ctx.Err() != nil {
			return err
		}
		r.cannotRead(err, s)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// cannotRead tells those who wait for what is in the scopes why it cannot be read, if there is an error.
func (r *run) cannotRead(err error, scopes ...scope) {
	if err == nil {
		return
	}
	r.kind.engine.update(func(wake wakeups) {
		for _, s := range scopes {
			r.kind.covered(s, func(ent *entry) {
				if r.current() {
					ent.cannotRead(err, wake)
				}
			})
		}
	})
}

func (r *run) readScope(s scope) error {
	e := r.kind.engine
	var began moment
	e.update(func(wakeups) { began = e.next() })

	ctx := r.ctx
	if s.single() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, requestTimeout)
		defer cancel()
	}
	var counts tally
	c := r.source.collection
	c.path = r.resource.collection(s.namespace)
	list, err := c.list(ctx, s.name, counts.begin, r.reducer(&counts))
	if err != nil {
		return err
	}
	e.update(func(wake wakeups) {
		if r.current() {
			r.kind.show(s, listing{byName(list.Items), counts.end()}, list.ResourceVersion, began, false, wake)
		}
	})
	return nil
}
