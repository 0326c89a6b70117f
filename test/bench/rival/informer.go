package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// informer is the operator's watch built on client-go's dynamic informer: it covers the kind in all namespaces, decodes and keeps every
// object, and looks into those that are referenced.
func informer(fs *flag.FlagSet) func(context.Context, *rest.Config) error {
	flags := newReferencedFlags(fs)
	return func(ctx context.Context, config *rest.Config) error {
		what, err := flags.open()
		if err != nil {
			return err
		}
		client, err := dynamic.NewForConfig(config)
		if err != nil {
			return err
		}
		shared := dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, 0, metav1.NamespaceAll, nil).ForResource(what.resource).Informer()
		handled, err := shared.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { what.informed(object, true) },
			UpdateFunc: func(_, object any) { what.informed(object, true) },
			DeleteFunc: func(object any) { what.informed(object, false) },
		})
		if err != nil {
			return err
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			shared.RunWithContext(ctx)
		}()
		if cache.WaitForCacheSync(ctx.Done(), handled.HasSynced) {
			ready()
		}
		<-ended
		return nil
	}
}

// informed takes an object that came with its event.
func (r *referenced) informed(object any, exists bool) {
	name, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object)
	if err != nil || !r.has(name) {
		return
	}
	var content *unstructured.Unstructured
	if exists {
		content, _ = object.(*unstructured.Unstructured)
	}
	if err := r.see(name, content); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
