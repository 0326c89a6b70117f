package controllers

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// late makes the watches of ConfigMaps late: while it is locked, they tell nothing.
type late struct {
	sync.RWMutex
	http.RoundTripper
}

func (l *late) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := l.RoundTripper.RoundTrip(request)
	if err == nil && request.URL.Query().Has("watch") && strings.HasSuffix(request.URL.Path, "/configmaps") {
		response.Body = &lateBody{response.Body, l}
	}
	return response, err
}

func (l *late) config() *rest.Config {
	config := rest.CopyConfig(server.Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		l.RoundTripper = next
		return l
	})
	return config
}

type lateBody struct {
	io.ReadCloser
	late *late
}

func (b *lateBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.late.RLock()
	defer b.late.RUnlock()
	return n, err
}

// The workers are busy while a ChangeTriggeredJob is deleted and created anew, so that no reconcile finds that it is gone; and the watch is late
// with a change from before. The new one's baseline is what there was when it was created.
func TestOneThatWasCreatedAnewTakesOverNothingOfTheFormer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	late := &late{}
	var former atomic.Pointer[types.UID]
	w.operate(withConfig(late.config()), withFaults(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if _, ok := o.(*v1alpha.ChangeTriggeredJob); ok && key.Name == "ctj" && former.Load() != nil {
				assert.Eventually(t, func() bool { return c.Get(ctx, key, o, opts...) == nil && o.GetUID() != *former.Load() }, patience, tick)
			}
			return c.Get(ctx, key, o, opts...)
		},
	}))
	w.configMap("config", "1")
	ctj := w.trigger("ctj", []string{"config"})
	w.watching("ctj")

	late.Lock()
	catchUp := sync.OnceFunc(late.Unlock)
	t.Cleanup(catchUp)
	w.change("config", "2")
	former.Store(&ctj.UID)
	require.NoError(t, w.Delete(t.Context(), ctj))
	w.trigger("ctj", []string{"config"})
	w.watching("ctj")
	catchUp()
	w.settled()
	assert.Empty(t, w.jobs("ctj"), "nothing has changed since it was created")
}
