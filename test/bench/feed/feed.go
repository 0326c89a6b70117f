// Package feed is a watch that goes on where it was cut, as a server does to a client that reads too slowly, or not at all while
// it is paused.
package feed

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	retry "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Follow returns what happens, from now on until ctx ends, to the objects of the list's kind in the namespace. What is there
// already is left out. The channel is closed after an event of the type Error where something is lost.
func Follow(ctx context.Context, c client.WithWatch, list client.ObjectList, namespace string) (<-chan watch.Event, error) {
	if err := c.List(ctx, list, client.InNamespace(namespace), client.Limit(1)); err != nil {
		return nil, fmt.Errorf("where to begin to watch: %w", err)
	}
	watcher, err := retry.NewRetryWatcherWithContext(ctx, list.GetResourceVersion(), &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return c.Watch(ctx, list, client.InNamespace(namespace), &client.ListOptions{Raw: &options})
		},
	})
	if err != nil {
		return nil, err
	}
	return watcher.ResultChan(), nil
}
