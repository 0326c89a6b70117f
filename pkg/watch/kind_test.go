package watch

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
)

// run adds a run that does nothing by itself.
func (s *still) run(scope scope, synced bool) *run {
	k := s.kinds[configMaps]
	k.resource = &resource{listable: true, watchable: true, namespaced: true}
	k.resource.Version, k.resource.Resource = "v1", "configmaps"
	r := &run{kind: k, resource: *k.resource, scope: scope, synced: synced, joins: map[*entry]struct{}{}, joined: make(chan struct{}, 1)}
	r.source = &source{collection: collection{client: s.client}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	s.t.Cleanup(r.cancel)
	k.runs[scope] = r
	return r
}

func TestADeniedScopeIsTriedAgainMoreAndMoreRarely(t *testing.T) {
	s := newStill(t)
	k := s.kinds[configMaps]
	objects := []types.NamespacedName{s.name}
	_, ok := k.nextRetry()
	require.False(t, ok)
	for _, intervals := range []time.Duration{1, 2, 4, 8, 10, 10} {
		k.deny(s.run(clusterScope, false))
		retry, ok := k.nextRetry()
		require.True(t, ok)
		require.Equal(t, s.clock.Now().Add(intervals*s.PollInterval), retry)

		s.clock.SetTime(retry.Add(-1))
		require.Equal(t, scopes(clusterScope), k.denials(objects))
		s.clock.SetTime(retry)
		require.Empty(t, k.denials(objects))
		_, ok = k.nextRetry()
		require.False(t, ok, "it is being tried")
	}

	s.update(s.run(clusterScope, false).sync)
	k.deny(s.run(clusterScope, false))
	retry, _ := k.nextRetry()
	require.Equal(t, s.clock.Now().Add(s.PollInterval), retry, "it was had in between")
}

func TestADenialOfWhatNobodyReferencesIsForgotten(t *testing.T) {
	s := newStill(t)
	k := s.kinds[configMaps]
	other := scope{namespace: "other"}
	for _, scope := range []scope{clusterScope, {namespace: "ns"}, other} {
		k.deny(s.run(scope, false))
	}
	require.Len(t, k.denied, 3)
	require.Len(t, k.denials([]types.NamespacedName{s.name}), 2)
	require.NotContains(t, k.denied, other)
	require.Empty(t, k.denials(nil))
	require.Empty(t, k.denied)
}

func TestAWideScopeThatFailsForWhatIsInItCountsAsDenied(t *testing.T) {
	for sentence, c := range map[string]struct {
		err  error
		want bool
	}{
		"an object in it cannot be had":     {apierrors.NewInternalError(http.ErrBodyNotAllowed), true},
		"its list is none":                  {errNoList, true},
		"the API server has too much to do": {apierrors.NewTooManyRequests("", 1), false},
		"the API server is not there":       {http.ErrServerClosed, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := newStill(t)
			k := s.kinds[configMaps]
			for _, scope := range []scope{clusterScope, objectScope(s.name)} {
				k.planned = scopes(scope)
				r := s.run(scope, false)
				goOn := true
				for range manyFailures {
					require.True(t, goOn)
					s.update(func(wake wakeups) { goOn = r.failed(c.err, wake) })
				}
				require.Equal(t, c.want && !scope.single(), !goOn)
			}
			require.Equal(t, c.want, len(k.denied) == 1)
		})
	}
}

func TestARetriedWideScopeLeavesSingleObjectsAlone(t *testing.T) {
	s := newStill(t)
	k := s.kinds[configMaps]
	single, wide := s.run(objectScope(s.name), false), s.run(clusterScope, false)
	k.planned = scopes(clusterScope)
	k.retire()
	require.Equal(t, single, k.runs[single.scope], "it might have to be started again")

	s.update(func(wake wakeups) { s.setState(Forbidden, errNoList, wake) })
	s.update(func(wake wakeups) { wide.failed(http.ErrServerClosed, wake) })
	require.Equal(t, Forbidden, s.state, "the narrower run tells")
	s.update(func(wake wakeups) { s.setState(Synced, nil, wake) })
	s.update(func(wake wakeups) { wide.failed(http.ErrServerClosed, wake) })
	require.Equal(t, NotSynced, s.state, "but nobody has it in sight")

	s.update(wide.sync)
	require.Equal(t, map[scope]*run{clusterScope: wide}, k.runs)
	require.Error(t, single.ctx.Err())
}

