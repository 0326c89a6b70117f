package validate

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func TestChanges(t *testing.T) {
	const created, updated, deleted = v1alpha.ChangeCreated, v1alpha.ChangeUpdated, v1alpha.ChangeDeleted
	named := func(name string, changes ...v1alpha.ChangeType) v1alpha.ResourceReference {
		return v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: name, Changes: changes}
	}
	selecting := func(namespaces []string, changes ...v1alpha.ChangeType) v1alpha.ResourceReference {
		return v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespaces: namespaces, Selector: web(), Changes: changes}
	}
	when := func(expression string, ref v1alpha.ResourceReference) v1alpha.ResourceReference {
		ref.When = expression
		return ref
	}
	lengthy := func(count int) []v1alpha.ResourceReference { // each as long as it may be, and different
		refs := make([]v1alpha.ResourceReference, count)
		for i := range refs {
			name := strconv.Itoa(i)
			refs[i] = when("object.a != '"+name+strings.Repeat("x", 1009)+"'", named(name))
		}
		return refs
	}
	const disagree = "spec.resources[1].changes: Invalid value: must be the same as in spec.resources[0], which names or selects the same: " +
		"these entries are merged"
	for sentence, c := range map[string]struct {
		refs []v1alpha.ResourceReference
		want []string
	}{
		"all":                      {[]v1alpha.ResourceReference{named("a")}, nil},
		"some":                     {[]v1alpha.ResourceReference{named("a", created, deleted)}, nil},
		"others for other objects": {[]v1alpha.ResourceReference{named("a", created), named("b", deleted), named("c")}, nil},
		"the same for an object that is named twice, in any order": {
			[]v1alpha.ResourceReference{named("a", created, updated), named("a", updated, created)}, nil},
		"all of them are as many as none said": {[]v1alpha.ResourceReference{named("a", created, updated, deleted), named("a")}, nil},
		"others for an object that is named twice": {
			[]v1alpha.ResourceReference{named("a", created), named("a", created, updated)}, []string{disagree}},
		"some, and all, for an object that is named twice": {[]v1alpha.ResourceReference{named("a", created), named("a")}, []string{disagree}},
		"others for the same selection": {
			[]v1alpha.ResourceReference{selecting([]string{"a", "b"}, created), selecting([]string{"b", "a"}, deleted)}, []string{disagree}},
		"a change that there is not": {[]v1alpha.ResourceReference{named("a", "Touched")},
			[]string{`spec.resources[0].changes[0]: Unsupported value: "Touched": supported values: "Created", "Updated", "Deleted"`}},
		"a when": {[]v1alpha.ResourceReference{when("object.status.phase == 'Ready'", named("a"))}, nil},
		"a when that is none": {[]v1alpha.ResourceReference{named("a"), when("object.status.phase", named("b"))},
			[]string{`spec.resources[1].when: Invalid value: must be a bool, not dyn; compare it, as in … == true`}},
		"a when that is too long": {[]v1alpha.ResourceReference{when(strings.Repeat(" ", 1021)+"true", named("a"))},
			[]string{`spec.resources[0].when: Invalid value: must have at most 1024 characters, not 1025`}},
		"whens that are too long together": {
			append(lengthy(9), named("a"), when("object.status.phase", named("b"))),
			[]string{`spec.resources[8].when: Invalid value: different expressions may have 8192 characters together`}},
		"as long ones that are not":              {lengthy(8), nil},
		"and the same one as often as one likes": {append(lengthy(8), lengthy(8)...), nil},
		"another when for an object that is named twice": {[]v1alpha.ResourceReference{when("true", named("a")), named("a")},
			[]string{strings.Replace(disagree, "changes", "when", 1)}},
		"another when for the same selector is another selection": {
			[]v1alpha.ResourceReference{when("true", selecting([]string{"a"}, created)), selecting([]string{"a"}, deleted)}, nil},
		"one that is said twice": {[]v1alpha.ResourceReference{named("a", created, created)},
			[]string{`spec.resources[0].changes[1]: Duplicate value: "Created"`}},
	} {
		t.Run(sentence, func(t *testing.T) {
			ctj := valid()
			ctj.Spec.Resources = c.refs
			assert.ElementsMatch(t, c.want, messages(Spec(ctj)))
		})
	}
}
