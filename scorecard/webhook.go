package main

import (
	"context"
	"fmt"
	"maps"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// refusal is a mistake that the user guide lists.
type refusal struct {
	mistake string
	// spec is what has the mistake in it, in place of what the spec has otherwise. It is no Go type: that would say what was left out.
	spec map[string]any
	// answer is what the user guide says that is answered: by the webhook, or by the API server's own rules before it is asked.
	answer string
}

// refusals are the mistakes, as in a ChangeTriggeredJob that may watch what is in the namespace.
func refusals(namespace string) []refusal {
	reference := func(with map[string]any) []any {
		all := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "namespace": namespace}
		maps.Copy(all, with)
		return []any{all}
	}
	window := func(of map[string]any) map[string]any { return map[string]any{"windows": []any{of}} }
	return []refusal{
		{"a kind in lower case", map[string]any{"resources": reference(map[string]any{"kind": "configmap"})},
			"resource kind does not exist"},
		{"a ConfigMap without a namespace", map[string]any{"resources": []any{map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "a"}}},
			"namespace is required for namespaced resources"},
		{"a Node with a namespace", map[string]any{"resources": reference(map[string]any{"kind": "Node"})},
			"namespace must not be set for cluster-scoped resources"},
		{"a name and a selector", map[string]any{"resources": reference(map[string]any{"selector": map[string]any{}})},
			"exactly one of name and selector must be set"},
		{"a when that is no expression", map[string]any{"resources": reference(map[string]any{"when": "object.data.ready =="})},
			"spec.resources[0].when: Invalid value: Syntax error"},
		{"a window without duration", window(map[string]any{"schedule": "0 22 * * 1-5"}),
			"spec.windows[0].duration: Required value"},
		{"a window whose schedule is no cron expression", window(map[string]any{"schedule": "every day at ten", "duration": "8h"}),
			"must be a cron expression of five fields"},
		{"a settle that is longer than the cooldown", map[string]any{"settle": "2m", "cooldown": "1m"},
			"settle must be no longer than cooldown"},
	}
}

// webhookRefuses makes each mistake: it is refused, in the user guide's words.
func webhookRefuses(ctx context.Context, t *trial) error {
	for _, refusal := range refusals(t.namespace) {
		ctj, err := t.mistaken(refusal.spec)
		if err != nil {
			return fmt.Errorf("make a ChangeTriggeredJob with %s: %w", refusal.mistake, err)
		}
		switch err := t.make(ctx, ctj); {
		case err == nil:
			return fmt.Errorf("%s is accepted", refusal.mistake)
		case !strings.Contains(err.Error(), refusal.answer):
			return fmt.Errorf("%s is refused, and not with %q: %w", refusal.mistake, refusal.answer, err)
		default:
			t.saw("%s: %s", refusal.mistake, err)
		}
	}
	return nil
}

// mistaken is a ChangeTriggeredJob that would be accepted, but for what is put into its spec.
func (t *trial) mistaken(with map[string]any) (*unstructured.Unstructured, error) {
	ctj := &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: t.name},
		Spec: v1alpha.ChangeTriggeredJobSpec{JobTemplate: emptyJob(), Resources: []v1alpha.ResourceReference{
			{APIVersion: "v1", Kind: "ConfigMap", Namespace: t.namespace, Name: "a"},
		}},
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(ctj)
	if err != nil {
		return nil, err
	}
	for field, value := range with {
		if err := unstructured.SetNestedField(content, value, "spec", field); err != nil {
			return nil, err
		}
	}
	object := &unstructured.Unstructured{Object: content}
	object.SetGroupVersionKind(v1alpha.GroupVersion.WithKind("ChangeTriggeredJob"))
	return object, nil
}
