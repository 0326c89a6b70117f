package crash

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// write is one kind of write of the operator.
type write struct {
	method string
	path   string // a part of the URL's path
}

func (w write) matches(r *http.Request) bool {
	return r.Method == w.method && strings.Contains(r.URL.Path, w.path)
}

// proxy stands between the operator and the API server, and can end the operator at one of its writes.
type proxy struct {
	URL string

	mu     sync.Mutex
	armed  *write
	after  bool
	kill   func()
	struck chan struct{}
}

func newProxy(t *testing.T, config *rest.Config) *proxy {
	transport, err := rest.TransportFor(config)
	require.NoError(t, err)
	target, err := url.Parse(config.Host)
	require.NoError(t, err)
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // watches
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	p := &proxy{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		after, kill, struck := p.strikes(r)
		if kill == nil {
			forward.ServeHTTP(w, r)
			return
		}
		if after {
			// The API server carries the write out; its answer never arrives.
			forward.ServeHTTP(httptest.NewRecorder(), r)
		}
		kill()
		close(struck)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	p.URL = server.URL
	return p
}

// arm makes the next write of this kind the operator's last: kill is called before the API server sees it, or
// after it has carried it out. The channel closes once that has happened.
func (p *proxy) arm(w write, after bool, kill func()) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed, p.after, p.kill, p.struck = &w, after, kill, make(chan struct{})
	return p.struck
}

func (p *proxy) strikes(r *http.Request) (after bool, kill func(), struck chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.armed == nil || !p.armed.matches(r) {
		return false, nil, nil
	}
	p.armed = nil
	return p.after, p.kill, p.struck
}

// kubeConfig leads to the proxy.
func (p *proxy) kubeConfig() []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: proxy
clusters: [{name: proxy, cluster: {server: %q}}]
contexts: [{name: proxy, context: {cluster: proxy, user: proxy}}]
users: [{name: proxy, user: {}}]
`, p.URL)
}
