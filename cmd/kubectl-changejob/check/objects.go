package check

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// Objects reads objects of any kind, as the JSON that the API server has of them.
type Objects struct {
	api    rest.Interface
	served map[schema.GroupVersion]map[string]servedKind
}

// servedKind is what is known of a kind.
type servedKind struct {
	resource             string
	namespaced, listable bool
}

// NewObjects returns a reader with the rights of config.
func NewObjects(config *rest.Config) (*Objects, error) {
	config = rest.CopyConfig(config)
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	api, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for the API server: %w", err)
	}
	return &Objects{api: api, served: map[schema.GroupVersion]map[string]servedKind{}}, nil
}

// isNotServed says whether the API server has answered that it serves no such kind.
func isNotServed(err error) bool { return meta.IsNoMatchError(err) }

// find returns what is known of a kind; the error is one for which isNotServed holds where it is not served. It asks for
// the one group and version alone, so that a broken extension API is nobody's trouble but its users'.
func (o *Objects) find(ctx context.Context, kind schema.GroupVersionKind) (servedKind, error) {
	gv := kind.GroupVersion()
	kinds, known := o.served[gv]
	if !known {
		var err error
		if kinds, err = o.discover(ctx, gv); err != nil {
			return servedKind{}, err
		}
		o.served[gv] = kinds
	}
	found, ok := kinds[kind.Kind]
	if !ok {
		return servedKind{}, &meta.NoKindMatchError{GroupKind: kind.GroupKind(), SearchedVersions: []string{gv.Version}}
	}
	return found, nil
}

func (o *Objects) discover(ctx context.Context, gv schema.GroupVersion) (map[string]servedKind, error) {
	answer, err := o.api.Get().AbsPath(apiPath(gv)).SetHeader("Accept", "application/json").Do(ctx).Raw()
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ask the API server what %s serves: %w", gv, err)
	}
	var list metav1.APIResourceList
	if err := json.Unmarshal(answer, &list); err != nil {
		return nil, fmt.Errorf("ask the API server what %s serves: %w", gv, err)
	}
	kinds := map[string]servedKind{}
	for i := range list.APIResources {
		r := &list.APIResources[i]
		if strings.Contains(r.Name, "/") {
			continue // a subresource
		}
		// Of two resources of one kind, the one that can be listed.
		if known, seen := kinds[r.Kind]; !seen || !known.listable {
			kinds[r.Kind] = servedKind{resource: r.Name, namespaced: r.Namespaced, listable: slices.Contains(r.Verbs, "list")}
		}
	}
	return kinds, nil
}

// get returns the JSON of an object.
func (o *Objects) get(ctx context.Context, gv schema.GroupVersion, kind servedKind, namespace, name string) ([]byte, error) {
	path := collectionPath(gv, kind, namespace) + "/" + url.PathEscape(name)
	return o.api.Get().AbsPath(path).SetHeader("Accept", "application/json").Do(ctx).Raw()
}

// collectionPath is where the API server serves the objects of a kind: those of a namespace or, where that is empty, all.
func collectionPath(gv schema.GroupVersion, kind servedKind, namespace string) string {
	if namespace == "" {
		return apiPath(gv) + "/" + kind.resource
	}
	return apiPath(gv) + "/namespaces/" + url.PathEscape(namespace) + "/" + kind.resource
}

// apiPath is where the API server serves a group and version.
func apiPath(gv schema.GroupVersion) string {
	if gv.Group == "" {
		return "/api/" + gv.Version
	}
	return "/apis/" + gv.Group + "/" + gv.Version
}
