package controllers

import (
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
)

// echoes knows what this process has written last for each ChangeTriggeredJob, so that the events which tell of that wake nobody:
// the reconcile that wrote it has decided with it already, and another one would find nothing to do. Where the two differ by
// anything else, it is no echo: another writer's change has another resourceVersion, a Job that has ended meanwhile has an outcome.
type echoes struct {
	mu sync.Mutex
	of map[types.NamespacedName]echo
}

// echo is what events are expected to tell of.
type echo struct {
	job    string // the name of the last Job that was created, or is being created
	status string // the resourceVersion of the last status that was written; empty once an event has told of it
}

func newEchoes() *echoes { return &echoes{of: map[types.NamespacedName]echo{}} }

// expectJob says that a Job of this name is being created; empty, that no Job is.
func (e *echoes) expectJob(owner types.NamespacedName, name string) {
	e.change(owner, func(x *echo) { x.job = name })
}

// expectStatus says that the status with this resourceVersion has been written.
func (e *echoes) expectStatus(owner types.NamespacedName, resourceVersion string) {
	e.change(owner, func(x *echo) { x.status = resourceVersion })
}

// listen asks for the next event of the ChangeTriggeredJob, whatever it tells of.
//
// A reconcile that finds the cache older than our own write waits for the cache's event. The cache is brought up to date
// before its event is looked at. So after listen the cache is to be read once more: if the event went by unheard before, the cache has what
// it told of by now; if it comes after, it is heard.
func (e *echoes) listen(owner types.NamespacedName) { e.expectStatus(owner, "") }

// forget drops what was expected.
func (e *echoes) forget(owner types.NamespacedName) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.of, owner)
}

func (e *echoes) change(owner types.NamespacedName, change func(*echo)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	before := e.of[owner]
	after := before
	if change(&after); after != before {
		e.of[owner] = after
	}
}

func (e *echoes) expected(owner types.NamespacedName) echo {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.of[owner]
}

// hearStatuses lets through every event of ChangeTriggeredJobs but echoes.
func (e *echoes) hearStatuses() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(u event.UpdateEvent) bool {
		ours := false
		e.change(client.ObjectKeyFromObject(u.ObjectNew), func(x *echo) {
			if ours = x.status != "" && x.status == u.ObjectNew.GetResourceVersion(); ours {
				x.status = "" // once: where etcd is restored, versions come again
			}
		})
		return !ours || u.ObjectOld.GetGeneration() != u.ObjectNew.GetGeneration()
	}}
}

// hearJobs lets through every event of Jobs but echoes.
func (e *echoes) hearJobs() predicate.Predicate {
	return predicate.Funcs{CreateFunc: func(c event.CreateEvent) bool {
		created, ok := c.Object.(*batchv1.Job)
		if !ok || created.DeletionTimestamp != nil || job.Outcome(created) != v1alpha.JobActive {
			return true
		}
		owner := metav1.GetControllerOf(created)
		return owner == nil || e.expected(types.NamespacedName{Namespace: created.Namespace, Name: owner.Name}).job != created.Name
	}}
}
