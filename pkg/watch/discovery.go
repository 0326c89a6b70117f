package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
)

const (
	// discoveryFresh is how long an answer of discovery serves other kinds too.
	discoveryFresh = time.Second
	// requestTimeout bounds a request that is not a watch and not a long list.
	requestTimeout = 30 * time.Second
)

// resource is how a kind is served.
type resource struct {
	schema.GroupVersionResource
	namespaced, listable, watchable bool
}

// collection returns the path of the objects in a namespace, or of all of them where it is empty.
func (r resource) collection(namespace string) []string {
	path := []string{"/api", r.Version}
	if r.Group != "" {
		path = []string{"/apis", r.Group, r.Version}
	}
	if namespace != "" {
		path = append(path, "namespaces", namespace)
	}
	return append(path, r.Resource)
}

// catalog asks the API server which kinds it serves.
type catalog struct {
	client rest.Interface
	clock  clock.Clock

	mu      sync.Mutex
	answers map[string]*answer // by path
}

// answer is what the API server last said under one path. Its lock is held while it is asked.
type answer struct {
	mu   sync.Mutex
	at   time.Time
	body []byte // nil where nothing is served there
}

// lookup says how a kind is served. Where it is not, the resource is nil and the state is KindNotServed or
// VersionNotServed; with an error nothing is known.
func (c *catalog) lookup(ctx context.Context, kind schema.GroupVersionKind) (*resource, State, error) {
	if !isPathSegment(kind.Version) || (kind.Group != "" && !isPathSegment(kind.Group)) {
		return nil, NotSynced, fmt.Errorf("apiVersion %q is not a group and version", kind.GroupVersion())
	}
	served, err := c.find(ctx, kind)
	if err != nil || served != nil {
		return served, NotSynced, err
	}
	versions, err := c.versions(ctx, kind.Group)
	if err != nil {
		return nil, NotSynced, err
	}
	for _, version := range versions {
		served, err := c.find(ctx, kind.GroupKind().WithVersion(version))
		if err != nil {
			return nil, NotSynced, err
		}
		if served != nil {
			return nil, VersionNotServed, nil
		}
	}
	return nil, KindNotServed, nil
}

// find returns nil where the group and version do not serve the kind.
func (c *catalog) find(ctx context.Context, kind schema.GroupVersionKind) (*resource, error) {
	var list metav1.APIResourceList
	path := "/apis/" + kind.Group + "/" + kind.Version
	if kind.Group == "" {
		path = "/api/" + kind.Version
	}
	if err := c.ask(ctx, path, &list); err != nil {
		return nil, err
	}
	for _, r := range list.APIResources {
		if r.Kind != kind.Kind || strings.Contains(r.Name, "/") || !isPathSegment(r.Name) {
			continue
		}
		return &resource{
			GroupVersionResource: kind.GroupVersion().WithResource(r.Name),
			namespaced:           r.Namespaced,
			listable:             slices.Contains(r.Verbs, "list"),
			watchable:            slices.Contains(r.Verbs, "watch"),
		}, nil
	}
	return nil, nil
}

func (c *catalog) versions(ctx context.Context, group string) ([]string, error) {
	if group == "" {
		var core metav1.APIVersions
		err := c.ask(ctx, "/api", &core)
		return core.Versions, err
	}
	var named metav1.APIGroup
	if err := c.ask(ctx, "/apis/"+group, &named); err != nil {
		return nil, err
	}
	versions := make([]string, 0, len(named.Versions))
	for _, v := range named.Versions {
		versions = append(versions, v.Version)
	}
	return versions, nil
}

// ask decodes what is served under path, and leaves into as it is where that is nothing.
func (c *catalog) ask(ctx context.Context, path string, into any) error {
	c.mu.Lock()
	a := c.answers[path]
	if a == nil {
		a = &answer{}
		c.answers[path] = a
	}
	c.mu.Unlock()

	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at.IsZero() || c.clock.Since(a.at) >= discoveryFresh {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		asked := c.clock.Now()
		body, err := c.client.Get().AbsPath(path).Do(ctx).Raw()
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("discovery: %w", err)
		}
		if err != nil {
			body = nil
		}
		a.at, a.body = asked, body
	}
	if a.body == nil {
		return nil
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		return fmt.Errorf("discovery: malformed answer under %s", path)
	}
	return nil
}

// isPathSegment says whether s can stand between two slashes of a URL's path without changing its meaning.
func isPathSegment(s string) bool {
	return s != "" && len(rest.IsValidPathSegmentName(s)) == 0
}
