package check

import (
	"context"
	"fmt"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/pkg/validate"
)

// trial is what applying an object would come to.
type trial struct {
	// stored is what there is already; nil where there is nothing, or it may not be read.
	stored *v1alpha.ChangeTriggeredJob
	// ctj is what would be stored then.
	ctj *v1alpha.ChangeTriggeredJob
	// refusal is why the API server would not do it; nil where it would.
	refusal error
}

func (t *trial) action() report.Action {
	if t.stored == nil {
		return report.ActionCreate
	}
	return report.ActionUpdate
}

// isNewKind reports whether a kind is watched by what would be stored alone.
func (t *trial) isNewKind(kind schema.GroupVersionKind) bool {
	if t.stored == nil {
		return true
	}
	for i := range t.stored.Spec.Resources {
		if known, ok := validate.GroupVersionKind(&t.stored.Spec.Resources[i]); ok && known == kind {
			return false
		}
	}
	return true
}

// try has the API server judge, in a dry run, what `kubectl apply` would do with the object: what exists already is patched, and
// what does not is created. An API server judges a new object by more than a changed one, of which it has taken the rest before,
// and asks for other rights. Whoever may not read what is stored can apply nothing: that is the answer then, even where they could
// create the object by other means.
func (c *Checker) try(ctx context.Context, object *unstructured.Unstructured) (t *trial, err error) {
	applied := object.DeepCopy()
	unstructured.RemoveNestedField(applied.Object, "status")
	applied.SetResourceVersion("")
	stored, err := c.stored(ctx, object)
	if err == nil {
		return c.tryPatch(ctx, stored, applied)
	}
	unread := err
	t = &trial{}
	if t.ctj, err = typed(applied); err != nil {
		return nil, err
	}
	switch {
	case apierrors.IsNotFound(unread):
		t.refusal = c.Client.Create(ctx, applied, client.DryRunAll, client.FieldValidation("Strict"))
	case apierrors.IsForbidden(unread):
		t.refusal = fmt.Errorf("kubectl apply reads first what is stored: %w", unread)
	default:
		return nil, unread
	}
	return t, nil
}

// stored returns what there is of an object already. Of a name that none can have there is nothing; what is wrong with it the API
// server says best.
func (c *Checker) stored(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if len(content.IsPathSegmentName(object.GetName())) > 0 {
		return nil, apierrors.NewNotFound(schema.GroupResource{}, object.GetName())
	}
	stored := &unstructured.Unstructured{}
	stored.SetGroupVersionKind(object.GroupVersionKind())
	return stored, c.Client.Get(ctx, client.ObjectKeyFromObject(object), stored)
}

func (c *Checker) tryPatch(ctx context.Context, stored, applied *unstructured.Unstructured) (*trial, error) {
	patch, result, err := patchOf(stored, applied)
	if err != nil {
		return nil, err
	}
	t := &trial{}
	if t.stored, err = typed(stored); err != nil {
		return nil, err
	}
	if t.ctj, err = typed(result); err != nil {
		return nil, err
	}
	t.refusal = c.Client.Patch(ctx, stored, client.RawPatch(types.MergePatchType, patch), client.DryRunAll, client.FieldValidation("Strict"))
	return t, nil
}

// patchOf is the patch by which `kubectl apply` makes of what is stored what is applied, and what comes of it: what was applied before,
// and is not any more, is taken away, and what others have added stays.
func patchOf(stored, applied *unstructured.Unstructured) (patch []byte, result *unstructured.Unstructured, err error) {
	current, err := stored.MarshalJSON()
	if err != nil {
		return nil, nil, err
	}
	modified, err := applied.MarshalJSON()
	if err != nil {
		return nil, nil, err
	}
	before := []byte(stored.GetAnnotations()[corev1.LastAppliedConfigAnnotation])
	if patch, err = jsonmergepatch.CreateThreeWayJSONMergePatch(before, modified, current); err != nil {
		return nil, nil, fmt.Errorf("compare %s with what is stored: %w", applied.GetName(), err)
	}
	merged, err := jsonpatch.MergePatch(current, patch)
	if err != nil {
		return nil, nil, fmt.Errorf("compare %s with what is stored: %w", applied.GetName(), err)
	}
	result = &unstructured.Unstructured{}
	return patch, result, result.UnmarshalJSON(merged)
}
