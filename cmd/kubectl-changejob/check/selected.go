package check

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/tidwall/gjson"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/pkg/served"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// pageSize is how many objects are asked for at a time.
const pageSize = "500"

// lookAtSelected tells how many objects a reference selects today, and what its paths lead to in the first of them. Of the others only
// the metadata is read.
func (c *Checker) lookAtSelected(ref *v1alpha.ResourceReference) func(context.Context, trigger.MergedReference) (report.CheckReference, error) {
	return func(ctx context.Context, merged trigger.MergedReference) (report.CheckReference, error) {
		look := report.CheckReference{ObjectReference: merged.Reference, Fields: []report.CheckField{}}
		gvk, kind, exists, message := c.kindOf(ctx, merged.Reference)
		if message != "" {
			look.Exists, look.Message = exists, message
			return look, ctx.Err()
		}
		matched, first, message := c.selected(ctx, ref, gvk, kind)
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
			for _, object := range first {
				look.Objects = append(look.Objects, c.lookIntoSelected(merged, object))
			}
		}
		if message == "" && merged.When != "" {
			look.Message = "by their labels; those of which its when is not true are left out"
		}
		return look, ctx.Err()
	}
}

// lookIntoSelected tells what the paths of a reference lead to in one of the objects that it selects.
func (c *Checker) lookIntoSelected(merged trigger.MergedReference, object []byte) report.CheckReference {
	metadata := gjson.GetManyBytes(object, "metadata.namespace", "metadata.name")
	look := report.CheckReference{Exists: report.ExistsYes, ObjectReference: trigger.ObjectReference{
		APIVersion: merged.Reference.APIVersion, Kind: merged.Reference.Kind, Namespace: metadata[0].String(), Name: metadata[1].String(),
	}}
	c.follow(merged, object, &look)
	return look
}

// selected counts what a reference selects and returns the first of it, or says why it cannot. Who may list objects may read them: the
// right to get them is not asked for.
func (c *Checker) selected(ctx context.Context, ref *v1alpha.ResourceReference, gvk schema.GroupVersionKind, kind served.Resource) (matched int, first []json.RawMessage, message string) {
	selector, err := ref.Selector.Compile()
	if err != nil {
		return 0, nil, notValid
	}
	namespaces, message := c.namespacesOf(ctx, ref, kind)
	if message != "" {
		return 0, nil, message
	}
	for _, namespace := range namespaces {
		found, err := c.Objects.names(ctx, gvk.GroupVersion(), kind, namespace, selector)
		if room := report.MaxObjects - len(first); err == nil && len(found) > 0 && room > 0 {
			var some []json.RawMessage
			some, err = c.Objects.first(ctx, gvk.GroupVersion(), kind, namespace, selector, room)
			first = append(first, some...)
		}
		switch {
		case apierrors.IsForbidden(err) && namespace != "":
			return 0, nil, fmt.Sprintf("you may not list %s in namespace %s", resourceName(gvk, kind), namespace)
		case apierrors.IsForbidden(err):
			return 0, nil, fmt.Sprintf("you may not list %s in all namespaces", resourceName(gvk, kind))
		case err != nil:
			return 0, nil, err.Error()
		}
		matched += len(found)
	}
	return matched, first, ""
}

// namespacesOf returns the namespaces in which a reference selects objects; an empty name stands for all of them, and for none where
// the kind has none.
func (c *Checker) namespacesOf(ctx context.Context, ref *v1alpha.ResourceReference, kind served.Resource) (namespaces []string, message string) {
	within := ref.EffectiveNamespaces()
	switch {
	case kind.Namespaced != (len(within) > 0 || ref.NamespaceSelector != nil):
		return nil, notValid
	case !kind.Namespaced:
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
	namespaces, err = c.Objects.names(ctx, schema.GroupVersion{Version: "v1"}, served.Resource{Name: "namespaces"}, "", selector)
	switch {
	case apierrors.IsForbidden(err):
		return nil, "you may not list namespaces"
	case err != nil:
		return nil, err.Error()
	}
	return namespaces, ""
}

// names returns the names of what a selector selects, in a namespace or, where that is empty, in all.
func (o *Objects) names(ctx context.Context, gv schema.GroupVersion, kind served.Resource, namespace string, selector labels.Selector) ([]string, error) {
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
			return nil, fmt.Errorf("read a list of %s: %w", kind.Name, err)
		}
		for i := range page.Items {
			names = append(names, page.Items[i].Name)
		}
		if next = page.Continue; next == "" {
			return names, nil
		}
	}
}

// first returns the JSON of the first objects, at most limit, that a selector selects, in a namespace or, where that is empty, in all.
func (o *Objects) first(ctx context.Context, gv schema.GroupVersion, kind served.Resource, namespace string, selector labels.Selector, limit int) ([]json.RawMessage, error) {
	answer, err := o.api.Get().AbsPath(collectionPath(gv, kind, namespace)).SetHeader("Accept", "application/json").
		Param("labelSelector", selector.String()).Param("limit", strconv.Itoa(limit)).Do(ctx).Raw()
	if err != nil {
		return nil, err
	}
	var page struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(answer, &page); err != nil {
		return nil, fmt.Errorf("read a list of %s: %w", kind.Name, err)
	}
	return page.Items[:min(len(page.Items), limit)], nil // an API that is served by others may know no limit
}
