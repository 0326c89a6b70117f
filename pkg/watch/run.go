package watch

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
)

// run lists and watches one scope of a kind, and applies what it sees to the kind's entries. It is the store
// of its Reflector. Its fields are guarded by the engine's lock.
type run struct {
	kind     *kind
	resource resource
	scope    scope
	source   *source
	ctx      context.Context // ends when the run is stopped
	cancel   context.CancelFunc

	// polled is true where the scope cannot be watched: it is listed again and again.
	polled bool
	// began is when the last read of the whole scope began.
	began moment
	// streaming is true while that read is the start of a watch.
	streaming bool
	// synced is true from a complete read, with a watch that goes on from it, until that breaks for good.
	synced bool

	// again ends the present cycle, so that the scope is read anew; nil before the first.
	again context.CancelFunc
	// tally counts what the read of the whole scope that is under way keeps of each selection.
	tally tally

	// failures counts those since the run was last synced, and forbidden is true where the last of them was for want of rights.
	failures  int
	forbidden bool

	// joins are entries that joined while the run was synced: they are read one by one. joining is true
	// while a goroutine does it, which joined wakes; it holds at most one wake-up.
	joins   map[*entry]struct{}
	joining bool
	joined  chan struct{}
}

// manyFailures is after how many in a row a wide scope counts as denied where they come of what is in it. With
// the pauses between them that is a minute or two.
const manyFailures = 10

// largeObject is the size in bytes from which on objects are reduced one at a time: reading one takes up to ten
// times its size.
const largeObject = 128 << 10

// start starts a run of the scope.
func (k *kind) start(s scope) {
	e := k.engine
	r := &run{kind: k, resource: *k.resource, scope: s, polled: !k.resource.watchable, joins: map[*entry]struct{}{}, joined: make(chan struct{}, 1)}
	r.ctx, r.cancel = context.WithCancel(e.ctx)
	r.source = &source{
		collection: collection{
			client: e.client, path: k.resource.collection(s.namespace), selector: s.query(), metadataOnly: s.metadataOnly,
		},
		name:     s.name,
		reduce:   r.reducer(&r.tally),
		reading:  r.reading,
		watching: r.watching,
		broken:   r.broken,
		sleep:    e.sleep,
		dropped:  &e.counts.dropped,
	}
	k.runs[s] = r
	e.spawn(func() { r.loop(r.ctx) })
	e.Log.V(1).Info("watching", "kind", k.gvk.String(), "scope", s.String())
}

// reduce reduces an object to its digests, or to nothing where nobody references it. No lock is held while
// the digests are made.
func (k *kind) reduce(event apiwatch.EventType, o raw) *object {
	e := k.engine
	e.mu.RLock()
	var paths []*watchedPath
	ent := k.entries[types.NamespacedName{Namespace: o.namespace, Name: o.name}]
	if ent != nil {
		paths = ent.paths
	}
	e.mu.RUnlock()
	if o.name == "" {
		e.Log.Info("ignored an object without a name", "kind", k.gvk.String())
	}
	if ent == nil {
		return nil
	}
	kept := &object{paths: paths}
	kept.Namespace, kept.Name, kept.ResourceVersion = ent.name.Namespace, ent.name.Name, o.resourceVersion
	if event != apiwatch.Deleted {
		kept.digests = k.digests(o.json, paths)
	}
	return kept
}

// digests makes the digests of an object.
func (k *kind) digests(json []byte, paths []*watchedPath) []fieldpath.Digest {
	if len(json) >= largeObject {
		k.engine.large <- struct{}{}
		defer func() { <-k.engine.large }()
	}
	return digestsOf(json, k.gvk, paths)
}

// maxBackoff is the longest pause between two tries.
const maxBackoff = 30 * time.Second

// newBackoff returns how long to wait after each failure in a row.
func newBackoff(c clock.Clock) wait.DelayFunc {
	return wait.Backoff{
		Duration: 50 * time.Millisecond, Factor: 2, Jitter: 1, Steps: 10, Cap: maxBackoff,
	}.DelayWithReset(c, 2*time.Minute)
}

