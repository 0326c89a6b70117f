package faults

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// widgets is a kind that comes and goes.
func widgets() *apiextensionsv1.CustomResourceDefinition {
	preserve := true
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "widgets.faults.example.com"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "faults.example.com", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "widgets", Singular: "widget", Kind: "Widget", ListKind: "WidgetList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", XPreserveUnknownFields: &preserve,
				}},
			}},
		},
	}
}

func (w *world) widget(size int64) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "faults.example.com/v1", "kind": "Widget",
		"metadata": map[string]any{"namespace": w.namespace, "name": "widget"}, "size": size,
	}}
}

func widgetReference(namespace string) v1alpha.ResourceReference {
	return v1alpha.ResourceReference{APIVersion: "faults.example.com/v1", Kind: "Widget", Namespace: namespace, Name: "widget"}
}

func TestAKindComesAndGoesAndComesAgain(t *testing.T) {
	server, audit := own(t)
	w := newWorld(t, server, audit, reported.begin(t,
		"the end of a kind is the absence of its objects, shown as KindNotServed; each coming and going gets one Job; others go on"))
	w.start()
	onWidget := func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Resources = append(s.Resources, widgetReference(w.namespace))
	}
	w.configMap("config")
	w.ctj("widget", nil, onWidget)
	w.ctj("both", []string{"config"}, onWidget)
	w.ctj("config", []string{"config"})
	w.condition("widget", trigger.ConditionAvailable, trigger.ReasonKindNotServed)
	w.condition("both", trigger.ConditionAvailable, trigger.ReasonKindNotServed)
	// What changes before the first look is the baseline.
	w.watching("config")
	w.eventually(func() error {
		ctj := &v1alpha.ChangeTriggeredJob{}
		if err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "both"}, ctj); err != nil {
			return err
		}
		for _, ref := range ctj.Status.ResourceHashes {
			if ref.Kind == "ConfigMap" && len(ref.Fields) == 1 && ref.Fields[0].Hash != "" {
				return nil
			}
		}
		return errors.New("both has no baseline of config yet")
	})
	w.change("config")
	w.triggered("both", 1)
	w.triggered("config", 1)
	w.triggered("widget", 0)

	rounds := int64(2)
	if full() {
		rounds = 6
	}
	for round := range rounds {
		before := 3 * round                                                           // triggers of what references the Widget alone
		w.eventually(func() error { return w.Client.Create(t.Context(), widgets()) }) // the old one may not be gone yet
		w.report.injected("a watched kind is installed", 1)
		w.eventually(func() error { return w.Client.Create(t.Context(), w.widget(1)) })
		w.watching("widget", "both")
		w.triggered("widget", before+1)
		w.triggered("both", 4*round+2)
		require.NoError(t, w.Client.Patch(t.Context(), w.widget(1), mergePatch(`{"size":2}`)))
		w.triggered("widget", before+2)
		w.triggered("both", 4*round+3)

		require.NoError(t, w.Client.Delete(t.Context(), widgets()))
		w.report.injected("a watched kind is removed", 1)
		w.condition("widget", trigger.ConditionAvailable, trigger.ReasonKindNotServed)
		w.triggered("widget", before+3)
		w.triggered("both", 4*round+4)
		w.change("config")
		w.triggered("config", round+2)
		w.triggered("both", 4*round+5)
		w.rests()
	}
}

func TestAWatchedNamespaceIsDeleted(t *testing.T) {
	server, audit := own(t)
	server.StartControllerManager(t, "namespace-controller", "garbage-collector-controller")
	w := newWorld(t, server, audit, reported.begin(t, "the deletion of a namespace is that of its objects, once; one that is made again is watched again"))
	w.start()
	other := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "watched"}}
	config := func(value string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: other.Name, Name: "config"}, Data: map[string]string{"key": value}}
	}
	w.eventually(func() error { return w.Client.Create(t.Context(), other.DeepCopy()) })
	require.NoError(t, w.Client.Create(t.Context(), config("1")))
	w.ctj("ctj", nil, func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Resources = append(s.Resources, reference(other.Name, "config"))
	})
	w.watching("ctj")

	require.NoError(t, w.Client.Delete(t.Context(), other.DeepCopy()))
	w.report.injected("a watched namespace is deleted", 1)
	w.triggered("ctj", 1)
	w.eventually(func() error { return w.Client.Create(t.Context(), other.DeepCopy()) })
	require.NoError(t, w.Client.Create(t.Context(), config("2")))
	w.triggered("ctj", 2)
	assert.Equal(t, 2, w.rests().created)
}
