// Command manager runs the kube-changejob operator: it runs a Job when watched objects have changed.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"go.opentelemetry.io/otel/trace"
	uberzap "go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/controllers"
	"github.com/nusnewob/kube-changejob/pkg/admission"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/keyedhash"
	"github.com/nusnewob/kube-changejob/pkg/servingcert"
	"github.com/nusnewob/kube-changejob/pkg/tracing"
	"github.com/nusnewob/kube-changejob/pkg/watch"
)

// version is set when the program is built for a release.
var version = "devel"

// Names that the manifests in config/ share with this program.
const (
	leaseName          = "kube-changejob-leader"
	webhookSecretName  = "kube-changejob-webhook-cert" //nolint:gosec // a name, and no secret
	webhookServiceName = "kube-changejob-webhook-service"
	webhookConfigName  = "kube-changejob-validating-webhook-configuration"
)

// The serving certificate that --webhook-cert=self makes is replaced well before it ends. Its CA is put
// into the webhook configuration at once when it is replaced, while other replicas may still serve under
// the old one; so it lives for ten years.
const (
	caDuration          = 10 * 365 * 24 * time.Hour
	servingCertDuration = 90 * 24 * time.Hour
	renewBefore         = 30 * 24 * time.Hour
)

// Leader election: a leader that cannot renew gives up after renewDeadline, another takes over after
// leaseDuration. They are controller-runtime's defaults.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// Values of --webhook-cert.
const (
	certSelf  = "self"
	certFiles = "files"
)

// options are the flags.
type options struct {
	namespace      string
	watchNamespace string
	pollInterval   time.Duration
	metricsAddress string
	metricsSecure  bool
	probeAddress   string
	pprofAddress   string
	leaderElect    bool
	concurrency    int
	watchThreshold int
	webhooks       bool
	authorize      bool
	webhookCert    string
	webhookCertDir string
	webhookPort    int
	otlpEndpoint   string
	zap            zap.Options
}

func main() {
	if err := run(ctrl.SetupSignalHandler(), os.Args[1:], os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, "kube-changejob:", err)
		os.Exit(1)
	}
}

// run is the program, apart from the process it runs in.
func run(ctx context.Context, args []string, env func(string) string) error {
	o, err := parse(args, env)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	ctrl.SetLogger(newLogger(o.zap))
	ctrl.Log.Info("kube-changejob", "version", version)

	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	// Requests are not throttled here: the API server's priority and fairness does that, and knows more.
	config.QPS = -1

	key, err := loadKey(ctx, config, o.namespace)
	if ctx.Err() != nil {
		return nil // asked to end before it began: nothing has failed
	}
	if err != nil {
		return err
	}
	lease, err := newLease(config, o.namespace)
	if err != nil {
		return err
	}
	mgr, err := newManager(config, o, lease)
	if err != nil {
		return err
	}
	if err := mgr.Add(key); err != nil {
		return err
	}
	traces, err := newExporter(ctx, mgr, o)
	if err != nil {
		return err
	}
	if err := addController(mgr, o, key.Key(), lease, traces.Tracer()); err != nil {
		return err
	}
	var webhookReady healthz.Checker
	if o.webhooks {
		if webhookReady, err = addWebhook(ctx, mgr, o); err != nil {
			return err
		}
	}
	if err := addProbes(mgr, webhookReady); err != nil {
		return err
	}
	return start(ctx, mgr, traces)
}

// start runs the manager until it ends, and then sends the last traces. They are no runnable of the manager's: of these it ends the
// reconcilers last, whose spans would be lost, and it gives the lease back only when all have ended.
func start(ctx context.Context, mgr interface{ Start(context.Context) error }, traces *tracing.Exporter) error {
	defer traces.End()
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}

