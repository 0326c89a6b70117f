package validate

import (
	"fmt"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
)

// The bounds of the CRD's schema that are not constants of the API.
const (
	maxResources        = 64
	maxHistory          = 1000
	maxAPIVersionLength = 317
	maxKindLength       = 63
	maxObjectNameLength = 253
	maxNamespaceLength  = 63
	maxFieldLength      = 256
)

const (
	// maxErrors is how many errors are listed.
	maxErrors = 16
	// maxTextBytes is how much is shown of a text that may quote a value of any size.
	maxTextBytes = 256
)

// Spec returns what is wrong with a ChangeTriggeredJob: its name, which becomes the beginning of its Jobs'
// names, and everything in its spec that can be judged without asking the API server. Of very many errors
// it lists the first sixteen and a count of the others.
func Spec(ctj *v1alpha.ChangeTriggeredJob) field.ErrorList {
	return FirstFew(append(checkName(ctj.Name), checkSpec(ctj)...))
}

// SpecUpdate is Spec for an update: it leaves out the length of the name, which no update can mend.
func SpecUpdate(ctj *v1alpha.ChangeTriggeredJob) field.ErrorList {
	return FirstFew(checkSpec(ctj))
}

func checkName(name string) field.ErrorList {
	if len(name) <= v1alpha.MaxNameLength {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("metadata", "name"), name,
		fmt.Sprintf("must be no more than %d characters: the names of its Jobs add eleven", v1alpha.MaxNameLength))}
}

func checkSpec(ctj *v1alpha.ChangeTriggeredJob) field.ErrorList {
	path := field.NewPath("spec")
	spec := &ctj.Spec
	if err := spec.Undecoded(); err != nil {
		// The other fields are empty then; what could be said of them would mislead.
		return field.ErrorList{undecodable(path, err)}
	}

	errs := checkTemplate(ctj.Name, spec.JobTemplate, path.Child("jobTemplate"))
	errs = append(errs, checkResources(spec.Resources, path.Child("resources"))...)
	errs = append(errs, checkChanges(spec.Resources, path.Child("resources"))...)
	errs = append(errs, checkSelf(ctj, path.Child("resources"))...)
	errs = append(errs, checkEnum(spec.EffectiveCondition(), path.Child("condition"),
		v1alpha.TriggerAny, v1alpha.TriggerAll)...)
	errs = append(errs, checkTiming(spec, path)...)
	if h := spec.History; h != nil && (*h < 1 || *h > maxHistory) {
		errs = append(errs, field.Invalid(path.Child("history"), *h,
			fmt.Sprintf("must be from 1 to %d", maxHistory)))
	}
	errs = append(errs, checkEnum(spec.EffectiveOnLoop(), path.Child("onLoop"), v1alpha.SlowDownLoop, v1alpha.IgnoreLoop)...)
	if l := spec.RetriggerLimit; l != nil && (*l < 1 || *l > v1alpha.MaxRetriggerLimit) {
		errs = append(errs, field.Invalid(path.Child("retriggerLimit"), *l,
			fmt.Sprintf("must be from 1 to %d", v1alpha.MaxRetriggerLimit)))
	}
	errs = append(errs, checkEnum(spec.EffectiveOnFailure(), path.Child("onFailure"),
		v1alpha.IgnoreFailure, v1alpha.RetriggerOnFailure)...)
	return append(errs, checkEnum(spec.EffectiveConcurrencyPolicy(), path.Child("concurrencyPolicy"),
		v1alpha.AllowConcurrent, v1alpha.ForbidConcurrent, v1alpha.ReplaceConcurrent)...)
}

func checkEnum[T ~string](value T, path *field.Path, allowed ...T) field.ErrorList {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return field.ErrorList{field.NotSupported(path, Shorten(string(value)), allowed)}
}

