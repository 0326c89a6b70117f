package controllers

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// NewClient makes the client that the manager gives to the Reconciler (it is a NewClient of manager.Options). It is
// controller-runtime's, and differs in one thing: the answer to an update of the status of a ChangeTriggeredJob is its metadata alone. The
// rest is what was sent, and both sides would encode and decode it once more for every trigger.
func NewClient(config *rest.Config, options client.Options) (client.Client, error) {
	return newClient(config, options)
}

func newClient(config *rest.Config, options client.Options) (client.WithWatch, error) {
	if options.HTTPClient == nil || options.Scheme == nil {
		return nil, errors.New("a client needs the manager's HTTP client and scheme")
	}
	c, err := client.NewWithWatch(config, options)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	kind := v1alpha.GroupVersion.WithKind(v1alpha.Kind)
	plain, err := apiutil.RESTClientForGVK(kind, false, false, config, serializer.NewCodecFactory(options.Scheme), options.HTTPClient)
	if err != nil {
		return nil, fmt.Errorf("make a client for %s: %w", kind.Kind, err)
	}
	return &terseClient{WithWatch: c, rest: plain}, nil
}

// terseClient is a client whose status updates have short answers.
type terseClient struct {
	client.WithWatch
	rest rest.Interface
}

// Status implements client.Client.
func (c *terseClient) Status() client.SubResourceWriter { return c.SubResource("status") }

// SubResource implements client.Client.
func (c *terseClient) SubResource(name string) client.SubResourceClient {
	sub := c.WithWatch.SubResource(name)
	if name != "status" {
		return sub
	}
	return &terseStatus{SubResourceClient: sub, rest: c.rest}
}

type terseStatus struct {
	client.SubResourceClient
	rest rest.Interface
}

// metadataOnly asks an API server for an object's metadata.
const metadataOnly = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

// Update implements client.SubResourceWriter. Of what the API server answers, a ChangeTriggeredJob gets the resourceVersion.
func (s *terseStatus) Update(ctx context.Context, object client.Object, options ...client.SubResourceUpdateOption) error {
	var asked client.SubResourceUpdateOptions
	asked.ApplyOptions(options)
	ctj, ok := object.(*v1alpha.ChangeTriggeredJob)
	if !ok || asked.SubResourceBody != nil {
		return s.SubResourceClient.Update(ctx, object, options...)
	}
	answer := &metav1.PartialObjectMetadata{}
	err := s.rest.Put().
		Namespace(ctj.Namespace).Resource("changetriggeredjobs").Name(ctj.Name).SubResource("status").
		VersionedParams(asked.AsUpdateOptions(), metav1.ParameterCodec).
		SetHeader("Accept", metadataOnly).
		Body(ctj).
		Do(ctx).Into(answer)
	if err != nil {
		return err
	}
	ctj.ResourceVersion = answer.ResourceVersion
	return nil
}
