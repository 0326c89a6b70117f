package admission

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/pkg/validate"
)

// trialNumber is the trigger number of a trial Job; no real Job has it, nor the name that it gives.
const trialNumber = math.MaxInt64

// trialUID stands for the UID of an object that has none yet.
const trialUID types.UID = "00000000-0000-0000-0000-000000000000"

// trialHash is as long as the hashes that Jobs carry.
const trialHash = "v1-00000000:00000000000000000000000000000000"

// tryJob has the API server judge the Job that a new or changed template makes, without creating it. Only
// the verdict that the Job is invalid refuses the template. Whatever else stands in the way may be gone
// when the Job is due (a quota, another webhook that is down) and is a warning.
func (v *validator) tryJob(ctx context.Context, c *change) (admission.Warnings, error) {
	if !c.template {
		return nil, nil
	}
	path := field.NewPath("spec", "jobTemplate")
	trial, err := trialJob(c.ctj)
	if err != nil {
		return nil, refusal(c.ctj, field.ErrorList{buildError(path, err)})
	}

	ctx, cancel := context.WithTimeout(ctx, trialTimeout)
	defer cancel()
	err = v.client.Create(ctx, trial, client.DryRunAll)
	if err == nil {
		return nil, nil
	}
	if apierrors.IsInvalid(err) {
		return nil, refusal(c.ctj, templateErrors(path, err))
	}
	logf.FromContext(ctx).Info("a trial Job was neither accepted nor found invalid", "error", err.Error())
	return admission.Warnings{fmt.Sprintf("%s was not fully checked: the API server did not judge a trial Job (%s)",
		path, reasonOf(err))}, nil
}

// trialJob is the Job of a trigger that was asked for and in which everything changed: it has the longest name, and the most said
// of it, that a Job of this ChangeTriggeredJob can have.
func trialJob(ctj *v1alpha.ChangeTriggeredJob) (*batchv1.Job, error) {
	ctj = ctj.DeepCopy()
	if ctj.UID == "" {
		ctj.UID = trialUID
	}
	creation := &trigger.Creation{
		Name:   trigger.JobName(ctj.Name, ctj.UID, trialNumber),
		Number: trialNumber,
		Reason: trigger.ReasonRunNow,
		RunNow: strings.Repeat("\U0010ffff", v1alpha.MaxRunNowLength),
	}
	for _, merged := range trigger.MergeReferences(ctj.Spec.Resources) {
		creation.Changed = append(creation.Changed, trigger.Change{ObjectReference: merged.Reference, Fields: merged.Fields})
		for _, expr := range merged.Fields {
			creation.Hashes = append(creation.Hashes, trigger.TriggeredHash{
				Reference: merged.Reference, Field: expr, Hash: trialHash,
			})
		}
	}
	return job.Build(ctj, creation)
}

// buildError is the error of job.Build as one about a field.
func buildError(path *field.Path, err error) *field.Error {
	var fieldError *field.Error
	if errors.As(err, &fieldError) {
		return fieldError
	}
	return field.Invalid(path, field.OmitValueType{}, validate.Shorten(err.Error()))
}

// templateErrors says what the API server found invalid of a Job, in terms of the template it was made from.
func templateErrors(path *field.Path, err error) field.ErrorList {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil || len(status.Status().Details.Causes) == 0 {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, validate.Shorten(err.Error()))}
	}
	var errs field.ErrorList
	for _, cause := range status.Status().Details.Causes {
		errs = append(errs, templateError(path, cause))
	}
	return validate.FirstFew(errs)
}

func templateError(path *field.Path, cause metav1.StatusCause) *field.Error {
	at := path.String()
	switch {
	case cause.Field == "metadata.name":
		at = cause.Field // the Job's name comes from the ChangeTriggeredJob's
	case strings.HasPrefix(cause.Field, "spec."), strings.HasPrefix(cause.Field, "metadata."):
		at += "." + cause.Field
	default: // nothing of the template; admission policies name no field at all
	}
	kind := field.ErrorType(cause.Type)
	switch kind {
	case field.ErrorTypeRequired, field.ErrorTypeForbidden, field.ErrorTypeTooLong, field.ErrorTypeTooShort,
		field.ErrorTypeTypeInvalid, field.ErrorTypeNotSupported, field.ErrorTypeNotFound,
		field.ErrorTypeDuplicate, field.ErrorTypeTooMany, field.ErrorTypeTooFew:
	default:
		kind = field.ErrorTypeInvalid
	}
	// The message begins with the type's words, which the error puts in front again.
	detail := strings.TrimPrefix(strings.TrimPrefix(cause.Message, kind.String()), ": ")
	return &field.Error{Type: kind, Field: at, BadValue: field.OmitValueType{}, Detail: validate.Shorten(detail)}
}

// reasonOf says in a word why a request failed. What else the API server said may tell of quotas and
// policies that the user has no right to read.
func reasonOf(err error) string {
	if reason := apierrors.ReasonForError(err); reason != metav1.StatusReasonUnknown {
		return string(reason)
	}
	return "no answer"
}
