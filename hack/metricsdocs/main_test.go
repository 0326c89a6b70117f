package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/nusnewob/kube-changejob/pkg/metrics"
)

func TestThePageSpeaksOfTheMetricsAsTheyAre(t *testing.T) {
	want, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	assert.Equal(t, string(want), page(), "run 'make manifests'")
}

// TestEveryMetricThatIsRegisteredIsDocumented finds one that was made without its definition.
func TestEveryMetricThatIsRegisteredIsDocumented(t *testing.T) {
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		ctrlmetrics.Registry.(prometheus.Collector).Describe(descriptions)
	}()
	described := regexp.MustCompile(`fqName: "(changejob_\w+)", help: ".*", constLabels: {}, variableLabels: {([^}]*)}`)
	found := map[string]string{}
	for d := range descriptions {
		if match := described.FindStringSubmatch(d.String()); match != nil {
			found[match[1]] = match[2]
		}
	}
	require.Greater(t, len(found), 8)
	for name, names := range found {
		i := slices.IndexFunc(metrics.Definitions(), func(d metrics.Definition) bool { return d.Name == name })
		if assert.GreaterOrEqual(t, i, 0, "%s is not defined by pkg/metrics", name) {
			var defined []string
			for _, l := range metrics.Definitions()[i].Labels {
				defined = append(defined, l.Name)
			}
			assert.Equal(t, names, strings.Join(defined, ","), name)
		}
	}
}

func TestNamesAndLabelsFollowTheConventionsAndAreBounded(t *testing.T) {
	all := metrics.Definitions()
	require.Greater(t, len(all), 15)
	for _, d := range all {
		assert.Regexp(t, `^changejob_[a-z_]+$`, d.Name)
		assert.Equal(t, d.Type == metrics.Counter, strings.HasSuffix(d.Name, "_total"), "%s: a counter, and nothing else, ends with _total", d.Name)
		assert.Regexp(t, `\.$`, d.Help, d.Name)
		assert.NotContains(t, d.Help, "|", d.Name)
		for _, l := range d.Labels {
			assert.Regexp(t, `^[a-z]+$`, l.Name, d.Name)
			assert.NotContains(t, []string{"name", "namespace", "kind", "object"}, l.Name, "%s: labels are no names of objects", d.Name)
			assert.NotEqual(t, len(l.Values) == 0, l.Free == "", "%s: the values of %s", d.Name, l.Name)
			assert.LessOrEqual(t, len(l.All()), 20, "%s: %s", d.Name, l.Name)
			if l.Free != "" {
				assert.Equal(t, "changejob_build_info", d.Name, "only what the program is")
			}
		}
	}
}
