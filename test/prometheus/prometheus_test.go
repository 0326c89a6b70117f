package prometheus

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// shipped reads the files of config/prometheus, as they are without kustomize.
func shipped(t *testing.T) Shipped {
	t.Helper()
	var manifests string
	for _, file := range []string{"alerts.yaml", "monitor.yaml"} {
		data, err := os.ReadFile(filepath.Join("../../config/prometheus", file))
		require.NoError(t, err)
		if manifests != "" {
			manifests += "\n---\n"
		}
		manifests += string(data)
	}
	s, err := Read(manifests)
	require.NoError(t, err)
	return s
}

func TestWhatIsNotMadeIntoAnythingIsRefused(t *testing.T) {
	const monitor = "apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nspec: {endpoints: [{port: https}]}"
	const rule = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nspec: {groups: [{name: a, rules: [{alert: A, expr: a}]}]}"
	for name, test := range map[string]struct{ manifests, err string }{
		"one of each":                           {monitor + "\n---\n" + rule, ""},
		"no rule":                               {monitor, "1 ServiceMonitors and 0 PrometheusRules"},
		"two monitors":                          {monitor + "\n---\n" + rule + "\n---\n" + monitor, "2 ServiceMonitors and 1 PrometheusRules"},
		"a kind of the Prometheus operator":     {"apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor", "the kind PodMonitor is not known here"},
		"a kind of somebody else":               {"apiVersion: v1\nkind: Secret", `the kind Secret of "v1" is none of the Prometheus operator's`},
		"a way to ask that is not known here":   {"apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nspec: {endpoints: [{basicAuth: {}}]}", `unknown field "basicAuth"`},
		"a rule that is no alert":               {"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nspec: {groups: [{name: a, rules: [{record: a}]}]}", `unknown field "record"`},
		"a group with an interval of its own":   {"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nspec: {groups: [{interval: 1m}]}", `unknown field "interval"`},
		"a monitor of more than one namespace":  {"apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nspec: {namespaceSelector: {any: true}}", `unknown field "namespaceSelector"`},
		"a certificate that is to be looked at": {"apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nspec: {endpoints: [{tlsConfig: {ca: {}}}]}", `unknown field "ca"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(test.manifests)
			if test.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.err)
			}
		})
	}
}

func TestWhatIsScrapedIsWhatTheServiceMonitorSays(t *testing.T) {
	config, err := shipped(t).Config("1s", "rules.yaml")
	require.NoError(t, err)
	assert.YAMLEq(t, `
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [rules.yaml]
scrape_configs:
- job_name: serviceMonitor/system/controller-manager-metrics-monitor
  metrics_path: /metrics
  scheme: https
  authorization: {credentials_file: /var/run/secrets/kubernetes.io/serviceaccount/token}
  tls_config: {insecure_skip_verify: true}
  kubernetes_sd_configs:
  - {role: endpointslice, namespaces: {names: [system]}}
  relabel_configs:
  - source_labels: [__meta_kubernetes_service_label_app_kubernetes_io_name, __meta_kubernetes_service_labelpresent_app_kubernetes_io_name]
    regex: (kube-changejob);true
    action: keep
  - source_labels: [__meta_kubernetes_service_label_control_plane, __meta_kubernetes_service_labelpresent_control_plane]
    regex: (controller-manager);true
    action: keep
  - {source_labels: [__meta_kubernetes_endpointslice_port_name], regex: https, action: keep}
  - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
  - {source_labels: [__meta_kubernetes_service_name], target_label: service}
  - {source_labels: [__meta_kubernetes_service_name], target_label: job}
  - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
  - {source_labels: [__meta_kubernetes_pod_container_name], target_label: container}
  - {source_labels: [__meta_kubernetes_endpointslice_port_name], target_label: endpoint}
`, string(config))
}

func TestDurationsAndNothingElseAreDivided(t *testing.T) {
	for name, test := range map[string]struct{ is, becomes, err string }{
		"what a rate looks back at":      {`sum(rate(a_total[10m])) > 0.1`, `sum(rate(a_total[10000ms])) > 0.1`, ""},
		"an offset":                      {`sum(a unless a offset 1h) > 0`, `sum(a unless a offset 60000ms) > 0`, ""},
		"how long it holds":              {`15m`, `15000ms`, ""},
		"one of two units":               {`1h30m`, `90000ms`, ""},
		"nothing":                        {``, ``, ""},
		"a number, a name, and a string": {`a5m{b="5m",c="\"5m"} > 300 or sum by (d10m) (b)`, `a5m{b="5m",c="\"5m"} > 300 or sum by (d10m) (b)`, ""},
		"an age":                         {`a and (time() - b_seconds < 3600) or c < 3600`, `a and (time() - b_seconds < 60) or c < 3600`, ""},
		"an age that is too short":       {`time() - b_seconds >= 90`, "", "90 seconds cannot be divided by 60"},
		"one that is too short":          {`rate(a[50ms])`, "", "50ms cannot be divided by 60"},
		"one of days":                    {`rate(a[1d])`, "", "1d cannot be divided by 60"},
	} {
		t.Run(name, func(t *testing.T) {
			shorter, err := shorten(test.is, 60)
			if test.err != "" {
				require.EqualError(t, err, test.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.becomes, shorter)
		})
	}
}

func TestTheAlertsStayWhatTheyAreButForTheirDurations(t *testing.T) {
	s := shipped(t)
	data, err := s.Rules(60)
	require.NoError(t, err)
	var shorter struct {
		Groups []group `json:"groups"`
	}
	require.NoError(t, yaml.Unmarshal(data, &shorter))
	require.Len(t, shorter.Groups, len(s.rule.Spec.Groups))
	var names []string
	for i, g := range shorter.Groups {
		for j, r := range g.Rules {
			is := s.rule.Spec.Groups[i].Rules[j]
			names = append(names, r.Alert)
			assert.Equal(t, is.Labels, r.Labels)
			assert.Equal(t, is.Annotations, r.Annotations)
			assert.Equal(t, is.For == "", r.For == "")
			assert.NotRegexp(t, `\d[mh]\b|3600`, r.For+" "+r.Expr, r.Alert)
		}
	}
	assert.Equal(t, s.Alerts(), names)
	assert.Greater(t, len(names), 10)

	// That Prometheus reads them is seen where a promtool is.
	program, err := filepath.Abs("../../bin/promtool")
	require.NoError(t, err)
	if _, err := os.Stat(program); err != nil {
		if program, err = exec.LookPath("promtool"); err != nil {
			t.Skip("SKIPPED: there is no promtool: make promtool")
		}
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	require.NoError(t, os.WriteFile(file, data, 0o600))
	output, err := exec.CommandContext(t.Context(), program, "check", "rules", file).CombinedOutput()
	require.NoError(t, err, "%s", output)
}
