package e2e

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/nusnewob/kube-changejob/test/prometheus"
)

const (
	monitoringNamespace = "e2e-prometheus"
	// scrapeInterval is how often metrics are read, and alerts evaluated.
	scrapeInterval = "1s"
	// divisor is what all durations of the alerts are divided by: a quarter of an hour becomes a quarter of a minute.
	divisor = 60
)

// server is a Prometheus that runs on the node.
type server struct {
	url    string
	alerts []string
	began  time.Time
}

// startPrometheus starts a Prometheus that scrapes the operator, and evaluates its alerts, by what config/prometheus holds.
func startPrometheus(t *testing.T, image string) *server {
	t.Helper()
	shipped, err := prometheus.Read(kubectl(t, "kustomize", "config/prometheus"))
	require.NoError(t, err)
	config, err := shipped.Config(scrapeInterval, "rules.yaml")
	require.NoError(t, err)
	rules, err := shipped.Rules(divisor)
	require.NoError(t, err)

	namespace(t, monitoringNamespace)
	onFailure(t, "logs", "--namespace="+monitoringNamespace, "pod/prometheus", "--tail=50")
	onFailure(t, "describe", "pods", "--namespace="+monitoringNamespace)
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "prometheus.yaml"), config, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "rules.yaml"), rules, 0o600))
	kubectl(t, "create", "configmap", "prometheus", "--namespace="+monitoringNamespace, "--from-file="+folder)
	apply(t, strings.ReplaceAll(testdata(t, "test", "e2e", "testdata", "prometheus.yaml"), "{{image}}", image))
	t.Cleanup(func() {
		_, err := run(context.WithoutCancel(t.Context()), ".", "", "kubectl", "delete", "clusterrolebinding", "e2e-prometheus", "--ignore-not-found")
		assert.NoError(t, err)
	})
	kubectl(t, "wait", "--namespace="+monitoringNamespace, "--for=condition=Ready", "--timeout=2m", "pod/prometheus")
	var pod corev1.Pod
	get(t.Context(), t, &pod, "pod/prometheus", "--namespace="+monitoringNamespace)
	return &server{url: "http://" + pod.Status.PodIP + ":9090", alerts: shipped.Alerts(), began: time.Now()}
}

// ask asks the HTTP API of Prometheus, and reads the data that it answers with.
func (s *server) ask(ctx context.Context, t require.TestingT, into any, path string, query url.Values) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/"+path+"?"+query.Encode(), nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	answer := struct {
		Status, Error string
		Data          any
	}{Data: into}
	require.NoError(t, json.Unmarshal(body, &answer), "%s", body)
	require.Equal(t, "success", answer.Status, answer.Error)
}

// series is what an expression had of values, with the labels of these.
type series struct {
	Metric map[string]string
	Values [][2]any
}

// numbers are the values that are numbers.
func (s series) numbers() (numbers []float64) {
	for _, value := range s.Values {
		text, _ := value[1].(string)
		if number, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(number) {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

// sinceTheBeginning is what an expression has been, second by second, since this Prometheus began.
func (s *server) sinceTheBeginning(ctx context.Context, t require.TestingT, expression string) []series {
	var data struct{ Result []series }
	s.ask(ctx, t, &data, "query_range", url.Values{
		"query": {expression}, "step": {"1"}, "start": {seconds(s.began)}, "end": {seconds(time.Now())},
	})
	return data.Result
}

func seconds(at time.Time) string {
	return strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)
}

// most is the largest value that an expression has had; zero where it has had none.
func (s *server) most(ctx context.Context, t require.TestingT, expression string) (most float64) {
	for _, series := range s.sinceTheBeginning(ctx, t, expression) {
		most = max(most, slices.Max(append(series.numbers(), 0)))
	}
	return most
}

// firing are the alerts that fire.
func (s *server) firing(ctx context.Context, t require.TestingT) (names []string) {
	var data struct {
		Alerts []struct {
			Labels map[string]string
			State  string
		}
	}
	s.ask(ctx, t, &data, "alerts", nil)
	for _, alert := range data.Alerts {
		if alert.State == "firing" {
			names = append(names, alert.Labels["alertname"])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// isQuiet waits until the operator is scraped and leads, and every alert has been evaluated for longer than any but the one of an hour
// waits, without one that fires or is about to.
func (s *server) isQuiet(t *testing.T) {
	t.Helper()
	eventually(t, func(c *assert.CollectT) {
		require.InDelta(c, 1, s.most(t.Context(), c, `changejob_leading`), 0)
		var rules struct {
			Groups []struct {
				Rules []struct{ Name, State, Health, LastError string }
			}
		}
		s.ask(t.Context(), c, &rules, "rules", nil)
		var inactive []string
		for _, group := range rules.Groups {
			for _, rule := range group.Rules {
				require.Equal(c, "ok", rule.Health, "%s: %s", rule.Name, rule.LastError)
				if rule.State == "inactive" {
					inactive = append(inactive, rule.Name)
				}
			}
		}
		require.ElementsMatch(c, s.alerts, inactive)
		require.Greater(c, s.most(t.Context(), c, `count_over_time((min(up) == 1)[20s:1s])`), 18.)
	})
	assert.Empty(t, s.sinceTheBeginning(t.Context(), t, `ALERTS{alertstate="firing"}`), "an alert has fired without a cause")
}

// TestPrometheus has a Prometheus on the node scrape the operator as the ServiceMonitor says, with the durations of the alerts
// divided by sixty: nothing fires at first; then each alert is made to fire by what it is about, and ends with that; and Prometheus has got
// every metric that the documentation lists, and something for every panel of the dashboard.
func TestPrometheus(t *testing.T) {
	image := os.Getenv("E2E_PROMETHEUS")
	if image == "" {
		t.Skip("SKIPPED: this needs an image of Prometheus, which only the node of make e2e has")
	}
	emptyCluster(t)
	deploy(t, "config/default")
	mine := namespace(t, "e2e-alerts")
	s := startPrometheus(t, image)
	s.isQuiet(t)
	t.Logf("nothing fired in the first %.0f s", time.Since(s.began).Seconds())
	everyAlertFires(t, s, mine)
	everyMetricIsThere(t, s)
	theDashboardHasData(t, s)
	t.Logf("all of it took %.0f s", time.Since(s.began).Seconds())
	kubectl(t, "delete", "clusterrolebinding", "e2e-prometheus")
	remove(t)
}
