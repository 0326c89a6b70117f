// Package controllers reconciles ChangeTriggeredJobs: it reads what there is, asks pkg/trigger what is to
// be done, and does it.
package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/keyedhash"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/pkg/watch"
)

// Not to get everything: on subresources such as pods/exec and nodes/proxy, that is a right to run commands.
// +kubebuilder:rbac:groups=*,resources=*,verbs=list;watch
// +kubebuilder:rbac:groups=triggers.changejob.dev,resources=changetriggeredjobs,verbs=get
// +kubebuilder:rbac:groups=triggers.changejob.dev,resources=changetriggeredjobs/status,verbs=update
// +kubebuilder:rbac:groups=triggers.changejob.dev,resources=changetriggeredjobs/finalizers,verbs=update
// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=get;create;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

const (
	// cacheGrace is how long a cache may lag behind our own last write before it is no longer waited for.
	cacheGrace = 5 * time.Second
	// immediateAttempts is how often one reconcile decides anew, on a live read, before it backs off; it begins
	// none after immediateTime, so that an API server that answers late holds up a worker no longer than once.
	immediateAttempts = 5
	immediateTime     = 5 * time.Second
	// runningPoll is how often a running Job is asked for that the cache does not have: its end makes no event.
	runningPoll = 30 * time.Second
	// leadingPoll is how often a process that does not certainly lead asks again whether it does.
	leadingPoll = time.Second
)

// Watches is the part of the watch engine that the reconciler uses.
type Watches interface {
	Set(owner types.NamespacedName, references []watch.Reference)
	SetAll(references map[types.NamespacedName][]watch.Reference)
	Remove(owner types.NamespacedName)
	Observe(owner types.NamespacedName) ([]watch.Observation, bool)
	Scope(kind schema.GroupVersionKind) (namespaced bool, err error)
}

// Reconciler reconciles ChangeTriggeredJobs. Every field but Term and Tracer is required.
type Reconciler struct {
	// Client writes, and reads from the caches.
	Client client.Client
	// Live reads from the API server.
	Live client.Reader
	// Watches observes the referenced objects.
	Watches Watches
	// Key makes the hashes in status.
	Key *keyedhash.Key
	// Recorder takes the events.
	Recorder events.EventRecorder
	// Clock is the time.
	Clock clock.PassiveClock
	// Term is the number of the time for which this process has led without a gap; 0 while it does not certainly lead, and
	// then it creates and deletes no Job. Nil stands for one that leads always.
	Term func() int64
	// Tracer makes the spans of what is done about a change; nil makes none.
	Tracer trace.Tracer

	memory *memory
	// wakeups know when changes were seen; nil knows of none.
	wakeups *Wakeups
	// introduced is done once the watches know of everything that the cache had at the start.
	introduced sync.Once
}

// errDecideAnew asks for a live read and another decision at once: what was decided on turned out to be
// old, or a write's answer was lost, so that nobody knows whether it is old.
var errDecideAnew = errors.New("to be decided anew")

// Reconcile brings one ChangeTriggeredJob up to date.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	r.introduced.Do(func() { r.introduce(ctx) })
	var stale error
	began := r.Clock.Now()
	for attempt := 0; attempt < immediateAttempts && r.Clock.Since(began) < immediateTime; attempt++ {
		ctj, wait, err := r.read(ctx, req.NamespacedName)
		switch {
		case apierrors.IsNotFound(err):
			r.forget(req.NamespacedName)
			return ctrl.Result{}, nil
		case err != nil:
			return ctrl.Result{}, fmt.Errorf("read the ChangeTriggeredJob: %w", err)
		case wait > 0:
			return ctrl.Result{RequeueAfter: wait}, nil
		case !ctj.DeletionTimestamp.IsZero():
			r.forget(req.NamespacedName)
			return ctrl.Result{}, nil
		}
		result, err := r.reconcile(ctx, ctj)
		if !errors.Is(err, errDecideAnew) {
			return result, err
		}
		stale = err
	}
	return ctrl.Result{}, fmt.Errorf("time and again: %w", stale)
}

