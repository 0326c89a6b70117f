package faults

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

const (
	// recovery bounds how long after an outage everything is answered. The longest pause between two tries is 30 s.
	recovery = patience
	// hot is how many requests in a second the operator may make while nobody answers. With ten that wait, each trying
	// as often as every second second, there are a few; a loop makes thousands.
	hot = 50
)

// alive checks that the operator is alive, by its probe.
func (w *world) alive() {
	w.t.Helper()
	response, err := (&http.Client{Timeout: 5 * time.Second}).Get(w.process.ProbeURL + "/healthz")
	require.NoError(w.t, err)
	require.NoError(w.t, response.Body.Close())
	require.Equal(w.t, http.StatusOK, response.StatusCode)
}

// lasts waits until the time is over, and checks all along that the operator is alive. It returns how many requests
// there were.
func (w *world) lasts(duration time.Duration) int {
	w.t.Helper()
	before := w.proxy.requests()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(duration); time.Now().Before(end); <-ticker.C {
		w.alive()
	}
	return w.proxy.requests() - before
}

// quiet lets an outage last, and checks that once it has been noticed, in its second half, there is no hot loop.
func (w *world) quiet(t *testing.T, what string, duration time.Duration) {
	t.Helper()
	half := duration / 2
	first, second := float64(w.lasts(half))/half.Seconds(), float64(w.lasts(half))/half.Seconds()
	w.report.note("%s: %.1f requests a second in the first %s, %.1f in the next", what, first, half, second)
	assert.Less(t, second, float64(hot), what)
}

func TestTheAPIServerAndEtcdAndTheWebhookGoAndComeBack(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	server, audit := own(t, apiserver.Webhooks(envtest.WebhookInstallOptions{Paths: []string{filepath.Join(root, "config", "webhook", "manifests.yaml")}}))
	w := newWorld(t, server, audit, reported.begin(t,
		"what changed is answered in bounded time after an outage; while it lasts, no hot loop, and the operator is alive"))
	hook := server.Env.WebhookInstallOptions
	w.options.WebhookCertDir, w.options.WebhookPort = hook.LocalServingCertDir, hook.LocalServingPort
	w.start()
	api, etcd := server.APIServer(t), server.Etcd(t)
	const count = 10
	var names []string
	for i := range count {
		name := fmt.Sprintf("ctj-%d", i)
		names = append(names, name)
		w.configMap(name)
		w.eventually(func() error { return w.tryCTJ(name, []string{name}) })
	}
	w.watching(names...)
	change := func() {
		for _, name := range names {
			w.change(name)
		}
	}
	answered := func(what string) {
		began := time.Now()
		w.rests() // changes that follow one another in an outage may share a Job: the last state is what counts
		took := time.Since(began)
		w.report.note("%s: at rest %.1f s after", what, took.Seconds())
		assert.Less(t, took, recovery, what)
	}
	change()
	answered("nothing")

	// The API server is killed again and again.
	bursts, down := 2, 4*time.Second
	if full() {
		bursts, down = 5, 20*time.Second
	}
	for range bursts {
		change() // and it is killed in the middle of what follows
		api.Kill(t)
		w.report.injected("the API server is killed", 1)
		w.quiet(t, "API server gone", down)
		api.Start(t)
		api.Await(t)
	}
	answered("API server killed in a burst")
	change()
	answered("the change after that")

	// etcd is paused: requests are taken, and not answered.
	paused := 5 * time.Second
	if full() {
		paused = 30 * time.Second
	}
	written := make(chan error, 1)
	etcd.Pause(t)
	w.report.injected("etcd is paused for "+paused.String(), 1)
	go func() { written <- w.trySet(t.Context(), names[0], "while etcd is paused") }()
	w.quiet(t, "etcd paused", paused)
	etcd.Resume(t)
	t.Logf("the change ended with: %v", <-written)
	api.Await(t)
	w.set(names[0], "after the pause") // whether the write was carried out is not known
	answered("etcd resumed")
	change()
	answered("the change after that")

	// The webhook cannot be reached: what stands is answered all the same, and what is new is refused, not forgotten.
	w.process.Kill(t)
	w.report.injected("the webhook cannot be reached", 1)
	w.options.WebhookCertDir = ""
	w.start()
	assert.Error(t, w.tryCTJ("new", []string{names[0]}))
	change()
	w.rests()
	w.process.Stop(t)
	w.options.WebhookCertDir = hook.LocalServingCertDir
	w.start()
	w.eventually(func() error { return w.tryCTJ("new", []string{names[0]}) })
	w.watching("new")
	w.rests()
}
