package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// memory holds what a process remembers of each ChangeTriggeredJob between two reconciles. All of it may
// be lost at any time: it saves work and keeps promises about caches that lag, but no decision is kept
// here.
type memory struct {
	mu      sync.Mutex
	records map[types.NamespacedName]*record

	echoes *echoes
}

// record is what is remembered of one ChangeTriggeredJob. It is used by one worker at a time: the queue
// never hands the same name to two.
type record struct {
	uid types.UID

	// written is the resourceVersion of our last write, or of a live read since, until the cache has caught
	// up with it; writtenAt is the time of the write.
	written   string
	writtenAt time.Time

	// firstRunNow is what the annotation that asks for a Job said when status had never been written, and unwritten
	// is true until it has.
	firstRunNow string
	unwritten   bool

	// readLive asks for a live read before the next decision: a write conflicted, or its answer was lost.
	readLive bool

	// confirmed is the term in which the ChangeTriggeredJob was last read live before a Job was created.
	confirmed int64

	// refusal is the last failed attempt to create a Job for refusedWish, after refusals attempts.
	refusal     *trigger.Refusal
	refusedWish wish
	refusals    backoff

	// deletes are the attempts in a row at deleting Jobs in which some could not be, and deleteAgain is when
	// the next one is due.
	deletes     backoff
	deleteAgain time.Time

	// deferred and marks are those of the last decision whose status was written, or that had none to write.
	deferred *trigger.Deferral
	marks    []trigger.Mark

	// statusWritten is when status was last written.
	statusWritten time.Time

	// waits is the reason of the condition Progressing under which a wait was logged last; empty while nothing waits.
	waits string

	// unlisted are the Jobs that run and that status has no room for.
	unlisted []string

	// seen is the first change that is pending and was seen by this process. Of what is not pending, nothing is remembered.
	seen firstSeen

	// spec is what checkSpec made of the spec of its generation.
	spec *checkedSpec
}

func newMemory() *memory {
	return &memory{records: map[types.NamespacedName]*record{}, echoes: newEchoes()}
}

// of returns the record of ctj; a new one where this is not the object that was remembered under the name.
func (m *memory) of(ctj *v1alpha.ChangeTriggeredJob) *record {
	name := types.NamespacedName{Namespace: ctj.Namespace, Name: ctj.Name}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.records[name]; r != nil && r.uid == ctj.UID {
		return r
	}
	r := &record{uid: ctj.UID, firstRunNow: ctj.Annotations[v1alpha.RunNowAnnotation], unwritten: true}
	m.records[name] = r
	return r
}

// hasFormer says whether it is another object than ctj that is remembered under the name.
func (m *memory) hasFormer(ctj *v1alpha.ChangeTriggeredJob) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.records[types.NamespacedName{Namespace: ctj.Namespace, Name: ctj.Name}]
	return r != nil && r.uid != ctj.UID
}

// forget drops what is remembered under the name.
func (m *memory) forget(name types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.records, name)
	m.echoes.forget(name)
}

// check returns what the spec of ctj comes to, which is found out once for each generation.
func (r *record) check(ctj *v1alpha.ChangeTriggeredJob) *checkedSpec {
	if r.spec == nil || r.spec.generation != ctj.Generation {
		r.spec = checkSpec(ctj)
	}
	return r.spec
}

// seenFirst returns what FirstRunNow of a decision about ctj is.
func (r *record) seenFirst(ctj *v1alpha.ChangeTriggeredJob) string {
	if ctj.Status.ObservedGeneration != 0 {
		r.unwritten = false
	}
	if r.unwritten {
		return r.firstRunNow
	}
	return ctj.Annotations[v1alpha.RunNowAnnotation]
}

// wish is what a user may change to have a refused Job tried again at once.
type wish struct {
	generation int64
	runNow     string
}

func wishOf(ctj *v1alpha.ChangeTriggeredJob) wish {
	return wish{ctj.Generation, ctj.Annotations[v1alpha.RunNowAnnotation]}
}

// refused remembers that the API server would not create the Job.
func (r *record) refused(wanted wish, reason, message string, now time.Time) *trigger.Refusal {
	if r.refusal == nil || r.refusedWish != wanted {
		r.refusals.reset()
	}
	r.refusedWish = wanted
	r.refusal = &trigger.Refusal{Reason: reason, Message: message, RetryAt: now.Add(r.refusals.next())}
	return r.refusal
}

// refusalFor returns the refusal that holds for what is wanted now: an edit is tried at once, and so is what the annotation
// that asks for a Job newly says.
func (r *record) refusalFor(wanted wish) *trigger.Refusal {
	if r.refusedWish != wanted {
		return nil
	}
	return r.refusal
}

// saw remembers a change, unless an earlier one is pending.
func (r *record) saw(seen firstSeen) {
	if r.seen.at.IsZero() {
		r.seen = seen
	}
}

// wrote remembers our own write of status.
func (r *record) wrote(resourceVersion string, now time.Time) {
	r.written, r.writtenAt, r.statusWritten = resourceVersion, now, now
}

// Waits between two attempts at what the API server refuses: doubling from the first to the second.
const (
	minBackoff = time.Second
	maxBackoff = 10 * time.Minute
)

// backoff is how often something has failed in a row.
type backoff int

func (b *backoff) reset() { *b = 0 }

// next counts a failure and returns how long to wait after it.
func (b *backoff) next() time.Duration {
	wait := maxBackoff
	if *b < 10 { // 1024 s are more than ten minutes
		wait = min(minBackoff<<*b, maxBackoff)
	}
	*b++
	return wait
}
