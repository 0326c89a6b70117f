package faults

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/rest"
)

// call is one request of the operator.
type call struct {
	*request.RequestInfo
	query url.Values
}

func (c *call) watches() bool { return c.Verb == "watch" }

func (c *call) writes() bool {
	return slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, c.Verb)
}

// is says what a request is about, such as "create jobs" or "update changetriggeredjobs/status".
func (c *call) is(what string) bool {
	about := c.Verb + " " + c.Resource
	if c.Subresource != "" {
		about += "/" + c.Subresource
	}
	return about == what
}

// proxy stands between the operator and the API server, and spoils requests.
type proxy struct {
	url string

	mu       sync.Mutex
	injected []*injection
	streams  map[*stream]struct{}
	seen     int // requests other than for leases
	expired  int // answers that say that what is asked for is too old
}

// stream is a watch that is open.
type stream struct {
	call *call
	cut  context.CancelFunc
}

// exchange is one request that a fault has its hands on.
type exchange struct {
	http.ResponseWriter
	request *http.Request
	call    *call
	forward func(http.ResponseWriter)
}

// abort ends the connection without an answer.
func (*exchange) abort() { panic(http.ErrAbortHandler) }

// fault is what befalls a request.
type fault struct {
	// name is for the report.
	name string
	do   func(*exchange)
}

// What can befall a request.
var (
	// fails is that the connection ends before the API server has the request.
	fails = fault{"the request fails", func(x *exchange) { x.abort() }}
	// losesAnswer is that the API server carries the request out, and its answer never arrives.
	losesAnswer = fault{"the answer is lost", func(x *exchange) {
		x.forward(httptest.NewRecorder())
		x.abort()
	}}
	// isSwallowed is that nobody ever answers.
	isSwallowed = fault{"nobody answers", func(x *exchange) {
		_, _ = io.Copy(io.Discard, x.request.Body) // the end of a connection is noticed only behind the body
		<-x.request.Context().Done()
		x.abort()
	}}
	conflicts       = refuses(http.StatusConflict, "Conflict")
	throttles       = refuses(http.StatusTooManyRequests, "TooManyRequests")
	timesOut        = refuses(http.StatusGatewayTimeout, "Timeout")
	breaksDown      = refuses(http.StatusInternalServerError, "InternalError")
	isUnavailable   = refuses(http.StatusServiceUnavailable, "ServiceUnavailable")
	carriesOutFails = fault{"carried out, answered with 500", func(x *exchange) {
		x.forward(httptest.NewRecorder())
		breaksDown.do(x)
	}}
)

