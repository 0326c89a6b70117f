// Package watch keeps, for every object and field path that some ChangeTriggeredJob references, a digest of
// what the path selects, and tells whose digests have changed. It watches no more than it must, and keeps
// no object.
//
// How a change travels: a source reads events off the wire and reduces each to digests (codec.go); a
// client-go Reflector hands them to a run, which serves one scope (run.go); the run applies them to the
// entries of its kind (entry.go), or to the selections (selection.go), and whose digests that changes is woken. Which scopes are watched is
// planned from the references (plan.go) whenever those, the served kinds (kind.go) or the permissions change.
package watch

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
	"github.com/nusnewob/kube-changejob/pkg/when"
)

// Reference is one object, or those that a selector selects, and the paths that count in it.
type Reference struct {
	GroupVersionKind schema.GroupVersionKind
	// Namespace is empty for cluster-scoped kinds.
	Namespace string
	Name      string
	Paths     []*fieldpath.Path
	// When, where it is set, is evaluated for each version of the object; of those that a selector selects, it leaves out
	// all of which it is not true.
	When *when.Expression

	// Selector selects objects by their labels: all of a cluster-scoped kind; of a namespaced one those in Namespaces,
	// or in the namespaces that NamespaceSelector selects. Namespace and Name are empty then.
	Selector          labels.Selector
	Namespaces        []string
	NamespaceSelector labels.Selector
}

// State says whether an object can be seen.
type State int

const (
	// NotSynced means that no consistent view has been had yet, or it was lost (Err says why, where known).
	NotSynced State = iota
	// Synced means that Exists and Digests are what the API server last said.
	Synced
	// Forbidden means that the operator may not read the object.
	Forbidden
	// KindNotServed means that live discovery has answered, and serves the group-kind in no version.
	KindNotServed
	// VersionNotServed means that discovery serves the group-kind, but not in the referenced version.
	VersionNotServed
	// TooMany means that more objects are selected than are watched.
	TooMany
)

// Observation is what is known of one Reference.
type Observation struct {
	State State
	// Since is when State last changed.
	Since time.Time
	// Exists says whether the object exists, or one that is selected; known only when Synced.
	Exists bool
	// When is what the reference's When comes to for the object; known where Exists is, and where the kind is not served. It
	// means nothing where objects are selected, or the reference has none.
	When when.Result
	// Digests are those of the reference's Paths, in order; all Absent where the object does not exist.
	// Empty unless Synced. Where objects are selected, each is one for all of them.
	Digests []fieldpath.Digest
	// Matched is how many objects are selected, and Objects are the first MaxObjects of them, by namespace and name.
	Matched int
	Objects []Object
	// Moment is when a selection was observed, by the engine's own count, and LastCreated, LastUpdated and LastDeleted are when
	// an object came into it, changed in one of Paths, and left it, for the last time that is known. Each is later than
	// the Moment of an Observation that does not have the change, and no later than that of one that does. Zero where an object is named.
	Moment, LastCreated, LastUpdated, LastDeleted uint64
	// Err says why the object cannot be seen, where that is known; it holds nothing of any object's
	// content. It is a *ScopeError where the reference gives a namespace and the kind has none, or the
	// other way round, and ErrNotListable where the kind's objects can never be read.
	Err error
}

// Object is one of the objects that are selected.
type Object struct {
	Namespace, Name string
	// Digests are those of the reference's Paths, in order.
	Digests []fieldpath.Digest
}

// ScopeError says that a reference's namespace does not fit its kind.
type ScopeError struct {
	// Namespaced says whether the kind's objects live in namespaces.
	Namespaced bool
}

// Error implements error.
func (e *ScopeError) Error() string {
	if e.Namespaced {
		return "namespace is required for namespaced resources"
	}
	return "namespace must not be set for cluster-scoped resources"
}

const (
	// DefaultPollInterval is the default of Options.PollInterval.
	DefaultPollInterval = time.Minute
	// DefaultThreshold is the default of Options.Threshold. A watch costs the operator about 130 KiB, the API server as much
	// again, and 2 ms of the start; one namespace's watch costs the transfer of everything in it. At 16,
	// one kind has at most 64 watches (where nothing wider is denied), and a namespace is read whole
	// only for references enough to make it likely that most of it counts, or where there are many of them.
	DefaultThreshold = 16

	// settleTime is how long after a change of references the watches are planned anew, so that many
	// changes at once, as at start-up, give one plan.
	settleTime = 10 * time.Millisecond
)

// Options configures an Engine. Config and OnChange are required.
type Options struct {
	// Config leads to the API server. Its throttling and timeout are ignored.
	Config *rest.Config
	// OnChange is called whenever an observation of that owner has changed: a digest, existence or state.
	// It must not block. It may be called more often than there are changes, from any goroutine.
	OnChange func(owner types.NamespacedName)
	// PollInterval is how often kinds are listed that cannot be watched, and how often it is tried
	// whether a kind that was not served or an object that was forbidden is to be had by now. A scope wider
	// than one object that goes on being forbidden is tried more and more rarely, up to every ten intervals.
	PollInterval time.Duration
	// Threshold is how many objects of one kind in one namespace are watched one by one, before their
	// namespace is watched as a whole; and how many namespaces of one kind are watched one by one, before
	// the cluster is. Where there are more than four times as many single objects of one kind, their namespaces are watched as a
	// whole, too. Negative: always as wide as permissions let.
	Threshold int
	// MaxMatched is how many objects one reference may select. Of more, none are watched.
	MaxMatched int
	// Log tells what is watched and what goes wrong; never anything that an object contains.
	Log logr.Logger
	// Clock is the time; default: the real one.
	Clock clock.Clock
}

