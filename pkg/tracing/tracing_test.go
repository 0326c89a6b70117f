package tracing

import (
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	common "go.opentelemetry.io/proto/otlp/common/v1"

	"github.com/nusnewob/kube-changejob/test/collector"
)

func environment(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func TestWhereTracesAreSent(t *testing.T) {
	const all, tracesOnly = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"nowhere":                              {nil, ""},
		"where everything is sent":             {map[string]string{all: "http://all:4317"}, "http://all:4317"},
		"where traces are sent":                {map[string]string{all: "http://all:4317", tracesOnly: "http://traces:4317"}, "http://traces:4317"},
		"nowhere, the SDK being off":           {map[string]string{all: "http://all:4317", "OTEL_SDK_DISABLED": "true"}, ""},
		"nowhere, since there is no exporter":  {map[string]string{all: "http://all:4317", "OTEL_TRACES_EXPORTER": "none"}, ""},
		"somewhere, by the exporter for which": {map[string]string{all: "http://all:4317", "OTEL_TRACES_EXPORTER": "otlp"}, "http://all:4317"},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, Endpoint(environment(c.env))) })
	}
}

func TestEndpointsThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		endpoint string
		env      map[string]string
		want     string
	}{
		"no scheme":         {"collector:4317", nil, "must be http://HOST:PORT"},
		"another scheme":    {"grpc://collector:4317", nil, "must be http://HOST:PORT"},
		"no host":           {"http://", nil, "must be http://HOST:PORT"},
		"junk":              {"http://user:secret@[::1", nil, "must be http://HOST:PORT"},
		"another protocol":  {"http://collector:4318", map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, `OTEL_EXPORTER_OTLP_PROTOCOL is "http/protobuf"`},
		"another for these": {"http://collector:4318", map[string]string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL is "http/json"`},
		"another exporter":  {"http://collector:4317", map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, `OTEL_TRACES_EXPORTER is "zipkin"`},
	} {
		t.Run(name, func(t *testing.T) {
			err := Check(c.endpoint, environment(c.env))
			require.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "secret")
		})
	}
	require.NoError(t, Check("", environment(map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"})), "nothing is traced")
	require.NoError(t, Check("https://collector:4317", environment(map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})))
}

func TestSpansReachTheCollector(t *testing.T) {
	c := collector.Start(t)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")

	exporter, err := New(t.Context(), c.Endpoint, "v1.2.3", logr.Discard())
	require.NoError(t, err)
	ctx, parent := exporter.Tracer().Start(t.Context(), "watch event")
	_, child := exporter.Tracer().Start(ctx, "decide")
	child.End()
	parent.End()
	exporter.End() // which sends what is left

	received := c.Received()
	require.Len(t, received, 1)
	resource := map[string]string{}
	for _, attribute := range received[0].GetResource().GetAttributes() {
		resource[attribute.GetKey()] = attribute.GetValue().GetValue().(*common.AnyValue_StringValue).StringValue
	}
	assert.Equal(t, "kube-changejob", resource["service.name"])
	assert.Equal(t, "v1.2.3", resource["service.version"])
	assert.Equal(t, "test", resource["deployment.environment"])
	spans := received[0].GetScopeSpans()[0].GetSpans()
	require.Len(t, spans, 2)
	assert.Equal(t, []string{"decide", "watch event"}, []string{spans[0].GetName(), spans[1].GetName()})
	assert.Equal(t, spans[1].GetSpanId(), spans[0].GetParentSpanId())
}

func TestNothingIsTracedWhereThereIsNoExporter(t *testing.T) {
	var none *Exporter
	assert.Nil(t, none.Tracer())
	none.End()
}

// TestACollectorThatIsDownHoldsUpTheEndForNoLongerThanItMay: each attempt could take an hour.
func TestACollectorThatIsDownHoldsUpTheEndForNoLongerThanItMay(t *testing.T) {
	const hour = "3600000"
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", hour)
	t.Setenv("OTEL_BSP_EXPORT_TIMEOUT", hour)
	for name, endpoint := range map[string]string{"it refuses": "http://127.0.0.1:1", "it never answers": collector.Silent(t)} {
		t.Run(name, func(t *testing.T) {
			exporter, err := New(t.Context(), endpoint, "v1", logr.Discard())
			require.NoError(t, err)
			_, span := exporter.Tracer().Start(t.Context(), "watch event")
			span.End()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				exporter.end(10 * time.Millisecond)
			}()
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				t.Fatal("the process does not end")
			}
		})
	}
	assert.Less(t, flushTime, 10*time.Second, "which a Pod has for its end")
}
