package controllers

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"k8s.io/client-go/rest"

	"github.com/nusnewob/kube-changejob/pkg/watch"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

func TestAtTheStartWhatManyReferenceIsNotWatchedOneByOneFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const many = 2 * watch.DefaultThreshold
	for i := range many {
		name := fmt.Sprint("config-", i)
		w.configMap(name, "1")
		w.trigger(fmt.Sprint("ctj-", i), []string{name})
	}
	var single atomic.Int64
	config := rest.CopyConfig(server.Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			if strings.HasSuffix(request.URL.Path, "/configmaps") && strings.Contains(request.URL.RawQuery, "metadata.name") {
				single.Add(1)
			}
			return next.RoundTrip(request)
		})
	})
	w.operate(func(s *setup) { s.config = config })
	for i := range many {
		w.watching(fmt.Sprint("ctj-", i))
	}
	assert.Zero(t, single.Load(), "requests for a single ConfigMap")
}
