package admission

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
	"github.com/nusnewob/kube-changejob/pkg/served"
	"github.com/nusnewob/kube-changejob/pkg/validate"
	"github.com/nusnewob/kube-changejob/pkg/when"
)

const (
	// parallelReads is how many objects are read at a time to see what the paths select in them.
	parallelReads = 8
	// maxWarnings keeps the warnings of one answer below the 4096 characters that the API server passes on.
	maxWarnings = 12
)

// foresee warns of new references and fields that are legal and probably not meant. It never refuses, and
// what cannot be found out in time is left out.
func (v *validator) foresee(ctx context.Context, c *change, user *rights) admission.Warnings {
	ctx, cancel := context.WithTimeout(ctx, warningsTimeout)
	defer cancel()
	found := make([]admission.Warnings, len(c.added))
	var group errgroup.Group
	group.SetLimit(parallelReads)
	for i, a := range c.added {
		group.Go(func() error {
			found[i] = v.foreseeOne(ctx, &c.ctj.Spec.Resources[a.index], a, user)
			return nil
		})
	}
	_ = group.Wait() // none of them returns an error
	return firstFew(slices.Concat(found...))
}

func (v *validator) foreseeOne(ctx context.Context, ref *v1alpha.ResourceReference, a addition, user *rights) admission.Warnings {
	gvk, _ := validate.GroupVersionKind(ref)
	kind, err := v.discovery.find(ctx, gvk)
	if err != nil {
		return nil // a kind of the old spec that is not served any more
	}
	path := field.NewPath("spec", "resources").Index(a.index)
	var warnings admission.Warnings
	for _, j := range a.fields {
		if ref.EffectiveFields()[j] == v1alpha.AllFields && kind.hasStatus {
			warnings = append(warnings, fmt.Sprintf(
				`%s is "*": every change of the %s's status counts; name fields such as spec to leave status out`,
				path.Child("fields").Index(j), ref.Kind))
		}
	}
	if ref.Selector != nil {
		return append(warnings, v.foreseeMatches(ctx, ref, a, kind, path, user)...)
	}
	return append(warnings, v.foreseeSelection(ctx, ref, a, kind, path, user)...)
}

// foreseeSelection warns of paths that select nothing today. The operator reads the object with its own
// rights, so only a user who may read it too is told anything of it, be it that it does not exist.
func (v *validator) foreseeSelection(ctx context.Context, ref *v1alpha.ResourceReference, a addition, kind servedKind, path *field.Path, user *rights) admission.Warnings {
	log := logf.FromContext(ctx).WithValues("reference", path.String())
	if may, err := user.allow(ctx, getting(ref, kind)); err != nil || !may {
		log.V(1).Info("gave no warnings about an object that the user may not read", "error", err)
		return nil
	}
	object, err := v.readOne(ctx, ref, kind)
	switch {
	case apierrors.IsForbidden(err):
		return admission.Warnings{fmt.Sprintf("%s: the operator may not read the %s, and will not see its changes", path, ref.Kind)}
	case err != nil:
		// Not in the API server's words: they may quote the object.
		log.Info("could not read an object to warn of paths that select nothing", "error", reasonOf(err))
		return nil
	case object == nil:
		if !ref.Counts(v1alpha.ChangeCreated) {
			return admission.Warnings{fmt.Sprintf("%s: the %s does not exist yet, and its creation will not count", path, ref.Kind)}
		}
		return admission.Warnings{fmt.Sprintf("%s: the %s does not exist yet; its creation will be a change", path, ref.Kind)}
	}

	var warnings admission.Warnings
	if a.when && v.fails(ctx, ref, object) {
		warnings = append(warnings, fmt.Sprintf("%s cannot be evaluated for the %s as it is now: its changes would wait", path.Child("when"), ref.Kind))
	}
	for _, j := range a.fields {
		selector, err := fieldpath.Compile(ref.EffectiveFields()[j])
		if err == nil && selector.Digest(object) == fieldpath.Absent {
			warnings = append(warnings, fmt.Sprintf("%s selects nothing in the %s as it is now",
				path.Child("fields").Index(j), ref.Kind))
		}
	}
	return warnings
}

// fails says whether a reference's `when` cannot be evaluated for an object, given as JSON, if that can be found out in time: whatever is asked
// at once, one is evaluated at a time, lest a few large objects take all of the memory.
func (v *validator) fails(ctx context.Context, ref *v1alpha.ResourceReference, object []byte) bool {
	select {
	case v.evaluating <- struct{}{}:
		defer func() { <-v.evaluating }()
	case <-ctx.Done():
		return false
	}
	condition, err := when.Compile(ref.When)
	return err == nil && condition.Evaluate(object, schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)) == when.Failed
}

