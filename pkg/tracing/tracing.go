// Package tracing sends OpenTelemetry traces to a collector, where one is named. Where none is, there is no tracer, and nothing that would cost anything.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// name is that of the tracer, and of the service where the environment gives no other.
const name = "kube-changejob"

// flushTime is how long the last spans may take when the process ends.
const flushTime = 5 * time.Second

// Endpoint returns the collector that the standard variables name; it is empty where nothing is to be traced.
func Endpoint(env func(string) string) string {
	if env("OTEL_SDK_DISABLED") == "true" || env("OTEL_TRACES_EXPORTER") == "none" {
		return ""
	}
	if endpoint := env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"); endpoint != "" {
		return endpoint
	}
	return env("OTEL_EXPORTER_OTLP_ENDPOINT")
}

// Check says what is wrong with an endpoint, and with what the standard variables ask for beside it.
func Check(endpoint string, env func(string) string) error {
	if endpoint == "" {
		return nil
	}
	// What the parser says could quote a password that is in the address.
	u, err := url.Parse(endpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New("must be http://HOST:PORT, or https:// where the collector has a certificate")
	}
	for _, variable := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol := env(variable); protocol != "" && protocol != "grpc" {
			return fmt.Errorf("%s is %q, and only grpc is supported", variable, protocol)
		}
	}
	if exporter := env("OTEL_TRACES_EXPORTER"); exporter != "" && exporter != "otlp" && exporter != "none" {
		return fmt.Errorf("OTEL_TRACES_EXPORTER is %q, and only otlp and none are supported", exporter)
	}
	return nil
}

// Exporter sends spans to a collector. It implements manager.Runnable.
type Exporter struct {
	provider *sdktrace.TracerProvider
}

// New returns an exporter of spans to the endpoint, by OTLP over gRPC. It neither waits for the collector nor fails where that is
// down: spans are lost then, and nothing else. What the standard variables say of headers, certificates, sampling, batches and the resource
// holds.
func New(ctx context.Context, endpoint, version string, log logr.Logger) (*Exporter, error) {
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(endpoint))
	if err != nil {
		return nil, fmt.Errorf("set up the export of traces: %w", err)
	}
	described, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", name), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Info("Traces were not sent", "error", err.Error()) }))
	return &Exporter{provider: sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(described))}, nil
}

// Tracer makes the spans that are sent.
func (e *Exporter) Tracer() trace.Tracer { return e.provider.Tracer(name) }

// NeedLeaderElection implements manager.LeaderElectionRunnable: it sends what there is, until the end.
func (*Exporter) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable: it waits for the end, and sends what is left then.
func (e *Exporter) Start(ctx context.Context) error {
	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer cancel()
	// A collector that is down is no failure of the program.
	_ = e.provider.Shutdown(ctx)
	return nil
}
