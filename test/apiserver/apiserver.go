// Package apiserver starts a real API server (etcd and kube-apiserver, no nodes and no controllers) for tests.
//
// A test that needs a server of its own calls Start; a package whose tests share one calls Main from its TestMain:
//
//	var server *apiserver.Server
//
//	func TestMain(m *testing.M) { os.Exit(apiserver.Main(m, &server, apiserver.CRDs())) }
//
// Either takes about three seconds to be ready. The programs come from the folder that Assets tells. Nothing outlives the test process,
// even one that is killed: see lifelineVariable.
package apiserver

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

const (
	// lifelineVariable ties the programs of `make control-plane` to the process that starts them: they end when the process
	// with this id does. Without it a test run that is killed, or panics at go test's timeout, would leave them running. Other
	// builds of the same programs ignore it.
	lifelineVariable = "LOCALCLUSTER_PARENT"

	// startTimeout is long because packages are tested in parallel, each with a server of its own, on as few as two cores.
	startTimeout = 2 * time.Minute
	stopTimeout  = 20 * time.Second
)

// Server is a running API server.
type Server struct {
	// Config authenticates as a member of system:masters and does not throttle. Copy it before changing it.
	Config *rest.Config
	// Client is an uncached client on Config and Scheme.
	Client client.Client
	// Scheme knows the built-in kinds, CustomResourceDefinition and this project's kinds.
	Scheme *runtime.Scheme
	// KubeConfig is Config as the content of a kubeconfig file.
	KubeConfig []byte
	// Env is the environment underneath, for what this package does not wrap, such as
	// Env.WebhookInstallOptions.LocalServingPort.
	Env *envtest.Environment

	assets string
}

// Start starts an API server and stops it when the test ends. It fails the test when that is impossible.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	server, err := New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Errorf("stopping the API server: %v", err)
		}
	})
	return server
}

// Main starts an API server, stores it in *server, runs m's tests and stops it again. It returns the exit code for
// TestMain to give to os.Exit. A run that fuzzes, or lists the tests, has no API server.
func Main(m *testing.M, server **Server, opts ...Option) int {
	flag.Parse()
	for _, name := range []string{"test.fuzz", "test.list"} {
		if flag.Lookup(name).Value.String() != "" {
			return m.Run()
		}
	}
	started, err := New(opts...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	*server = started
	code := m.Run()
	if err := started.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the API server:", err)
		return max(code, 1)
	}
	return code
}

// New starts an API server that its caller stops. Start and Main are for most tests.
func New(opts ...Option) (*Server, error) {
	assets, err := Assets()
	if err != nil {
		return nil, err
	}
	if err := os.Setenv(lifelineVariable, strconv.Itoa(os.Getpid())); err != nil {
		return nil, err
	}
	env := &envtest.Environment{
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  stopTimeout,
		UseExistingCluster:       new(bool),
	}
	etcdLog, apiServerLog := &tail{}, &tail{}
	env.ControlPlane.Etcd = &envtest.Etcd{Path: filepath.Join(assets, "etcd"), Err: attached(etcdLog)}
	apiServer := env.ControlPlane.GetAPIServer()
	apiServer.Path = filepath.Join(assets, "kube-apiserver")
	apiServer.Err = attached(apiServerLog)
	env.ControlPlane.KubectlPath = filepath.Join(assets, "kubectl")
	// Priority and fairness stays on, as in a cluster, but with seats enough that a benchmark measures the operator.
	// Without advertise-address and endpoint-reconciler-type it looks for an address of the machine to tell pods: here are no pods, and on a machine without a
	// network no such address.
	apiServer.Configure().
		Set("advertise-address", "127.0.0.1").
		Set("endpoint-reconciler-type", "none").
		Set("max-requests-inflight", "3000").
		Set("max-mutating-requests-inflight", "1000")
	for _, opt := range opts {
		if err := opt(env); err != nil {
			return nil, err
		}
	}

	server := &Server{Env: env, Scheme: runtime.NewScheme(), assets: assets}
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, v1alpha.AddToScheme,
	} {
		if err := add(server.Scheme); err != nil {
			return nil, err
		}
	}
	config, err := env.Start()
	if err != nil {
		return nil, errors.Join(
			fmt.Errorf("starting the API server of %s: %w", assets, err),
			fmt.Errorf("the end of etcd's log:\n%s", etcdLog),
			fmt.Errorf("the end of kube-apiserver's log:\n%s", apiServerLog),
			env.Stop())
	}
	config.QPS, config.Burst = -1, 0
	server.Config, server.KubeConfig = config, env.KubeConfig
	server.Client, err = client.New(config, client.Options{Scheme: server.Scheme})
	if err != nil {
		return nil, errors.Join(err, env.Stop())
	}
	return server, nil
}

// Stop stops the server and removes its data.
func (s *Server) Stop() error { return s.Env.Stop() }

// Namespace creates a namespace with a name of its own and returns the name. It is not deleted at the test's end: without
// a namespace controller it would stay, terminating, for the server's lifetime.
func (s *Server) Namespace(t testing.TB) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := s.Client.Create(context.Background(), namespace); err != nil {
		t.Fatalf("creating a namespace: %v", err)
	}
	return namespace.Name
}

// User returns a configuration that authenticates as this user, who may do nothing until RBAC objects say so (and what
// the groups allow). It does not throttle.
func (s *Server) User(t testing.TB, name string, groups ...string) *rest.Config {
	t.Helper()
	user, err := s.Env.AddUser(envtest.User{Name: name, Groups: groups}, &rest.Config{QPS: -1})
	if err != nil {
		t.Fatalf("adding user %s: %v", name, err)
	}
	return user.Config()
}

// ClientFor returns an uncached client on config and the server's scheme.
func (s *Server) ClientFor(t testing.TB, config *rest.Config) client.Client {
	t.Helper()
	c, err := client.New(config, client.Options{Scheme: s.Scheme})
	if err != nil {
		t.Fatalf("making a client: %v", err)
	}
	return c
}

// attached writes to the terminal as well when the variable is set that asks envtest to do so.
func attached(log io.Writer) io.Writer {
	if os.Getenv("KUBEBUILDER_ATTACH_CONTROL_PLANE_OUTPUT") == "true" {
		return io.MultiWriter(log, os.Stderr)
	}
	return log
}
