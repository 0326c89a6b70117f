package watch

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// servers are an API server with streaming lists and one without.
var servers = map[string]*apiserver.Shared{
	"with WatchList":    apiserver.OnDemand(apiserver.WatchList(true)),
	"without WatchList": apiserver.OnDemand(apiserver.WatchList(false)),
}

func TestMain(m *testing.M) {
	code := apiserver.MainOnDemand(m, slices.Collect(maps.Values(servers))...)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// onEachServer runs a test against each server.
func onEachServer(t *testing.T, test func(t *testing.T, server *apiserver.Server)) {
	t.Helper()
	for _, name := range []string{"with WatchList", "without WatchList"} {
		t.Run(name, func(t *testing.T) { test(t, servers[name].Server(t)) })
	}
}

// streaming returns the server with streaming lists, where these come to an end: those of v1.29, which were alpha, do only when something else
// changes.
func streaming(t *testing.T) *apiserver.Server {
	t.Helper()
	server := servers["with WatchList"].Server(t)
	version, err := discovery.NewDiscoveryClientForConfigOrDie(server.Config).ServerVersion()
	require.NoError(t, err)
	if version.Minor == "29" {
		t.Skip("SKIPPED: v1.29 streams no lists that end")
	}
	return server
}

const (
	patience = 20 * time.Second
	blink    = 10 * time.Millisecond
)

var configMaps = schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}

// probe is a running engine, and whom it woke.
type probe struct {
	t *testing.T
	*Engine
	stop func()

	mu    sync.Mutex
	woken map[types.NamespacedName]int
}

// startEngine starts an engine that the test's end stops.
func startEngine(t *testing.T, config *rest.Config, change ...func(*Options)) *probe {
	t.Helper()
	p := newEngine(t, config, change...)
	p.start()
	return p
}

func newEngine(t *testing.T, config *rest.Config, change ...func(*Options)) *probe {
	t.Helper()
	p := &probe{t: t, woken: map[types.NamespacedName]int{}}
	options := Options{
		Config:       config,
		PollInterval: 300 * time.Millisecond,
		OnChange: func(owner types.NamespacedName) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.woken[owner]++
		},
	}
	if os.Getenv("WATCH_TEST_LOG") != "" {
		options.Log = testr.NewWithOptions(t, testr.Options{Verbosity: 5})
	}
	for _, change := range change {
		change(&options)
	}
	engine, err := New(options)
	require.NoError(t, err)
	p.Engine = engine
	return p
}

func (p *probe) start() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Start(ctx) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			require.NoError(p.t, err)
		case <-time.After(patience):
			p.t.Error("the engine did not end")
		}
	})
	p.t.Cleanup(p.stop)
}

func (p *probe) wakeups(owner types.NamespacedName) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.woken[owner]
}

// see returns the only observation of an owner with one reference.
func (p *probe) see(owner types.NamespacedName) Observation {
	p.t.Helper()
	observations, ok := p.Observe(owner)
	require.True(p.t, ok)
	require.Len(p.t, observations, 1)
	return observations[0]
}

// eventually waits until the owner's only observation is as wanted, and returns it.
func (p *probe) eventually(owner types.NamespacedName, wanted func(Observation) bool) Observation {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return wanted(p.see(owner)) }, patience, blink,
		"the last observation: %v", p.see(owner))
	return p.see(owner)
}

func (p *probe) eventuallyState(owner types.NamespacedName, state State) Observation {
	p.t.Helper()
	return p.eventually(owner, func(o Observation) bool { return o.State == state })
}

func path(t testing.TB, expr string) *fieldpath.Path {
	t.Helper()
	compiled, err := fieldpath.Compile(expr)
	require.NoError(t, err)
	return compiled
}

func refer(t testing.TB, gvk schema.GroupVersionKind, namespace, name string, paths ...string) Reference {
	t.Helper()
	r := Reference{GroupVersionKind: gvk, Namespace: namespace, Name: name}
	for _, expr := range paths {
		r.Paths = append(r.Paths, path(t, expr))
	}
	return r
}

func named(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "owners", Name: name}
}

func configMap(namespace, name string, data ...string) *corev1.ConfigMap {
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string]string{}}
	for i := 0; i+1 < len(data); i += 2 {
		object.Data[data[i]] = data[i+1]
	}
	return object
}

func create(t testing.TB, s *apiserver.Server, object client.Object) {
	t.Helper()
	require.NoError(t, s.Client.Create(context.Background(), object))
}

// put creates the object, or updates it whatever is there.
func put(t testing.TB, s *apiserver.Server, object client.Object) {
	t.Helper()
	object.SetResourceVersion("")
	err := s.Client.Update(context.Background(), object)
	if apierrors.IsNotFound(err) {
		err = s.Client.Create(context.Background(), object)
	}
	require.NoError(t, err)
}

func remove(t testing.TB, s *apiserver.Server, object client.Object) {
	t.Helper()
	require.NoError(t, s.Client.Delete(context.Background(), object))
}

// digest is that of a path in an object given as JSON.
func digest(t testing.TB, expr, json string) fieldpath.Digest {
	t.Helper()
	return path(t, expr).Digest([]byte(json))
}
