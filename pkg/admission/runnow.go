package admission

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/validate"
)

// Whoever sets the annotation that asks for a Job has the operator create one: they must be allowed to do so themselves,
// as who writes the template must. It is metadata, so that this is asked although the spec is as it was.

// newRequests returns which of the annotations that ask for a Job have a value that they did not have before.
func newRequests(old, annotations map[string]string) []string {
	var names []string
	for _, name := range validate.RunNowAnnotations {
		if value := annotations[name]; value != "" && value != old[name] {
			names = append(names, name)
		}
	}
	return names
}

// judgeRequests judges an update that asks for a Job and leaves the spec as it is: what was once stored is not judged
// again, and with an invalid spec the Job waits until that is mended.
func (v *validator) judgeRequests(ctx context.Context, c *change) (admission.Warnings, error) {
	errs := checkRequests(c)
	if v.AuthorizeReferences {
		errs = append(errs, v.checkRights(ctx, c, v.rightsOfUser(ctx), nil, nil)...)
	}
	return nil, refusal(c.ctj, errs)
}

// checkRequests refuses what the operator would refuse, while somebody still looks: a value that is too long, and a Job of
// a ChangeTriggeredJob that is suspended.
func checkRequests(c *change) field.ErrorList {
	var errs field.ErrorList
	for _, name := range c.requests {
		value := c.ctj.Annotations[name]
		errs = append(errs, validate.RunNow(name, value)...)
		if name == v1alpha.RunNowAnnotation && !c.creates && c.ctj.Spec.Suspended() && c.ctj.Annotations[v1alpha.RunNowForceAnnotation] != value {
			errs = append(errs, field.Forbidden(validate.AnnotationPath(name), fmt.Sprintf(
				"the ChangeTriggeredJob is suspended: resume it, or set %s to the same value", v1alpha.RunNowForceAnnotation)))
		}
	}
	return errs
}

// warnOfRequests says that nothing runs for what a new object asks for.
func warnOfRequests(c *change) admission.Warnings {
	if !c.creates || c.ctj.Annotations[v1alpha.RunNowAnnotation] == "" {
		return nil
	}
	return admission.Warnings{fmt.Sprintf("%s: a new ChangeTriggeredJob runs no Job for it: it may be a copy, or restored; the next value will",
		validate.AnnotationPath(v1alpha.RunNowAnnotation))}
}
