package validate

import (
	"errors"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// What is said of a reference that does not fit its kind. Users search for these texts: they are part of
// the contract.
const (
	KindDoesNotExist    = "resource kind does not exist"
	NamespaceRequired   = "namespace is required for namespaced resources"
	NamespaceNotAllowed = "namespace must not be set for cluster-scoped resources"
	// SelectionNamespaceRequired is said of a selector of a namespaced kind that does not say where it selects.
	SelectionNamespaceRequired = "namespace, namespaces or namespaceSelector is required for namespaced resources " +
		"(an empty namespaceSelector, {}, selects all namespaces)"
	// KindCannotBeListed is said of kinds whose objects can be created and perhaps read, but not found.
	KindCannotBeListed = "objects of this kind cannot be listed, so that their changes cannot be seen"
	// KindNotVerified is said where the API server could not be asked whether it serves a kind. The error
	// has type field.ErrorTypeInternal: nothing is known to be wrong, and trying again may help.
	KindNotVerified = "could not be verified because the API server's discovery failed; try again"
)

// ErrNotListable is the error of Kinds for a kind whose objects the API server does not list.
var ErrNotListable = errors.New(KindCannotBeListed)

// Kinds tells whether the objects of a kind live in namespaces. Its error is one for which
// meta.IsNoMatchError is true where the API server has answered and does not serve the kind in this
// version, ErrNotListable where it serves it and does not list its objects, and any other where it could not
// be asked.
type Kinds func(kind schema.GroupVersionKind) (namespaced bool, err error)

// References returns which references do not fit their kinds: kinds that are not served, namespaces that
// are missing or too many. Only kinds for which mustBeServed answers true are refused for not being
// served or listed; the references of others, and of every kind where mustBeServed is nil, pass unchecked while
// nothing is known of their kind. References without a parseable apiVersion are left to Spec.
func References(refs []v1alpha.ResourceReference, kinds Kinds, mustBeServed func(schema.GroupVersionKind) bool) field.ErrorList {
	type answer struct {
		namespaced bool
		err        error
	}
	answers := map[schema.GroupVersionKind]answer{}

	var errs field.ErrorList
	for i := range refs {
		ref, path := &refs[i], field.NewPath("spec", "resources").Index(i)
		kind, ok := GroupVersionKind(ref)
		if !ok {
			continue
		}
		known, asked := answers[kind]
		if !asked {
			known.namespaced, known.err = kinds(kind)
			answers[kind] = known
		}
		switch {
		case known.err != nil:
			if mustBeServed != nil && mustBeServed(kind) {
				errs = append(errs, KindError(path.Child("kind"), ref.Kind, known.err))
			}
		case known.namespaced && ref.Selector != nil:
			if ref.Namespace == "" && len(ref.Namespaces) == 0 && ref.NamespaceSelector == nil {
				errs = append(errs, field.Required(path.Child("namespace"), SelectionNamespaceRequired))
			}
		case known.namespaced && ref.Namespace == "":
			errs = append(errs, field.Required(path.Child("namespace"), NamespaceRequired))
		case known.namespaced:
		case ref.Namespace != "":
			errs = append(errs, field.Forbidden(path.Child("namespace"), NamespaceNotAllowed))
		case len(ref.Namespaces) > 0:
			errs = append(errs, field.Forbidden(path.Child("namespaces"), NamespaceNotAllowed))
		case ref.NamespaceSelector != nil:
			errs = append(errs, field.Forbidden(path.Child("namespaceSelector"), NamespaceNotAllowed))
		}
	}
	return FirstFew(errs)
}

// GroupVersionKind returns the kind that a reference names; ok is false where its apiVersion is not one.
func GroupVersionKind(ref *v1alpha.ResourceReference) (kind schema.GroupVersionKind, ok bool) {
	gv, ok := groupVersion(ref.APIVersion)
	return gv.WithKind(ref.Kind), ok && ref.Kind != ""
}

// KindError is what is said at path of a kind about which Kinds has answered with an error.
func KindError(path *field.Path, kind string, err error) *field.Error {
	if meta.IsNoMatchError(err) {
		return field.Invalid(path, Shorten(kind), KindDoesNotExist)
	}
	if errors.Is(err, ErrNotListable) {
		return field.Invalid(path, Shorten(kind), KindCannotBeListed)
	}
	// What discovery said is the operator's to know, not the user's.
	return &field.Error{Type: field.ErrorTypeInternal, Field: path.String(), BadValue: field.OmitValueType{}, Detail: KindNotVerified}
}
