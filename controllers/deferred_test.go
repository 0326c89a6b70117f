package controllers

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/pkg/watch"
)

// TestWhatWasPutOffIsKnownThoughAWriteFails has a third object come into a selection of which only deletions count, which is put off; then
// something else is to be written, and cannot be, or not for all that is known; then the object goes.
func TestWhatWasPutOffIsKnownThoughAWriteFails(t *testing.T) {
	forbidden := watch.Observation{State: watch.Forbidden}
	fails := func(err error) func(func() error) error { return func(func() error) error { return err } }
	for sentence, c := range map[string]struct {
		news  watch.Observation
		fault func(write func() error) error
		jobs  int64
	}{
		"it is not answered":               {forbidden, fails(interrupted()), 1},
		"it is answered by no":             {forbidden, fails(failed()), 1},
		"it conflicts":                     {forbidden, fails(apierrors.NewConflict(schema.GroupResource{}, playName, nil)), 1},
		"it does not fit":                  {forbidden, fails(apierrors.NewInvalid(schema.GroupKind{}, playName, nil)), 1},
		"its answer is lost":               {forbidden, func(write func() error) error { _ = write(); return interrupted() }, 1},
		"it tells of a Job":                {seesObject("2"), fails(interrupted()), 2},
		"as does one whose answer is lost": {seesObject("2"), func(write func() error) error { _ = write(); return interrupted() }, 2},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := newSolo(t, func(ctj *v1alpha.ChangeTriggeredJob) {
				selecting(func(r *v1alpha.ResourceReference) {
					r.Namespace, r.Changes = playNamespace, []v1alpha.ChangeType{v1alpha.ChangeDeleted}
				})(&ctj.Spec)
				ctj.Spec.Resources = append(ctj.Spec.Resources, playReference("other", "data"))
			})
			require.NoError(t, s.look(seesSelected("a", "b"), seesObject("1")))
			require.NoError(t, s.look(seesSelected("a", "b", "c"), seesObject("1")))
			require.EqualValues(t, 2, *s.status().ResourceHashes[0].Matched, "it is put off")

			faults := 0
			s.fault = func(write func() error) error { faults++; return c.fault(write) }
			_ = s.look(seesSelected("a", "b", "c"), c.news)
			require.Positive(t, faults)
			s.fault = nil
			require.NoError(t, s.look(seesSelected("a", "b"), c.news))

			require.Equal(t, c.jobs, s.status().TriggerCount)
			var told selectionAccount
			require.NoError(t, json.Unmarshal([]byte(s.job(c.jobs).Annotations[job.ChangedAnnotation]), &told))
			require.Len(t, told.Resources, 1)
			assert.Equal(t, []trigger.ObjectChange{{Namespace: playNamespace, Name: "c", Change: trigger.ObjectRemoved}}, told.Resources[0].Objects)
			assert.Zero(t, told.Resources[0].UnnamedObjects)
		})
	}
}
