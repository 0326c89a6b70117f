package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/tidwall/gjson"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/nusnewob/kube-changejob/pkg/served"
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
	found, _, err := c.find(ctx, kind)
	if err != nil || found != nil {
		return found, NotSynced, err
	}
	versions, err := c.versions(ctx, kind.Group)
	if err != nil {
		return nil, NotSynced, err
	}
	for _, version := range versions {
		other := kind.GroupKind().WithVersion(version)
		found, answered, err := c.find(ctx, other)
		switch {
		case err != nil:
			return nil, NotSynced, err
		case !answered:
			// The API server says of itself that it serves the version: what is in it is not known.
			return nil, NotSynced, fmt.Errorf("discovery: %s is named, and cannot be found", other.GroupVersion())
		case found != nil && version == kind.Version:
			return found, NotSynced, nil
		case found != nil:
			return nil, VersionNotServed, nil
		}
	}
	return nil, KindNotServed, nil
}

// find returns nil where the group and version do not serve the kind; answered is false where there is nothing
// under them at all.
func (c *catalog) find(ctx context.Context, kind schema.GroupVersionKind) (found *resource, answered bool, err error) {
	var list metav1.APIResourceList
	if answered, err = c.ask(ctx, served.Path(kind.GroupVersion()), "resources", &list); err != nil || !answered {
		return nil, answered, err
	}
	picked, ok := served.Pick(list.APIResources, kind.Kind)
	if !ok {
		return nil, true, nil
	}
	return &resource{
		GroupVersionResource: kind.GroupVersion().WithResource(picked.Name),
		namespaced:           picked.Namespaced, listable: picked.Listable, watchable: picked.Watchable,
	}, true, nil
}

func (c *catalog) versions(ctx context.Context, group string) ([]string, error) {
	if group == "" {
		var core metav1.APIVersions
		_, err := c.ask(ctx, "/api", "versions", &core)
		return core.Versions, err
	}
	var named metav1.APIGroup
	if _, err := c.ask(ctx, "/apis/"+group, "versions", &named); err != nil {
		return nil, err
	}
	versions := make([]string, 0, len(named.Versions))
	for _, v := range named.Versions {
		versions = append(versions, v.Version)
	}
	return versions, nil
}

// ask decodes what is served under path, which must have the given member. Where nothing is served there,
// answered is false, and into stays as it is.
func (c *catalog) ask(ctx context.Context, path, member string, into any) (answered bool, err error) {
	c.mu.Lock()
	maps.DeleteFunc(c.answers, func(_ string, a *answer) bool {
		if !a.mu.TryLock() {
			return false // it is being asked
		}
		defer a.mu.Unlock()
		return !a.at.IsZero() && c.clock.Since(a.at) >= discoveryFresh // one without a time is about to be asked
	})
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
			return false, fmt.Errorf("discovery: %w", discreet(err))
		}
		if err != nil {
			body = nil
		}
		a.at, a.body = asked, body
	}
	if a.body == nil {
		return false, nil
	}
	if json.Unmarshal(a.body, into) != nil || !gjson.GetBytes(a.body, member).Exists() {
		return false, fmt.Errorf("discovery: malformed answer under %s", path)
	}
	return true, nil
}

// isPathSegment says whether s can stand between two slashes of a URL's path without changing its meaning.
func isPathSegment(s string) bool {
	return s != "" && len(rest.IsValidPathSegmentName(s)) == 0
}
