package check

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/tidwall/gjson"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
	"github.com/nusnewob/kube-changejob/pkg/served"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/pkg/validate"
	"github.com/nusnewob/kube-changejob/pkg/when"
)

// look tells what the paths of a ChangeTriggeredJob lead to today.
func (c *Checker) look(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob) ([]report.CheckReference, error) {
	looks := []report.CheckReference{}
	for _, merged := range trigger.MergeReferences(ctj.Spec.Resources) {
		at := c.lookAt
		if merged.Reference.Selection != "" {
			at = c.lookAtSelected(&ctj.Spec.Resources[merged.Index])
		}
		look, err := at(ctx, merged)
		if err != nil {
			return nil, err
		}
		looks = append(looks, look)
	}
	return looks, nil
}

func (c *Checker) lookAt(ctx context.Context, merged trigger.MergedReference) (report.CheckReference, error) {
	look := report.CheckReference{ObjectReference: merged.Reference}
	var object []byte
	object, look.Exists, look.Message = c.read(ctx, merged.Reference)
	if err := ctx.Err(); err != nil {
		return look, err
	}
	c.follow(merged, object, &look)
	return look, nil
}

// follow tells what the `when` and the paths of a reference come to for an object, which is nil where nothing is known of it but what look
// says.
func (c *Checker) follow(merged trigger.MergedReference, object []byte, look *report.CheckReference) {
	look.Fields = make([]report.CheckField, 0, len(merged.Fields))
	if merged.When != "" && (object != nil || look.Exists == report.ExistsNo) {
		look.When = evaluate(&merged, object)
	}
	secret := isSecret(merged.Reference)
	for _, expr := range merged.Fields {
		field := report.CheckField{Field: expr, Selected: []report.Selected{}}
		if path, err := fieldpath.Compile(expr); err == nil && object != nil {
			values := path.Values(object)
			field.Values = len(values)
			for _, value := range values[:min(len(values), report.MaxSelected)] {
				field.Selected = append(field.Selected, describe(value, secret, c.Values))
			}
		}
		look.Fields = append(look.Fields, field)
	}
}

// evaluate says what a `when` comes to for an object; it is empty where it is not one.
func evaluate(of *trigger.MergedReference, object []byte) string {
	compiled, err := when.Compile(of.When)
	if err != nil {
		return "" // what is wrong with it is among the problems
	}
	switch compiled.Evaluate(object, schema.FromAPIVersionAndKind(of.Reference.APIVersion, of.Reference.Kind)) {
	case when.True:
		return report.WhenTrue
	case when.False:
		return string(v1alpha.WhenFalse)
	default:
		return string(v1alpha.WhenFailed)
	}
}

// read returns the JSON of an object where it exists and may be read.
func (c *Checker) read(ctx context.Context, reference trigger.ObjectReference) (object []byte, exists report.Existence, message string) {
	gvk, kind, exists, message := c.kindOf(ctx, reference)
	switch {
	case message != "":
		return nil, exists, message
	case reference.Name == "", kind.Namespaced == (reference.Namespace == ""):
		return nil, report.ExistsUnknown, notValid
	}
	object, err := c.Objects.get(ctx, gvk.GroupVersion(), kind, reference.Namespace, reference.Name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, report.ExistsNo, ""
	case apierrors.IsForbidden(err):
		return nil, report.ExistsUnknown, fmt.Sprintf("you may not get %s", resourceName(gvk, kind))
	case err != nil:
		return nil, report.ExistsUnknown, err.Error()
	}
	return object, report.ExistsYes, ""
}

// notValid is said where nothing can be looked at; what is wrong is among the problems.
const notValid = "the reference is not valid"

// kindOf returns the kind of a reference, or why nothing can exist of it, or be known of it.
func (c *Checker) kindOf(ctx context.Context, reference trigger.ObjectReference) (gvk schema.GroupVersionKind, kind served.Resource, exists report.Existence, message string) {
	gvk, ok := validate.GroupVersionKind(&v1alpha.ResourceReference{APIVersion: reference.APIVersion, Kind: reference.Kind})
	if !ok {
		return gvk, kind, report.ExistsUnknown, notValid
	}
	kind, err := c.Objects.find(ctx, gvk)
	switch {
	case isNotServed(err):
		return gvk, kind, report.ExistsNo, "the API server does not serve this kind in this version"
	case err != nil:
		return gvk, kind, report.ExistsUnknown, err.Error()
	}
	return gvk, kind, "", ""
}

func resourceName(gvk schema.GroupVersionKind, kind served.Resource) string {
	return schema.GroupResource{Group: gvk.Group, Resource: kind.Name}.String()
}

// isSecret takes every kind of that name for one that holds secrets, whichever group it is of.
func isSecret(reference trigger.ObjectReference) bool { return reference.Kind == "Secret" }

// describe tells kind and size of a value, and the value itself only where that was asked for. Of a Secret neither values nor the
// lengths of its texts are told, whatever was asked for.
func describe(value []byte, secret, show bool) report.Selected {
	parsed := gjson.ParseBytes(value)
	var s report.Selected
	size := func(n int) { s.Size = &n }
	switch {
	case parsed.IsObject():
		s.Type = "object"
		size(len(parsed.Map()))
	case parsed.IsArray():
		s.Type = "list"
		size(len(parsed.Array()))
	case parsed.Type == gjson.String:
		s.Type = "string"
		if !secret {
			size(utf8.RuneCountInString(parsed.String()))
		}
	case parsed.Type == gjson.Number:
		s.Type = "number"
	case parsed.Type == gjson.Null:
		s.Type = "null"
	default:
		s.Type = "boolean"
	}
	if show && !secret {
		s.Value = value
	}
	return s
}

// jsonUnmarshal decodes as the API server does.
func jsonUnmarshal(data []byte, into any) error {
	return kjson.UnmarshalCaseSensitivePreserveInts(data, into)
}