func (r *run) loop(ctx context.Context) {
	e := r.kind.engine
	ctx = klog.NewContext(ctx, e.Log.V(1))
	reflector := cache.NewReflectorWithOptions(r.source.listerWatcher(), nil, r, cache.ReflectorOptions{
		Name:            r.scope.String(),
		TypeDescription: r.kind.gvk.String(),
		Clock:           e.Clock,
	})
	delay := newBackoff(e.Clock)
	for ctx.Err() == nil {
		err := r.cycle(ctx, reflector)
		if ctx.Err() != nil {
			return
		}
		pause := max(delay(), retryAfter(err))
		if apierrors.IsForbidden(err) {
			pause = e.PollInterval
		}
		goOn := true
		if err != nil {
			e.update(func(wake wakeups) { goOn = r.failed(err, wake) })
		}
		if !goOn || !e.sleep(ctx, pause) {
			return
		}
	}
}

// cycle reads the scope and follows it until that breaks.
func (r *run) cycle(ctx context.Context, reflector *cache.Reflector) error {
	e := r.kind.engine
	e.mu.RLock()
	watched := !r.polled
	e.mu.RUnlock()
	outer := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e.update(func(wakeups) { r.again = cancel })
	if watched {
		defer r.source.wait()
		err := reflector.ListAndWatchWithContext(ctx)
		if ctx.Err() != nil && outer.Err() == nil {
			return nil // it is to be read anew
		}
		return err
	}
	for {
		list, err := r.source.listAll(ctx)
		if err != nil {
			return err
		}
		r.replace(byName(list.Items), list.ResourceVersion)
		if !e.sleep(ctx, e.PollInterval) {
			return nil
		}
	}
}

// failed says whether the run is to try again.
func (r *run) failed(err error, wake wakeups) (again bool) {
	k := r.kind
	if !r.current() {
		return false
	}
	k.engine.Log.V(1).Info("a watch failed", "kind", k.gvk.String(), "scope", r.scope.String(), "error", err.Error())
	k.engine.counts.failed(err)
	r.synced = false
	r.failures++
	r.forbidden = isForbidden(err)
	defer k.retire()
	denied := k.narrower(r.scope) && (apierrors.IsForbidden(err) || (r.failures >= manyFailures && lasting(err)))
	if denied && k.selections[r.scope] != nil {
		k.standIn(r)
	}
	switch {
	case denied && k.selections[r.scope] == nil:
		k.deny(r)
		return false
	case r.forbidden:
		r.lost(Forbidden, err, wake)
	case apierrors.IsMethodNotSupported(err) && !r.polled:
		r.polled = true
	case apierrors.IsNotFound(err):
		signal(k.ask)
		r.lost(NotSynced, err, wake)
	default:
		r.lost(NotSynced, err, wake)
	}
	return true
}

// broken is called when the watch that is to go on from a list or another watch was not established. Until one
// is, the run does not see what changes.
func (r *run) broken(err error) {
	k := r.kind
	k.engine.update(func(wake wakeups) {
		if !r.current() {
			return
		}
		k.engine.counts.failed(err)
		r.synced, r.forbidden = false, isForbidden(err)
		r.lost(NotSynced, err, wake)
		k.retire()
	})
}

// lost sets the state of the entries that no other run serves. What a narrower run has told of an entry stays.
func (r *run) lost(state State, err error, wake wakeups) {
	k := r.kind
	k.covered(r.scope, func(ent *entry) {
		single := k.runs[ent.narrowest()]
		if !k.served(ent) && (single == nil || single == r || ent.state == Synced) {
			ent.setState(state, err, wake)
		}
	})
}

// current says whether the run was not stopped. What a stopped run still sees does no harm, but what it
// concludes may be old.
func (r *run) current() bool { return r.kind.runs[r.scope] == r }

