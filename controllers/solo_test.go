package controllers

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
	"github.com/nusnewob/kube-changejob/pkg/watch"
	"github.com/nusnewob/kube-changejob/test/jobs"
)

// solo is a reconciler that a test calls itself, about one ChangeTriggeredJob on an API server in memory. The test says what the watches see,
// and what becomes of a write of status.
type solo struct {
	*Reconciler
	t      *testing.T
	stored client.Client
	clock  *clocktesting.FakePassiveClock
	seen   []watch.Observation
	told
	fault func(write func() error) error
}

func newSolo(t *testing.T, edit func(*v1alpha.ChangeTriggeredJob)) *solo {
	t.Helper()
	ctj := &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: playNamespace, Name: playName, UID: playUID, Generation: 1},
		Spec:       v1alpha.ChangeTriggeredJobSpec{JobTemplate: jobs.Template(), Cooldown: &metav1.Duration{}, History: new(int32(1000))},
	}
	edit(ctj)
	stored := fake.NewClientBuilder().WithScheme(server.Scheme).WithIndex(&batchv1.Job{}, jobOwnerIndex, jobOwner).
		WithStatusSubresource(&v1alpha.ChangeTriggeredJob{}).WithObjects(ctj).Build()
	s := &solo{t: t, stored: stored, clock: clocktesting.NewFakePassiveClock(time.Now().Truncate(time.Second)), told: told{}}
	s.Reconciler = &Reconciler{
		Client: interceptor.NewClient(stored, statusFault(func(write func() error) error {
			if s.fault == nil {
				return write()
			}
			return s.fault(write)
		})),
		Live: stored, Watches: s, Key: testKey(t), Recorder: noEvents{}, Clock: s.clock, memory: newMemory(),
	}
	return s
}

// Observe implements Watches.
func (s *solo) Observe(types.NamespacedName) ([]watch.Observation, bool) { return s.seen, true }

// look has it reconcile a second later, with what is seen then, until there is nothing more to do at once.
func (s *solo) look(seen ...watch.Observation) error {
	s.clock.SetTime(s.clock.Now().Add(time.Second))
	s.seen = seen
	for {
		result, err := s.Reconcile(s.t.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Namespace: playNamespace, Name: playName}})
		if err != nil || result.RequeueAfter != time.Nanosecond {
			return err
		}
	}
}

func (s *solo) status() *v1alpha.ChangeTriggeredJobStatus {
	s.t.Helper()
	ctj := &v1alpha.ChangeTriggeredJob{}
	require.NoError(s.t, s.stored.Get(s.t.Context(), client.ObjectKey{Namespace: playNamespace, Name: playName}, ctj))
	return &ctj.Status
}

// job returns the Job of a trigger.
func (s *solo) job(number int64) *batchv1.Job {
	s.t.Helper()
	found := &batchv1.Job{}
	require.NoError(s.t, s.stored.Get(s.t.Context(), client.ObjectKey{Namespace: playNamespace, Name: nameOfTrigger(number)}, found))
	return found
}

// seesObject is what is seen of an object.
func seesObject(value string) watch.Observation {
	return watch.Observation{State: watch.Synced, Exists: true, Digests: []fieldpath.Digest{sha256.Sum256([]byte(value))}}
}

// seesSelected is what is seen of a selection.
func seesSelected(names ...string) watch.Observation {
	seen := seesObject(strings.Join(names, " "))
	seen.Matched = len(names)
	for _, name := range names {
		seen.Objects = append(seen.Objects, watch.Object{Namespace: playNamespace, Name: name, Digests: []fieldpath.Digest{sha256.Sum256([]byte(name))}})
	}
	return seen
}
