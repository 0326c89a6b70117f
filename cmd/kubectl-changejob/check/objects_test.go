package check

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// TestWhatIsLookedAtIsWhatIsWatched: of several resources of one kind, the one that the operator takes.
func TestWhatIsLookedAtIsWhatIsWatched(t *testing.T) {
	gv := schema.GroupVersion{Group: "example.com", Version: "v1"}
	o := &Objects{served: map[schema.GroupVersion][]metav1.APIResource{gv: {
		{Name: "listed", Kind: "Widget", Namespaced: true, Verbs: metav1.Verbs{"get", "list"}},
		{Name: "watched", Kind: "Widget", Namespaced: true, Verbs: metav1.Verbs{"get", "list", "watch"}},
	}}}
	found, err := o.find(t.Context(), gv.WithKind("Widget"))
	require.NoError(t, err)
	assert.Equal(t, "/apis/example.com/v1/namespaces/team/watched", collectionPath(gv, found, "team"))
	_, err = o.find(t.Context(), gv.WithKind("Gadget"))
	assert.True(t, isNotServed(err))
}