// foreseeMatches warns of a selector that selects nothing today, or whose `when` cannot be evaluated for the first object that matches, if
// the user may know.
func (v *validator) foreseeMatches(ctx context.Context, ref *v1alpha.ResourceReference, a addition, kind servedKind, path *field.Path, user *rights) admission.Warnings {
	for _, action := range selecting(ref, kind) {
		if may, err := user.allow(ctx, action); err != nil || !may {
			return nil
		}
	}
	if ref.NamespaceSelector != nil && !ref.NamespaceSelector.Empty() {
		// Whether something matches in one of them is not looked for: there may be thousands.
		return v.foreseeNamespaces(ctx, ref, path)
	}
	where := ref.EffectiveNamespaces()
	if len(where) == 0 {
		where = []string{""}
	}
	for _, namespace := range where {
		match, err := v.firstMatch(ctx, kind.resource, namespace, ref.Selector)
		switch {
		case apierrors.IsForbidden(err):
			return admission.Warnings{fmt.Sprintf("%s: the operator may not list every %s that may match, and will not see changes", path, ref.Kind)}
		case err != nil:
			logf.FromContext(ctx).Info("could not look for what a selector selects", "reference", path.String(), "error", reasonOf(err))
			return nil
		case match != nil && a.when && v.fails(ctx, ref, match):
			return admission.Warnings{fmt.Sprintf("%s cannot be evaluated for the first %s that matches as it is now: it would not be selected", path.Child("when"), ref.Kind)}
		case match != nil:
			return nil
		}
	}
	then := "the first that does will be a change"
	switch {
	case !ref.Counts(v1alpha.ChangeCreated):
		then = "the first that does will not count"
	case ref.When != "":
		then = "the first that does, and of which its when is true, will be a change"
	}
	return admission.Warnings{fmt.Sprintf("%s: no %s matches the selector now; %s", path.Child("selector"), ref.Kind, then)}
}

// foreseeNamespaces warns of a selector of namespaces that selects none today.
func (v *validator) foreseeNamespaces(ctx context.Context, ref *v1alpha.ResourceReference, path *field.Path) admission.Warnings {
	match, err := v.firstMatch(ctx, corev1.SchemeGroupVersion.WithResource("namespaces"), "", ref.NamespaceSelector)
	switch {
	case apierrors.IsForbidden(err):
		return admission.Warnings{fmt.Sprintf("%s: the operator may not list namespaces, and will not see changes", path)}
	case err != nil:
		logf.FromContext(ctx).Info("could not look for the namespaces that a selector selects", "reference", path.String(), "error", reasonOf(err))
		return nil
	case match != nil:
		return nil
	}
	return admission.Warnings{fmt.Sprintf("%s: no namespace matches the selector now, and nothing is selected until one does", path.Child("namespaceSelector"))}
}

// firstMatch returns the first object that a selector selects in a namespace, or in all where that is empty, as JSON; nil where there is none.
func (v *validator) firstMatch(ctx context.Context, resource schema.GroupVersionResource, namespace string, by *v1alpha.LabelSelector) ([]byte, error) {
	selector, err := by.Compile()
	if err != nil {
		return nil, err
	}
	list, err := v.api.Get().AbsPath(served.Path(resource.GroupVersion())).
		NamespaceIfScoped(namespace, namespace != "").Resource(resource.Resource).
		Param("labelSelector", selector.String()).Param("limit", "1").
		SetHeader("Accept", "application/json").Do(ctx).Raw()
	if err != nil {
		return nil, err
	}
	// An extension API server may not know selectors, and answer with everything.
	for _, item := range gjson.GetBytes(list, "items").Array() {
		set := labels.Set{}
		for key, value := range item.Get("metadata.labels").Map() {
			set[key] = value.String()
		}
		if selector.Matches(set) {
			return []byte(item.Raw), nil
		}
	}
	if gjson.GetBytes(list, "metadata.continue").String() != "" {
		return nil, errNotSelected
	}
	return nil, nil
}

// errNotSelected says that an API server has answered with what does not match, and has more.
var errNotSelected = errors.New("the API server does not select by labels")

// readOne returns the referenced object as JSON, nil where it does not exist. It lists that one object, as the
// watches do: so the operator can do with the rights to list and to watch. The right to get everything would
// be one to run commands in pods, too.
func (v *validator) readOne(ctx context.Context, ref *v1alpha.ResourceReference, kind servedKind) ([]byte, error) {
	list, err := v.api.Get().AbsPath(served.Path(kind.resource.GroupVersion())).
		NamespaceIfScoped(ref.Namespace, kind.namespaced).Resource(kind.resource.Resource).
		Param("fieldSelector", fields.OneTermEqualSelector(metav1.ObjectNameField, ref.Name).String()).
		SetHeader("Accept", "application/json").Do(ctx).Raw()
	if err != nil {
		return nil, err
	}
	// An extension API server may not know the selector, and answer with everything.
	for _, item := range gjson.GetBytes(list, "items").Array() {
		if item.Get("metadata.name").String() == ref.Name {
			return []byte(item.Raw), nil
		}
	}
	return nil, nil
}

func firstFew(warnings admission.Warnings) admission.Warnings {
	if len(warnings) <= maxWarnings {
		return warnings
	}
	more := fmt.Sprintf("there are %d more warnings", len(warnings)-maxWarnings)
	return append(warnings[:maxWarnings:maxWarnings], more)
}