// parse reads the flags; where an environment variable exists for one, it is the default.
func parse(args []string, env func(string) string) (*options, error) {
	o := &options{zap: zap.Options{}}
	fs := flag.NewFlagSet("manager", flag.ContinueOnError)
	// The usual --kubeconfig is registered by controller-runtime with the process' own flags.
	if f := flag.CommandLine.Lookup("kubeconfig"); f != nil {
		fs.Var(f.Value, f.Name, f.Usage)
	}
	fs.StringVar(&o.namespace, "namespace", env("POD_NAMESPACE"), "Namespace of the operator's own Secrets and Lease (POD_NAMESPACE).")
	fs.StringVar(&o.watchNamespace, "watch-namespaces", env("WATCH_NAMESPACE"),
		"Namespaces, separated by commas, whose ChangeTriggeredJobs are reconciled; all where empty (WATCH_NAMESPACE). What these reference is watched wherever RBAC lets the operator read.")
	fs.DurationVar(&o.pollInterval, "poll-interval", time.Minute,
		"How often what cannot be watched is asked for: kinds without watch, and kinds and rights that are missing (POLL_INTERVAL).")
	fs.StringVar(&o.metricsAddress, "metrics-bind-address", "0", "Address of the metrics endpoint, for example :8443; 0 turns it off.")
	fs.BoolVar(&o.metricsSecure, "metrics-secure", true, "Serve metrics by HTTPS, to those alone whom RBAC allows to get /metrics.")
	fs.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "Address of the /healthz and /readyz endpoints; 0 turns them off.")
	fs.StringVar(&o.pprofAddress, "pprof-bind-address", "0",
		"Address of Go's profiles (/debug/pprof), which anybody who reaches it may read: localhost:6060, for example. 0 turns them off.")
	fs.BoolVar(&o.leaderElect, "leader-elect", false, "Let one of several replicas act; required where more than one may run.")
	fs.IntVar(&o.concurrency, "max-concurrent-reconciles", 16, "How many ChangeTriggeredJobs are reconciled at a time.")
	fs.IntVar(&o.watchThreshold, "watch-threshold", watch.DefaultThreshold,
		"How many objects of one kind in one namespace are watched one by one, before the namespace is watched as a whole, and how many namespaces before the cluster is; negative: always as wide as RBAC allows.")
	fs.StringVar(&o.webhookCert, "webhook-cert", certSelf,
		"Where the webhook's serving certificate comes from: self (made and rotated here) or files (mounted, for example by cert-manager or OLM).")
	fs.StringVar(&o.webhookCertDir, "webhook-cert-dir", "/tmp/k8s-webhook-server/serving-certs", "Folder of the webhook's tls.crt and tls.key.")
	fs.IntVar(&o.webhookPort, "webhook-port", 9443, "Port of the webhook.")
	fs.BoolVar(&o.authorize, "authorize-references", true,
		"Refuse who may not get what their ChangeTriggeredJob watches, or may not create Jobs beside it. Without it, who may write ChangeTriggeredJobs somewhere learns when any object changes, and runs Jobs there.")
	fs.StringVar(&o.otlpEndpoint, "otlp-endpoint", tracing.Endpoint(env),
		"Collector of OpenTelemetry traces, by OTLP over gRPC: http://otel-collector.observability:4317, for example (OTEL_EXPORTER_OTLP_ENDPOINT). Nothing is traced where it is empty.")
	o.zap.BindFlags(fs)
	for alias, name := range map[string]string{"log-level": "zap-log-level", "log-format": "zap-encoder", "log-timestamp": "zap-time-encoding"} {
		fs.Var(fs.Lookup(name).Value, alias, "The same as --"+name+".")
	}
	if interval := env("POLL_INTERVAL"); interval != "" {
		if err := fs.Set("poll-interval", interval); err != nil {
			return nil, fmt.Errorf("POLL_INTERVAL: %w", err)
		}
	}
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	o.webhooks = env("ENABLE_WEBHOOKS") != "false"
	if err := tracing.Check(o.otlpEndpoint, env); err != nil {
		return nil, fmt.Errorf("--otlp-endpoint (OTEL_EXPORTER_OTLP_ENDPOINT): %w", err)
	}
	return o, o.check(fs.Args())
}

// check says which flag is wrong.
func (o *options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected arguments: %s", strings.Join(rest, " "))
	case o.namespace == "":
		return errors.New("--namespace (POD_NAMESPACE) is required: the operator keeps the key of its hashes in a Secret there")
	case o.pollInterval <= 0:
		return errors.New("--poll-interval (POLL_INTERVAL) must be positive")
	case o.concurrency <= 0:
		return errors.New("--max-concurrent-reconciles must be positive")
	case o.webhookCert != certSelf && o.webhookCert != certFiles:
		return fmt.Errorf("--webhook-cert must be %s or %s", certSelf, certFiles)
	}
	return nil
}

// newLogger returns a logger that leaves out no line. The production defaults would let through one of a
// hundred like ones in a second: when many ChangeTriggeredJobs trigger at once, that of most would be lost.
func newLogger(o zap.Options) logr.Logger {
	var all zapcore.Core
	before := uberzap.WrapCore(func(core zapcore.Core) zapcore.Core { all = core; return core })
	o.ZapOpts = append([]uberzap.Option{before}, o.ZapOpts...)
	sampled := zap.NewRaw(zap.UseFlagOptions(&o))
	return zapr.NewLogger(sampled.WithOptions(uberzap.WrapCore(func(zapcore.Core) zapcore.Core { return discreet(all) })))
}

// mostVerbose is the most that --log-level turns on: one level more, and client-go logs the bodies of requests and
// answers, Secrets among them.
const mostVerbose = zapcore.Level(-7)

