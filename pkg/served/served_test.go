package served

import (
	"testing"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func resource(name, kind string, verbs ...string) metav1.APIResource {
	return metav1.APIResource{Name: name, Kind: kind, Namespaced: true, Verbs: verbs}
}

func TestOfTheResourcesOfAKindTheOneThatCanBeReadIsPicked(t *testing.T) {
	best := resource("best", "Widget", "get", "list", "watch")
	for sentence, c := range map[string]struct {
		resources []metav1.APIResource
		want      string
	}{
		"the only one": {[]metav1.APIResource{resource("others", "Other", "list", "watch"), best}, "best"},
		"what can be watched, rather than listed only": {[]metav1.APIResource{resource("listed", "Widget", "get", "list"), best}, "best"},
		"wherever it stands":                           {[]metav1.APIResource{best, resource("listed", "Widget", "get", "list")}, "best"},
		"what can be listed, rather than created only": {[]metav1.APIResource{resource("created", "Widget", "create"), resource("listed", "Widget", "list")}, "listed"},
		"rather than watched only":                     {[]metav1.APIResource{resource("watched", "Widget", "watch"), resource("listed", "Widget", "list")}, "listed"},
		"the first of those that can both":             {[]metav1.APIResource{best, resource("another", "Widget", "list", "watch")}, "best"},
		"the first of those that can neither":          {[]metav1.APIResource{resource("created", "Widget", "create"), resource("another", "Widget", "create")}, "created"},
		"no subresource":                               {[]metav1.APIResource{resource("others/widget", "Widget", "list", "watch"), resource("created", "Widget", "create")}, "created"},
		"no name that leads elsewhere in a URL": {[]metav1.APIResource{
			resource("..", "Widget", "list", "watch"), resource(".", "Widget", "list", "watch"), resource("a%2fb", "Widget", "list", "watch"),
			resource("", "Widget", "list", "watch"), resource("created", "Widget", "create")}, "created"},
		"nothing of another kind":                               {[]metav1.APIResource{resource("others", "Other", "list", "watch")}, ""},
		"nothing of a kind that is written otherwise":           {[]metav1.APIResource{resource("widgets", "widget", "list", "watch")}, ""},
		"nothing where there is a subresource of its own alone": {[]metav1.APIResource{resource("others/scale", "Widget", "get")}, ""},
		"nothing of nothing":                                    {nil, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			picked, ok := Pick(c.resources, "Widget")
			assert.Equal(t, c.want, picked.Name)
			assert.Equal(t, c.want != "", ok)
		})
	}
}

func TestWhatIsToldOfAResource(t *testing.T) {
	status := resource("widgets/status", "Widget", "get", "patch")
	for sentence, c := range map[string]struct {
		resources []metav1.APIResource
		want      Resource
	}{
		"with status":               {[]metav1.APIResource{resource("widgets", "Widget", "list", "watch"), status}, Resource{"widgets", true, true, true, true}},
		"which may stand before it": {[]metav1.APIResource{status, resource("widgets", "Widget", "list")}, Resource{"widgets", true, true, false, true}},
		"with another's":            {[]metav1.APIResource{resource("gadgets", "Widget", "create"), status}, Resource{"gadgets", true, false, false, false}},
		"of the cluster":            {[]metav1.APIResource{{Name: "widgets", Kind: "Widget", Verbs: []string{"watch"}}}, Resource{"widgets", false, false, true, false}},
	} {
		t.Run(sentence, func(t *testing.T) {
			picked, ok := Pick(c.resources, "Widget")
			assert.True(t, ok)
			assert.Equal(t, c.want, picked)
		})
	}
}

func TestPath(t *testing.T) {
	assert.Equal(t, "/api/v1", Path(schema.GroupVersion{Version: "v1"}))
	assert.Equal(t, "/apis/apps/v1", Path(schema.GroupVersion{Group: "apps", Version: "v1"}))
}