// read returns the ChangeTriggeredJob as far as it can be decided on. The cache is believed unless it is
// older than our own last write: then it is waited for (for wait; the cache's own event comes sooner), and
// after cacheGrace no longer.
func (r *Reconciler) read(ctx context.Context, name types.NamespacedName) (ctj *v1alpha.ChangeTriggeredJob, wait time.Duration, err error) {
	ctj, record, err := r.readCached(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	if !record.readLive && olderThan(ctj.ResourceVersion, record.written) {
		r.memory.echoes.listen(name)
		if ctj, record, err = r.readCached(ctx, name); err != nil {
			return nil, 0, err
		}
	}
	if record.readLive {
		return r.readLive(ctx, name)
	}
	if olderThan(ctj.ResourceVersion, record.written) {
		if age := r.Clock.Since(record.writtenAt); age < cacheGrace {
			return nil, cacheGrace - age, nil
		}
		return r.readLive(ctx, name)
	}
	record.written = ""
	return ctj, 0, nil
}

// readCached reads from the cache.
func (r *Reconciler) readCached(ctx context.Context, name types.NamespacedName) (*v1alpha.ChangeTriggeredJob, *record, error) {
	ctj := &v1alpha.ChangeTriggeredJob{}
	if err := r.Client.Get(ctx, name, ctj); err != nil {
		return nil, nil, err
	}
	return ctj, r.recordOf(ctj), nil
}

// readLive reads from the API server, and believes it: the version that was read takes the place of the one that
// was remembered of our last write. Were none remembered, the next reconcile could believe a cache that is older
// still than what was decided on now, and run a number again that was settled long ago. After a restore of etcd
// the version read is a lower one than ours, and holds all the same.
func (r *Reconciler) readLive(ctx context.Context, name types.NamespacedName) (*v1alpha.ChangeTriggeredJob, time.Duration, error) {
	ctj := &v1alpha.ChangeTriggeredJob{}
	if err := r.Live.Get(ctx, name, ctj); err != nil {
		return nil, 0, err
	}
	record := r.recordOf(ctj)
	record.readLive, record.written = false, ctj.ResourceVersion
	return ctj, 0, nil
}

// olderThan says whether a copy is older than our own write. Versions that cannot be compared are not.
func olderThan(copied, written string) bool {
	if written == "" {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(copied, written)
	return err == nil && order < 0
}

// recordOf returns what is remembered of ctj. One that was deleted and created anew before any reconcile found it gone takes over nothing: were
// the watches not told, they would take its references for those of the former, and its baseline from a watch that may lag, so
// that a change from before it was created would run a Job.
func (r *Reconciler) recordOf(ctj *v1alpha.ChangeTriggeredJob) *record {
	if r.memory.hasFormer(ctj) {
		r.forget(client.ObjectKeyFromObject(ctj))
	}
	return r.memory.of(ctj)
}

func (r *Reconciler) forget(name types.NamespacedName) {
	r.wakeups.take(name)
	r.Watches.Remove(name)
	r.memory.forget(name)
}

// reconcile is one round: observe, decide, act.
func (r *Reconciler) reconcile(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob) (ctrl.Result, error) {
	record := r.memory.of(ctj)
	record.saw(r.wakeups.take(client.ObjectKeyFromObject(ctj)))
	ctx = r.traced(ctx, record.seen)
	input, cached, decision, err := r.observeAndDecide(ctx, ctj, record)
	if err != nil {
		return ctrl.Result{}, err
	}
	if decision.Create != nil {
		certain, err := r.confirm(ctx, ctj, record)
		if err != nil {
			return ctrl.Result{}, err
		}
		if !certain {
			return ctrl.Result{RequeueAfter: leadingPoll}, nil
		}
		if decision, err = r.create(ctx, ctj, record, &input, decision); err != nil {
			return ctrl.Result{}, err
		}
	}
	if err := r.writeStatus(ctx, ctj, record, decision, input.Jobs); err != nil {
		if decision.Create != nil {
			// The Job is there, and no status names it. If what is decided anew needs no Job, because of the edit that this write met
			// or because the state is back at its baseline, its event alone makes it known. If that went by as an echo
			// already, the cache, which is brought up to date first, has the Job for the next decision.
			r.memory.echoes.expectJob(client.ObjectKeyFromObject(ctj), "")
		}
		return ctrl.Result{}, err
	}
	record.countUnlisted(statusOf(ctj, decision), input.Jobs)
	record.deferred, record.marks = decision.Deferred, decision.Marks // not sooner: where the write fails, those of before still hold
	if decision.Adopted != 0 {
		record.refusal = nil
		jobsAdopted.Inc()
	}
	record.answer(ctj, decision)
	r.report(ctx, ctj, record, decision)
	retry := r.deleteJobs(ctx, ctj, record, decision.Delete)
	return ctrl.Result{RequeueAfter: soonest(decision.RequeueAfter, retry, pollRunning(input.Jobs, cached))}, nil
}

// observeAndDecide is the first half of a round. The first cached of the Jobs in input are those that the cache had.
func (r *Reconciler) observeAndDecide(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, record *record) (input trigger.Input, cached int, decision trigger.Decision, err error) {
	ctx, span := r.span(ctx, ctj, spanDecide)
	defer func() { end(span, err) }()
	if input, err = r.observe(ctx, ctj, record); err != nil {
		return input, 0, decision, err
	}
	cached = len(input.Jobs)
	decision, err = r.decide(ctx, ctj, &input)
	describeDecision(span, ctj, decision)
	return input, cached, decision, err
}

// soonest returns the shortest of several waits, of which zero is none.
func soonest(waits ...time.Duration) time.Duration {
	waits = slices.DeleteFunc(waits, func(wait time.Duration) bool { return wait == 0 })
	if len(waits) == 0 {
		return 0
	}
	return slices.Min(waits)
}

// pollRunning says when to ask again for the Jobs that had to be read live, those behind the first cached ones.
func pollRunning(jobs []trigger.Job, cached int) time.Duration {
	if slices.ContainsFunc(jobs[cached:], func(j trigger.Job) bool { return j.Running() }) {
		return runningPoll
	}
	return 0
}

// decide asks pkg/trigger, and reads Jobs live where that is asked for: the cache may not have them yet, or no longer
// by their label.
func (r *Reconciler) decide(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, input *trigger.Input) (trigger.Decision, error) {
	decision := trigger.Decide(*input)
	if len(decision.ReadJobs) == 0 {
		return decision, nil
	}
	references := trigger.References(&ctj.Spec, &ctj.Status)
	for _, name := range decision.ReadJobs {
		found := &batchv1.Job{}
		err := r.Live.Get(ctx, types.NamespacedName{Namespace: ctj.Namespace, Name: name}, found)
		switch {
		case client.IgnoreNotFound(err) != nil:
			return trigger.Decision{}, fmt.Errorf("read Job %s: %w", name, err)
		case err == nil && job.Owned(found, ctj.UID):
			input.Jobs = append(input.Jobs, job.Observe(found, ctj, references))
		default:
			input.MissingJobs = append(input.MissingJobs, name)
		}
	}
	return trigger.Decide(*input), nil
}

// confirm says whether a Job may be created: whether this process certainly leads. It reads the ChangeTriggeredJob live before
// the first create for it in each term: our cache can have been filled by an API server that lags behind, or be as old as the
// sleep that another leader has used, so that a trigger another process has made and settled would be made again under a
// number that is free by now, its Job having been deleted since. For the same reason a process that does not certainly lead
// creates nothing, however live it reads: the one that leads by now may have a cache that lags behind this one's Job. The
// term is looked at once more after the read, which may have outlasted it.
func (r *Reconciler) confirm(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, record *record) (certain bool, err error) {
	term := r.term()
	if term == 0 || term == record.confirmed {
		return term != 0, nil
	}
	live := &v1alpha.ChangeTriggeredJob{}
	err = r.Live.Get(ctx, client.ObjectKeyFromObject(ctj), live)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("read the ChangeTriggeredJob before its first Job: %w", err)
	}
	if err != nil || live.UID != ctj.UID || live.ResourceVersion != ctj.ResourceVersion {
		record.readLive = true
		return false, errDecideAnew
	}
	record.confirmed = term
	return r.term() == term, nil
}

func (r *Reconciler) term() int64 {
	if r.Term == nil {
		return 1
	}
	return r.Term()
}

// report emits the events of what has been written, and logs a wait once.
func (r *Reconciler) report(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, record *record, decision trigger.Decision) {
	for _, event := range decision.Events {
		switch event.Reason {
		case trigger.EventUnknownHashes:
			baselinesLost.Inc()
		case trigger.EventPendingForgotten:
			pendingForgotten.Inc()
		}
		r.emit(ctj, event)
	}
	if reason := record.beginsToWait(ctj, decision); reason != "" {
		log.FromContext(ctx).Info("Pending, not triggered", "reason", reason, "why", decision.Skip)
	}
}

// beginsToWait returns the reason of a wait that begins with this decision, or is for something else than before; else it is empty. It goes
// by the reason, since what is said of a wait can be new each second: while something settles, each change moves the end.
func (r *record) beginsToWait(ctj *v1alpha.ChangeTriggeredJob, decision trigger.Decision) string {
	before := r.waits
	r.waits = ""
	if decision.Skip == "" {
		return ""
	}
	status := statusOf(ctj, decision)
	if decision.Status == nil && decision.Deferred != nil {
		status = decision.Deferred.Status
	}
	r.waits = unknownWait
	if c := meta.FindStatusCondition(status.Conditions, trigger.ConditionProgressing); c != nil {
		r.waits = c.Reason
	}
	if r.waits == before {
		return ""
	}
	return r.waits
}

// unknownWait is the reason of a wait while status says nothing yet.
const unknownWait = "Unknown"

// statusOf is the status that a decision leaves.
func statusOf(ctj *v1alpha.ChangeTriggeredJob, decision trigger.Decision) *v1alpha.ChangeTriggeredJobStatus {
	if decision.Status != nil {
		return decision.Status
	}
	return &ctj.Status
}

func (r *Reconciler) emit(ctj *v1alpha.ChangeTriggeredJob, event trigger.Event) {
	var related runtime.Object
	if event.Job != "" {
		related = &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: ctj.Namespace, Name: event.Job}}
	}
	r.Recorder.Eventf(ctj, related, event.Type, event.Reason, eventAction, "%s", event.Message)
}

// eventAction is what this controller was doing when an event happened.
const eventAction = "Reconcile"
