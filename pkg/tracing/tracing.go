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

// flushTime is how long the last spans may take when the process ends. A Pod has ten seconds for all of its end.
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

// Exporter sends spans to a collector. None at all, nil, is one that does nothing.
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

// Tracer makes the spans that are sent; it is nil where none are.
func (e *Exporter) Tracer() trace.Tracer {
	if e == nil {
		return nil
	}
	return e.provider.Tracer(name)
}

// End sends what is left, and ends the export. It comes after everything that makes spans, and holds up the end of the process for
// no longer than a few seconds, though the collector be down: that is no failure of the program.
func (e *Exporter) End() { e.end(flushTime) }

func (e *Exporter) end(patience time.Duration) {
	if e == nil {
		return
	}
	// The process' own context has ended by now.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = e.provider.Shutdown(ctx)
}
