package controllers

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/test/jobs"
)

func TestAStatusIsWrittenOnWhatItWasDecidedOnAndWithoutTheSpec(t *testing.T) {
	ctj := &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "ctj", UID: "uid", ResourceVersion: "7", Labels: map[string]string{"label": "value"},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "somebody"}},
		},
		Spec:   v1alpha.ChangeTriggeredJobSpec{JobTemplate: jobs.Template()},
		Status: v1alpha.ChangeTriggeredJobStatus{LastJobStatus: v1alpha.JobActive, TriggerCount: 1},
	}
	assert.Equal(t, &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "ctj", UID: "uid", ResourceVersion: "7", Labels: map[string]string{"label": "value"},
		},
		Status: v1alpha.ChangeTriggeredJobStatus{TriggerCount: 2},
	}, statusUpdate(ctj, &v1alpha.ChangeTriggeredJobStatus{TriggerCount: 2}))
}

func TestWritesOfStatusTakeNothingFromWhoApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.configMap("config", "1")
	applied := func(all bool) *unstructured.Unstructured {
		object := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": v1alpha.GroupVersion.String(), "kind": v1alpha.Kind,
			"metadata": map[string]any{"namespace": w.namespace, "name": "ctj", "labels": map[string]any{"team": "a"}},
			"spec": map[string]any{
				"cooldown": "0s",
				"history":  int64(7),
				"jobTemplate": map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
					"restartPolicy": "Never", "containers": []any{map[string]any{"name": "hello", "image": "busybox:1.37"}},
				}}}},
				"resources": []any{map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "namespace": w.namespace, "name": "config"}},
			},
		}}
		if !all {
			unstructured.RemoveNestedField(object.Object, "spec", "history")
			unstructured.RemoveNestedField(object.Object, "metadata", "labels")
		}
		return object
	}
	apply := func(object *unstructured.Unstructured) {
		require.NoError(t, w.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("somebody")))
	}
	apply(applied(true))
	w.watching("ctj")
	w.change("config", "2")
	w.triggered("ctj", 1)
	ctj := w.get("ctj")
	assert.EqualValues(t, 7, *ctj.Spec.History)
	assert.Equal(t, "a", ctj.Labels["team"])

	apply(applied(false)) // what it applied and applies no more goes, for it is still its own
	ctj = w.get("ctj")
	assert.EqualValues(t, 5, *ctj.Spec.History, "the default")
	assert.Empty(t, ctj.Labels)
	assert.EqualValues(t, 1, ctj.Status.TriggerCount)
}
