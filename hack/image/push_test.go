package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// registry keeps what is pushed to it: of OCI's distribution, what a push needs.
type registry struct {
	mu        sync.Mutex
	uploads   int
	blobs     map[string][]byte
	manifests map[string][]byte
}

func (r *registry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	body, _ := io.ReadAll(request.Body)
	last := request.URL.Path[strings.LastIndex(request.URL.Path, "/")+1:]
	stored := r.blobs
	if strings.Contains(request.URL.Path, "/manifests/") {
		stored = r.manifests
	}
	switch {
	case request.URL.Path == "/v2/":
	case request.Method == http.MethodPost:
		r.uploads++
		w.Header().Set("Location", fmt.Sprintf("%supload-%d", request.URL.Path, r.uploads))
		w.WriteHeader(http.StatusAccepted)
	case request.Method == http.MethodPatch:
		r.blobs[last] = append(r.blobs[last], body...)
		w.Header().Set("Location", request.URL.Path)
		w.WriteHeader(http.StatusAccepted)
	case request.Method == http.MethodPut && strings.HasPrefix(last, "upload-"):
		r.blobs[request.URL.Query().Get("digest")] = slices.Concat(r.blobs[last], body)
		w.WriteHeader(http.StatusCreated)
	case request.Method == http.MethodPut:
		digest := fmt.Sprintf("sha256:%x", sha256.Sum256(body))
		stored[digest], stored[last] = body, body
		w.Header().Set("Docker-Content-Digest", digest)
		w.WriteHeader(http.StatusCreated)
	case stored[last] == nil:
		w.WriteHeader(http.StatusNotFound)
	default:
		_, _ = w.Write(stored[last])
	}
}

func TestAPushedImageIsTheIndexThatWasBuilt(t *testing.T) {
	tool, dir := installed(t, "buildah"), t.TempDir()
	copyInto(t, dir, "Dockerfile", ".dockerignore")
	stubs(t, dir, "manager")
	want := build(t, dir, tool).digest

	r := &registry{blobs: map[string][]byte{}, manifests: map[string][]byte{}}
	server := httptest.NewServer(r)
	defer server.Close()
	image := strings.TrimPrefix(server.URL, "http://") + "/kube-changejob:v1"
	require.NoError(t, run(t.Context(), []string{"build", "-tool", tool, image}))
	require.NoError(t, run(t.Context(), []string{"push", "-tool", tool, image}))

	index := manifest{}
	require.NoError(t, json.Unmarshal(r.manifests["v1"], &index))
	assert.Equal(t, want, fmt.Sprintf("sha256:%x", sha256.Sum256(r.manifests["v1"])))
	require.Len(t, index.Manifests, len(architectures))
	for _, entry := range index.Manifests {
		single := manifest{}
		require.NoError(t, json.Unmarshal(r.manifests[entry.Digest], &single))
		assert.Contains(t, r.blobs, single.Config.Digest)
		for _, layer := range single.Layers {
			assert.Contains(t, r.blobs, layer.Digest)
		}
	}
}