// discreet returns the core without the levels beyond mostVerbose.
func discreet(core zapcore.Core) zapcore.Core {
	capped, err := zapcore.NewIncreaseLevelCore(core, uberzap.LevelEnablerFunc(func(level zapcore.Level) bool {
		return level >= mostVerbose && core.Enabled(level)
	}))
	if err != nil {
		return zapcore.NewNopCore() // cannot be: it lets through no more than the core does
	}
	return capped
}

// loadKey reads the key of the hashes, or makes it at the first start.
func loadKey(ctx context.Context, config *rest.Config, namespace string) (*keyedhash.Store, error) {
	store, err := keyedhash.NewStore(config, namespace)
	if err != nil {
		return nil, err
	}
	if err := store.Load(ctx); err != nil {
		return nil, fmt.Errorf("load the key of the hashes: %w", err)
	}
	return store, nil
}

// newLease returns the lock of the leader election.
func newLease(config *rest.Config, namespace string) (*controllers.Lease, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("host name: %w", err)
	}
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, namespace, leaseName,
		resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())}, config, renewDeadline)
	if err != nil {
		return nil, fmt.Errorf("leader election: %w", err)
	}
	return &controllers.Lease{Interface: lock, Duration: leaseDuration}, nil
}

func newManager(config *rest.Config, o *options, lease *controllers.Lease) (manager.Manager, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	caches, err := cacheOptions(o.watchNamespace)
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:    scheme,
		Cache:     caches,
		NewClient: controllers.NewClient,
		Metrics: metricsserver.Options{
			BindAddress:    o.metricsAddress,
			SecureServing:  o.metricsSecure,
			FilterProvider: metricsFilter(o.metricsSecure),
			TLSOpts:        []func(*tls.Config){modernTLS},
		},
		WebhookServer: webhook.NewServer(webhook.Options{
			Port:    o.webhookPort,
			CertDir: o.webhookCertDir,
			TLSOpts: []func(*tls.Config){modernTLS},
		}),
		HealthProbeBindAddress: o.probeAddress,
		PprofBindAddress:       o.pprofAddress,

		LeaderElection:                      o.leaderElect,
		LeaderElectionResourceLockInterface: lease,
		LeaseDuration:                       new(leaseDuration),
		RenewDeadline:                       new(renewDeadline),
		RetryPeriod:                         new(retryPeriod),
		// The process ends as soon as the manager has: the next leader need not wait for the lease to end.
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return nil, fmt.Errorf("set up the manager: %w", err)
	}
	return mgr, nil
}

// cacheOptions says what is cached: ChangeTriggeredJobs, and of Jobs what a decision needs. Nothing that
// is referenced: that is pkg/watch's.
func cacheOptions(namespaces string) (cache.Options, error) {
	owned, err := labels.NewRequirement(job.OwnerLabel, selection.Exists, nil)
	if err != nil {
		return cache.Options{}, err
	}
	options := cache.Options{
		ReaderFailOnMissingInformer: true,
		DefaultTransform:            cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&batchv1.Job{}: {Label: labels.NewSelector().Add(*owned), Transform: job.Strip},
		},
	}
	for namespace := range strings.SplitSeq(namespaces, ",") {
		if namespace = strings.TrimSpace(namespace); namespace == "" {
			continue
		}
		if options.DefaultNamespaces == nil {
			options.DefaultNamespaces = map[string]cache.Config{}
		}
		options.DefaultNamespaces[namespace] = cache.Config{}
	}
	return options, nil
}

// metricsFilter lets through whom RBAC allows; without TLS, a token would travel in the clear.
func metricsFilter(secure bool) func(*rest.Config, *http.Client) (metricsserver.Filter, error) {
	if !secure {
		return nil
	}
	return filters.WithAuthenticationAndAuthorization
}

// modernTLS asks for TLS 1.2 or later, and for HTTP/1.1: HTTP/2 has had denials of service by stream
// cancellation and resets, and nothing here gains by it.
func modernTLS(config *tls.Config) {
	config.MinVersion = tls.VersionTLS12
	config.NextProtos = []string{"http/1.1"}
}

// newExporter returns the export of traces; nil where nothing is traced.
func newExporter(ctx context.Context, mgr manager.Manager, o *options) (*tracing.Exporter, error) {
	if o.otlpEndpoint == "" {
		return nil, nil
	}
	if err := trustPublicAuthorities(o.otlpEndpoint); err != nil {
		return nil, err
	}
	return tracing.New(ctx, o.otlpEndpoint, version, mgr.GetLogger().WithName("tracing"))
}