// refuses is that the request is answered with a code, and not carried out.
func refuses(code int, reason string) fault {
	return fault{"answered with " + strconv.Itoa(code), func(x *exchange) {
		x.Header().Set("Content-Type", "application/json")
		if code == http.StatusTooManyRequests {
			x.Header().Set("Retry-After", "1")
		}
		x.WriteHeader(code)
		_, _ = fmt.Fprintf(x, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"a fault","reason":%q,"code":%d}`, reason, code)
	}}
}

// isLate is that a request reaches the API server only after a time.
func isLate(by time.Duration) fault {
	return fault{"late by " + by.String(), func(x *exchange) {
		timer := time.NewTimer(by)
		defer timer.Stop()
		select {
		case <-timer.C:
			x.forward(x.ResponseWriter)
		case <-x.request.Context().Done():
			x.abort()
		}
	}}
}

// gate is what holds back the answers to watches.
type gate struct {
	mu     sync.Mutex
	opened chan struct{}
	held   int // how many writes wait at it
}

// lags is that what a watch tells is held back while the gate is closed.
func (g *gate) lags() fault {
	return fault{"a watch lags", func(x *exchange) { x.forward(&gated{x.ResponseWriter, g, x.request.Context()}) }}
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened = make(chan struct{})
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.opened)
	g.opened = nil
}

// step lets what waits pass, and nothing behind it.
func (g *gate) step() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.opened)
	g.opened = make(chan struct{})
}

// holds says whether something waits.
func (g *gate) holds() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held > 0
}

// arrived returns what to wait for; nil where the gate is open.
func (g *gate) arrived() chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened != nil {
		g.held++
	}
	return g.opened
}

func (g *gate) wait(ctx context.Context) {
	opened := g.arrived()
	if opened == nil {
		return
	}
	defer g.left()
	select {
	case <-opened:
	case <-ctx.Done():
	}
}

func (g *gate) left() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held--
}

type gated struct {
	http.ResponseWriter
	gate *gate
	ctx  context.Context
}

// Write implements io.Writer.
func (w *gated) Write(data []byte) (int, error) {
	w.gate.wait(w.ctx)
	return w.ResponseWriter.Write(data)
}

// Unwrap is for http.ResponseController.
func (w *gated) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// injection is a fault that befalls some requests.
type injection struct {
	fault
	proxy *proxy
	on    func(*call) bool
	// skip is how many such requests pass before it strikes, times how many it strikes; 0 is all.
	skip, times int
	count       int
}

// inject makes a fault befall the requests that on chooses, until it is lifted.
func (p *proxy) inject(f fault, on func(*call) bool, edits ...func(*injection)) *injection {
	i := &injection{fault: f, proxy: p, on: on}
	for _, edit := range edits {
		edit(i)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.injected = append(p.injected, i)
	return i
}

// nth makes a fault befall the k-th such request alone, counted from 1.
func nth(k int) func(*injection) { return func(i *injection) { i.skip, i.times = k-1, 1 } }

// lift ends the fault and returns how often it has struck.
func (i *injection) lift() int {
	i.proxy.mu.Lock()
	defer i.proxy.mu.Unlock()
	i.proxy.injected = slices.DeleteFunc(i.proxy.injected, func(other *injection) bool { return other == i })
	return i.count
}

// strikes returns how often the fault has struck.
func (i *injection) strikes() int {
	i.proxy.mu.Lock()
	defer i.proxy.mu.Unlock()
	return i.count
}

// strike returns the injection that befalls a request, or nil.
func (p *proxy) strike(c *call) *injection {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.Resource != "leases" {
		p.seen++
	}
	for _, i := range slices.Backward(p.injected) { // the newest counts
		if !i.on(c) {
			continue
		}
		if i.skip > 0 {
			i.skip--
			continue
		}
		if i.times > 0 && i.count == i.times {
			continue
		}
		i.count++
		return i
	}
	return nil
}

// requests returns how many requests there have been, other than for leases.
func (p *proxy) requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

// watching returns how many watches are open.
func (p *proxy) watching() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.streams)
}

// cut ends the connections of open watches, and returns of how many.
func (p *proxy) cut(on func(*call) bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := 0
	for s := range p.streams {
		if on(s.call) {
			s.cut()
			count++
		}
	}
	return count
}

func newProxy(t testing.TB, config *rest.Config) *proxy {
	t.Helper()
	transport, err := rest.TransportFor(config)
	require.NoError(t, err)
	target, err := url.Parse(config.Host)
	require.NoError(t, err)
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // watches
		// An API server that is not there has no answer.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:     quiet,
	}
	p := &proxy{streams: map[*stream]struct{}{}}
	forward.ModifyResponse = func(r *http.Response) error {
		if r.StatusCode == http.StatusGone {
			p.sawExpired()
		}
		r.Body = &expiry{r.Body, p}
		return nil
	}
	infos := &request.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api")}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info, err := infos.NewRequestInfo(r)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c := &call{info, r.URL.Query()}
		if c.watches() {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			r = r.WithContext(ctx)
			defer p.opened(c, cancel)()
		}
		x := &exchange{ResponseWriter: w, request: r, call: c, forward: func(w http.ResponseWriter) { forward.ServeHTTP(w, r) }}
		i := p.strike(c)
		if i == nil {
			x.forward(w)
			return
		}
		i.do(x)
	}))
	server.Config.ErrorLog = quiet
	server.Start()
	t.Cleanup(func() {
		p.cut(func(*call) bool { return true })
		server.CloseClientConnections()
		server.Close()
	})
	p.url = server.URL
	return p
}

// opened remembers a watch until what it returns is called.
func (p *proxy) opened(c *call, cut context.CancelFunc) (closed func()) {
	s := &stream{c, cut}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.streams[s] = struct{}{}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.streams, s)
	}
}

// expiry looks for the event by which a watch tells that what it asks for is too old.
type expiry struct {
	io.ReadCloser
	proxy *proxy
}

// Read implements io.Reader.
func (e *expiry) Read(into []byte) (int, error) {
	n, err := e.ReadCloser.Read(into)
	if bytes.HasPrefix(into[:n], []byte(`{"type":"ERROR"`)) && bytes.Contains(into[:n], []byte(`"code":410`)) {
		e.proxy.sawExpired()
	}
	return n, err
}

func (p *proxy) sawExpired() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expired++
}

// gone returns how often the API server has said that what is asked for is too old.
func (p *proxy) gone() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.expired
}
