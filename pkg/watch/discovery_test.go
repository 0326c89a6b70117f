package watch

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	testclock "k8s.io/utils/clock/testing"
)

func newCatalog(t *testing.T, respond func(r *http.Request) *http.Response) (*catalog, *testclock.FakeClock) {
	t.Helper()
	client, err := newClient(wrapped(&rest.Config{Host: "http://127.0.0.1:1"}, func(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
		return respond(r), nil
	}))
	require.NoError(t, err)
	clock := testclock.NewFakeClock(time.Unix(1e9, 0))
	return &catalog{client: client, clock: clock, answers: map[string]*answer{}}, clock
}

func TestOfTheResourcesOfAKindTheOneThatCanBeReadIsTaken(t *testing.T) {
	for sentence, resources := range map[string]string{
		"what can be watched, rather than listed only": `{"name":"a","kind":"Widget","verbs":["list"]},{"name":"best","kind":"Widget","verbs":["list","watch"]}`,
		"what can be listed, rather than created only": `{"name":"a","kind":"Widget","verbs":["create","watch"]},{"name":"best","kind":"Widget","verbs":["list"]}`,
		"the first of those that can both":             `{"name":"best","kind":"Widget","verbs":["list","watch"]},{"name":"b","kind":"Widget","verbs":["list","watch"]}`,
	} {
		t.Run(sentence, func(t *testing.T) {
			c, _ := newCatalog(t, func(r *http.Request) *http.Response { return answering200(r, `{"resources":[`+resources+`]}`) })
			served, _, err := c.lookup(context.Background(), schema.GroupVersionKind{Group: "g", Version: "v1", Kind: "Widget"})
			require.NoError(t, err)
			require.Equal(t, "best", served.Resource)
		})
	}
}

func TestAnswersOfDiscoveryAreForgotten(t *testing.T) {
	asked := 0
	c, clock := newCatalog(t, func(r *http.Request) *http.Response {
		asked++
		return answering200(r, `{"resources":[]}`)
	})
	ask := func(group string) {
		_, _, err := c.find(context.Background(), schema.GroupVersionKind{Group: group, Version: "v1", Kind: "Widget"})
		require.NoError(t, err)
	}
	ask("a")
	ask("a")
	ask("b")
	require.Equal(t, 2, asked)
	clock.Step(discoveryFresh)
	ask("c")
	require.Len(t, c.answers, 1)
}
