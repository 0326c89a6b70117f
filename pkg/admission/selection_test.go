package admission

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// selected is a reference to the ConfigMaps that a selector selects in namespaces.
func selected(namespaces ...string) v1alpha.ResourceReference {
	return v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespaces: namespaces,
		Selector: &v1alpha.LabelSelector{MatchLabels: map[string]v1alpha.LabelValue{"app": "web"}}}
}

// selectedBy is the same in the namespaces that have a label, or in all of them.
func selectedBy(label string) v1alpha.ResourceReference {
	ref := selected()
	ref.NamespaceSelector = &v1alpha.LabelSelector{}
	if label != "" {
		ref.NamespaceSelector.MatchLabels = map[string]v1alpha.LabelValue{label: "x"}
	}
	return ref
}

func TestAnAuthorMustBeAllowedToReadWhatASelectorSelects(t *testing.T) {
	readsMaps := allow("", "configmaps", "get", "list", "watch")
	readsNamespaces := allow("", "namespaces", "list", "watch")
	elsewhere := server.Namespace(t)
	may := func(verb, where string) string {
		return fmt.Sprintf(`spec.resources[0]: Forbidden: user "USER" may not %s configmaps %s`, verb, where)
	}
	here, there, everywhere := `in the namespace "NAMESPACE"`, fmt.Sprintf("in the namespace %q", elsewhere), "at the cluster scope"
	i := 0
	for sentence, c := range map[string]struct {
		may, further []rbacv1.PolicyRule
		ref          func(namespace string) v1alpha.ResourceReference
		denied       []string
	}{
		"to get, list and watch": {
			may: []rbacv1.PolicyRule{readsMaps}, ref: func(ns string) v1alpha.ResourceReference { return selected(ns) }},
		"to get alone is not enough": {
			may: []rbacv1.PolicyRule{getsMaps}, ref: func(ns string) v1alpha.ResourceReference { return selected(ns) },
			denied: []string{may("list", here), may("watch", here)}},
		"not to list without to get": {
			may: []rbacv1.PolicyRule{allow("", "configmaps", "list", "watch")}, ref: func(ns string) v1alpha.ResourceReference { return selected(ns) },
			denied: []string{may("get", here)}},
		"one object is not all that are selected": {
			may: []rbacv1.PolicyRule{named(readsMaps, "one")}, ref: func(ns string) v1alpha.ResourceReference { return selected(ns) },
			denied: []string{may("get", here), may("list", here), may("watch", here)}},
		"in each namespace": {
			may: []rbacv1.PolicyRule{readsMaps}, ref: func(ns string) v1alpha.ResourceReference { return selected(ns, elsewhere) },
			denied: []string{may("get", there), may("list", there), may("watch", there)}},
		"in all of them": {
			may: []rbacv1.PolicyRule{readsMaps}, ref: func(string) v1alpha.ResourceReference { return selectedBy("") },
			denied: []string{may("get", everywhere), may("list", everywhere), may("watch", everywhere)}},
		"in all of them, which is enough": {
			further: []rbacv1.PolicyRule{readsMaps}, ref: func(string) v1alpha.ResourceReference { return selectedBy("") }},
		"and the namespaces, where their labels decide": {
			further: []rbacv1.PolicyRule{readsMaps}, ref: func(string) v1alpha.ResourceReference { return selectedBy("team") },
			denied: []string{`spec.resources[0]: Forbidden: user "USER" may not list namespaces at the cluster scope`,
				`spec.resources[0]: Forbidden: user "USER" may not watch namespaces at the cluster scope`}},
		"and the namespaces, which is enough": {
			further: []rbacv1.PolicyRule{readsMaps, readsNamespaces}, ref: func(string) v1alpha.ResourceReference { return selectedBy("team") }},
	} {
		i++
		user := fmt.Sprintf("selecting-%d", i)
		t.Run(sentence, func(t *testing.T) {
			namespace := server.Namespace(t)
			if c.further != nil {
				grant(t, person(user), "", c.further...)
			}
			author := clientOf(t, user, namespace, append(c.may, makesJobs)...)
			ctj := makeCTJ(namespace, "watcher")
			references(c.ref(namespace))(ctj)
			err := author.Create(t.Context(), ctj)
			requireDenied(t, err, user, namespace, c.denied)
		})
	}
}

func TestAnotherSelectionIsNewInAnUpdate(t *testing.T) {
	old := []v1alpha.ResourceReference{selected("a", "b")}
	for sentence, c := range map[string]struct {
		ref  v1alpha.ResourceReference
		want int
	}{
		"the same in another order": {selected("b", "a"), 0},
		"a namespace more":          {selected("a", "b", "c"), 1},
		"a namespace less":          {selected("a"), 1},
		"all namespaces":            {selectedBy(""), 1},
		"another selector":          {v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespaces: []string{"a", "b"}, Selector: &v1alpha.LabelSelector{}}, 1},
		"an object in its place":    {configMap("a", "web"), 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			assert.Len(t, additions(old, []v1alpha.ResourceReference{c.ref}), c.want)
		})
	}
}