// addController adds the watch engine and the reconciler, and what measures both.
func addController(mgr manager.Manager, o *options, key *keyedhash.Key, lease *controllers.Lease, tracer trace.Tracer) error {
	passing := clock.RealClock{}
	wakeups := &controllers.Wakeups{Clock: passing, Tracer: tracer}
	engine, err := watch.New(watch.Options{
		Config:       mgr.GetConfig(),
		PollInterval: o.pollInterval,
		Threshold:    o.watchThreshold,
		OnChange:     wakeups.Enqueue,
		Log:          mgr.GetLogger().WithName("watch"),
	})
	if err != nil {
		return fmt.Errorf("set up the watches: %w", err)
	}
	if err := mgr.Add(engine); err != nil {
		return err
	}
	leads := controllers.Leads(mgr)
	err = errors.Join(controllers.RegisterMetrics(mgr, version, metrics.Registry), controllers.RegisterWatchMetrics(engine, leads, metrics.Registry))
	if err != nil {
		return fmt.Errorf("set up the metrics: %w", err)
	}
	reconciler := &controllers.Reconciler{
		Client:   mgr.GetClient(),
		Live:     mgr.GetAPIReader(),
		Watches:  engine,
		Key:      key,
		Recorder: controllers.LimitEvents(mgr.GetEventRecorder("kube-changejob"), passing),
		Clock:    passing,
		Tracer:   tracer,
	}
	if o.leaderElect {
		reconciler.Term = lease.Term
	}
	return reconciler.SetupWithManager(mgr, wakeups, controller.Options{MaxConcurrentReconciles: o.concurrency})
}

// addWebhook adds the validating webhook, and returns its readiness. With --webhook-cert=self it adds the
// rotation of the certificate too, and what lays it out in the folder of the webhook's server, which starts
// once the first certificate is there.
func addWebhook(ctx context.Context, mgr manager.Manager, o *options) (healthz.Checker, error) {
	register := func() error { return admission.Register(mgr, admission.Options{AuthorizeReferences: o.authorize}) }
	if o.webhookCert == certFiles {
		if err := register(); err != nil {
			return nil, fmt.Errorf("set up the webhook: %w", err)
		}
		return mgr.GetWebhookServer().StartedChecker(), nil
	}
	certified := make(chan struct{})
	secret := types.NamespacedName{Namespace: o.namespace, Name: webhookSecretName}
	files, err := servingcert.NewFiles(mgr.GetConfig(), secret, o.webhookCertDir)
	if err != nil {
		return nil, err
	}
	if err := files.EnsureSecret(ctx); err != nil {
		return nil, err
	}
	if err := mgr.Add(files); err != nil {
		return nil, err
	}
	err = rotator.AddRotator(mgr, &rotator.CertRotator{
		SecretKey:          secret,
		CertDir:            o.webhookCertDir,
		CAName:             "kube-changejob-ca",
		CAOrganization:     "kube-changejob",
		DNSName:            fmt.Sprintf("%s.%s.svc", webhookServiceName, o.namespace),
		IsReady:            certified,
		Webhooks:           []rotator.WebhookInfo{{Name: webhookConfigName, Type: rotator.Validating}},
		FieldOwner:         "kube-changejob",
		CaCertDuration:     caDuration,
		ServerCertDuration: servingCertDuration,
		LookaheadInterval:  renewBefore,
	})
	if err != nil {
		return nil, fmt.Errorf("set up the webhook's certificate: %w", err)
	}
	if err := mgr.Add(&afterCertificate{certified: certified, register: register}); err != nil {
		return nil, err
	}
	return func(request *http.Request) error {
		select {
		case <-certified:
			return mgr.GetWebhookServer().StartedChecker()(request)
		default:
			return errors.New("the webhook's certificate is not there yet")
		}
	}, nil
}

// afterCertificate registers the webhook once there is a certificate, whether this replica leads or not.
type afterCertificate struct {
	certified <-chan struct{}
	register  func() error
}

// Start implements manager.Runnable.
func (a *afterCertificate) Start(ctx context.Context) error {
	select {
	case <-a.certified:
		return a.register()
	case <-ctx.Done():
		return nil
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*afterCertificate) NeedLeaderElection() bool { return false }

// addProbes adds liveness, and readiness that waits for the caches and the webhook (nil where there is
// none).
func addProbes(mgr manager.Manager, webhookReady healthz.Checker) error {
	if err := mgr.AddReadyzCheck("caches", cachesFilled(mgr.GetCache())); err != nil {
		return err
	}
	if webhookReady != nil {
		if err := mgr.AddReadyzCheck("webhook", webhookReady); err != nil {
			return err
		}
	}
	return mgr.AddHealthzCheck("ping", healthz.Ping)
}

func cachesFilled(caches cache.Cache) healthz.Checker {
	return func(request *http.Request) error {
		ctx, cancel := context.WithTimeout(request.Context(), time.Second)
		defer cancel()
		if !caches.WaitForCacheSync(ctx) {
			return errors.New("the caches are not filled yet")
		}
		return nil
	}
}