func TestWhatJoinedIsReadByTheRunThatTakesOver(t *testing.T) {
	s := newStill(t)
	wide := s.run(scope{namespace: "ns"}, true)
	single := s.run(objectScope(s.name), true)
	k := s.kinds[configMaps]
	k.join(s.entry)
	require.Contains(t, wide.joins, s.entry)
	k.stop(wide)
	require.Contains(t, single.joins, s.entry)
}

func TestOneObjectThatCannotBeReadHoldsUpNoOther(t *testing.T) {
	s := newStill(t)
	client, err := newClient(wrapped(&rest.Config{Host: "http://127.0.0.1:1"}, func(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
		if strings.Contains(r.URL.RawQuery, "bad") {
			return answered(r, http.StatusForbidden), nil
		}
		return answering200(r, `{"metadata":{"resourceVersion":"5"},"items":[`+item("name", "4")+`]}`), nil
	}))
	require.NoError(t, err)
	s.client = client
	s.Set(named("bad"), []Reference{refer(t, configMaps, "ns", "bad", "data.a")})
	r := s.run(scope{namespace: "ns"}, true)
	bad := types.NamespacedName{Namespace: "ns", Name: "bad"}
	s.update(r.sync)
	err = r.readAgain([]scope{objectScope(bad), objectScope(s.name)})
	require.True(t, apierrors.IsForbidden(err))
	require.True(t, s.complete() && s.exists)
	observations, _ := s.Observe(named("bad"))
	require.Equal(t, Forbidden, observations[0].State)
}

func TestLargeObjectsAreReducedOneAtATime(t *testing.T) {
	s := newStill(t)
	reduce := func(text string) chan *object {
		reduced := make(chan *object, 1)
		go func() {
			o := raw{namespace: "ns", name: "name", json: []byte(`{"data":{"a":"` + text + `"}}`)}
			reduced <- s.kinds[configMaps].reduce(apiwatch.Added, o)
		}()
		return reduced
	}
	s.large <- struct{}{} // as another large object does
	require.NotNil(t, <-reduce("small"))
	large := reduce(strings.Repeat("x", largeObject))
	require.Never(t, func() bool { return len(large) > 0 }, 10*blink, blink)
	<-s.large
	require.NotNil(t, <-large)
	require.Empty(t, s.large)
}

func TestErrorsAreToldWithoutTheWordsOfTheAPIServer(t *testing.T) {
	told := discreet(&apierrors.StatusError{ErrStatus: metav1.Status{
		Code: 504, Reason: metav1.StatusReasonTimeout, Message: "secret",
		Details: &metav1.StatusDetails{Name: "secret", RetryAfterSeconds: 7, Causes: []metav1.StatusCause{
			{Type: metav1.CauseTypeResourceVersionTooLarge, Message: "secret", Field: "secret"},
		}},
	}})
	require.EqualError(t, told, "the API server answered 504 Timeout")
	var refusal *apierrors.StatusError
	require.ErrorAs(t, told, &refusal)
	require.NotContains(t, refusal.ErrStatus.String(), "secret")
	require.True(t, apierrors.IsTimeout(told))
	require.True(t, apierrors.HasStatusCause(told, metav1.CauseTypeResourceVersionTooLarge))
	require.Equal(t, 7*time.Second, retryAfter(told))
	require.EqualError(t, discreet(apierrors.NewUnauthorized("log in")), "log in")
	require.NoError(t, discreet(nil))
}

