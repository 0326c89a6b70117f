package bench

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// exposition is what a metrics endpoint says: a value for each name with its labels, as they are written there.
type exposition map[string]float64

// sum adds up the series of a name whose labels contain all of these, each written as in name="value".
func (e exposition) sum(name string, labels ...string) (sum float64) {
series:
	for series, value := range e {
		if series != name && !strings.HasPrefix(series, name+"{") {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(series, "{"+label) && !strings.Contains(series, ","+label) {
				continue series
			}
		}
		sum += value
	}
	return sum
}

func parseExposition(text []byte) (exposition, error) {
	e := exposition{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		end := strings.LastIndex(line, " ")
		if end < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if value, err := strconv.ParseFloat(line[end+1:], 64); err == nil {
			e[line[:end]] = value
		}
	}
	return e, lines.Err()
}

// operatorMetrics is what the operator's metrics endpoint says.
func operatorMetrics(url string) (exposition, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	return parseExposition(text)
}

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
	e, err := parseExposition(text)
	require.NoError(b, err)
	const sizes, label = "apiserver_watch_events_sizes", `resource="`
	return e.sum(sizes+"_count", label+resource+`"`) - e.sum(sizes+"_bucket", label+resource+`"`, `le="`+bookmarkBytes+`"`)
}
