// Package watch keeps, for every object and field path that some ChangeTriggeredJob references, a digest of
// what the path selects, and tells whose digests have changed. It watches no more than it must, and keeps
// no object.
package watch

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
)

// Reference is one object, and the paths that count in it.
type Reference struct {
	GroupVersionKind schema.GroupVersionKind
	// Namespace is empty for cluster-scoped kinds.
	Namespace string
	Name      string
	Paths     []*fieldpath.Path
}

// State says whether an object can be seen.
type State int

const (
	// NotSynced: no consistent view has been had yet, or it was lost (Err says why, where known).
	NotSynced State = iota
	// Synced: Exists and Digests are what the API server last said.
	Synced
	// Forbidden: the operator may not read the object.
	Forbidden
	// KindNotServed: live discovery has answered, and serves the group-kind in no version.
	KindNotServed
	// VersionNotServed: discovery serves the group-kind, but not in the referenced version.
	VersionNotServed
)

// Observation is what is known of one Reference.
type Observation struct {
	State State
	// Since is when State last changed.
	Since time.Time
	// Exists says whether the object exists; known only when Synced.
	Exists bool
	// Digests are those of the reference's Paths, in order; all Absent where the object does not exist.
	// Empty unless Synced.
	Digests []fieldpath.Digest
	// Err says why the object cannot be seen; it holds nothing of any object's content.
	Err error
}

// Engine is the interface by which the reconciler uses the watches.
type Engine interface {
	// Start runs the watches until ctx ends, and returns when every goroutine has ended.
	// It is a manager Runnable that needs leader election.
	Start(ctx context.Context) error

	// Set replaces what owner references. It does not block on the API server, and costs little when
	// nothing changed. References that name the same object must have been merged.
	Set(owner types.NamespacedName, refs []Reference)

	// Remove forgets owner. A watch that serves nobody any more is stopped.
	Remove(owner types.NamespacedName)

	// Observe returns what is known of the references given to Set, in the same order; ok is false where
	// owner is unknown.
	Observe(owner types.NamespacedName) (observations []Observation, ok bool)
}