func TestNobodyBlindsTheEngineForLongerThanItsOwnBackOff(t *testing.T) {
	busy := apierrors.NewTooManyRequests("come back next week", 7*24*60*60)
	require.Equal(t, maxBackoff, retryAfter(busy))
}

func TestAProxyBeforeAServerThatIsDownSaysNothingOfWhatIsToBeRead(t *testing.T) {
	answered := func(code int) error {
		return apierrors.NewGenericServerResponse(code, "get", schema.GroupResource{Resource: "configmaps"}, "", "", 0, true)
	}
	require.True(t, lasting(answered(http.StatusInternalServerError)))
	require.True(t, lasting(&malformedError{"no list"}))
	for _, code := range []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusTooManyRequests} {
		require.False(t, lasting(answered(code)), code)
	}
}

func TestWarningsOfTheAPIServerAreNotLogged(t *testing.T) {
	warned := &warnings{}
	config := wrapped(&rest.Config{Host: "http://127.0.0.1:1", WarningHandler: warned, WarningHandlerWithContext: warned},
		func(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			response := answering200(r, `{"items":[]}`)
			response.Header.Set("Warning", `299 - "deprecated"`)
			return response, nil
		})
	client, err := newClient(config)
	require.NoError(t, err)
	_, err = collection{client: client, path: []string{"/api/v1/configmaps"}}.list(context.Background(), "", func() {}, keepNamed)
	require.NoError(t, err)
	require.Zero(t, warned.count)
}

type warnings struct{ count int }

func (w *warnings) HandleWarningHeader(int, string, string) { w.count++ }

func (w *warnings) HandleWarningHeaderWithContext(context.Context, int, string, string) { w.count++ }

// Discovery is asked again and again for a kind that is not served: only the first answer is news, and each that says another thing.
func TestTheSameAnswerOfDiscoveryIsNobodysNews(t *testing.T) {
	said := 0
	e, err := New(Options{
		Config: &rest.Config{Host: "http://127.0.0.1:1"}, OnChange: func(types.NamespacedName) {},
		Log: funcr.New(func(string, string) { said++ }, funcr.Options{}),
	})
	require.NoError(t, err)
	e.Set(named("selects"), []Reference{selects(t, "app=web", "ns")})
	e.Set(named("names"), []Reference{refer(t, configMaps, "ns", "name", "data.a")})
	k := e.kinds[configMaps]
	served := &resource{listable: true, watchable: true, namespaced: true}
	for _, step := range []struct {
		sentence string
		served   *resource
		state    State
		err      error
		news     bool
	}{
		{"nothing is known at first", nil, NotSynced, http.ErrServerClosed, true},
		{"nor the next time", nil, NotSynced, http.ErrServerClosed, false},
		{"for another reason", nil, NotSynced, http.ErrHandlerTimeout, true},
		{"it is not served", nil, KindNotServed, nil, true},
		{"nor the next time", nil, KindNotServed, nil, false},
		{"nor the time after that", nil, KindNotServed, nil, false},
		{"in this version", nil, VersionNotServed, nil, true},
		{"still not in this version", nil, VersionNotServed, nil, false},
		{"that is not known any more", nil, NotSynced, http.ErrServerClosed, true},
		{"it is served", served, NotSynced, nil, true},
		{"in the same way", &resource{listable: true, watchable: true, namespaced: true}, NotSynced, nil, false},
		{"it is not any more", nil, KindNotServed, nil, true},
		{"nor the next time", nil, KindNotServed, nil, false},
	} {
		said = 0
		var woken wakeups
		e.update(func(wake wakeups) {
			k.answered(step.served, step.state, step.err, wake)
			woken = maps.Clone(wake)
		})
		require.Equal(t, step.news, len(woken) > 0, step.sentence)
		require.Equal(t, step.news && step.served == nil, said > 0, step.sentence)
		if step.news {
			require.Len(t, woken, 2, step.sentence)
		}
	}
}
