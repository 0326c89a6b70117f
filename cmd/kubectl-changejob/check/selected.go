package check

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// pageSize is how many objects are asked for at a time.
const pageSize = "500"

// lookAtSelected tells how many objects a reference selects today. It reads their metadata alone, so that nothing is told of
// what the paths lead to in them.
func (c *Checker) lookAtSelected(ref *v1alpha.ResourceReference) func(context.Context, trigger.MergedReference) (report.CheckReference, error) {
	return func(ctx context.Context, merged trigger.MergedReference) (report.CheckReference, error) {
		look := report.CheckReference{ObjectReference: merged.Reference, Fields: []report.CheckField{}}
		gvk, kind, exists, message := c.kindOf(ctx, merged.Reference)
		if message != "" {
			look.Exists, look.Message = exists, message
			return look, ctx.Err()
		}
		matched, message := c.count(ctx, ref, gvk, kind)
		switch {
		case message != "":
			look.Exists, look.Message = report.ExistsUnknown, message
		case matched == 0:
			look.Exists = report.ExistsNo
		default:
			look.Exists = report.ExistsYes
		}
		if message == "" {
			look.Matched = &matched
		}
		if message == "" && merged.When != "" {
			look.Message = "by their labels; those of which its when is not true are left out"
		}
		return look, ctx.Err()
	}
}

// count counts what a reference selects, or says why it cannot.
func (c *Checker) count(ctx context.Context, ref *v1alpha.ResourceReference, gvk schema.GroupVersionKind, kind servedKind) (matched int, message string) {
	selector, err := ref.Selector.Compile()
	if err != nil {
		return 0, notValid
	}
	namespaces, message := c.namespacesOf(ctx, ref, kind)
	if message != "" {
		return 0, message
	}
	for _, namespace := range namespaces {
		found, err := c.Objects.names(ctx, gvk.GroupVersion(), kind, namespace, selector)
		switch {
		case apierrors.IsForbidden(err) && namespace != "":
			return 0, fmt.Sprintf("you may not list %s in namespace %s", resourceName(gvk, kind), namespace)
		case apierrors.IsForbidden(err):
			return 0, fmt.Sprintf("you may not list %s in all namespaces", resourceName(gvk, kind))
		case err != nil:
			return 0, err.Error()
		}
		matched += len(found)
	}
	return matched, ""
}

// namespacesOf returns the namespaces in which a reference selects objects; an empty name stands for all of them, and for none where
// the kind has none.
func (c *Checker) namespacesOf(ctx context.Context, ref *v1alpha.ResourceReference, kind servedKind) (namespaces []string, message string) {
	within := ref.EffectiveNamespaces()
	switch {
	case kind.namespaced != (len(within) > 0 || ref.NamespaceSelector != nil):
		return nil, notValid
	case !kind.namespaced:
		return []string{""}, ""
	case ref.NamespaceSelector == nil:
		return within, ""
	}
	selector, err := ref.NamespaceSelector.Compile()
	if err != nil {
		return nil, notValid
	}
	if selector.Empty() {
		return []string{""}, ""
	}
	namespaces, err = c.Objects.names(ctx, schema.GroupVersion{Version: "v1"}, servedKind{resource: "namespaces"}, "", selector)
	switch {
	case apierrors.IsForbidden(err):
		return nil, "you may not list namespaces"
	case err != nil:
		return nil, err.Error()
	}
	return namespaces, ""
}

// names returns the names of what a selector selects, in a namespace or, where that is empty, in all.
func (o *Objects) names(ctx context.Context, gv schema.GroupVersion, kind servedKind, namespace string, selector labels.Selector) ([]string, error) {
	var names []string
	for next := ""; ; {
		answer, err := o.api.Get().AbsPath(collectionPath(gv, kind, namespace)).
			SetHeader("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json").
			Param("labelSelector", selector.String()).Param("limit", pageSize).Param("continue", next).Do(ctx).Raw()
		if err != nil {
			return nil, err
		}
		var page metav1.PartialObjectMetadataList
		if err := json.Unmarshal(answer, &page); err != nil {
			return nil, fmt.Errorf("read a list of %s: %w", kind.resource, err)
		}
		for i := range page.Items {
			names = append(names, page.Items[i].Name)
		}
		if next = page.Continue; next == "" {
			return names, nil
		}
	}
}
