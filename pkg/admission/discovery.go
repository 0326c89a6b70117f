package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/nusnewob/kube-changejob/pkg/served"
)

// discoveryAge is how long an answer of the API server's is used again. Only what is served is remembered:
// that a kind is not served is asked anew each time, so that a CRD can be used as soon as it is there.
const discoveryAge = 10 * time.Second

// discovery knows the kinds that the API server serves. It asks for the one group and version it needs:
// one broken extension API is nobody's trouble but its users', and a failure is never mistaken for a kind
// that does not exist.
type discovery struct {
	api rest.Interface
	now func() time.Time

	mutex  sync.Mutex
	served map[schema.GroupVersion]servedVersion
}

type servedVersion struct {
	kinds map[string]servedKind
	since time.Time
}

// servedKind is what is known of a kind: of the resource that the operator watches, which is the one that the user must be allowed
// to get.
type servedKind struct {
	resource   schema.GroupVersionResource
	namespaced bool
	hasStatus  bool
	// listable is false of kinds whose objects are not kept, such as TokenReview.
	listable bool
}

func newDiscovery(api rest.Interface, now func() time.Time) *discovery {
	return &discovery{api: api, now: now, served: map[schema.GroupVersion]servedVersion{}}
}

// find returns what is known of a kind. The error is a *meta.NoKindMatchError where the API server has
// answered that it serves no such kind.
func (d *discovery) find(ctx context.Context, kind schema.GroupVersionKind) (servedKind, error) {
	gv := kind.GroupVersion()
	if found, ok := d.remembered(gv)[kind.Kind]; ok {
		return found, nil
	}
	kinds, err := d.ask(ctx, gv)
	if err != nil {
		return servedKind{}, err
	}
	d.remember(gv, kinds)
	found, ok := kinds[kind.Kind]
	if !ok {
		return servedKind{}, &meta.NoKindMatchError{GroupKind: kind.GroupKind(), SearchedVersions: []string{gv.Version}}
	}
	return found, nil
}

func (d *discovery) remembered(gv schema.GroupVersion) map[string]servedKind {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if known := d.served[gv]; d.now().Sub(known.since) < discoveryAge {
		return known.kinds
	}
	return nil
}

func (d *discovery) remember(gv schema.GroupVersion, kinds map[string]servedKind) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if len(kinds) == 0 {
		delete(d.served, gv)
		return
	}
	d.served[gv] = servedVersion{kinds: kinds, since: d.now()}
}

// ask returns the kinds of a group and version, none where the version is not served.
func (d *discovery) ask(ctx context.Context, gv schema.GroupVersion) (map[string]servedKind, error) {
	answer, err := d.api.Get().AbsPath(served.Path(gv)).SetHeader("Accept", "application/json").Do(ctx).Raw()
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("discover %s: %w", gv, err)
	}
	var list metav1.APIResourceList
	if err := json.Unmarshal(answer, &list); err != nil {
		return nil, fmt.Errorf("discover %s: decode the answer: %w", gv, err)
	}

	kinds := map[string]servedKind{}
	for i := range list.APIResources {
		kind := list.APIResources[i].Kind
		if _, known := kinds[kind]; known {
			continue
		}
		if picked, ok := served.Pick(list.APIResources, kind); ok {
			kinds[kind] = servedKind{
				resource: gv.WithResource(picked.Name), namespaced: picked.Namespaced, hasStatus: picked.HasStatus, listable: picked.Listable,
			}
		}
	}
	return kinds, nil
}

// newRawClient returns a client for any path. It is not throttled: the API server's priority and fairness
// does that.
func newRawClient(config *rest.Config, httpClient *http.Client) (rest.Interface, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	api, err := rest.UnversionedRESTClientForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, fmt.Errorf("make a client for the API server: %w", err)
	}
	return api, nil
}