// reading is called when a read of the whole scope begins.
func (r *run) reading() {
	r.kind.engine.update(func(wakeups) {
		r.began, r.streaming = r.kind.engine.next(), false
		r.tally.begin()
	})
}

// watching is called when a watch was established. Only now, after a list, is the run synced: a permission
// to list but not to watch is no way to see changes.
func (r *run) watching(streamingList bool) {
	r.kind.engine.update(func(wake wakeups) {
		if r.streaming = streamingList; !streamingList {
			r.sync(wake)
		}
	})
}

// sync declares that the run sees its scope.
func (r *run) sync(wake wakeups) {
	if !r.current() {
		return
	}
	r.synced, r.failures = true, 0
	delete(r.kind.denied, r.scope)
	r.kind.covered(r.scope, func(ent *entry) {
		ent.setState(Synced, nil, wake)
		r.kind.join(ent)
	})
	r.kind.retire()
}

// Replace implements cache.ReflectorStore: the items are all that exists in the scope of what is referenced.
func (r *run) Replace(items []any, version string) error {
	r.replace(byName(items), version)
	return nil
}

func (r *run) replace(objects map[types.NamespacedName]*object, version string) {
	k := r.kind
	k.engine.update(func(wake wakeups) {
		refused := r.tally.end()
		if !r.current() {
			return
		}
		k.show(r.scope, listing{objects, refused}, version, r.began, true, wake)
		if r.streaming || r.polled {
			r.sync(wake)
		}
	})
}

// listing is what a read has found in a scope.
type listing struct {
	objects map[types.NamespacedName]*object
	// refused are the selections of which it has not kept all.
	refused map[*selection]bool
}

// show applies the answer of a read of a scope, which began at a given moment, to what the scope covers; follows says
// whether a watch goes on from it.
func (k *kind) show(s scope, all listing, version string, read moment, follows bool, wake wakeups) {
	if s.selector != "" {
		k.showSelected(s, all, version, read, follows, wake)
		return
	}
	k.covered(s, func(ent *entry) {
		seen := sight{version: version}
		if o := all.objects[ent.name]; o != nil {
			seen = o.sight(true)
		}
		seen.read = read
		ent.apply(seen, wake)
	})
}

func byName[T any](items []T) map[types.NamespacedName]*object {
	found := make(map[types.NamespacedName]*object, len(items))
	for _, item := range items {
		o := any(item).(*object)
		if o.left {
			continue
		}
		found[types.NamespacedName{Namespace: o.Namespace, Name: o.Name}] = o
	}
	return found
}

func (o *object) sight(exists bool) sight {
	return sight{version: o.ResourceVersion, exists: exists, paths: o.paths, digests: o.digests}
}

// Add implements cache.ReflectorStore.
func (r *run) Add(item any) error { return r.event(item.(*object), true) }

// Update implements cache.ReflectorStore.
func (r *run) Update(item any) error { return r.event(item.(*object), true) }

// Delete implements cache.ReflectorStore.
func (r *run) Delete(item any) error { return r.event(item.(*object), false) }

// Resync implements cache.ReflectorStore. There is nothing to do: nothing is derived from what is stored.
func (r *run) Resync() error { return nil }

// event applies what a watch told of one object.
func (r *run) event(o *object, exists bool) error {
	k := r.kind
	k.engine.update(func(wake wakeups) {
		if r.scope.selector != "" {
			r.eventSelected(o, exists && !o.left, wake)
			return
		}
		ent := k.entries[types.NamespacedName{Namespace: o.Namespace, Name: o.Name}]
		if ent == nil || ent.unfit || !r.current() {
			k.engine.counts.dropped.Add(1)
			return
		}
		seen, became := o.sight(exists), &k.engine.counts.unchanged
		if !seen.supersedes(ent) {
			became = &k.engine.counts.outdated
		}
		if ent.apply(seen, wake); len(wake) > 0 {
			became = &k.engine.counts.changed
		}
		became.Add(1)
	})
	return nil
}
