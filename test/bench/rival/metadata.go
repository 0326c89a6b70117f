package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
)

// metadata is the operator's watch built on controller-runtime's metadata informer: it covers the kind in all namespaces, keeps the
// metadata of every object, and of the referenced ones gets each version that an event tells of. There is a get for each event,
// as there is where events are seconds apart, not one for several that a queue has merged.
func metadata(fs *flag.FlagSet) func(context.Context, *rest.Config) error {
	kind := fs.String("kind", "", "its kind")
	flags := newReferencedFlags(fs)
	return func(ctx context.Context, config *rest.Config) error {
		ctrl.SetLogger(logr.Discard())
		what, err := flags.open()
		if err != nil {
			return err
		}
		client, err := dynamic.NewForConfig(config)
		if err != nil {
			return err
		}
		all, err := cache.New(config, cache.Options{})
		if err != nil {
			return err
		}
		ended := make(chan error, 1)
		go func() { ended <- all.Start(ctx) }()
		partial := &metav1.PartialObjectMetadata{}
		partial.SetGroupVersionKind(what.resource.GroupVersion().WithKind(*kind))
		shared, err := all.GetInformer(ctx, partial)
		if err != nil {
			return err
		}
		get := func(object any) { what.get(ctx, client.Resource(what.resource), object) }
		handled, err := shared.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: get, UpdateFunc: func(_, object any) { get(object) }, DeleteFunc: get,
		})
		if err != nil {
			return err
		}
		if toolscache.WaitForCacheSync(ctx.Done(), handled.HasSynced) {
			ready()
		}
		return <-ended
	}
}

// get reads an object that counts, as it is now.
func (r *referenced) get(ctx context.Context, from dynamic.NamespaceableResourceInterface, object any) {
	key, err := toolscache.DeletionHandlingMetaNamespaceKeyFunc(object)
	if err != nil || !r.has(key) {
		return
	}
	namespace, name, err := toolscache.SplitMetaNamespaceKey(key)
	if err == nil {
		live, getErr := from.Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(getErr):
			err = r.see(key, nil)
		case getErr != nil:
			err = getErr
		default:
			err = r.see(key, live)
		}
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
