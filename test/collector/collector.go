// Package collector is an OpenTelemetry collector for tests: it keeps the traces that are sent to it.
package collector

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	service "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// Collector receives traces by OTLP over gRPC.
type Collector struct {
	service.UnimplementedTraceServiceServer
	// Endpoint is where it listens.
	Endpoint string

	mu       sync.Mutex
	received []*traces.ResourceSpans
}

// Start starts a collector that the end of the test stops.
func Start(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{}
	c.Endpoint = serve(t, c)
	return c
}

// Silent starts a collector that takes in what is sent to it and never answers, and returns where it listens.
func Silent(t testing.TB) (endpoint string) {
	t.Helper()
	return serve(t, silent{})
}

func serve(t testing.TB, c service.TraceServiceServer) (endpoint string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	service.RegisterTraceServiceServer(server, c)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		assert.NoError(t, <-served)
	})
	return "http://" + listener.Addr().String()
}

// silent is a collector that never answers.
type silent struct {
	service.UnimplementedTraceServiceServer
}

// Export implements the service.
func (silent) Export(ctx context.Context, _ *service.ExportTraceServiceRequest) (*service.ExportTraceServiceResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// Export implements the service.
func (c *Collector) Export(_ context.Context, request *service.ExportTraceServiceRequest) (*service.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received = append(c.received, request.GetResourceSpans()...)
	return &service.ExportTraceServiceResponse{}, nil
}

// Received returns what has been received.
func (c *Collector) Received() []*traces.ResourceSpans {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.received[:len(c.received):len(c.received)]
}

// Text is all that has been received, as text.
func (c *Collector) Text() string {
	var b strings.Builder
	for _, received := range c.Received() {
		b.WriteString(received.String())
	}
	return b.String()
}
