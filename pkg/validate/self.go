package validate

import (
	"regexp"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
)

// WatchesItself is said of a ChangeTriggeredJob that would trigger itself.
const WatchesItself = "would count what the operator writes into this ChangeTriggeredJob, so that each Job led to the next; " +
	"of itself it may watch spec, metadata.labels or metadata.annotations"

// SelectsItsJobs is said of a ChangeTriggeredJob whose selector selects its own Jobs, or their Pods.
const SelectsItsJobs = "selects the Jobs of this ChangeTriggeredJob, or their Pods, so that each Job led to the next; " +
	"select others by a label that these do not have, such as " + job.OwnerLabel

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
	return append(errs, checkItsJobs(ctj, path)...)
}

// checkItsJobs refuses selectors that select what the ChangeTriggeredJob itself creates. The first Job would be a change,
// whatever fields count.
func checkItsJobs(ctj *v1alpha.ChangeTriggeredJob, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range ctj.Spec.Resources {
		if SelectsJobsOf(&ctj.Spec.Resources[i], ctj) {
			errs = append(errs, field.Invalid(path.Index(i).Child("selector"), field.OmitValueType{}, SelectsItsJobs))
		}
	}
	return errs
}

// SelectsJobsOf reports whether a reference selects the Jobs that a ChangeTriggeredJob creates, or their Pods, by the labels that it
// gives them. Of namespaces that are selected by their labels, each may be its own. What has a template that cannot be decoded
// creates nothing.
func SelectsJobsOf(ref *v1alpha.ResourceReference, ctj *v1alpha.ChangeTriggeredJob) bool {
	if ref.Selector == nil || !mayBe(ref, ctj.Namespace, "") {
		return false
	}
	template, err := ctj.Spec.JobTemplate.Decode()
	if err != nil {
		return false
	}
	gv, _ := groupVersion(ref.APIVersion)
	var given map[string]string
	switch gv.WithKind(ref.Kind).GroupKind() {
	case schema.GroupKind{Group: batchv1.GroupName, Kind: "Job"}:
		given = template.Labels
	case schema.GroupKind{Kind: "Pod"}:
		given = template.Spec.Template.Labels
	default:
		return false
	}
	all := labels.Set{job.OwnerLabel: ctj.Name}
	for key, value := range given {
		if key != job.OwnerLabel {
			all[key] = value
		}
	}
	selector, err := ref.Selector.Compile()
	return err == nil && selector.Matches(all)
}
