package bench

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"

	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/operator"
)

// bookmarkBytes is more than a bookmark has, and less than what is changed here, even if only its metadata is sent. It is a limit of
// the histogram's buckets.
const bookmarkBytes = "1024"

// sentEvents is how many events of a resource the API server has sent to whoever watches it, bookmarks aside: it sends one a minute to each
// watch, whatever happens.
func sentEvents(b *testing.B, server *apiserver.Server, resource string) float64 {
	b.Helper()
	client, err := kubernetes.NewForConfig(server.Config)
	require.NoError(b, err)
	text, err := client.RESTClient().Get().AbsPath("/metrics").DoRaw(b.Context())
	require.NoError(b, err)
	m, err := operator.ParseMetrics(bytes.NewReader(text))
	require.NoError(b, err)
	const sizes, label = "apiserver_watch_events_sizes", `resource="`
	return m.Sum(sizes+"_count", label+resource+`"`) - m.Sum(sizes+"_bucket", label+resource+`"`, `le="`+bookmarkBytes+`"`)
}
