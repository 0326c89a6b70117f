package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/pkg/validate"
)

// Checker checks with somebody's own rights.
type Checker struct {
	// Client acts as them.
	Client client.Client
	// Objects reads objects as them.
	Objects *Objects
	// Warnings hears what the API server warns of in answers to Client.
	Warnings *Warnings
	// Values is true where values are to be shown, except for those of Secrets.
	Values bool
}

// Check judges an object, whose namespace must be set, as it would be stored if it were applied. The error is about the means, not
// about the object.
func (c *Checker) Check(ctx context.Context, object *unstructured.Unstructured) (report.Check, error) {
	found := report.Check{
		Namespace: object.GetNamespace(), Name: object.GetName(),
		Problems: []report.Problem{}, Warnings: []string{}, Looks: []report.CheckReference{},
	}
	if _, err := typed(object); err != nil {
		found.Problems = append(found.Problems, report.Problem{Message: err.Error()})
		return found, nil
	}
	c.Warnings.Take() // those of other requests
	t, err := c.try(ctx, object)
	found.Warnings = append(found.Warnings, c.Warnings.Take()...)
	if err != nil {
		return found, err
	}
	if t.refusal != nil {
		refused, ok := problemsOf(t.refusal)
		if !ok {
			return found, t.refusal
		}
		found.Problems = append(found.Problems, refused...)
	}
	ours, err := c.ourProblems(ctx, t)
	if err != nil {
		return found, err
	}
	found.Problems = merge(found.Problems, ours)
	if found.Valid = len(found.Problems) == 0; found.Valid {
		found.Action = t.action()
	}
	found.Looks, err = c.look(ctx, t.ctj)
	return found, err
}

func typed(object *unstructured.Unstructured) (*v1alpha.ChangeTriggeredJob, error) {
	data, err := object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	ctj := &v1alpha.ChangeTriggeredJob{}
	if err := jsonUnmarshal(data, ctj); err != nil {
		return nil, fmt.Errorf("metadata does not fit: %w", err)
	}
	return ctj, nil
}

// problemsOf is what an API server says of an object; ok is false where it says nothing of it, but has failed.
func problemsOf(err error) (problems []report.Problem, ok bool) {
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) {
		return nil, false
	}
	status := answer.Status()
	if status.Code < 400 || status.Code >= 500 || apierrors.IsUnauthorized(err) || apierrors.IsTooManyRequests(err) {
		return nil, false
	}
	if status.Details == nil || len(status.Details.Causes) == 0 {
		return []report.Problem{{Message: err.Error()}}, true
	}
	for _, cause := range status.Details.Causes {
		problems = append(problems, problemOfCause(cause.Field, cause.Message))
	}
	return problems, true
}

// problemOfCause is a cause of a refusal as a problem. What does not fit the types is said of a patch as a whole, with all of the object in
// front of it: of that only what it comes to is told.
func problemOfCause(path, message string) report.Problem {
	const strict = "strict decoding error: "
	if path == "patch" {
		if at := strings.LastIndex(message, strict); at >= 0 {
			return report.Problem{Message: message[at:]}
		}
	}
	return report.Problem{Field: path, Message: message}
}

// ourProblems is what our own rules say, of which an API server without the webhook knows only a part. They are those by which the
// operator calls a spec invalid. The webhook lets more pass, so that what is stored can be edited and cleaned up: a spec as it is
// stored, by whichever rules, and a name that no update can mend. The operator runs nothing for these, which is what their author
// wants to know. What was watched before may not be served any more, as with the webhook.
func (c *Checker) ourProblems(ctx context.Context, t *trial) ([]report.Problem, error) {
	errs := validate.Spec(t.ctj)
	if t.ctj.Spec.Undecoded() == nil {
		var failure error
		kinds := func(kind schema.GroupVersionKind) (bool, error) {
			found, err := c.Objects.find(ctx, kind)
			if err == nil && !found.Listable {
				err = validate.ErrNotListable
			}
			if err != nil && !isNotServed(err) && !errors.Is(err, validate.ErrNotListable) {
				failure = errors.Join(failure, err)
			}
			return found.Namespaced, err
		}
		errs = append(errs, validate.References(t.ctj.Spec.Resources, kinds, t.isNewKind)...)
		if failure != nil && ctx.Err() != nil {
			return nil, failure
		}
	}
	problems := make([]report.Problem, 0, len(errs))
	for _, err := range errs {
		problems = append(problems, problemOf(err))
	}
	return problems, nil
}

func problemOf(err *field.Error) report.Problem {
	return report.Problem{Field: err.Field, Message: err.ErrorBody()}
}

// merge adds those of ours that nobody has told yet: of a field that is in trouble already, the API server's words are enough.
func merge(theirs, ours []report.Problem) []report.Problem {
	told := make([]string, 0, len(theirs))
	for _, problem := range theirs {
		told = append(told, problem.Field)
	}
	for _, problem := range ours {
		if problem.Field == "" || !slices.Contains(told, problem.Field) {
			theirs = append(theirs, problem)
		}
	}
	return theirs
}
