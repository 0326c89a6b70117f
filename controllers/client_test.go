package controllers

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// answers keeps the body of the last answer that came through.
type answers struct {
	http.RoundTripper
	last []byte
}

func (a *answers) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := a.RoundTripper.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	a.last, err = io.ReadAll(response.Body)
	response.Body = io.NopCloser(bytes.NewReader(a.last))
	return response, err
}

func TestAStatusUpdateIsAnsweredWithMetadataAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := &answers{}
	config := rest.CopyConfig(server.Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		seen.RoundTripper = next
		return seen
	})
	httpClient, err := rest.HTTPClientFor(config)
	require.NoError(t, err)
	c, err := NewClient(config, client.Options{Scheme: server.Scheme, HTTPClient: httpClient})
	require.NoError(t, err)

	ctj := w.trigger("ctj", []string{"config"})
	before := ctj.DeepCopy()
	ctj.Status.TriggerCount = 3
	require.NoError(t, c.Status().Update(w.ctx, ctj, plainly))

	var answer metav1.PartialObjectMetadata
	require.NoError(t, json.Unmarshal(seen.last, &answer))
	assert.Equal(t, "PartialObjectMetadata", answer.Kind)
	stored := &v1alpha.ChangeTriggeredJob{}
	require.NoError(t, w.Get(w.ctx, client.ObjectKeyFromObject(ctj), stored))
	assert.Equal(t, stored.ResourceVersion, ctj.ResourceVersion)
	assert.EqualValues(t, 3, stored.Status.TriggerCount)

	before.Status.TriggerCount = 4
	err = c.Status().Update(w.ctx, before)
	assert.True(t, apierrors.IsConflict(err), "%v", err)
}
