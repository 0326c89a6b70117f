package validate

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// cluster serves ConfigMaps, Nodes, Deployments and Bindings, which cannot be listed; the discovery of metrics.k8s.io is down.
func cluster(kind schema.GroupVersionKind) (bool, error) {
	switch kind {
	case schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"},
		schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}:
		return true, nil
	case schema.GroupVersionKind{Version: "v1", Kind: "Binding"}:
		return true, ErrNotListable
	case schema.GroupVersionKind{Version: "v1", Kind: "Node"}:
		return false, nil
	}
	if kind.Group == "metrics.k8s.io" {
		return false, errors.New("the server says: secret.internal is unavailable")
	}
	return false, &meta.NoKindMatchError{GroupKind: kind.GroupKind(), SearchedVersions: []string{kind.Version}}
}

func every(schema.GroupVersionKind) bool { return true }

func TestReferences(t *testing.T) {
	cases := map[string]struct {
		ref          v1alpha.ResourceReference
		mustBeServed func(schema.GroupVersionKind) bool
		want         []string
	}{
		"a namespaced kind with its namespace": {
			ref:          v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default"},
			mustBeServed: every,
		},
		"a cluster-scoped kind without one": {
			ref:          v1alpha.ResourceReference{APIVersion: "v1", Kind: "Node"},
			mustBeServed: every,
		},
		"a namespaced kind without a namespace": {
			ref:          v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap"},
			mustBeServed: every,
			want:         []string{"spec.resources[0].namespace: Required value: namespace is required for namespaced resources"},
		},
		"a cluster-scoped kind with a namespace": {
			ref:          v1alpha.ResourceReference{APIVersion: "v1", Kind: "Node", Namespace: "default"},
			mustBeServed: every,
			want:         []string{"spec.resources[0].namespace: Forbidden: namespace must not be set for cluster-scoped resources"},
		},
		"a kind in lower case": {
			ref:          v1alpha.ResourceReference{APIVersion: "v1", Kind: "configmap", Namespace: "default"},
			mustBeServed: every,
			want:         []string{`spec.resources[0].kind: Invalid value: "configmap": resource kind does not exist`},
		},
		"a kind in a version that is not served": {
			ref:          v1alpha.ResourceReference{APIVersion: "apps/v1beta1", Kind: "Deployment", Namespace: "default"},
			mustBeServed: every,
			want:         []string{`spec.resources[0].kind: Invalid value: "Deployment": resource kind does not exist`},
		},
		"a kind that is not served and need not be": {
			ref: v1alpha.ResourceReference{APIVersion: "gone.example/v1", Kind: "Thing"},
		},
		"the namespace is checked of a kind that need not be served, too": {
			ref:  v1alpha.ResourceReference{APIVersion: "v1", Kind: "Node", Namespace: "default"},
			want: []string{"spec.resources[0].namespace: Forbidden: namespace must not be set for cluster-scoped resources"},
		},
		"a kind whose objects cannot be listed": {
			ref:          v1alpha.ResourceReference{APIVersion: "v1", Kind: "Binding", Namespace: "default"},
			mustBeServed: every,
			want: []string{`spec.resources[0].kind: Invalid value: "Binding": ` +
				"objects of this kind cannot be listed, so that their changes cannot be seen"},
		},
		"a kind whose objects cannot be listed, and that was there before": {
			ref: v1alpha.ResourceReference{APIVersion: "v1", Kind: "Binding", Namespace: "default"},
		},
		"a kind whose discovery is down is not said not to exist": {
			ref:          v1alpha.ResourceReference{APIVersion: "metrics.k8s.io/v1beta1", Kind: "PodMetrics", Namespace: "default"},
			mustBeServed: every,
			want: []string{"spec.resources[0].kind: Internal error: " +
				"could not be verified because the API server's discovery failed; try again"},
		},
		"a kind whose discovery is down and that need not be served": {
			ref: v1alpha.ResourceReference{APIVersion: "metrics.k8s.io/v1beta1", Kind: "PodMetrics"},
		},
		"an apiVersion that is none is left to Spec": {
			ref:          v1alpha.ResourceReference{APIVersion: "a/b/c", Kind: "ConfigMap"},
			mustBeServed: every,
		},
		"a kind that is missing is left to Spec": {
			ref:          v1alpha.ResourceReference{APIVersion: "v1"},
			mustBeServed: every,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			errs := References([]v1alpha.ResourceReference{c.ref}, cluster, c.mustBeServed)
			assert.ElementsMatch(t, c.want, messages(errs))
		})
	}
}

func TestReferencesAsksOnceForAKindAndAnswersForEachReference(t *testing.T) {
	asked := 0
	counting := func(kind schema.GroupVersionKind) (bool, error) { asked++; return cluster(kind) }
	refs := []v1alpha.ResourceReference{
		{APIVersion: "v1", Kind: "configmap", Namespace: "default"},
		{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default"},
		{APIVersion: "v1", Kind: "configmap", Namespace: "default"},
	}
	errs := References(refs, counting, every)
	require.Len(t, errs, 2)
	assert.Equal(t, "spec.resources[0].kind", errs[0].Field)
	assert.Equal(t, "spec.resources[2].kind", errs[1].Field)
	assert.Equal(t, 2, asked)
}

func TestManyReferencesThatCouldNotBeVerifiedAreStillNotCalledInvalid(t *testing.T) {
	refs := make([]v1alpha.ResourceReference, 64)
	for i := range refs {
		refs[i] = v1alpha.ResourceReference{APIVersion: "metrics.k8s.io/v1beta1", Kind: strings.Repeat("X", i+1)}
	}
	errs := References(refs, cluster, every)
	require.Len(t, errs, 17)
	for _, err := range errs {
		assert.Equal(t, field.ErrorTypeInternal, err.Type)
	}
}
