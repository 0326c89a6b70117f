package trigger

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func TestMergeReferences(t *testing.T) {
	ref := func(name string, fields ...string) v1alpha.ResourceReference {
		return v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: name, Fields: fields}
	}
	merged := func(name string, fields ...string) MergedReference {
		return MergedReference{Reference: ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: name}, Fields: fields}
	}
	at := func(place int, m MergedReference) MergedReference { m.Index = place; return m }
	for sentence, c := range map[string]struct {
		in   []v1alpha.ResourceReference
		want []MergedReference
	}{
		"nothing gives nothing":           {nil, []MergedReference{}},
		"no fields mean the whole object": {[]v1alpha.ResourceReference{ref("a")}, []MergedReference{merged("a", "*")}},
		"a field named twice counts once": {[]v1alpha.ResourceReference{ref("a", "x", "x")}, []MergedReference{merged("a", "x")}},
		"the order is the spec's":         {[]v1alpha.ResourceReference{ref("b"), ref("a")}, []MergedReference{merged("b", "*"), at(1, merged("a", "*"))}},
		"entries of one object stand where it is first": {
			[]v1alpha.ResourceReference{ref("a", "x"), ref("b"), ref("a", "y", "x"), ref("a")},
			[]MergedReference{merged("a", "x", "y", "*"), at(1, merged("b", "*"))}},
	} {
		t.Run(sentence, func(t *testing.T) { assert.Equal(t, c.want, MergeReferences(c.in)) })
	}
	t.Run("another version, kind or namespace is another object", func(t *testing.T) {
		refs := []v1alpha.ResourceReference{ref("a"), ref("a"), ref("a"), ref("a")}
		refs[1].APIVersion, refs[2].Kind, refs[3].Namespace = "v2", "Secret", "other"
		assert.Len(t, MergeReferences(refs), 4)
	})
	t.Run("the spec is not touched", func(t *testing.T) {
		fields := make([]string, 1, 2)
		fields[0] = "x"
		MergeReferences([]v1alpha.ResourceReference{ref("a", fields...), ref("a", "y")})
		assert.Equal(t, "", fields[:2][1])
	})
}
