package watch

import (
	"context"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
)

// pageSize is how many objects one page of a list may hold.
const pageSize = 500

// newClient returns a client for any path of the API server. It is not throttled: the API server's priority
// and fairness does that. It has no timeout, since watches have none.
func newClient(config *rest.Config) (rest.Interface, error) {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, metav1.SchemeGroupVersion) // errors come as metav1.Status

	config = rest.CopyConfig(config)
	config.QPS, config.RateLimiter = -1, nil
	config.Timeout = 0
	config.WarningHandler, config.WarningHandlerWithContext = rest.NoWarnings{}, nil
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	return rest.UnversionedRESTClientFor(config)
}

// collection is the objects of one resource, in one namespace or in all.
type collection struct {
	client rest.Interface
	path   []string
	// selector restricts the answers to what it selects, unless it is empty.
	selector string
	// metadataOnly asks for the objects' metadata alone.
	metadataOnly bool
}

// open sends a request and returns the answer as a stream, so that no more than one object need be in memory
// and no body is ever logged. A name restricts the answer to one object. Nothing is tried twice here, unseen by
// those who tell what cannot be seen.
func (c collection) open(ctx context.Context, name string, options metav1.ListOptions) (io.ReadCloser, error) {
	if name != "" {
		options.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	}
	options.LabelSelector = c.selector
	request := c.client.Get().MaxRetries(0).AbsPath(c.path...).VersionedParams(&options, metav1.ParameterCodec)
	switch {
	case c.metadataOnly && options.Watch:
		request.SetHeader("Accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")
	case c.metadataOnly:
		request.SetHeader("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
	}
	body, err := request.Stream(ctx)
	return body, discreet(err)
}

// list reads the present state, not what some cache of the API server holds, and reduces it item by item. It calls begin before
// the first item, and where it begins anew. The list's continue token is empty: it is complete.
func (c collection) list(ctx context.Context, name string, begin func(), reduce reducer) (*objectList, error) {
	begin()
	list := &objectList{}
	options := metav1.ListOptions{Limit: pageSize}
	for {
		p, err := c.page(ctx, name, options, list, reduce)
		switch {
		case err == nil && p.next == "":
			list.ResourceVersion = p.resourceVersion
			return list, nil
		case err == nil:
			options.Continue = p.next
		case options.Continue != "" && apierrors.IsResourceExpired(err):
			// The pages took longer than the API server keeps old versions. Once more, then, in one
			// answer: item by item it needs no more memory here.
			begin()
			list, options = &objectList{}, metav1.ListOptions{}
		default:
			return nil, err
		}
	}
}

// page appends one page's items to list.
func (c collection) page(ctx context.Context, name string, options metav1.ListOptions, list *objectList, reduce reducer) (page, error) {
	body, err := c.open(ctx, name, options)
	if err != nil {
		return page{}, err
	}
	defer func() { _ = body.Close() }()
	return decodeList(body, func(o raw) {
		if kept := reduce(apiwatch.Added, o); kept != nil {
			list.Items = append(list.Items, kept)
		}
	})
}
