package controllers

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/watch"
	"github.com/nusnewob/kube-changejob/test/jobs"
)

// told is what watches have been told.
type told map[string][]watch.Reference

func (w told) Set(owner types.NamespacedName, references []watch.Reference) {
	w[owner.Name] = references
}

func (w told) SetAll(references map[types.NamespacedName][]watch.Reference) {
	for owner, given := range references {
		w.Set(owner, given)
	}
}

func (w told) Remove(owner types.NamespacedName) { delete(w, owner.Name) }

func (w told) Observe(types.NamespacedName) ([]watch.Observation, bool) { return nil, false }

func (w told) Scope(schema.GroupVersionKind) (bool, error) { return true, nil }

func TestTheFirstReconcileTellsTheWatchesWhatAllReference(t *testing.T) {
	named := func(name string, edit func(*v1alpha.ChangeTriggeredJob)) client.Object {
		ctj := &v1alpha.ChangeTriggeredJob{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name)},
			Spec: v1alpha.ChangeTriggeredJobSpec{
				JobTemplate: jobs.Template(),
				Resources:   []v1alpha.ResourceReference{{APIVersion: "v1", Kind: "ConfigMap", Namespace: "ns", Name: name}},
			},
		}
		edit(ctj)
		return ctj
	}
	as := func(*v1alpha.ChangeTriggeredJob) {}
	c := fake.NewClientBuilder().WithScheme(server.Scheme).WithIndex(&batchv1.Job{}, jobOwnerIndex, jobOwner).WithObjects(
		named("first", as), named("second", as), named("third", as),
		named("invalid", func(ctj *v1alpha.ChangeTriggeredJob) { ctj.Spec.Resources[0].Fields = []string{"a..b"} }),
		named("going", func(ctj *v1alpha.ChangeTriggeredJob) {
			ctj.Finalizers = []string{"example.com/stays"}
			ctj.DeletionTimestamp = &metav1.Time{Time: time.Now()}
		}),
	).WithStatusSubresource(&v1alpha.ChangeTriggeredJob{}).Build()
	watches := told{}
	r := &Reconciler{
		Client: c, Live: c, Watches: watches, Key: testKey(t), Recorder: noEvents{},
		Clock: clocktesting.NewFakePassiveClock(time.Now()), memory: newMemory(),
	}
	_, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Namespace: "ns", Name: "second"}})
	require.NoError(t, err)
	assert.Equal(t, []string{"first", "second", "third"}, slices.Sorted(maps.Keys(watches)))
}
