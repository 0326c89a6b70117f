package check

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/nusnewob/kube-changejob/pkg/served"
)

// Objects reads objects of any kind, as the JSON that the API server has of them.
type Objects struct {
	api    rest.Interface
	served map[schema.GroupVersion][]metav1.APIResource
}

// NewObjects returns a reader with the rights of config.
func NewObjects(config *rest.Config) (*Objects, error) {
	config = rest.CopyConfig(config)
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	api, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for the API server: %w", err)
	}
	return &Objects{api: api, served: map[schema.GroupVersion][]metav1.APIResource{}}, nil
}

// isNotServed says whether the API server has answered that it serves no such kind.
func isNotServed(err error) bool { return meta.IsNoMatchError(err) }

// find returns what is known of a kind; the error is one for which isNotServed holds where it is not served. It asks for
// the one group and version alone, so that a broken extension API is nobody's trouble but its users'.
func (o *Objects) find(ctx context.Context, kind schema.GroupVersionKind) (served.Resource, error) {
	gv := kind.GroupVersion()
	resources, known := o.served[gv]
	if !known {
		var err error
		if resources, err = o.discover(ctx, gv); err != nil {
			return served.Resource{}, err
		}
		o.served[gv] = resources
	}
	found, ok := served.Pick(resources, kind.Kind)
	if !ok {
		return served.Resource{}, &meta.NoKindMatchError{GroupKind: kind.GroupKind(), SearchedVersions: []string{gv.Version}}
	}
	return found, nil
}

func (o *Objects) discover(ctx context.Context, gv schema.GroupVersion) ([]metav1.APIResource, error) {
	answer, err := o.api.Get().AbsPath(served.Path(gv)).SetHeader("Accept", "application/json").Do(ctx).Raw()
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
	return list.APIResources, nil
}

// get returns the JSON of an object.
func (o *Objects) get(ctx context.Context, gv schema.GroupVersion, kind served.Resource, namespace, name string) ([]byte, error) {
	path := collectionPath(gv, kind, namespace) + "/" + url.PathEscape(name)
	return o.api.Get().AbsPath(path).SetHeader("Accept", "application/json").Do(ctx).Raw()
}

// collectionPath is where the API server serves the objects of a kind: those of a namespace or, where that is empty, all.
func collectionPath(gv schema.GroupVersion, kind served.Resource, namespace string) string {
	if namespace == "" {
		return served.Path(gv) + "/" + kind.Name
	}
	return served.Path(gv) + "/namespaces/" + url.PathEscape(namespace) + "/" + kind.Name
}
