package v1alpha_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func TestATemplateThatTheSchemaTakesAndGoRefusesIsAProblemOfItsOwn(t *testing.T) {
	ctx, ns := context.Background(), namespace(t)
	require.NoError(t, k8s.Create(ctx, minimal(ns, "good")))

	container := []any{"spec", "jobTemplate", "spec", "template", "spec", "containers", 0}
	odd := map[string]func(tree map[string]any){
		"quantity": func(tree map[string]any) {
			set(t, tree, map[string]any{"limits": map[string]any{"memory": "1e1.5"}}, append(container, "resources")...)
		},
		"port": func(tree map[string]any) {
			set(t, tree, int64(99999999999), append(container, "livenessProbe", "httpGet", "port")...)
		},
	}
	for name, change := range odd {
		ctj := object(t, ns, name)
		change(ctj.Object)
		require.NoError(t, k8s.Create(ctx, ctj), "the schema takes it")
	}

	list := &v1alpha.ChangeTriggeredJobList{}
	require.NoError(t, k8s.List(ctx, list, client.InNamespace(ns)), "a typed LIST takes all of them")
	require.Len(t, list.Items, 3)
	for _, ctj := range list.Items {
		require.NoError(t, ctj.Spec.Undecoded(), "the rest of the spec can be read")
		assert.Len(t, ctj.Spec.Resources, 1)
		template, err := ctj.Spec.JobTemplate.Decode()
		if odd[ctj.Name] == nil {
			require.NoError(t, err)
			assert.Equal(t, "busybox:1.37", template.Spec.Template.Spec.Containers[0].Image)
			continue
		}
		assert.Error(t, err, ctj.Name)
	}
}

