package admission

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// stored decodes a spec as the webhook gets it.
func stored(t *testing.T, spec string) *v1alpha.ChangeTriggeredJob {
	t.Helper()
	ctj := &v1alpha.ChangeTriggeredJob{}
	require.NoError(t, yaml.Unmarshal([]byte(spec), &ctj.Spec))
	return ctj
}

func TestSameSpec(t *testing.T) {
	cases := map[string]struct {
		old, changed string
		want         bool
	}{
		"equal":                          {`{"history":5}`, `{"history":5}`, true},
		"another order":                  {`{"history":5,"suspend":true}`, `{"suspend":true,"history":5}`, true},
		"another spelling of a duration": {`{"cooldown":"60s"}`, `{"cooldown":"1m0s"}`, true},
		"another order in the template":  {`{"jobTemplate":{"a":1,"b":2}}`, `{"jobTemplate":{"b":2,"a":1}}`, true},
		"another value":                  {`{"history":5}`, `{"history":6}`, false},
		"another template":               {`{"jobTemplate":{"a":1}}`, `{"jobTemplate":{"a":2}}`, false},
		"another order of a list":        {`{"resources":[{"name":"a"},{"name":"b"}]}`, `{"resources":[{"name":"b"},{"name":"a"}]}`, false},
		"equal, and neither decodes":     {`{"cooldown":"x","a":1}`, `{"a":1,"cooldown":"x"}`, true},
		"neither decodes":                {`{"cooldown":"x"}`, `{"cooldown":"y"}`, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, sameSpec(stored(t, c.old), stored(t, c.changed)))
		})
	}
}

func TestAdditions(t *testing.T) {
	ref := func(name string, fields ...string) v1alpha.ResourceReference {
		return v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: name, Fields: fields}
	}
	when := func(expression string, ref v1alpha.ResourceReference) v1alpha.ResourceReference {
		ref.When = expression
		return ref
	}
	cases := map[string]struct {
		old, refs []v1alpha.ResourceReference
		want      []addition
	}{
		"everything is new where nothing was": {
			refs: []v1alpha.ResourceReference{ref("a"), ref("b", "data", "immutable")},
			want: []addition{{index: 0, fields: []int{0}}, {index: 1, fields: []int{0, 1}}},
		},
		"nothing is new where nothing changed": {
			old:  []v1alpha.ResourceReference{ref("a"), ref("b", "data")},
			refs: []v1alpha.ResourceReference{ref("a"), ref("b", "data")},
		},
		"another order, and the default spelled out": {
			old:  []v1alpha.ResourceReference{ref("a"), ref("b", "data", "immutable")},
			refs: []v1alpha.ResourceReference{ref("b", "immutable", "data"), ref("a", "*")},
		},
		"a field more": {
			old:  []v1alpha.ResourceReference{ref("a", "data")},
			refs: []v1alpha.ResourceReference{ref("a", "data", "immutable")},
			want: []addition{{index: 0, fields: []int{1}}},
		},
		"the same object in two references of the old spec": {
			old:  []v1alpha.ResourceReference{ref("a", "data"), ref("a", "immutable")},
			refs: []v1alpha.ResourceReference{ref("a", "data", "immutable")},
		},
		"a when": {
			old:  []v1alpha.ResourceReference{ref("a", "data")},
			refs: []v1alpha.ResourceReference{when("true", ref("a", "data"))},
			want: []addition{{index: 0, when: true}},
		},
		"another when, and a field": {
			old:  []v1alpha.ResourceReference{when("true", ref("a", "data"))},
			refs: []v1alpha.ResourceReference{when("false", ref("a", "data", "immutable"))},
			want: []addition{{index: 0, fields: []int{1}, when: true}},
		},
		"the same when, or none any more": {
			old:  []v1alpha.ResourceReference{when("true", ref("a")), when("false", ref("b"))},
			refs: []v1alpha.ResourceReference{when("true", ref("a")), ref("b")},
		},
		"the when of another object": {
			old:  []v1alpha.ResourceReference{when("true", ref("a")), ref("b")},
			refs: []v1alpha.ResourceReference{ref("a"), when("true", ref("b"))},
			want: []addition{{index: 1, when: true}},
		},
		"another object": {
			old:  []v1alpha.ResourceReference{ref("a", "data")},
			refs: []v1alpha.ResourceReference{ref("b", "data")},
			want: []addition{{index: 0, fields: []int{0}}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, additions(c.old, c.refs)) })
	}
}

// What is not changed needs no API server: this validator has none.
func TestNothingIsAskedWhereNothingChangedOrTheObjectIsBeingDeleted(t *testing.T) {
	old := makeCTJ("default", "watcher")
	old.Spec.Resources[0].Kind = "configmap"

	warnings, err := (&validator{}).ValidateUpdate(t.Context(), old, old.DeepCopy())
	require.NoError(t, err)
	assert.Empty(t, warnings)

	changed := old.DeepCopy()
	changed.Spec.Resources[0].Fields = []string{"spec..image"}
	going := old.DeepCopy()
	going.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	warnings, err = (&validator{}).ValidateUpdate(t.Context(), going, changed)
	require.NoError(t, err)
	assert.Empty(t, warnings)

	warnings, err = (&validator{}).ValidateDelete(t.Context(), old)
	require.NoError(t, err)
	assert.Empty(t, warnings)
}
