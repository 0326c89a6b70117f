package v1alpha_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func TestAReferenceNamesOrSelects(t *testing.T) {
	ctx, ns := context.Background(), namespace(t)
	web := map[string]any{"matchLabels": map[string]any{"app": "web"}}
	texts := func(n, length int) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = fmt.Sprintf("%0*d", length, i)
		}
		return list
	}
	pairs := func(n, key, value int) map[string]any {
		set := map[string]any{}
		for i := range n {
			set[fmt.Sprintf("%0*d", key, i)] = long(value)
		}
		return set
	}
	selecting := func(selector map[string]any) map[string]any {
		return map[string]any{"selector": selector, "namespace": "n"}
	}
	expression := func(change string, value any) map[string]any {
		e := map[string]any{"key": "app", "operator": "In", "values": []any{"web"}}
		e[change] = value
		return selecting(map[string]any{"matchExpressions": []any{e}})
	}
	expressions := func(n int) map[string]any {
		list := make([]any, n)
		for i := range list {
			list[i] = map[string]any{"key": fmt.Sprint("k", i), "operator": "Exists"}
		}
		return selecting(map[string]any{"matchExpressions": list})
	}
	for sentence, c := range map[string]struct {
		accept, refuse []map[string]any
		message        string
	}{
		"by a name or a selector, and not both": {
			[]map[string]any{{"name": "n", "namespace": "n"}, selecting(web), selecting(map[string]any{})},
			[]map[string]any{{"namespace": "n"}, {"name": "n", "selector": web, "namespace": "n"}}, "exactly one of name and selector must be set"},
		"several namespaces only with a selector": {
			[]map[string]any{{"selector": web, "namespaces": []any{"a", "b"}}, {"selector": web, "namespaceSelector": web}, {"selector": web, "namespaceSelector": map[string]any{}}, {"selector": web}},
			[]map[string]any{{"name": "n", "namespaces": []any{"a"}}, {"name": "n", "namespaceSelector": web}}, "only together with selector"},
		"namespaces in one way": {
			nil, []map[string]any{
				{"selector": web, "namespace": "n", "namespaces": []any{"a"}}, {"selector": web, "namespace": "n", "namespaceSelector": web},
				{"selector": web, "namespaces": []any{"a"}, "namespaceSelector": web}}, "at most one of namespace, namespaces and namespaceSelector may be set"},
		"1 to 64 namespaces, each once, of 1 to 63 characters": {
			[]map[string]any{{"selector": web, "namespaces": texts(64, 63)}},
			[]map[string]any{{"selector": web, "namespaces": texts(65, 3)}, {"selector": web, "namespaces": []any{}},
				{"selector": web, "namespaces": []any{"a", "a"}}, {"selector": web, "namespaces": []any{""}}, {"selector": web, "namespaces": texts(1, 64)}}, "spec.resources[0].namespaces"},
		"at most 16 labels": {
			[]map[string]any{selecting(map[string]any{"matchLabels": pairs(16, 317, 63)})},
			[]map[string]any{selecting(map[string]any{"matchLabels": pairs(17, 3, 3)}), selecting(map[string]any{"matchLabels": pairs(1, 318, 3)}),
				selecting(map[string]any{"matchLabels": pairs(1, 3, 64)})}, "spec.resources[0].selector.matchLabels"},
		"at most 16 requirements": {
			[]map[string]any{expressions(16)}, []map[string]any{expressions(17)}, "spec.resources[0].selector.matchExpressions"},
		"a key of 1 to 317 characters": {
			[]map[string]any{expression("key", long(317))}, []map[string]any{expression("key", long(318)), expression("key", "")}, "matchExpressions[0].key"},
		"an operator of four": {
			[]map[string]any{expression("operator", "NotIn"), expression("operator", "Exists"), expression("operator", "DoesNotExist")},
			[]map[string]any{expression("operator", "Gt"), expression("operator", "")}, "matchExpressions[0].operator"},
		"at most 32 values of at most 63 characters": {
			[]map[string]any{expression("values", texts(32, 63))}, []map[string]any{expression("values", texts(33, 3)), expression("values", texts(1, 64))}, "matchExpressions[0].values"},
	} {
		t.Run(sentence, func(t *testing.T) {
			create := func(reference map[string]any) error {
				ctj := object(t, ns, "")
				ctj.SetGenerateName("selects-")
				whole := map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}
				for key, value := range reference {
					whole[key] = value
				}
				set(t, ctj.Object, []any{whole}, "spec", "resources")
				return k8s.Create(ctx, ctj)
			}
			for _, reference := range c.accept {
				assert.NoError(t, create(reference), "accept %.200v", reference)
			}
			for _, reference := range c.refuse {
				err := create(reference)
				if assert.True(t, apierrors.IsInvalid(err), "refuse %.200v: %v", reference, err) {
					assert.ErrorContains(t, err, c.message)
				}
			}
		})
	}
}

func TestASelectionHasOneText(t *testing.T) {
	web := &v1alpha.LabelSelector{MatchLabels: map[string]v1alpha.LabelValue{"app": "web", "tier": "front"}}
	two := &v1alpha.LabelSelector{MatchExpressions: []v1alpha.LabelRequirement{{Key: "app", Operator: "In", Values: []v1alpha.LabelValue{"b", "a"}}}}
	all, bad := &v1alpha.LabelSelector{}, &v1alpha.LabelSelector{MatchLabels: map[string]v1alpha.LabelValue{"a b": "c"}}
	for sentence, c := range map[string]struct {
		ref             v1alpha.ResourceReference
		want, namespace string
	}{
		"a name has none":              {v1alpha.ResourceReference{Name: "n", Namespace: "x"}, "", "x"},
		"labels in their order":        {v1alpha.ResourceReference{Selector: web, Namespace: "x"}, "app=web,tier=front", "x"},
		"values in theirs":             {v1alpha.ResourceReference{Selector: two}, "app in (a,b)", ""},
		"everything":                   {v1alpha.ResourceReference{Selector: all, Namespace: "x"}, "*", "x"},
		"one namespace is a namespace": {v1alpha.ResourceReference{Selector: two, Namespaces: []string{"x"}}, "app in (a,b)", "x"},
		"several are part of the text": {v1alpha.ResourceReference{Selector: two, Namespaces: []string{"y", "x"}}, "app in (a,b); namespaces x,y", ""},
		"a selector of namespaces":     {v1alpha.ResourceReference{Selector: two, NamespaceSelector: web}, "app in (a,b); namespaces with app=web,tier=front", ""},
		"one that selects all":         {v1alpha.ResourceReference{Selector: two, NamespaceSelector: all}, "app in (a,b); all namespaces", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			assert.Equal(t, c.want, c.ref.Selection())
			assert.Equal(t, c.namespace, c.ref.SelectedNamespace())
		})
	}

	invalid := v1alpha.ResourceReference{Selector: bad}
	assert.Contains(t, invalid.Selection(), "invalid", "what cannot be one has a text anyway")

	long := v1alpha.ResourceReference{Selector: web}
	for i := range 64 {
		long.Namespaces = append(long.Namespaces, fmt.Sprintf("%063d", i))
	}
	text := long.Selection()
	require.Len(t, text, v1alpha.MaxSelectionLength)
	assert.True(t, strings.HasPrefix(text, "app=web,tier=front; namespaces 000"))
	long.Namespaces[63] = "other"
	assert.NotEqual(t, text, long.Selection(), "what is cut counts")
}
