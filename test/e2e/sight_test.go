package e2e

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/nusnewob/kube-changejob/controllers" // it defines metrics, and so do those that it imports
	"github.com/nusnewob/kube-changejob/pkg/metrics"
)

// occasions are what has happened, by what the metrics say of it: each has been above zero.
var occasions = []string{
	`changejob_baselines_lost_total`,
	`changejob_changetriggeredjobs`,
	`changejob_degraded{reason="InvalidSpec"}`,
	`changejob_degraded{reason="JobNotCreated"}`,
	`changejob_degraded{reason="KindNotServed"}`,
	`changejob_degraded{reason="LastJobFailed"}`,
	`changejob_hash_key_differs`,
	`changejob_hash_key_failures_total`,
	`changejob_hash_key_rewritten_total`,
	`changejob_job_outcomes_total{outcome="Failed"}`,
	`changejob_job_outcomes_total{outcome="Succeeded"}`,
	`changejob_job_requests_total{result="created"}`,
	`changejob_job_requests_total{result="failed"}`,
	`changejob_job_requests_total{result="refused"}`,
	`changejob_jobs_adopted_total`,
	`changejob_leading`,
	`changejob_pending{reason="JobNotCreated"}`,
	`changejob_status_writes_total{result="failed"}`,
	`changejob_status_writes_total{result="written"}`,
	`changejob_trigger_duration_seconds_count{waited="false"}`,
	`changejob_trigger_duration_seconds_count{waited="true"}`,
	`changejob_triggers_total{reason="Change"}`,
	`changejob_watch_events_total{result="changed"}`,
	`changejob_watch_failures_total{reason="answer"}`,
	`changejob_watched_kinds`,
	`changejob_watched_objects`,
	`changejob_watches{state="notSynced"}`,
	`changejob_watches{state="synced"}`,
}

// everyMetricIsThere compares what Prometheus has with what docs/metrics.md lists, which is made of the same definitions: every metric, with
// each value that its labels can have, and no other.
func everyMetricIsThere(t *testing.T, s *server) {
	t.Helper()
	for _, d := range metrics.Definitions() {
		name := d.Name
		if d.Type == metrics.Histogram {
			name += "_count"
		}
		want, free, labels := []string{""}, false, make([]string, 0, len(d.Labels))
		for _, label := range d.Labels {
			labels, free = append(labels, label.Name), free || label.Free != ""
			var longer []string
			for _, before := range want {
				for _, value := range label.All() {
					longer = append(longer, before+" "+value)
				}
			}
			want = longer
		}
		all := s.sinceTheBeginning(t.Context(), t, "group by ("+strings.Join(labels, ", ")+") ("+name+")")
		if free {
			require.Len(t, all, 1, name)
			for _, label := range labels {
				assert.NotEmpty(t, all[0].Metric[label], "%s of %s", label, name)
			}
			continue
		}
		got := make([]string, 0, len(all))
		for _, series := range all {
			values := ""
			for _, label := range labels {
				values += " " + series.Metric[label]
			}
			got = append(got, values)
		}
		assert.ElementsMatch(t, want, got, name)
	}
	for _, occasion := range occasions {
		assert.Positive(t, s.most(t.Context(), t, occasion), occasion)
	}
}

// theDashboardHasData asks what the panels of the dashboard ask.
func theDashboardHasData(t *testing.T, s *server) {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Definition string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(testdata(t, "config", "grafana", "kube-changejob.json")), &dashboard))
	asked := 0
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			asked++
			// Grafana looks back at four scrapes, at least.
			expression := strings.NewReplacer("$namespace", operatorNamespace, "$__rate_interval", "4s").Replace(target.Expr)
			had := slices.ContainsFunc(s.sinceTheBeginning(t.Context(), t, expression), func(series series) bool { return len(series.numbers()) > 0 })
			assert.True(t, had, "%s: nothing has come of %s", panel.Title, expression)
		}
	}
	assert.Greater(t, asked, 30)

	const variable = "label_values(changejob_build_info, namespace)"
	require.True(t, slices.ContainsFunc(dashboard.Templating.List, func(v struct{ Name, Definition string }) bool {
		return v.Name == "namespace" && v.Definition == variable
	}))
	var values []string
	s.ask(t.Context(), t, &values, "label/namespace/values", url.Values{"match[]": {"changejob_build_info"}})
	assert.Equal(t, []string{operatorNamespace}, values)
}
