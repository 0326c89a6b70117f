package watch

import (
	"context"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// definitions are the resources whose objects say which kinds the API server serves. Only their metadata is
// watched: the name of each ends with a dot and the group that it is about.
var definitions = [][]string{
	{"/apis", "apiextensions.k8s.io", "v1", "customresourcedefinitions"},
	{"/apis", "apiregistration.k8s.io", "v1", "apiservices"},
}

// followDefinitions asks discovery anew about a kind that is not served as soon as something about its group
// changes. It is called under the lock.
func (e *Engine) followDefinitions() {
	for _, path := range definitions {
		e.spawn(func() { e.follow(e.ctx, path) })
	}
}

func (e *Engine) follow(ctx context.Context, path []string) {
	src := &source{
		collection: collection{client: e.client, path: path, metadataOnly: true},
		reduce: func(_ apiwatch.EventType, o raw) *object {
			_, group, _ := strings.Cut(o.name, ".")
			e.definitionChanged(group)
			return nil
		},
		reading:  func() {},
		watching: func(bool) {},
		broken:   func(error) {},
		sleep:    e.sleep,
	}
	resource := path[len(path)-1]
	ctx = klog.NewContext(ctx, e.Log.V(1))
	reflector := cache.NewReflectorWithOptions(src.listerWatcher(), nil, nothing{}, cache.ReflectorOptions{
		Name: resource, TypeDescription: resource, Clock: e.Clock,
	})
	delay := newBackoff(e.Clock)
	for ctx.Err() == nil {
		err := reflector.ListAndWatchWithContext(ctx)
		src.wait()
		pause := max(delay(), retryAfter(err))
		if apierrors.IsForbidden(err) {
			// Discovery is asked at the poll interval anyway while it matters.
			pause = 10 * e.PollInterval
			e.Log.Info("cannot watch which kinds are served; those that come are found by polling",
				"resource", resource, "error", err.Error())
		}
		e.sleep(ctx, pause)
	}
}

// definitionChanged wakes whoever waits for a kind of the group to be served, or to be watchable.
func (e *Engine) definitionChanged(group string) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for gvk, k := range e.kinds {
		if gvk.Group == group && (k.resource == nil || !k.resource.watchable) {
			signal(k.ask)
		}
	}
}

// nothing is a store that stores nothing: what matters was done when the object was read.
type nothing struct{}

func (nothing) Add(any) error               { return nil }
func (nothing) Update(any) error            { return nil }
func (nothing) Delete(any) error            { return nil }
func (nothing) Replace([]any, string) error { return nil }
func (nothing) Resync() error               { return nil }
