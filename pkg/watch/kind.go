package watch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// kind is everything that is referenced of one kind. All of it is guarded by the engine's lock.
type kind struct {
	engine  *Engine
	gvk     schema.GroupVersionKind
	entries map[types.NamespacedName]*entry
	// selections are what is selected of the kind, by the narrowest scope of each; selecting are the references that do.
	selections map[scope]*selection
	selecting  map[*selecting]struct{}

	// resource is how the kind is served; nil while it is not, or not known to be. Then state and err
	// say why.
	resource *resource
	state    State
	err      error
	// since is when state last changed.
	since time.Time
	// ask wakes the goroutine that asks discovery; it holds at most one wake-up.
	ask      chan struct{}
	stopAsks context.CancelFunc

	// dirty is true where the references have changed since the last plan.
	dirty bool
	// denied holds the wide scopes that could not be had.
	denied map[scope]denial
	// planned are the scopes of the last plan, runs those that run: scopes that were planned before are
	// among them until the planned ones have taken over.
	planned map[scope]bool
	runs    map[scope]*run
}

// denial is that a wide scope could not be had: narrower ones stand in for it.
type denial struct {
	// until is when the scope is to be tried again, wait how long that was when it was denied.
	until time.Time
	wait  time.Duration
	// tried is true once it may be planned again.
	tried bool
}

// ErrNotListable is the Err of an Observation whose kind's objects cannot be read: they are there to be
// created only, as a TokenReview. No permission changes that.
var ErrNotListable = errors.New("the kind can be neither listed nor watched")

// ErrKindUnknown says that nothing is known of a kind yet.
var ErrKindUnknown = errors.New("nothing is known of this kind yet")

func newKind(e *Engine, gvk schema.GroupVersionKind) *kind {
	return &kind{
		engine:  e,
		gvk:     gvk,
		entries: map[types.NamespacedName]*entry{},

		selections: map[scope]*selection{},
		selecting:  map[*selecting]struct{}{},
		since:      e.Clock.Now(),

		ask:     make(chan struct{}, 1),
		denied:  map[scope]denial{},
		planned: map[scope]bool{},
		runs:    map[scope]*run{},
	}
}

// entry returns the kind's entry of that name, and adds it where nobody has referenced it before.
func (k *kind) entry(name types.NamespacedName) *entry {
	ent := k.entries[name]
	if ent == nil {
		ent = &entry{
			kind: k, name: name, joined: k.engine.next(),
			state: k.state, since: k.engine.Clock.Now(), err: k.err,
		}
		k.entries[name] = ent
		k.fit(ent, wakeups{})
		if k.served(ent) {
			// What it is becomes known when it has been read; that it can be seen is known now.
			ent.state, ent.err = Synced, nil
		}
	}
	return ent
}

// fit finds out whether the reference can be of this kind at all.
func (k *kind) fit(ent *entry, wake wakeups) {
	if k.resource == nil {
		return
	}
	namespaced := ent.name.Namespace != ""
	var err error
	switch {
	case !k.resource.listable:
		err = ErrNotListable
	case k.resource.namespaced != namespaced:
		err = &ScopeError{Namespaced: k.resource.namespaced}
	case ent.name.Name == "":
		err = errors.New("the name is empty")
	case namespaced && !isPathSegment(ent.name.Namespace):
		err = fmt.Errorf("%q cannot be the name of a namespace", ent.name.Namespace)
	}
	ent.unfit = err != nil
	if ent.unfit {
		ent.setState(NotSynced, err, wake)
	}
}

// covered calls f for every entry that the scope covers.
func (k *kind) covered(s scope, f func(*entry)) {
	if s.selector != "" {
		for key, sel := range k.selections {
			if s.selects(key) {
				f(&sel.entry)
			}
		}
		return
	}
	if s.single() {
		if ent := k.entries[types.NamespacedName{Namespace: s.namespace, Name: s.name}]; ent != nil && !ent.unfit {
			f(ent)
		}
		return
	}
	for name, ent := range k.entries {
		if s.covers(name) && !ent.unfit {
			f(ent)
		}
	}
}