func checkResources(refs []v1alpha.ResourceReference, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(refs) == 0 {
		errs = append(errs, field.Required(path, "must name at least one object to watch"))
	}
	if len(refs) > maxResources {
		errs = append(errs, field.TooMany(path, len(refs), maxResources))
	}
	fields, namespaces := 0, 0
	for i := range refs {
		fields += len(refs[i].EffectiveFields())
		namespaces += len(refs[i].Namespaces)
		errs = append(errs, checkReference(&refs[i], path.Index(i))...)
	}
	if fields > v1alpha.MaxFields {
		errs = append(errs, field.Invalid(path, field.OmitValueType{},
			fmt.Sprintf("must have at most %d fields over all resources, not %d", v1alpha.MaxFields, fields)))
	}
	if namespaces > v1alpha.MaxNamespaces {
		errs = append(errs, field.Invalid(path, field.OmitValueType{},
			fmt.Sprintf("must have at most %d namespaces over all resources, not %d", v1alpha.MaxNamespaces, namespaces)))
	}
	return errs
}

func checkReference(ref *v1alpha.ResourceReference, path *field.Path) field.ErrorList {
	errs := checkText(ref.APIVersion, path.Child("apiVersion"), maxAPIVersionLength)
	if len(errs) == 0 {
		if _, ok := groupVersion(ref.APIVersion); !ok {
			errs = append(errs, field.Invalid(path.Child("apiVersion"), ref.APIVersion,
				"must be a version such as v1, or a group and a version such as apps/v1"))
		}
	}
	errs = append(errs, checkText(ref.Kind, path.Child("kind"), maxKindLength)...)
	errs = append(errs, checkSelection(ref, path)...)
	if ref.Namespace != "" {
		errs = append(errs, checkSegment(ref.Namespace, path.Child("namespace"), maxNamespaceLength)...)
	}
	for j, expr := range ref.Fields {
		at := path.Child("fields").Index(j)
		if problems := checkText(expr, at, maxFieldLength); len(problems) > 0 {
			errs = append(errs, problems...)
			continue
		}
		if _, err := fieldpath.Compile(expr); err != nil {
			errs = append(errs, field.Invalid(at, field.OmitValueType{}, err.Error()))
		}
	}
	return errs
}

// checkText checks that text is there, and has at most limit characters.
func checkText(text string, path *field.Path, limit int) field.ErrorList {
	switch {
	case text == "":
		return field.ErrorList{field.Required(path, "must not be empty")}
	case utf8.RuneCountInString(text) > limit:
		return field.ErrorList{field.TooLongCharacters(path, text, limit)}
	default:
		return nil
	}
}

// checkSegment checks a name by the one rule that holds for names of every kind: it can be a segment of a
// path of the API.
func checkSegment(name string, path *field.Path, limit int) field.ErrorList {
	errs := checkText(name, path, limit)
	for _, problem := range content.IsPathSegmentName(name) {
		errs = append(errs, field.Invalid(path, Shorten(name), problem))
	}
	return errs
}

// groupVersion parses an apiVersion; ok is false for one that the API server cannot serve, "/v1" and
// "apps/" among them.
func groupVersion(apiVersion string) (gv schema.GroupVersion, ok bool) {
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil || gv.Version == "" || gv.String() != apiVersion {
		return gv, false
	}
	problems := append(content.IsPathSegmentName(gv.Group), content.IsPathSegmentName(gv.Version)...)
	return gv, len(problems) == 0
}

func undecodable(path *field.Path, err error) *field.Error {
	return field.Invalid(path, field.OmitValueType{}, Shorten(err.Error()))
}

// Shorten cuts a text that may be of any size after 256 bytes, at a character's boundary.
func Shorten(text string) string {
	if len(text) <= maxTextBytes {
		return text
	}
	end := maxTextBytes
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// FirstFew returns the first sixteen errors and a count of the others, so that no object makes a message
// that is too large to be shown.
func FirstFew(errs field.ErrorList) field.ErrorList {
	if len(errs) <= maxErrors {
		return errs
	}
	more := &field.Error{Type: errs[maxErrors].Type, Field: "spec", BadValue: field.OmitValueType{},
		Detail: fmt.Sprintf("has %d more errors", len(errs)-maxErrors)}
	return append(errs[:maxErrors:maxErrors], more)
}
