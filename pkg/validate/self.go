package validate

import (
	"math"
	"regexp"
	"slices"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
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
// gives them, and those that Kubernetes gives to every Job's Pods. Of namespaces that are selected by their labels, each may be its own. What has a template that cannot be decoded
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
	var added addedLabels
	switch gv.WithKind(ref.Kind).GroupKind() {
	case schema.GroupKind{Group: batchv1.GroupName, Kind: "Job"}:
		given = template.Labels
	case schema.GroupKind{Kind: "Pod"}:
		given, added = template.Spec.Template.Labels, labelsOfPods(&template.Spec)
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
	if err != nil {
		return false
	}
	requirements, selectable := selector.Requirements()
	return selectable && !slices.ContainsFunc(requirements, func(r labels.Requirement) bool { return !added.match(&r, all) })
}

// addedLabels are those that Kubernetes gives to the Pods of a Job, whose values are not known before there is one, by key.
type addedLabels map[string]addedLabel

// addedLabel is a label that the Pods of one Job after the other have.
type addedLabel struct {
	// can says whether they can have a value that a selector names.
	can func(value string) bool
	// values is how many different ones there are.
	values int
}

// labelsOfPods are those that the Pods of a Job have besides those of its template.
func labelsOfPods(spec *batchv1.JobSpec) addedLabels {
	added := addedLabels{}
	if spec.ManualSelector == nil || !*spec.ManualSelector {
		// A name and a UID are those of one Job: who selects by one selects no Job after that.
		for _, key := range []string{batchv1.JobNameLabel, legacyJobName, batchv1.ControllerUidLabel, legacyControllerUID} {
			added[key] = addedLabel{can: func(string) bool { return false }, values: math.MaxInt}
		}
	}
	if spec.CompletionMode != nil && *spec.CompletionMode == batchv1.IndexedCompletion {
		completions := 1
		if spec.Completions != nil {
			completions = int(*spec.Completions)
		}
		added[batchv1.JobCompletionIndexAnnotation] = addedLabel{values: completions, can: func(value string) bool {
			index, err := strconv.Atoi(value)
			return err == nil && index >= 0 && index < completions && strconv.Itoa(index) == value
		}}
	}
	return added
}

// The labels by which Pods were told whose they are before these had a domain; they have both.
const (
	legacyJobName       = "job-name"
	legacyControllerUID = "controller-uid"
)

// match says whether Pods of one Job after the other can meet a requirement; set has the labels that are known.
func (l addedLabels) match(r *labels.Requirement, set labels.Set) bool {
	label, added := l[r.Key()]
	if !added {
		return r.Matches(set)
	}
	values := slices.Compact(slices.Sorted(slices.Values(r.ValuesUnsorted())))
	named := len(slices.DeleteFunc(values, func(value string) bool { return !label.can(value) }))
	switch r.Operator() {
	case selection.In, selection.Equals, selection.DoubleEquals:
		return named > 0
	case selection.NotIn, selection.NotEquals:
		return named < label.values
	case selection.DoesNotExist:
		return false
	default:
		return true // they have the label
	}
}
