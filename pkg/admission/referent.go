package admission

import (
	"encoding/json"
	"fmt"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// referent is what a reference names or selects, as a whole. About a reference to an object that was in the spec before nobody is
// asked: so it is not the text by which status names a selection, since a long one of these is cut, and ends with a few
// bytes of a hash. An author who is patient enough finds two selections that have the same.
type referent struct {
	apiVersion, kind, name string
	// namespaces are quoted, so that no two lists are one text.
	namespaces string
	// selects and byLabels are true where there is a selector, and one of namespaces: an empty one selects everything.
	selects, byLabels           bool
	selector, namespaceSelector string
	// when is set where objects are selected, of which it is a part.
	when string
}

func referentOf(ref *v1alpha.ResourceReference) referent {
	r := referent{apiVersion: ref.APIVersion, kind: ref.Kind, name: ref.Name, namespaces: fmt.Sprintf("%q", ref.EffectiveNamespaces())}
	if ref.Selector != nil {
		r.selects, r.selector, r.when = true, wholeText(ref.Selector), ref.When
	}
	if ref.NamespaceSelector != nil {
		r.byLabels, r.namespaceSelector = true, wholeText(ref.NamespaceSelector)
	}
	return r
}

// wholeText is a selector in the form that kubectl takes, the same for those that are written in another order; of what is no
// selector, and refused for it, how it is written.
func wholeText(selector *v1alpha.LabelSelector) string {
	if compiled, err := selector.Compile(); err == nil {
		return compiled.String()
	}
	written, _ := json.Marshal(selector)
	return "invalid " + string(written)
}