// loosen lets the CRD take what it takes not now, and returns what makes it strict again: so does a
// release whose schema has more bounds than that of the release before.
func loosen(t *testing.T, change func(schema map[string]any)) (restore func()) {
	t.Helper()
	ctx := context.Background()
	crd := &unstructured.Unstructured{}
	crd.SetAPIVersion("apiextensions.k8s.io/v1")
	crd.SetKind("CustomResourceDefinition")
	crd.SetName("changetriggeredjobs.triggers.changejob.dev")
	require.NoError(t, k8s.Get(ctx, client.ObjectKeyFromObject(crd), crd))
	strict := crd.DeepCopy()
	version := crd.Object["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any)
	change(version["schema"].(map[string]any)["openAPIV3Schema"].(map[string]any))
	require.NoError(t, k8s.Update(ctx, crd))
	return func() {
		strict.SetResourceVersion("")
		patch := client.RawPatch("application/merge-patch+json", mustJSON(t, map[string]any{"spec": strict.Object["spec"]}))
		require.NoError(t, k8s.Patch(ctx, crd, patch))
	}
}

func mustJSON(t *testing.T, value any) []byte {
	t.Helper()
	out, err := json.Marshal(value)
	require.NoError(t, err)
	return out
}

func TestASpecStoredUnderALooserSchemaIsAProblemOfItsOwn(t *testing.T) {
	ctx, ns := context.Background(), namespace(t)
	restore := loosen(t, func(schema map[string]any) {
		set(t, schema, map[string]any{"x-kubernetes-preserve-unknown-fields": true}, "properties", "spec", "properties", "cooldown")
		set(t, schema, nil, "properties", "spec", "x-kubernetes-validations")
		set(t, schema, map[string]any{"x-kubernetes-preserve-unknown-fields": true}, "properties", "status", "properties", "triggerCount")
	})
	t.Cleanup(restore)
	require.NoError(t, k8s.Create(ctx, minimal(ns, "good")))
	bad := object(t, ns, "bad")
	set(t, bad.Object, "a while", "spec", "cooldown")
	require.Eventually(t, func() bool { return k8s.Create(ctx, bad) == nil }, waitFor, tick,
		"the loosened schema takes any cooldown, once the API server has noticed")
	set(t, bad.Object, "several", "status", "triggerCount")
	require.NoError(t, k8s.Status().Update(ctx, bad))

	list := &v1alpha.ChangeTriggeredJobList{}
	require.NoError(t, k8s.List(ctx, list, client.InNamespace(ns)), "a typed LIST takes all of them")
	require.Len(t, list.Items, 2)
	for _, ctj := range list.Items {
		if ctj.Name == "good" {
			assert.NoError(t, ctj.Spec.Undecoded())
			assert.NoError(t, ctj.Status.Undecoded())
			continue
		}
		assert.ErrorContains(t, ctj.Spec.Undecoded(), "a while")
		assert.Error(t, ctj.Status.Undecoded())

		ctj.Labels = map[string]string{"touched": "yes"}
		require.NoError(t, k8s.Update(ctx, &ctj), "what could not be decoded is written back as it was")
		stored := &unstructured.Unstructured{}
		stored.SetGroupVersionKind(bad.GroupVersionKind())
		require.NoError(t, k8s.Get(ctx, client.ObjectKeyFromObject(&ctj), stored))
		assert.Equal(t, "yes", stored.GetLabels()["touched"])
		assert.Equal(t, bad.Object["spec"], stored.Object["spec"])
		assert.Equal(t, bad.Object["status"], stored.Object["status"])
	}
}

func TestASpecOrStatusThatCannotBeDecodedComesOutAsItCameIn(t *testing.T) {
	for name, in := range map[string]string{
		"a spec that is a string":      `{"metadata":{"name":"x"},"spec":"no","status":{}}`,
		"a cooldown that is none":      `{"metadata":{"name":"x"},"spec":{"jobTemplate":{},"resources":[],"cooldown":"a while"},"status":{}}`,
		"a history beyond its type":    `{"metadata":{"name":"x"},"spec":{"jobTemplate":{},"resources":[],"history":99999999999},"status":{}}`,
		"a status that is a list":      `{"metadata":{"name":"x"},"spec":{"jobTemplate":{},"resources":[]},"status":[1]}`,
		"a time that is none":          `{"metadata":{"name":"x"},"spec":{"jobTemplate":{},"resources":[]},"status":{"lastTriggeredTime":"noon"}}`,
		"a number with a fraction":     `{"metadata":{"name":"x"},"spec":{"jobTemplate":{},"resources":[],"history":1.00000000000000000001},"status":{}}`,
		"a template that is a number":  `{"metadata":{"name":"x"},"spec":{"jobTemplate":7,"resources":[]},"status":{}}`,
		"all of it as it should be":    `{"metadata":{"name":"x"},"spec":{"jobTemplate":{"spec":{"template":{"spec":{"x":1}}}},"resources":[],"history":3},"status":{"triggerCount":2}}`,
		"a template that is no object": `{"metadata":{"name":"x"},"spec":{"jobTemplate":[],"resources":[]},"status":{}}`,
	} {
		t.Run(name, func(t *testing.T) {
			ctj := &v1alpha.ChangeTriggeredJob{}
			require.NoError(t, json.Unmarshal([]byte(in), ctj))
			out, err := json.Marshal(ctj.DeepCopy())
			require.NoError(t, err)
			assert.JSONEq(t, in, string(out))
		})
	}
}

func TestUndecodedIsForgottenWhenTheNextObjectFits(t *testing.T) {
	ctj := &v1alpha.ChangeTriggeredJob{}
	require.NoError(t, json.Unmarshal([]byte(`{"spec":"no","status":"no"}`), ctj))
	require.Error(t, ctj.Spec.Undecoded())
	require.Error(t, ctj.Status.Undecoded())
	require.NoError(t, json.Unmarshal([]byte(`{"spec":{"history":3},"status":{"triggerCount":2}}`), ctj))
	assert.NoError(t, ctj.Spec.Undecoded())
	assert.NoError(t, ctj.Status.Undecoded())
	assert.Equal(t, 3, ctj.Spec.EffectiveHistory())
}

func TestATemplateKeepsItsOwnCopyOfTheJSON(t *testing.T) {
	raw := []byte(`{"spec":{"suspend":true}}`)
	template := &v1alpha.JobTemplate{}
	require.NoError(t, template.UnmarshalJSON(raw))
	copied := template.DeepCopy()
	for i := range raw {
		raw[i] = ' '
	}
	template.Raw[0] = '['
	decoded, err := copied.Decode()
	require.NoError(t, err)
	assert.True(t, *decoded.Spec.Suspend)
}

func TestAnEmptyTemplateIsAnEmptyObject(t *testing.T) {
	var none *v1alpha.JobTemplate
	assert.Nil(t, none.DeepCopy())
	out, err := json.Marshal(v1alpha.JobTemplate{})
	require.NoError(t, err)
	assert.Equal(t, "{}", string(out))
	decoded, err := v1alpha.JobTemplate{}.Decode()
	require.NoError(t, err)
	assert.Equal(t, &batchv1.JobTemplateSpec{}, decoded)
}
