package faults

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

func TestWhatChangesInAGapThatWasCompactedAwayIsSeen(t *testing.T) {
	for sentence, watchList := range map[string]bool{"with streaming lists": true, "without": false} {
		t.Run(sentence, func(t *testing.T) {
			server, audit := own(t, apiserver.WatchList(watchList))
			w := newWorld(t, server, audit, reported.begin(t,
				"watches broken, what they go on from compacted away: one Job for each difference that stands, none for what is as it was"))
			w.start()
			api := server.APIServer(t)
			for _, name := range []string{"changed", "deleted", "changed-and-back", "untouched"} {
				w.configMap(name)
			}
			want := map[string]int64{"changed": 1, "deleted": 1, "created": 1, "recreated": 0, "changed-and-back": 0, "untouched": 0}
			w.configMap("recreated")
			for name := range want {
				w.ctj(name, []string{name})
			}
			for name := range want {
				w.watching(name)
			}
			rounds := int64(1)
			if full() {
				rounds = 3
			}
			for round := range rounds {
				w.triggered("changed", round)
				cutOff := w.inject(fails, func(*call) bool { return true })
				w.report.injected("a watch is cut", w.proxy.cut(func(*call) bool { return true }))
				w.change("changed")
				if round == 0 {
					w.remove("deleted")
					w.configMap("created")
				}
				w.remove("recreated")
				w.configMap("recreated")
				w.change("changed-and-back")
				w.set("changed-and-back", "first")
				compact(t, server.Env.ControlPlane.Etcd.URL.String())
				w.report.injected("etcd is compacted", 1)
				// A cache that starts anew knows nothing of the time before.
				api.Kill(t)
				api.Start(t)
				w.report.injected("the API server is killed", 1)
				api.Await(t)
				cutOff.lift()
				w.triggered("changed", round+1)
				w.rests()
			}
			// The Jobs did not wait for the operator's own cache, which pauses for longer after each failure to go on.
			require.Eventually(t, func() bool { return w.proxy.gone() > 0 }, time.Minute, 100*time.Millisecond, "something was gone")
			w.report.injected("410 Gone", w.proxy.gone())
			for name, count := range want {
				if name != "changed" {
					w.triggered(name, count)
				}
			}
			assert.EqualValues(t, 2+rounds, w.rests().created)
		})
	}
}

// compact has etcd forget everything but the present.
func compact(t *testing.T, etcd string) {
	t.Helper()
	post := func(path string, body, into any) {
		content, err := json.Marshal(body)
		require.NoError(t, err)
		response, err := http.Post(etcd+path, "application/json", bytes.NewReader(content))
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.NoError(t, json.NewDecoder(response.Body).Decode(into))
	}
	var now struct {
		Header struct {
			Revision json.RawMessage `json:"revision"`
		} `json:"header"`
	}
	post("/v3/kv/range", map[string]any{"key": []byte("/"), "limit": 1}, &now)
	post("/v3/kv/compaction", map[string]any{"revision": now.Header.Revision, "physical": true}, &struct{}{})
}