// Engine watches what owners reference. Its methods may be called from any goroutine, before, while and
// after Start runs.
type Engine struct {
	Options
	client  rest.Interface
	catalog *catalog

	// replan wakes the planner; it holds at most one wake-up.
	replan chan struct{}
	// large has room for one: who reduces a large object holds it.
	large chan struct{}
	// goroutines counts those that Start waits for. They are added under mu while ctx runs.
	goroutines sync.WaitGroup
	counts     counts

	mu     sync.RWMutex
	ctx    context.Context // of Start; nil before
	tick   moment
	owners map[types.NamespacedName]*owner
	kinds  map[schema.GroupVersionKind]*kind
}

// New returns an Engine that Start runs.
func New(options Options) (*Engine, error) {
	if options.Config == nil || options.OnChange == nil {
		return nil, errors.New("watch: Config and OnChange are required")
	}
	if options.PollInterval <= 0 {
		options.PollInterval = DefaultPollInterval
	}
	if options.Threshold == 0 {
		options.Threshold = DefaultThreshold
	}
	if options.MaxMatched <= 0 {
		options.MaxMatched = DefaultMaxMatched
	}
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	client, err := newClient(options.Config)
	if err != nil {
		return nil, err
	}
	return &Engine{
		Options: options,
		client:  client,
		catalog: &catalog{client: client, clock: options.Clock, answers: map[string]*answer{}},
		replan:  make(chan struct{}, 1),
		large:   make(chan struct{}, 1),
		owners:  map[types.NamespacedName]*owner{},
		kinds:   map[schema.GroupVersionKind]*kind{},
	}, nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: only the leader watches.
func (e *Engine) NeedLeaderElection() bool { return true }

// Start runs the watches until ctx ends, and returns when every goroutine has ended. It runs once.
func (e *Engine) Start(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	e.mu.Lock()
	if e.ctx != nil {
		e.mu.Unlock()
		return errors.New("watch: the engine was started before")
	}
	e.ctx = ctx
	e.followDefinitions()
	e.planDirty()
	e.mu.Unlock()

	for e.awaitPlan(ctx) {
		e.mu.Lock()
		e.planDirty()
		e.mu.Unlock()
	}

	// Whoever holds the lock after this sees that ctx has ended, and adds no goroutine.
	e.mu.Lock()
	cancel()
	e.mu.Unlock()
	e.goroutines.Wait()
	return nil
}

// awaitPlan returns true when it is time to plan anew: references have changed, or a denied scope is to be tried
// again. It returns false as soon as ctx ends.
func (e *Engine) awaitPlan(ctx context.Context) bool {
	e.mu.RLock()
	var next time.Time
	denied := false
	for _, k := range e.kinds {
		if retry, ok := k.nextRetry(); ok && (!denied || retry.Before(next)) {
			next, denied = retry, true
		}
	}
	e.mu.RUnlock()
	if !denied {
		return e.sleepUntil(ctx, e.replan) && e.sleep(ctx, settleTime)
	}
	woken, ok := e.sleepOr(ctx, max(0, next.Sub(e.Clock.Now())), e.replan)
	return ok && (!woken || e.sleep(ctx, settleTime))
}

// spawn runs f in a goroutine that Start waits for, unless Start has not begun or is ending. It is called
// under mu.
func (e *Engine) spawn(f func()) bool {
	if e.ctx == nil || e.ctx.Err() != nil {
		return false
	}
	e.goroutines.Go(f)
	return true
}

// sleep returns true after the duration, or false as soon as ctx ends.
func (e *Engine) sleep(ctx context.Context, duration time.Duration) bool {
	if duration <= 0 {
		return ctx.Err() == nil
	}
	_, ok := e.sleepOr(ctx, duration, nil)
	return ok
}

// sleepOr is sleep that a wake-up ends early: then woken is true.
func (e *Engine) sleepOr(ctx context.Context, duration time.Duration, wake <-chan struct{}) (woken, ok bool) {
	timer := e.Clock.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C():
	case <-wake:
		woken = true
	case <-ctx.Done():
	}
	return woken, ctx.Err() == nil
}

// sleepUntil returns true after a wake-up, or false as soon as ctx ends.
func (e *Engine) sleepUntil(ctx context.Context, wake <-chan struct{}) bool {
	select {
	case <-wake:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// moment orders what happens within the engine: references that join, reads that begin, states that are
// stored.
type moment uint64

// next returns a new moment. It is called under mu.
func (e *Engine) next() moment {
	e.tick++
	return e.tick
}

// wakeups are the owners to tell of a change, once the lock is released.
type wakeups map[*owner]struct{}

// update runs f under the lock, and then wakes whom f says.
func (e *Engine) update(f func(wake wakeups)) {
	wake := wakeups{}
	e.mu.Lock()
	f(wake)
	e.mu.Unlock()
	for owner := range wake {
		e.OnChange(owner.name)
	}
}

func signal(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}
