package watch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// wrapped returns config with a layer around its transport.
func wrapped(config *rest.Config, layer func(r *http.Request, next http.RoundTripper) (*http.Response, error)) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) { return layer(r, next) })
	})
	return config
}

// counter counts requests.
type counter struct {
	mu      sync.Mutex
	paths   []string
	queries []string // with their paths
}

func (c *counter) count(config *rest.Config) *rest.Config {
	return wrapped(config, func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		c.mu.Lock()
		c.paths = append(c.paths, r.URL.Path)
		c.queries = append(c.queries, r.URL.Path+"?"+r.URL.RawQuery)
		c.mu.Unlock()
		return next.RoundTrip(r)
	})
}

func (c *counter) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.paths)
}

// of counts the requests for a resource.
func (c *counter) of(resource string) (count int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, path := range c.paths {
		if strings.HasSuffix(path, "/"+resource) {
			count++
		}
	}
	return count
}

// at counts the requests under a path and query that begin so, other than for a single object.
func (c *counter) at(prefix string) (count int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, query := range c.queries {
		if strings.HasPrefix(query, prefix) && !strings.Contains(query, "fieldSelector=") {
			count++
		}
	}
	return count
}

// settle waits until no request has come for a while.
func (c *counter) settle(t *testing.T) {
	t.Helper()
	last, since := c.total(), time.Now()
	require.Eventually(t, func() bool {
		if now := c.total(); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > 500*time.Millisecond
	}, patience, blink)
}

