// Package monitoring holds tests of what is told to those who operate the operator: the dashboard, the alerts and the runbooks.
package monitoring

import (
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/pkg/metrics"
)

const dashboardFile = "../../config/grafana/kube-changejob.json"

// panel is what the test looks at of a panel.
type panel struct {
	ID      int    `json:"id"`
	Title   string `json:"title"`
	Type    string `json:"type"`
	GridPos struct {
		H, W, X, Y int
	} `json:"gridPos"`
	Targets []struct {
		Expr         string `json:"expr"`
		LegendFormat string `json:"legendFormat"`
	} `json:"targets"`
}

func dashboard(t *testing.T) (panels []panel) {
	t.Helper()
	data, err := os.ReadFile(dashboardFile)
	require.NoError(t, err)
	var d struct {
		Panels     []panel `json:"panels"`
		Templating struct {
			List []struct{ Name, Definition string } `json:"list"`
		} `json:"templating"`
	}
	require.NoError(t, json.Unmarshal(data, &d))
	require.Greater(t, len(d.Panels), 20)
	return d.Panels
}

func TestTheDashboardShowsMetricsThatThereAre(t *testing.T) {
	all := served(t)
	legend := regexp.MustCompile(`{{(\w+)}}`)
	ours := regexp.MustCompile(`(controller|name)="changetriggeredjob"|and on \(pod\) changejob_build_info{`)
	shown, ids := map[string]bool{}, map[int]bool{}
	for _, p := range dashboard(t) {
		assert.False(t, ids[p.ID], "%s: two panels have its id", p.Title)
		ids[p.ID] = true
		assert.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		assert.Equal(t, p.Type == "row", len(p.Targets) == 0, p.Title)
		for _, target := range p.Targets {
			assert.Contains(t, target.Expr, `namespace=~"$namespace"`, "%s: other operators in the cluster serve metrics of the same names", p.Title)
			names, labels := check(t, all, target.Expr, p.Title)
			for _, name := range names {
				shown[name] = true
				if !strings.HasPrefix(name, "changejob_") {
					assert.Regexp(t, ours, target.Expr, "%s: in all namespaces, that is the sum of everybody who serves %s", p.Title, name)
				}
			}
			for _, match := range legend.FindAllStringSubmatch(target.LegendFormat, -1) {
				assert.Contains(t, labels, match[1], "%s: its legend", p.Title)
			}
		}
	}
	for _, d := range metrics.Definitions() {
		assert.True(t, shown[d.Name], "%s is not on the dashboard", d.Name)
	}
}

// TestTheDashboardsExpressionsAreOnes has promtool read them, each as the expression of a recording rule.
func TestTheDashboardsExpressionsAreOnes(t *testing.T) {
	tool := promtool(t)
	var rules []map[string]string
	for _, p := range dashboard(t) {
		for _, target := range p.Targets {
			expression := regexp.MustCompile(`\$__rate_interval`).ReplaceAllString(target.Expr, "5m")
			rules = append(rules, map[string]string{"record": "panel:expression" + strconv.Itoa(len(rules)), "expr": expression})
		}
	}
	tool(map[string]any{"dashboard.yaml": map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}}},
		"check", "rules", "dashboard.yaml")
}
