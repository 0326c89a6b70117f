package validate

import (
	"fmt"

	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// The bounds of the schema of selections.
const (
	maxNamespacesOfOne = 64
	maxLabels          = 16
	maxExpressions     = 16
	maxValues          = 32
	// maxSelectorText is how long a selector may be as a text: it becomes part of a URL.
	maxSelectorText = 4096
)

// What is said of a reference that does not say clearly what it selects. The CRD's rules say the same.
const (
	NameOrSelector        = "exactly one of name and selector must be set"
	OnlyWithSelector      = "may be set only together with selector"
	OneOfNamespaceSources = "at most one of namespace, namespaces and namespaceSelector may be set"
)

// checkSelection checks how a reference says which objects it means, but for its namespace.
func checkSelection(ref *v1alpha.ResourceReference, path *field.Path) field.ErrorList {
	if ref.Selector == nil {
		errs := checkSegment(ref.Name, path.Child("name"), maxObjectNameLength)
		if len(ref.Namespaces) > 0 {
			errs = append(errs, field.Forbidden(path.Child("namespaces"), OnlyWithSelector))
		}
		if ref.NamespaceSelector != nil {
			errs = append(errs, field.Forbidden(path.Child("namespaceSelector"), OnlyWithSelector))
		}
		return errs
	}

	var errs field.ErrorList
	if ref.Name != "" {
		errs = append(errs, field.Forbidden(path.Child("name"), NameOrSelector))
	}
	errs = append(errs, checkSelector(ref.Selector, path.Child("selector"))...)
	if ref.Namespace != "" && len(ref.Namespaces) > 0 {
		errs = append(errs, field.Forbidden(path.Child("namespaces"), OneOfNamespaceSources))
	}
	if (ref.Namespace != "" || len(ref.Namespaces) > 0) && ref.NamespaceSelector != nil {
		errs = append(errs, field.Forbidden(path.Child("namespaceSelector"), OneOfNamespaceSources))
	}
	if len(ref.Namespaces) > maxNamespacesOfOne {
		errs = append(errs, field.TooMany(path.Child("namespaces"), len(ref.Namespaces), maxNamespacesOfOne))
	}
	for i, namespace := range ref.Namespaces {
		errs = append(errs, checkSegment(namespace, path.Child("namespaces").Index(i), maxNamespaceLength)...)
	}
	if ref.NamespaceSelector != nil {
		errs = append(errs, checkSelector(ref.NamespaceSelector, path.Child("namespaceSelector"))...)
	}
	return errs
}

// checkSelector checks that a selector is one, and of a size at which it can be asked for.
func checkSelector(selector *v1alpha.LabelSelector, path *field.Path) field.ErrorList {
	if len(selector.MatchLabels) > maxLabels {
		return field.ErrorList{field.TooMany(path.Child("matchLabels"), len(selector.MatchLabels), maxLabels)}
	}
	if len(selector.MatchExpressions) > maxExpressions {
		return field.ErrorList{field.TooMany(path.Child("matchExpressions"), len(selector.MatchExpressions), maxExpressions)}
	}
	for i := range selector.MatchExpressions {
		if values := selector.MatchExpressions[i].Values; len(values) > maxValues {
			return field.ErrorList{field.TooMany(path.Child("matchExpressions").Index(i).Child("values"), len(values), maxValues)}
		}
	}
	errs := metav1validation.ValidateLabelSelector(selector.Standard(), metav1validation.LabelSelectorValidationOptions{}, path)
	for _, err := range errs {
		if text, ok := err.BadValue.(string); ok {
			err.BadValue = Shorten(text)
		}
	}
	if len(errs) > 0 {
		return errs
	}
	compiled, err := selector.Compile()
	if err != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, Shorten(err.Error()))}
	}
	if size := len(compiled.String()); size > maxSelectorText {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{},
			fmt.Sprintf("must be no more than %d characters as a text, not %d", maxSelectorText, size))}
	}
	return nil
}