// planDirty plans anew the kinds whose references have changed, or for which a denied scope is to be tried
// again. It is called under the lock, as are all methods below that have no context.
func (e *Engine) planDirty() {
	now := e.Clock.Now()
	for _, k := range e.kinds {
		if retry, ok := k.nextRetry(); k.dirty || (ok && !now.Before(retry)) {
			k.plan()
		}
	}
}

// nextRetry returns when the next of the denied scopes is to be tried again.
func (k *kind) nextRetry() (next time.Time, ok bool) {
	for _, d := range k.denied {
		if !d.tried && (!ok || d.until.Before(next)) {
			next, ok = d.until, true
		}
	}
	return next, ok
}

// deny has narrower scopes stand in for a wide one that cannot be had, and has it tried again: after the poll
// interval at first, and ever more rarely up to ten of them, since trying may mean to read all of it.
func (k *kind) deny(r *run) {
	e := k.engine
	wait := min(max(2*k.denied[r.scope].wait, e.PollInterval), 10*e.PollInterval)
	k.denied[r.scope] = denial{until: e.Clock.Now().Add(wait), wait: wait}
	k.stop(r)
	k.plan()
	signal(e.replan) // it sleeps no longer than until the next retry
}

// denials returns the scopes that are denied now, and forgets those that cover no reference any more.
func (k *kind) denials(objects []types.NamespacedName) map[scope]bool {
	if len(k.denied) == 0 {
		return nil
	}
	covering := map[scope]bool{}
	for _, object := range objects {
		for _, s := range scopesOf(object) {
			covering[s] = true
		}
	}
	for key := range k.selections {
		covering[key.widest()] = true
	}
	now := k.engine.Clock.Now()
	denied := make(map[scope]bool, len(k.denied))
	for s, d := range k.denied {
		switch {
		case !covering[s]:
			delete(k.denied, s)
		case now.Before(d.until):
			denied[s] = true
		default:
			d.tried = true
			k.denied[s] = d
		}
	}
	return denied
}

// plan starts the watches that the references need now, and stops those that they do not need any more.
func (k *kind) plan() {
	e := k.engine
	if e.ctx == nil {
		return // Start does it
	}
	k.dirty = false
	if len(k.entries) == 0 && len(k.selections) == 0 && len(k.selecting) == 0 {
		k.stopRuns()
		if k.stopAsks != nil {
			k.stopAsks()
		}
		delete(e.kinds, k.gvk)
		return
	}
	if k.stopAsks == nil {
		ctx, cancel := context.WithCancel(e.ctx)
		e.spawn(func() { k.keepAsking(ctx) })
		k.stopAsks = cancel
	}
	if k.resource == nil {
		return
	}
	objects := make([]types.NamespacedName, 0, len(k.entries))
	for name, ent := range k.entries {
		if !ent.unfit {
			objects = append(objects, name)
		}
	}
	denied := k.denials(objects)
	scopes := append(plan(objects, denied, k.planned, e.Threshold),
		planSelections(slices.Collect(maps.Keys(k.selections)), denied, k.planned, e.Threshold)...)
	k.planned = make(map[scope]bool, len(scopes))
	for _, s := range scopes {
		k.planned[s] = true
		if k.runs[s] == nil {
			k.start(s)
		}
	}
	k.retire()
}