// answer is an answer of the API server that never was.
func answered(r *http.Request, code int) *http.Response {
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"a message","reason":%q,"code":%d}`, reasons[code], code)
	response := &http.Response{
		StatusCode: code, Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   io.NopCloser(strings.NewReader(body)),
	}
	if code == http.StatusTooManyRequests {
		response.Header.Set("Retry-After", "1")
	}
	return response
}

var reasons = map[int]string{
	401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed", 410: "Expired", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable",
}

// answering answers requests with the code that choose returns; 0 lets them through.
func answering(config *rest.Config, choose func(path, query string) int) *rest.Config {
	return wrapped(config, func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if code := choose(r.URL.Path, r.URL.RawQuery); code != 0 {
			return answered(r, code), nil
		}
		return next.RoundTrip(r)
	})
}

// cutter cuts the connections of watches.
type cutter struct {
	mu   sync.Mutex
	open []context.CancelFunc
	// refuse, while set, is the answer to every request for ConfigMaps: a code, or noConnection.
	refuse int
	// gone answers the next watch from a version with 410: what it asks for is gone by now.
	gone bool
}

func (c *cutter) wrap(config *rest.Config) *rest.Config {
	return wrapped(config, func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		query := r.URL.Query()
		watch := query.Get("watch") == "true" || query.Get("watch") == "1"
		c.mu.Lock()
		refuse := c.refuse
		expired := c.gone && refuse == 0 && watch && query.Get("resourceVersion") != "" && strings.HasSuffix(r.URL.Path, "/configmaps")
		c.gone = c.gone && !expired
		if watch {
			ctx, cancel := context.WithCancel(r.Context())
			c.open = append(c.open, cancel)
			r = r.WithContext(ctx)
		}
		c.mu.Unlock()
		switch {
		case !strings.HasSuffix(r.URL.Path, "/configmaps"):
		case refuse == noConnection:
			return nil, syscall.ECONNREFUSED
		case refuse != 0:
			return answered(r, refuse), nil
		case expired:
			return answered(r, http.StatusGone), nil
		}
		return next.RoundTrip(r)
	})
}

const noConnection = -1

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cancel := range c.open {
		cancel()
	}
	c.open = nil
}

func (c *cutter) set(refuse int, gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse, c.gone = refuse, gone
}

func TestChangesInAGapAreSeen(t *testing.T) {
	for sentence, gone := range map[string]bool{
		"when the watch goes on where it was":          false,
		"when the versions of the gap are gone by now": true,
	} {
		t.Run(sentence, func(t *testing.T) {
			onEachServer(t, func(t *testing.T, server *apiserver.Server) {
				namespace := server.Namespace(t)
				create(t, server, configMap(namespace, "changed", "a", "1"))
				create(t, server, configMap(namespace, "deleted", "a", "1"))
				cut := &cutter{}
				p := startEngine(t, cut.wrap(server.Config), wide)
				for _, name := range []string{"changed", "deleted", "created", "same"} {
					p.referToA(name, namespace, name)
				}
				p.eventually(named("changed"), shows(t, "1"))
				p.eventually(named("deleted"), shows(t, "1"))
				p.eventually(named("created"), absent)
				p.eventually(named("same"), absent)

				cut.set(http.StatusServiceUnavailable, gone)
				cut.cut()
				put(t, server, configMap(namespace, "changed", "a", "2"))
				remove(t, server, configMap(namespace, "deleted"))
				create(t, server, configMap(namespace, "created", "a", "2"))
				cut.set(0, gone)
				p.eventually(named("changed"), shows(t, "2"))
				p.eventually(named("deleted"), absent)
				p.eventually(named("created"), shows(t, "2"))
				p.eventually(named("same"), absent)
			})
		})
	}
}

func TestTheEndOfAConnectionIsNobodysNews(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		create(t, server, configMap(namespace, "watched", "a", "1"))
		cut, requests := &cutter{}, &counter{}
		p := startEngine(t, requests.count(cut.wrap(server.Config)))
		p.referToA("owner", namespace, "watched")
		p.eventually(named("owner"), shows(t, "1"))
		put(t, server, configMap(namespace, "watched", "a", "2"))
		p.eventually(named("owner"), shows(t, "2"))
		requests.settle(t)

		before, woken, asked := p.see(named("owner")), p.wakeups(named("owner")), requests.of("configmaps")
		cut.cut()
		require.Eventually(t, func() bool { return requests.of("configmaps") > asked }, patience, blink)
		requests.settle(t)
		require.Equal(t, asked+1, requests.of("configmaps"), "the watch goes on where it was")
		require.Equal(t, before, p.see(named("owner")))
		require.Equal(t, woken, p.wakeups(named("owner")))
	})
}

func TestWhatCannotBeSeenIsNeverAbsent(t *testing.T) {
	for sentence, c := range map[string]struct {
		code int
		want State
	}{
		"the API server fails":                     {http.StatusInternalServerError, NotSynced},
		"the API server has too much to do":        {http.StatusTooManyRequests, NotSynced},
		"the API server is gone":                   {noConnection, NotSynced},
		"the operator is not known":                {http.StatusUnauthorized, Forbidden},
		"the operator may not read":                {http.StatusForbidden, Forbidden},
		"the path is gone, but discovery says not": {http.StatusNotFound, NotSynced},
	} {
		t.Run(sentence, func(t *testing.T) {
			onEachServer(t, func(t *testing.T, server *apiserver.Server) {
				namespace := server.Namespace(t)
				create(t, server, configMap(namespace, "watched", "a", "1"))
				cut := &cutter{}
				p := startEngine(t, cut.wrap(server.Config), wide)
				p.referToA("owner", namespace, "watched")
				p.eventually(named("owner"), shows(t, "1"))
				// A watch that has told something goes on from there, others begin with a list.
				put(t, server, configMap(namespace, "watched", "a", "2"))
				p.eventually(named("owner"), shows(t, "2"))

				cut.set(c.code, false)
				cut.cut()
				o := p.eventuallyState(named("owner"), c.want)
				require.Error(t, o.Err)
				require.Equal(t, c.want == Forbidden, strings.Contains(o.Err.Error(), "a message"), "what a message quotes is not known")
				require.Empty(t, o.Digests)
				cut.set(0, false)
				p.eventually(named("owner"), func(o Observation) bool {
					require.False(t, o.State == Synced && !o.Exists)
					return shows(t, "2")(o)
				})
			})
		})
	}
}

func TestBrokenDiscoveryIsNoAbsence(t *testing.T) {
	for sentence, c := range map[string]struct {
		path string
		code int
	}{
		"the version's resources cannot be had":                      {"/apis/broken.example.com/v1", 503},
		"the group's versions cannot be had":                         {"/apis/broken.example.com", 503},
		"discovery is forbidden":                                     {"/apis/broken.example.com/v1", 403},
		"the version is named, and not there":                        {"/apis/broken.example.com/v1", 404},
		"the version's answer is about something else":               {"/apis/broken.example.com/v1", 200},
		"the resources of the group's other version cannot be asked": {"/apis/broken.example.com/v2", 500},
	} {
		t.Run(sentence, func(t *testing.T) {
			server := servers["with WatchList"].Server(t)
			var mu sync.Mutex
			broken := true
			p := startEngine(t, wrapped(server.Config, func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
				mu.Lock()
				defer mu.Unlock()
				switch {
				case broken && r.URL.Path == c.path:
					return answered(r, c.code), nil
				case broken && r.URL.Path == "/apis/broken.example.com/v2":
					return answering200(r, `{"kind":"APIResourceList","resources":[]}`), nil
				case broken && r.URL.Path == "/apis/broken.example.com":
					response := answered(r, http.StatusOK)
					response.Body = io.NopCloser(strings.NewReader(`{"kind":"APIGroup","versions":[{"version":"v1"},{"version":"v2"}]}`))
					return response, nil
				}
				return next.RoundTrip(r)
			}))
			gvk := widgets
			gvk.Group = "broken.example.com"
			p.Set(named("owner"), []Reference{refer(t, gvk, "default", "w", "*")})
			o := p.eventually(named("owner"), func(o Observation) bool { return o.Err != nil })
			require.Equal(t, NotSynced, o.State)
			require.ErrorContains(t, o.Err, "discovery")

			mu.Lock()
			broken = false
			mu.Unlock()
			p.eventuallyState(named("owner"), KindNotServed)
			require.NoError(t, p.see(named("owner")).Err)
		})
	}
}

func answering200(r *http.Request, body string) *http.Response {
	response := answered(r, http.StatusOK)
	response.Body = io.NopCloser(strings.NewReader(body))
	return response
}

func TestAStreamingListThatCannotBeHadIsAList(t *testing.T) {
	for sentence, answer := range map[string]func(r *http.Request) *http.Response{
		"where its version is gone":         func(r *http.Request) *http.Response { return answered(r, http.StatusGone) },
		"where the API server has too much": func(r *http.Request) *http.Response { return answered(r, http.StatusTooManyRequests) },
		"where it ends with an error": func(r *http.Request) *http.Response {
			return answering200(r, event("ERROR", `{"code":410,"reason":"Expired"}`))
		},
		"where it ends before it is whole":    func(r *http.Request) *http.Response { return answering200(r, event("ADDED", item("other", "1"))) },
		"where it breaks off within an event": func(r *http.Request) *http.Response { return answering200(r, `{"type":"ADDED","object":{`) },
	} {
		t.Run(sentence, func(t *testing.T) {
			server := servers["with WatchList"].Server(t)
			namespace := server.Namespace(t)
			create(t, server, configMap(namespace, "watched", "a", "1"))
			p := startEngine(t, wrapped(server.Config, func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, "/configmaps") && strings.Contains(r.URL.RawQuery, "sendInitialEvents=true") {
					return answer(r), nil
				}
				return next.RoundTrip(r)
			}))
			p.referToA("owner", namespace, "watched")
			p.eventually(named("owner"), shows(t, "1"))
			put(t, server, configMap(namespace, "watched", "a", "2"))
			p.eventually(named("owner"), shows(t, "2"))
		})
	}
}

func TestAStateFromBeforeARestoreWins(t *testing.T) {
	// A server whose versions go back, as after a restore of etcd.
	var mu sync.Mutex
	version, value := 500, "new"
	state := func() (int, string) {
		mu.Lock()
		defer mu.Unlock()
		return version, value
	}
	end := make(chan struct{})
	config := wrapped(&rest.Config{Host: "http://127.0.0.1:1"}, func(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
		now, value := state()
		response := answered(r, http.StatusOK)
		object := fmt.Sprintf(`{"metadata":{"namespace":"ns","name":"watched","resourceVersion":"%d"},"data":{"a":%q}}`, now, value)
		query := r.URL.Query()
		switch {
		case r.URL.Path == "/api/v1":
			response.Body = io.NopCloser(strings.NewReader(`{"resources":[{"name":"configmaps","kind":"ConfigMap","namespaced":true,"verbs":["list","watch"]}]}`))
		case !strings.HasSuffix(r.URL.Path, "/configmaps"):
			return answered(r, http.StatusForbidden), nil
		case query.Get("watch") == "":
			require.Empty(t, query.Get("resourceVersion"), "a list asks for the latest")
			response.Body = io.NopCloser(strings.NewReader(fmt.Sprintf(`{"metadata":{"resourceVersion":"%d"},"items":[%s]}`, now, object)))
		case query.Get("sendInitialEvents") != "":
			require.Empty(t, query.Get("resourceVersion"), "a streaming list asks for the latest")
			return answered(r, http.StatusNotFound), nil
		case query.Get("resourceVersion") != fmt.Sprint(now):
			return answered(r, http.StatusGone), nil
		default:
			ctx := r.Context()
			reader, writer := io.Pipe()
			go func() {
				select {
				case <-end:
				case <-ctx.Done():
				}
				_ = writer.Close()
			}()
			response.Body = reader
		}
		return response, nil
	})
	p := startEngine(t, config)
	p.referToA("owner", "ns", "watched")
	p.eventually(named("owner"), shows(t, "new"))

	mu.Lock()
	version, value = 5, "restored"
	mu.Unlock()
	close(end)
	p.eventually(named("owner"), shows(t, "restored"))
}

func TestALongListIsReadInPages(t *testing.T) {
	for sentence, expired := range map[string]bool{"to the end": false, "and at once where a page has expired": true} {
		t.Run(sentence, func(t *testing.T) {
			var queries []string
			config := wrapped(&rest.Config{Host: "http://127.0.0.1:1"}, func(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
				query := r.URL.Query()
				queries = append(queries, query.Encode())
				response := answered(r, http.StatusOK)
				list := `{"metadata":{"resourceVersion":"9"},"items":[` + item("keep1", "1") + `,` + item("keep2", "2") + `]}`
				switch {
				case query.Get("continue") != "" && expired:
					return answered(r, http.StatusGone), nil
				case query.Get("continue") != "":
					list = `{"metadata":{"resourceVersion":"9"},"items":[` + item("keep2", "2") + `]}`
				case query.Get("limit") != "":
					list = `{"metadata":{"resourceVersion":"9","continue":"more"},"items":[` + item("keep1", "1") + `,` + item("other", "1") + `]}`
				}
				response.Body = io.NopCloser(bytes.NewReader([]byte(list)))
				return response, nil
			})
			client, err := newClient(config)
			require.NoError(t, err)
			begun := 0
			list, err := collection{client: client, path: []string{"/api/v1/configmaps"}}.list(context.Background(), "", func() { begun++ }, keepNamed)
			require.NoError(t, err)
			require.Equal(t, "9", list.ResourceVersion)
			require.Len(t, list.Items, 2)
			want := []string{"limit=500", "continue=more&limit=500"}
			if expired {
				want = append(want, "")
			}
			require.Equal(t, want, queries)
			require.Equal(t, len(want)-1, begun, "what is counted is counted anew where it begins anew")
		})
	}
}

func TestAnEngineStopsWhileTheServerIsGone(t *testing.T) {
	p := startEngine(t, &rest.Config{Host: "http://127.0.0.1:1"})
	p.referToA("owner", "ns", "watched")
	p.eventually(named("owner"), func(o Observation) bool { return o.Err != nil })
	p.stop()
	require.Error(t, p.Start(context.Background()), "it starts once")
}
