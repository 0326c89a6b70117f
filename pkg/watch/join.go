package watch

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
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
		names := r.incomplete()
		if len(names) == 0 {
			return
		}
		err := r.readAgain(names)
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

// incomplete returns the names of the entries that are still to be read. Where there are none, the goroutine
// that asks is to end.
func (r *run) incomplete() []types.NamespacedName {
	e := r.kind.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	var names []types.NamespacedName
	for ent := range r.joins {
		if r.kind.entries[ent.name] != ent || ent.unfit || ent.complete() {
			delete(r.joins, ent)
			continue
		}
		names = append(names, ent.name)
	}
	r.joining = len(names) > 0
	return names
}

// readAgain reads the named objects, or the whole scope where that is less work. One that cannot be read holds up
// no other.
func (r *run) readAgain(names []types.NamespacedName) error {
	if len(names) > joinLimit {
		err := r.readScope(r.scope)
		r.cannotRead(err, names...)
		return err
	}
	var errs []error
	for _, name := range names {
		err := r.readScope(objectScope(name))
		if r.ctx.Err() != nil {
			return err
		}
		r.cannotRead(err, name)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// cannotRead tells those who wait for the named objects why they cannot be read, if there is an error.
func (r *run) cannotRead(err error, names ...types.NamespacedName) {
	if err == nil {
		return
	}
	r.kind.engine.update(func(wake wakeups) {
		for _, name := range names {
			if ent := r.kind.entries[name]; ent != nil && r.current() {
				ent.cannotRead(err, wake)
			}
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
	c := r.source.collection
	c.path = r.resource.collection(s.namespace)
	list, err := c.list(ctx, s.name, r.kind.reduce)
	if err != nil {
		return err
	}
	e.update(func(wake wakeups) {
		if r.current() {
			r.kind.show(s, byName(list.Items), list.ResourceVersion, began, wake)
		}
	})
	return nil
}
