package controllers

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// label sets a label of an object.
func (w *world) label(object client.Object, key, value string) {
	w.t.Helper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"`+key+`":"`+value+`"}}}`))
	require.NoError(w.t, w.Patch(w.t.Context(), object, patch))
}

// selecting has a ChangeTriggeredJob select ConfigMaps by app=web.
func selecting(change func(*v1alpha.ResourceReference)) func(*v1alpha.ChangeTriggeredJobSpec) {
	return func(s *v1alpha.ChangeTriggeredJobSpec) {
		ref := v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Fields: []string{"data"},
			Selector: &v1alpha.LabelSelector{MatchLabels: map[string]v1alpha.LabelValue{"app": "web"}}}
		change(&ref)
		s.Resources = append(s.Resources, ref)
	}
}

// account is what a Job is told of the selected objects.
type selectionAccount struct {
	Resources []struct {
		Selection      string
		Objects        []trigger.ObjectChange
		UnnamedObjects int
	}
}

// told returns what the newest Job is told.
func (w *world) told(name string, number int64) selectionAccount {
	w.t.Helper()
	var account selectionAccount
	ctj := w.get(name)
	found := &batchv1.Job{}
	require.NoError(w.t, w.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: trigger.JobName(name, ctj.UID, number)}, found))
	require.NoError(w.t, json.Unmarshal([]byte(found.Annotations[job.ChangedAnnotation]), &account))
	require.Len(w.t, account.Resources, 1)
	return account
}

func TestASelectorIsOneReferenceToManyObjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	operator := w.operate()
	first, second := w.configMap("first", "1"), w.configMap("second", "1")
	w.configMap("unselected", "1")
	w.label(first, "app", "web")
	w.trigger("ctj", nil, selecting(func(r *v1alpha.ResourceReference) { r.Namespace = w.namespace }))
	w.watching("ctj")
	entry := w.get("ctj").Status.ResourceHashes[0]
	require.Equal(t, "app=web", entry.Selection)
	require.Empty(t, entry.Name)
	require.Equal(t, int32(1), *entry.Matched)
	require.Len(t, entry.Objects, 1)
	change := func(name string, how trigger.ObjectChangeType, fields ...string) trigger.ObjectChange {
		return trigger.ObjectChange{Namespace: w.namespace, Name: name, Change: how, Fields: fields}
	}

	w.label(second, "app", "web") // it moves in
	w.triggered("ctj", 1)
	assert.Equal(t, []trigger.ObjectChange{change("second", trigger.ObjectAdded)}, w.told("ctj", 1).Resources[0].Objects)
	w.change("first", "2")
	w.triggered("ctj", 2)
	assert.Equal(t, []trigger.ObjectChange{change("first", trigger.ObjectUpdated, "data")}, w.told("ctj", 2).Resources[0].Objects)
	w.change("unselected", "2")
	w.settled()
	assert.Len(t, w.jobs("ctj"), 2)

	// What changes while no operator runs is found and named by the next one.
	operator.stop()
	w.change("first", "3")
	w.label(second, "app", "db")
	third := w.configMap("third", "1")
	w.label(third, "app", "web")
	before := w.get("ctj")
	w.operate()
	w.triggered("ctj", 3)
	assert.Equal(t, []trigger.ObjectChange{change("first", trigger.ObjectUpdated, "data"), change("second", trigger.ObjectRemoved), change("third", trigger.ObjectAdded)},
		w.told("ctj", 3).Resources[0].Objects)
	assert.Zero(t, w.told("ctj", 3).Resources[0].UnnamedObjects)
	assert.NotEqual(t, before.ResourceVersion, w.get("ctj").ResourceVersion)

	require.NoError(t, w.DeleteAllOf(t.Context(), &corev1.ConfigMap{}, client.InNamespace(w.namespace), client.MatchingLabels{"app": "web"}))
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		require.Equal(c, int32(0), *ctj.Status.ResourceHashes[0].Matched)
		require.Equal(c, "no object matches", ctj.Status.ResourceHashes[0].Message)
		require.Empty(c, ctj.Status.ResourceHashes[0].Objects)
	})
}

func TestNamespacesAreSelectedByTheirLabels(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	w.operate()
	w.label(w.configMap("here", "1"), "app", "web")
	other.label(other.configMap("there", "1"), "app", "web")
	team := "team-of-" + w.namespace
	namespace := func(name string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	}
	w.label(namespace(w.namespace), "team", team)
	w.trigger("ctj", nil, selecting(func(r *v1alpha.ResourceReference) {
		r.NamespaceSelector = &v1alpha.LabelSelector{MatchLabels: map[string]v1alpha.LabelValue{"team": v1alpha.LabelValue(team)}}
	}))
	w.watching("ctj")
	require.Equal(t, int32(1), *w.get("ctj").Status.ResourceHashes[0].Matched)

	w.label(namespace(other.namespace), "team", team)
	w.triggered("ctj", 1)
	assert.Equal(t, []trigger.ObjectChange{{Namespace: other.namespace, Name: "there", Change: trigger.ObjectAdded}}, w.told("ctj", 1).Resources[0].Objects)
	other.change("there", "2")
	w.triggered("ctj", 2)
	w.label(namespace(other.namespace), "team", "another")
	w.triggered("ctj", 3)
	assert.Equal(t, trigger.ObjectRemoved, w.told("ctj", 3).Resources[0].Objects[0].Change)
}

func TestASelectionWithoutNamespacesIsInvalid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate()
	w.trigger("ctj", nil, selecting(func(*v1alpha.ResourceReference) {}))
	w.eventually("ctj", func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		requireCondition(c, ctj, "Available", metav1.ConditionFalse, trigger.ReasonInvalidSpec)
		require.Contains(c, ctj.Status.Conditions[0].Message, "spec.resources[0].namespace")
	})
}