// longSelected is a selection whose text is much longer than what status has of it, and differs from another's at its end alone.
func longSelected(last string) v1alpha.ResourceReference {
	ref := selected()
	for i := range 20 {
		ref.Namespaces = append(ref.Namespaces, fmt.Sprintf("n-%02d-%s", i, strings.Repeat("x", 56)))
	}
	ref.Namespaces = append(ref.Namespaces, last)
	return ref
}

func TestASelectionThatDiffersAfterWhatStatusHasOfItIsNew(t *testing.T) {
	values := func(last v1alpha.LabelValue) v1alpha.ResourceReference {
		requirement := v1alpha.LabelRequirement{Key: "app", Operator: "NotIn"}
		for i := range 20 {
			requirement.Values = append(requirement.Values, v1alpha.LabelValue(fmt.Sprintf("%063d", i)))
		}
		requirement.Values = append(requirement.Values, last)
		return v1alpha.ResourceReference{APIVersion: "v1", Kind: "Secret", NamespaceSelector: &v1alpha.LabelSelector{},
			Selector: &v1alpha.LabelSelector{MatchExpressions: []v1alpha.LabelRequirement{requirement}}}
	}
	everywhere := values("x")
	everywhere.NamespaceSelector, everywhere.Namespaces = nil, []string{"m1", "m2"}
	for sentence, c := range map[string]struct{ old, ref v1alpha.ResourceReference }{
		"another namespace":           {longSelected("y"), longSelected("z")},
		"another value":               {values("y"), values("z")},
		"all namespaces after a few":  {everywhere, values("x")},
		"a few after all":             {values("x"), everywhere},
		"no namespaces after all":     {values("x"), func() v1alpha.ResourceReference { r := values("x"); r.NamespaceSelector = nil; return r }()},
		"two namespaces after one":    {selected("a,b"), selected("a", "b")},
		"one that cannot be selected": {selected(`a" "b`), selected("a", "b")},
	} {
		t.Run(sentence, func(t *testing.T) {
			assert.Len(t, additions([]v1alpha.ResourceReference{c.old}, []v1alpha.ResourceReference{c.ref}), 1)
			assert.Empty(t, additions([]v1alpha.ResourceReference{c.ref}, []v1alpha.ResourceReference{c.ref}))
		})
	}
}

// Two selections of which status has the same text cannot be made here: it takes some billions of tries, which is no protection.
// So nothing of what is compared may be shorter than what is selected.
func TestWhatIsSelectedIsComparedAsAWhole(t *testing.T) {
	ref := longSelected("last")
	ref.When = "object.data.a == '" + strings.Repeat("w", 900) + "'"
	names := make([]v1alpha.LabelValue, 0, 32)
	for i := range 32 {
		names = append(names, v1alpha.LabelValue(fmt.Sprintf("%063d", i)))
	}
	ref.Selector.MatchExpressions = []v1alpha.LabelRequirement{{Key: "tier", Operator: "In", Values: names}}
	ref.NamespaceSelector = &v1alpha.LabelSelector{MatchExpressions: []v1alpha.LabelRequirement{{Key: "team", Operator: "NotIn", Values: names}}}
	whole := referentOf(&ref)
	for _, name := range names {
		assert.Contains(t, whole.selector, name)
		assert.Contains(t, whole.namespaceSelector, name)
	}
	for _, namespace := range ref.Namespaces {
		assert.Contains(t, whole.namespaces, namespace)
	}
	assert.Equal(t, ref.When, whole.when)
	assert.Equal(t, []string{"v1", "ConfigMap", ""}, []string{whole.apiVersion, whole.kind, whole.name})

	ref.Selector.MatchLabels = map[string]v1alpha.LabelValue{"no label": "x"}
	invalid := referentOf(&ref)
	for _, name := range names {
		assert.Contains(t, invalid.selector, name, "nor of what cannot be selected by")
	}
	named := configMap("a", "web")
	assert.Equal(t, referent{apiVersion: "v1", kind: "ConfigMap", name: "web", namespaces: `["a"]`}, referentOf(&named))
}

func TestAnUnclearSelectionIsRefusedWithItsField(t *testing.T) {
	namespace := server.Namespace(t)
	ctj := makeCTJ(namespace, "watcher")
	references(selected())(ctj)
	err := server.Client.Create(t.Context(), ctj)
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	assert.ErrorContains(t, err, "spec.resources[0].namespace: Required value: namespace, namespaces or namespaceSelector is required")
	references(v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace,
		Selector: &v1alpha.LabelSelector{MatchLabels: map[string]v1alpha.LabelValue{"a b": "c"}}})(ctj)
	err = server.Client.Create(t.Context(), ctj)
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	assert.ErrorContains(t, err, "spec.resources[0].selector.matchLabels")
}
