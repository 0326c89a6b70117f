package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// pageSize is how many objects are asked for at once.
const pageSize = 500

// list lists and decodes what the operator must at its start: ChangeTriggeredJobs and Jobs as their types, and what is referenced as unstructured objects;
// every kind at the same time, page by page, as it is now. After "ready" it prints the seconds that it took, the bytes of
// the answers' bodies, and how many objects there were, and ends.
func list(fs *flag.FlagSet) func(context.Context, *rest.Config) error {
	resources := fs.String("resources", "", "what is referenced, each as version/resource or group/version/resource, separated by commas")
	return func(ctx context.Context, config *rest.Config) error {
		began := time.Now()
		var bytes, objects atomic.Int64
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &counting{next: next, bytes: &bytes} })
		pages, err := pagesOf(config, *resources)
		if err != nil {
			return err
		}
		ready()
		group, ctx := errgroup.WithContext(ctx)
		for _, page := range pages {
			group.Go(func() error {
				options := metav1.ListOptions{Limit: pageSize}
				for {
					next, count, err := page(ctx, options)
					objects.Add(int64(count))
					if err != nil || next == "" {
						return err
					}
					options.Continue = next
				}
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		fmt.Println(time.Since(began).Seconds(), bytes.Load(), objects.Load())
		return nil
	}
}

// page reads one page of a kind; next is empty with the last one.
type page func(ctx context.Context, options metav1.ListOptions) (next string, count int, err error)

func pagesOf(config *rest.Config, resources string) ([]page, error) {
	triggered, err := triggeredJobs(config)
	if err != nil {
		return nil, err
	}
	typed := rest.CopyConfig(config)
	typed.ContentType, typed.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf
	builtin, err := kubernetes.NewForConfig(typed)
	if err != nil {
		return nil, err
	}
	pages := []page{triggered, func(ctx context.Context, options metav1.ListOptions) (string, int, error) {
		options.LabelSelector = "changejob.dev/owner"
		jobs, err := builtin.BatchV1().Jobs(metav1.NamespaceAll).List(ctx, options)
		if err != nil {
			return "", 0, err
		}
		return jobs.Continue, len(jobs.Items), nil
	}}
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	for text := range strings.SplitSeq(resources, ",") {
		gvr, err := parseResource(text)
		if err != nil {
			return nil, err
		}
		pages = append(pages, func(ctx context.Context, options metav1.ListOptions) (string, int, error) {
			some, err := objects.Resource(gvr).List(ctx, options)
			if err != nil {
				return "", 0, err
			}
			return some.GetContinue(), len(some.Items), nil
		})
	}
	return pages, nil
}

func triggeredJobs(config *rest.Config) (page, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha.AddToScheme(scheme); err != nil {
		return nil, err
	}
	metav1.AddToGroupVersion(scheme, metav1.SchemeGroupVersion)
	config = rest.CopyConfig(config)
	config.APIPath, config.GroupVersion = "/apis", &v1alpha.GroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, err
	}
	parameters := runtime.NewParameterCodec(scheme)
	return func(ctx context.Context, options metav1.ListOptions) (string, int, error) {
		ctjs := &v1alpha.ChangeTriggeredJobList{}
		err := client.Get().Resource("changetriggeredjobs").VersionedParams(&options, parameters).Do(ctx).Into(ctjs)
		return ctjs.Continue, len(ctjs.Items), err
	}, nil
}

// counting adds up the bytes of the answers' bodies.
type counting struct {
	next  http.RoundTripper
	bytes *atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (c *counting) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := c.next.RoundTrip(request)
	if err == nil {
		response.Body = &countingBody{ReadCloser: response.Body, bytes: c.bytes}
	}
	return response, err
}

type countingBody struct {
	io.ReadCloser
	bytes *atomic.Int64
}

// Read implements io.Reader.
func (c *countingBody) Read(into []byte) (int, error) {
	n, err := c.ReadCloser.Read(into)
	c.bytes.Add(int64(n))
	return n, err
}
