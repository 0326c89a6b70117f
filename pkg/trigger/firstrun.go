package trigger

import (
	"reflect"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// awaitsFirstRun reports whether the Job that runOnCreate asks for has yet to be created.
//
// It is owed from the first decision on, by which nothing was written yet: that is how a ChangeTriggeredJob that is new is told
// from one that is edited. From then on status remembers it, until the first trigger, whatever that is for, or until an edit takes
// it back. Where the spec cannot be read, it is not known whether it was taken back, or whether a new one asks for it.
func (s *state) awaitsFirstRun() bool {
	switch {
	case s.persisted > 0:
		return false
	case s.spec.Undecoded() != nil:
		return s.stored.FirstRunPending || s.isNew()
	case !s.spec.RunsOnCreate():
		return false
	default:
		return s.stored.FirstRunPending || s.isNew()
	}
}

// isNew reports whether no status was ever written. One that cannot be read was.
func (s *state) isNew() bool {
	return s.in.Status == nil || reflect.DeepEqual(*s.in.Status, v1alpha.ChangeTriggeredJobStatus{})
}
