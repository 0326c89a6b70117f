package monitoring

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

const (
	alertsFile = "../../config/prometheus/alerts.yaml"
	testsFile  = "../../config/prometheus/alerts_test.yaml"
	runbooks   = "https://github.com/nusnewob/kube-changejob/blob/main/docs/runbooks.md"
)

// rule is an alert.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// alerts returns the alerts, and what stands in the file for Prometheus itself.
func alerts(t *testing.T) (rules []rule, groups any) {
	t.Helper()
	data, err := os.ReadFile(alertsFile)
	require.NoError(t, err)
	var file struct {
		Spec struct {
			Groups []struct {
				Rules []rule `json:"rules"`
			} `json:"groups"`
		} `json:"spec"`
	}
	require.NoError(t, yaml.Unmarshal(data, &file))
	var all struct {
		Spec any `json:"spec"`
	}
	require.NoError(t, yaml.Unmarshal(data, &all))
	for _, group := range file.Spec.Groups {
		rules = append(rules, group.Rules...)
	}
	require.Greater(t, len(rules), 10)
	return rules, all.Spec
}

func TestAlertsAreAboutMetricsThatThereAre(t *testing.T) {
	all := served(t)
	rules, _ := alerts(t)
	for _, r := range rules {
		_, labels := check(t, all, r.Expr, r.Alert)
		for _, text := range r.Annotations {
			for _, match := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(text, -1) {
				assert.Contains(t, labels, match[1], r.Alert)
			}
		}
	}
}

// A cluster may have several operators (docs/scaling.md): what is summed up over all of them has the one hide the other.
func TestEveryAlertIsAboutOneOperator(t *testing.T) {
	aggregation := regexp.MustCompile(`\b(?:sum|max|min|avg|count|group)\b(?: by \(namespace\b)?`)
	rules, _ := alerts(t)
	for _, r := range rules {
		found := aggregation.FindAllString(r.Expr, -1)
		if found == nil {
			assert.Contains(t, r.Expr, `{namespace="`, r.Alert)
		}
		for _, one := range found {
			assert.Contains(t, one, " by (namespace", "%s: %s", r.Alert, r.Expr)
		}
	}
}

func TestEveryAlertSaysWhatToDo(t *testing.T) {
	page, err := os.ReadFile("../../docs/runbooks.md")
	require.NoError(t, err)
	rules, _ := alerts(t)
	var names []string
	for _, r := range rules {
		names = append(names, r.Alert)
		assert.Contains(t, []string{"critical", "warning"}, r.Labels["severity"], r.Alert)
		assert.NotEmpty(t, r.Annotations["summary"], r.Alert)
		assert.NotEmpty(t, r.Annotations["description"], r.Alert)
		assert.Equal(t, runbooks+"#"+strings.ToLower(r.Alert), r.Annotations["runbook_url"])
	}
	var described []string
	sections := regexp.MustCompile(`(?m)^## (\w+)$`).FindAllStringSubmatchIndex(string(page), -1)
	for i, at := range sections {
		end := len(page)
		if i+1 < len(sections) {
			end = sections[i+1][0]
		}
		described = append(described, string(page[at[2]:at[3]]))
		for _, part := range []string{"**What it means.**", "**What to look at.**", "**What to do.**"} {
			assert.Contains(t, string(page[at[0]:end]), part, described[i])
		}
	}
	slices.Sort(names)
	slices.Sort(described)
	assert.Equal(t, names, described, "a section for each alert, and no other")
}

func TestEveryAlertFiresAndDoesNot(t *testing.T) {
	data, err := os.ReadFile(testsFile)
	require.NoError(t, err)
	var file struct {
		Tests []struct {
			AlertRuleTest []struct {
				AlertName string `json:"alertname"`
				ExpAlerts []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		} `json:"tests"`
	}
	require.NoError(t, yaml.Unmarshal(data, &file))
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, expected := range test.AlertRuleTest {
			fires[expected.AlertName] = fires[expected.AlertName] || len(expected.ExpAlerts) > 0
			quiet[expected.AlertName] = quiet[expected.AlertName] || len(expected.ExpAlerts) == 0
		}
	}
	rules, groups := alerts(t)
	for _, r := range rules {
		assert.True(t, fires[r.Alert], "no test has %s fire", r.Alert)
		assert.True(t, quiet[r.Alert], "no test shows that %s does not fire", r.Alert)
	}

	tool := promtool(t)
	files := map[string]any{"alerts.yaml": groups, "alerts_test.yaml": data}
	tool(files, "check", "rules", "alerts.yaml")
	tool(files, "test", "rules", "alerts_test.yaml")
}

// promtool returns a function that runs promtool in a folder with files: bytes as they are, anything else as YAML.
func promtool(t *testing.T) func(files map[string]any, args ...string) {
	t.Helper()
	program, err := filepath.Abs("../../bin/promtool")
	require.NoError(t, err)
	if _, err := os.Stat(program); err != nil {
		if program, err = exec.LookPath("promtool"); err != nil {
			t.Skip("SKIPPED: there is no promtool: make promtool")
		}
	}
	return func(files map[string]any, args ...string) {
		t.Helper()
		folder := t.TempDir()
		for name, content := range files {
			data, ok := content.([]byte)
			if !ok {
				data, err = yaml.Marshal(content)
				require.NoError(t, err)
			}
			require.NoError(t, os.WriteFile(filepath.Join(folder, name), data, 0o600))
		}
		command := exec.CommandContext(t.Context(), program, args...)
		command.Dir = folder
		output, err := command.CombinedOutput()
		require.NoError(t, err, "%s", output)
	}
}