// retire stops what is planned no more, once what is planned has taken over: until then what runs still
// serves, so that nothing goes unseen in between. A single object's watch stays even if it does not serve, since
// it would only be started again where the wide scope that is tried is denied.
func (k *kind) retire() {
	if len(k.runs) == len(k.planned) {
		return // every planned scope runs
	}
	needed := map[scope]bool{}
	for ent := range k.all() {
		scopes := ent.scopes()
		served := ent.unfit || slices.ContainsFunc(scopes, func(s scope) bool {
			return k.planned[s] && k.runs[s] != nil && k.runs[s].synced
		})
		for _, s := range scopes {
			if r := k.runs[s]; !served && r != nil && (r.synced || s == ent.narrowest()) {
				needed[s] = true
			}
		}
	}
	for s, r := range k.runs {
		if !k.planned[s] && !needed[s] {
			k.stop(r)
		}
	}
}

func (k *kind) stop(r *run) {
	r.cancel()
	delete(k.runs, r.scope)
	for ent := range r.joins {
		k.join(ent) // by the run that serves it now
	}
	k.engine.Log.V(1).Info("stopped watching", "kind", k.gvk.String(), "scope", r.scope.String())
}

func (k *kind) stopRuns() {
	for _, r := range k.runs {
		k.stop(r)
	}
	clear(k.planned)
	clear(k.denied)
}

// served says whether a synced run serves the entry.
func (k *kind) served(ent *entry) bool {
	return k.server(ent) != nil
}

// server returns a synced run that serves the entry, or nil.
func (k *kind) server(ent *entry) *run {
	if ent.unfit {
		return nil
	}
	for _, s := range ent.scopes() {
		if r := k.runs[s]; r != nil && r.synced {
			return r
		}
	}
	return nil
}

// join sees to it that what is not known of the entry is read, where a run serves it already. A run that
// starts later reads it anyway, and one that is about to sync looks for such entries then.
func (k *kind) join(ent *entry) {
	if r := k.server(ent); r != nil && !ent.complete() {
		r.join(ent)
	}
}

const firstAsk = 250 * time.Millisecond

// keepAsking asks discovery how the kind is served until it is, and again whenever there is reason to.
func (k *kind) keepAsking(ctx context.Context) {
	e := k.engine
	for wait := firstAsk; ; {
		served, state, err := e.catalog.lookup(ctx, k.gvk)
		if ctx.Err() != nil {
			return
		}
		e.update(func(wake wakeups) {
			if e.kinds[k.gvk] == k {
				k.answered(served, state, err, wake)
			}
		})
		if served != nil {
			wait = firstAsk
			if !e.sleepUntil(ctx, k.ask) {
				return
			}
			continue
		}
		asked, awake := e.sleepOr(ctx, wait, k.ask)
		if !awake {
			return
		}
		wait = min(2*wait, e.PollInterval)
		if asked {
			wait = firstAsk
		}
	}
}

// answered takes discovery's answer. One that says what is known already is nobody's news.
func (k *kind) answered(served *resource, state State, err error, wake wakeups) {
	switch {
	case served != nil && k.resource != nil && *served == *k.resource:
		return
	case served == nil && k.resource == nil && k.state == state && sameText(k.err, err):
		return
	case err != nil && k.resource != nil:
		return // what runs finds out by itself what is still there
	case err != nil:
		k.engine.Log.Info("cannot find out how a kind is served", "kind", k.gvk.String(), "error", err.Error())
	case served == nil:
		k.engine.Log.Info("a referenced kind is not served", "kind", k.gvk.String())
	}
	k.stopRuns()
	if k.state != state {
		k.since = k.engine.Clock.Now()
	}
	k.resource, k.state, k.err = served, state, err
	for _, ent := range k.entries {
		ent.unfit = false
		ent.setState(state, err, wake)
		k.fit(ent, wake)
	}
	for _, sel := range k.selections {
		sel.setState(state, err, wake)
	}
	for s := range k.selecting {
		wake[s.owner] = struct{}{} // it may have nothing to be told by
		s.follow()
	}
	k.plan()
}

// all are the entries of objects and those of selections.
func (k *kind) all() iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for _, ent := range k.entries {
			if !yield(ent) {
				return
			}
		}
		for _, sel := range k.selections {
			if !yield(&sel.entry) {
				return
			}
		}
	}
}
