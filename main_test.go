package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/pkg/tracing"
	"github.com/nusnewob/kube-changejob/pkg/watch"
	"github.com/nusnewob/kube-changejob/test/collector"
)

func environment(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func TestFlagsAndTheirEnvironment(t *testing.T) {
	inPod := map[string]string{"POD_NAMESPACE": "operators"}
	cases := map[string]struct {
		args []string
		env  map[string]string
		want func(*options)
	}{
		"the defaults": {
			env: inPod, want: func(*options) {},
		},
		"a flag goes before its variable": {
			args: []string{"--namespace=other", "--watch-namespaces=a,b", "--poll-interval=2m"},
			env:  map[string]string{"POD_NAMESPACE": "operators", "WATCH_NAMESPACE": "c", "POLL_INTERVAL": "3m"},
			want: func(o *options) { o.namespace, o.watchNamespace, o.pollInterval = "other", "a,b", 2*time.Minute },
		},
		"variables alone": {
			env:  map[string]string{"POD_NAMESPACE": "operators", "WATCH_NAMESPACE": "c", "POLL_INTERVAL": "3m", "ENABLE_WEBHOOKS": "false"},
			want: func(o *options) { o.watchNamespace, o.pollInterval, o.webhooks = "c", 3*time.Minute, false },
		},
		"the rights of authors unasked": {
			args: []string{"--authorize-references=false"}, env: inPod,
			want: func(o *options) { o.authorize = false },
		},
		"traces to where OpenTelemetry is told to": {
			env:  map[string]string{"POD_NAMESPACE": "operators", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"},
			want: func(o *options) { o.otlpEndpoint = "http://collector:4317" },
		},
		"traces to where the flag says": {
			args: []string{"--otlp-endpoint=https://other:4317"},
			env:  map[string]string{"POD_NAMESPACE": "operators", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"},
			want: func(o *options) { o.otlpEndpoint = "https://other:4317" },
		},
		"the certificate from files": {
			args: []string{"--webhook-cert=files", "--webhook-cert-dir=/certs", "--webhook-port=1"}, env: inPod,
			want: func(o *options) { o.webhookCert, o.webhookCertDir, o.webhookPort = certFiles, "/certs", 1 },
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			want := &options{
				namespace: "operators", pollInterval: time.Minute, metricsAddress: "0", metricsSecure: true, probeAddress: ":8081", pprofAddress: "0",
				concurrency: 16, watchThreshold: watch.DefaultThreshold, webhooks: true, authorize: true, webhookCert: certSelf,
				webhookCertDir: "/tmp/k8s-webhook-server/serving-certs", webhookPort: 9443,
			}
			c.want(want)
			got, err := parse(c.args, environment(c.env))
			require.NoError(t, err)
			want.zap = got.zap
			assert.Equal(t, want, got)
		})
	}
}

func TestFlagsThatCannotBe(t *testing.T) {
	cases := map[string]struct {
		args []string
		env  map[string]string
		want string
	}{
		"no namespace":               {nil, nil, "--namespace (POD_NAMESPACE) is required"},
		"a poll interval of zero":    {[]string{"--namespace=n", "--poll-interval=0s"}, nil, "--poll-interval (POLL_INTERVAL) must be positive"},
		"a poll interval of junk":    {[]string{"--namespace=n"}, map[string]string{"POLL_INTERVAL": "often"}, "POLL_INTERVAL"},
		"no workers":                 {[]string{"--namespace=n", "--max-concurrent-reconciles=0"}, nil, "--max-concurrent-reconciles must be positive"},
		"another certificate":        {[]string{"--namespace=n", "--webhook-cert=vault"}, nil, "--webhook-cert must be self or files"},
		"a collector without scheme": {[]string{"--namespace=n", "--otlp-endpoint=collector:4317"}, nil, "--otlp-endpoint (OTEL_EXPORTER_OTLP_ENDPOINT): must be http://HOST:PORT"},
		"arguments":                  {[]string{"--namespace=n", "now"}, nil, "unexpected arguments: now"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := parse(c.args, environment(c.env))
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestLogFlagsHaveShortNames(t *testing.T) {
	for _, args := range [][]string{
		{"--log-level=debug", "--log-format=console", "--log-timestamp=rfc3339"},
		{"--zap-log-level=debug", "--zap-encoder=console", "--zap-time-encoding=rfc3339"},
	} {
		o, err := parse(append(args, "--namespace=n"), environment(nil))
		require.NoError(t, err)
		assert.NotNil(t, o.zap.Level, args)
		assert.NotNil(t, o.zap.NewEncoder, args)
		assert.NotNil(t, o.zap.TimeEncoder, args)
	}
}

func TestNoLineIsLeftOutOfTheLog(t *testing.T) {
	for name, args := range map[string][]string{
		"as it is by default":  nil,
		"as a person reads it": {"--log-format=console"},
		"with more in it":      {"--log-level=debug"},
		"for development":      {"--zap-devel"},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := parse(append(args, "--namespace=n"), environment(nil))
			require.NoError(t, err)
			written := &bytes.Buffer{}
			o.zap.DestWriter = written
			logger := newLogger(o.zap)
			for range 300 {
				logger.Info("created a Job")
			}
			assert.Equal(t, 300, strings.Count(written.String(), "created a Job"))
		})
	}
}

func TestTheLogSaysWhatItWouldWriteAndNoBodiesOfRequests(t *testing.T) {
	for level, most := range map[string]int{"info": 0, "debug": 1, "3": 3, "7": 7, "8": 7, "10": 7} {
		o, err := parse([]string{"--namespace=n", "--log-level=" + level}, environment(nil))
		require.NoError(t, err)
		o.zap.DestWriter = &bytes.Buffer{}
		logger := newLogger(o.zap)
		for v := range 12 {
			assert.Equal(t, v <= most, logger.V(v).Enabled(), "level %s, V(%d)", level, v)
		}
	}
}

func TestOnlyTheNamedNamespacesAreCached(t *testing.T) {
	all, err := cacheOptions("")
	require.NoError(t, err)
	assert.Nil(t, all.DefaultNamespaces)

	some, err := cacheOptions("team-a, team-b,")
	require.NoError(t, err)
	assert.Len(t, some.DefaultNamespaces, 2)
	assert.Contains(t, some.DefaultNamespaces, "team-b")
}

func TestConnectionsAreModern(t *testing.T) {
	config := &tls.Config{}
	modernTLS(config)
	assert.EqualValues(t, tls.VersionTLS12, config.MinVersion)
	assert.Equal(t, []string{"http/1.1"}, config.NextProtos, "no HTTP/2")
}

func TestAnEndBeforeTheStartIsNoFailure(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(kubeconfig, []byte(`apiVersion: v1
kind: Config
current-context: nobody
clusters: [{name: nobody, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: nobody, context: {cluster: nobody, user: nobody}}]
users: [{name: nobody, user: {}}]
`), 0o600))
	t.Setenv("KUBECONFIG", kubeconfig)
	env := environment(map[string]string{"POD_NAMESPACE": "operators", "ENABLE_WEBHOOKS": "false"})
	require.Error(t, run(t.Context(), nil, env), "nobody answers")
	ended, end := context.WithCancel(t.Context())
	end()
	require.NoError(t, run(ended, nil, env))
}

// runs is a manager that does this.
type runs func(context.Context) error

func (r runs) Start(ctx context.Context) error { return r(ctx) }

// TestWhatIsDoneLastIsTraced: reconcilers do something when they are to end already.
func TestWhatIsDoneLastIsTraced(t *testing.T) {
	for does, failure := range map[string]error{"where all went well": nil, "where the lease was lost": errors.New("leader election lost")} {
		t.Run(does, func(t *testing.T) {
			c := collector.Start(t)
			traces, err := tracing.New(t.Context(), c.Endpoint, "v1", logr.Discard())
			require.NoError(t, err)
			ended, end := context.WithCancel(t.Context())
			end()
			err = start(ended, runs(func(ctx context.Context) error {
				<-ctx.Done()
				_, span := traces.Tracer().Start(t.Context(), "write status")
				span.End()
				return failure
			}), traces)
			require.ErrorIs(t, err, failure)
			assert.Contains(t, c.Text(), "write status")
		})
	}
	require.NoError(t, start(t.Context(), runs(func(context.Context) error { return nil }), nil), "and where nothing is traced")
}
