package watch

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// idleEngine is one that is not started, with one reference to a ConfigMap, and a run that serves the reference.
func idleEngine(t testing.TB, scope scope) (*Engine, *run) {
	t.Helper()
	e, err := New(Options{Config: &rest.Config{Host: "http://127.0.0.1:1"}, OnChange: func(types.NamespacedName) {}})
	require.NoError(t, err)
	e.Set(named("owner"), []Reference{refer(t, configMaps, "ns", "watched", "data.a")})
	r := &run{kind: e.kinds[configMaps], scope: scope, synced: true, cancel: func() {}}
	r.kind.runs[scope] = r
	return e, r
}

func TestEventsAreCountedByWhatBecameOfThem(t *testing.T) {
	seen := func(r *run, name, version, value string) *object {
		if reduced := r.kind.reduce(apiwatch.Modified, parse([]byte(strings.Replace(item(name, version), `"a":"b"`, `"a":"`+value+`"`, 1)))); reduced != nil {
			return reduced
		}
		o := &object{}
		o.Namespace, o.Name, o.ResourceVersion = "ns", name, version
		return o
	}
	for name, c := range map[string]struct {
		object  string
		version string
		value   string
		exists  bool
		want    string
	}{
		"a value that is another one":             {"watched", "6", "2", true, EventChanged},
		"a deletion":                              {"watched", "6", "1", false, EventChanged},
		"a value that is the same":                {"watched", "6", "1", true, EventUnchanged},
		"an older version":                        {"watched", "4", "2", true, EventOutdated},
		"an object whose reference has just gone": {"other", "6", "2", true, EventDropped},
	} {
		t.Run(name, func(t *testing.T) {
			e, r := idleEngine(t, scope{namespace: "ns"})
			first := seen(r, "watched", "5", "1").sight(true)
			e.update(func(wake wakeups) {
				first.read = e.next()
				r.kind.entries[types.NamespacedName{Namespace: "ns", Name: "watched"}].apply(first, wake)
			})
			require.NoError(t, r.event(seen(r, c.object, c.version, c.value), c.exists))
			for _, result := range EventResults {
				want := uint64(0)
				if result == c.want {
					want = 1
				}
				assert.Equal(t, want, e.Stats().Events[result], result)
			}
		})
	}
}

func TestEventsOfWhatNobodyReferencesAreCountedAtNoCost(t *testing.T) {
	e, _ := idleEngine(t, clusterScope)
	line := event("MODIFIED", item("other", "1"))
	decode := func(stream *eventStream) float64 {
		return testing.AllocsPerRun(100, func() {
			_, err := stream.decode()
			require.NoError(t, err)
		})
	}
	stream := func() *eventStream {
		return &eventStream{s: newSplitter(&endless{text: line}), reduce: e.kinds[configMaps].reduce}
	}
	counted := stream()
	counted.dropped = &e.counts.dropped
	assert.LessOrEqual(t, decode(counted), decode(stream()))
	assert.EqualValues(t, 101, e.Stats().Events[EventDropped], "AllocsPerRun calls once more to warm up")

	initial := stream()
	initial.initial, initial.dropped = true, &e.counts.dropped
	_ = decode(initial)
	assert.EqualValues(t, 101, e.Stats().Events[EventDropped], "what is there from the beginning is no event")
}

func TestWatchesAreCountedByWhatTheyCoverAndWhetherTheySeeIt(t *testing.T) {
	e, r := idleEngine(t, scope{namespace: "ns"})
	assert.Equal(t, map[Watching]int{{"namespace", WatchSynced}: 1}, e.Stats().Watches)
	assert.Equal(t, 1, e.Stats().Kinds)
	assert.Equal(t, 1, e.Stats().Objects)

	r.synced = false
	for _, other := range []*run{
		{scope: clusterScope, synced: true},
		{scope: scope{name: "node"}, synced: true},
		{scope: scope{namespace: "ns", name: "one"}, synced: true},
		{scope: scope{namespace: "polled"}, synced: true, polled: true},
		{scope: scope{namespace: "ns", name: "secret"}, forbidden: true},
		{scope: scope{namespace: "granted"}, synced: true, forbidden: true},
	} {
		r.kind.runs[other.scope] = other
	}
	assert.Equal(t, map[Watching]int{
		{"namespace", WatchNotSynced}: 1, {"cluster", WatchSynced}: 1, {"object", WatchSynced}: 2, {"namespace", WatchPolled}: 1,
		{"object", WatchForbidden}: 1, {"namespace", WatchSynced}: 1,
	}, e.Stats().Watches)
}

func TestFailuresAreCountedByWhyTheyHappen(t *testing.T) {
	resource := schema.GroupResource{Resource: "configmaps"}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a right that is missing":      {apierrors.NewForbidden(resource, "", nil), FailureForbidden},
		"a token that is not accepted": {apierrors.NewUnauthorized(""), FailureForbidden},
		"a resource that is gone":      {apierrors.NewNotFound(resource, ""), FailureNotServed},
		"a verb that is not served":    {apierrors.NewMethodNotSupported(resource, "watch"), FailureNotServed},
		"too many requests":            {apierrors.NewTooManyRequests("", 1), FailureAnswer},
		"an error of the server":       {apierrors.NewInternalError(errors.New("")), FailureAnswer},
		"an answer that makes no list": {errNoList, FailureAnswer},
		"a connection that breaks":     {context.DeadlineExceeded, FailureUnreachable},
		"nobody who listens":           {errors.New("connection refused"), FailureUnreachable},
		"another answer":               {apierrors.NewGenericServerResponse(http.StatusTeapot, "get", resource, "", "", 0, true), FailureAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			e, r := idleEngine(t, clusterScope)
			e.update(func(wake wakeups) { r.failed(c.err, wake) })
			for _, reason := range Failures {
				want := uint64(0)
				if reason == c.want {
					want = 1
				}
				assert.Equal(t, want, e.Stats().Failures[reason], reason)
			}
		})
	}
}

func TestARunningEngineCountsWhatItSees(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		create(t, server, configMap(namespace, "a", "a", "1"))
		e := startEngine(t, server.Config, wide)
		e.referToA("owner", namespace, "a")
		e.eventuallyState(named("owner"), Synced)
		assert.Equal(t, 1, e.Stats().Watches[Watching{"cluster", WatchSynced}])

		put(t, server, configMap(namespace, "other"))
		put(t, server, configMap(namespace, "a", "a", "1", "b", "2"))
		put(t, server, configMap(namespace, "a", "a", "2"))
		require.Eventually(t, func() bool { return e.Stats().Events[EventChanged] == 1 }, patience, blink)
		assert.GreaterOrEqual(t, e.Stats().Events[EventDropped], uint64(1))
		assert.EqualValues(t, 1, e.Stats().Events[EventUnchanged])
		assert.Equal(t, fieldpath.Digests([]byte(`{"data":{"a":"2"}}`), []*fieldpath.Path{path(t, "data.a")}), e.see(named("owner")).Digests)
	})
}
