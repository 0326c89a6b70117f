package validate

import (
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// WatchesItself is said of a ChangeTriggeredJob that would trigger itself.
const WatchesItself = "would count what the operator writes into this ChangeTriggeredJob, so that each Job led to the next; " +
	"of itself it may watch spec, metadata.labels or metadata.annotations"

// peoplesFields matches the paths that select what people alone write into a ChangeTriggeredJob. It names what
// is harmless, not what is not: a filter or a wildcard may well reach status.
var peoplesFields = regexp.MustCompile(`^\{?\$?\.?(spec|metadata\.labels|metadata\.annotations)([.\[}]|$)`)

// mayBe says whether the reference names the object, or may select it: its labels can change, and those of its
// namespace.
func mayBe(ref *v1alpha.ResourceReference, namespace, name string) bool {
	if ref.Selector == nil {
		return ref.Name == name && ref.Namespace == namespace
	}
	return ref.NamespaceSelector != nil || slices.Contains(ref.EffectiveNamespaces(), namespace)
}

// checkSelf refuses references of a ChangeTriggeredJob to itself that its own status would change. It would run
// one Job after another, for ever.
func checkSelf(ctj *v1alpha.ChangeTriggeredJob, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range ctj.Spec.Resources {
		ref := &ctj.Spec.Resources[i]
		if ref.Kind != v1alpha.Kind || !mayBe(ref, ctj.Namespace, ctj.Name) {
			continue
		}
		if gv, _ := groupVersion(ref.APIVersion); gv.Group != v1alpha.GroupVersion.Group {
			continue
		}
		for j, expr := range ref.EffectiveFields() {
			if !peoplesFields.MatchString(expr) {
				errs = append(errs, field.Invalid(path.Index(i).Child("fields").Index(j), Shorten(expr), WatchesItself))
			}
		}
	}
	return errs
}
