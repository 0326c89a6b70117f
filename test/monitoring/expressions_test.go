package monitoring

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	_ "github.com/nusnewob/kube-changejob/controllers" // it defines metrics, and so do those that it imports
	"github.com/nusnewob/kube-changejob/pkg/metrics"
)

// fromPrometheus are labels that series get when they are scraped.
var fromPrometheus = []string{"namespace", "pod", "job", "instance"}

// metric is what an expression may say of one.
type metric struct {
	labels map[string][]string // the values that each can have; nil is any
	kind   metrics.Type        // empty where it is not ours
}

// served are the metrics that the operator serves: ours, and those of controller-runtime, Go and the process.
func served(t *testing.T) map[string]metric {
	t.Helper()
	all := map[string]metric{}
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		ctrlmetrics.Registry.(prometheus.Collector).Describe(descriptions)
	}()
	described := regexp.MustCompile(`fqName: "(\w+)", help: ".*", constLabels: {}, variableLabels: {([^}]*)}`)
	for d := range descriptions {
		if match := described.FindStringSubmatch(d.String()); match != nil {
			m := metric{labels: map[string][]string{}}
			for label := range strings.SplitSeq(match[2], ",") {
				m.labels[label] = nil
			}
			all[match[1]] = m
		}
	}
	for _, d := range metrics.Definitions() {
		m := metric{labels: map[string][]string{}, kind: d.Type}
		for _, l := range d.Labels {
			m.labels[l.Name] = nil
			if l.Free == "" {
				m.labels[l.Name] = l.All()
			}
		}
		all[d.Name] = m
	}
	require.Greater(t, len(all), 40)
	return all
}

var (
	nameWithMatchers = regexp.MustCompile(`\b([a-z]+_[a-z_]+)\b(?:\{([^}]*)\})?(\()?`)
	matcher          = regexp.MustCompile(`([a-z_]+)(=~|!~|!=|=)"([^"]*)"`)
	grouping         = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
)

// check says what is wrong with an expression: metrics that are not served, labels that they do not have, values that these cannot
// have. It returns the metrics that the expression is about, and the labels that can be grouped by.
func check(t *testing.T, all map[string]metric, expression, where string) (names, labels []string) {
	t.Helper()
	grouped := map[string]bool{}
	for _, label := range fromPrometheus {
		grouped[label] = true
	}
	bare := grouping.ReplaceAllString(expression, "")
	for _, match := range nameWithMatchers.FindAllStringSubmatch(bare, -1) {
		name, matchers, function := match[1], match[2], match[3] != ""
		if function || slices.Contains([]string{"histogram_quantile", "label_values"}, name) {
			continue
		}
		m, exists := all[name]
		if base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, ""); !exists && base != name {
			name = base
			m, exists = all[base]
			grouped["le"] = true
			assert.Contains(t, []metrics.Type{metrics.Histogram, ""}, m.kind, "%s: %s is no histogram", where, name)
		}
		if !assert.True(t, exists, "%s: %s is not served", where, name) {
			continue
		}
		names = append(names, name)
		for label := range m.labels {
			grouped[label] = true
		}
		for _, condition := range matcher.FindAllStringSubmatch(matchers, -1) {
			label, value := condition[1], condition[3]
			if slices.Contains(fromPrometheus, label) {
				continue
			}
			values, has := m.labels[label]
			if !assert.True(t, has, "%s: %s has no label %s", where, name, label) || values == nil {
				continue
			}
			for alternative := range strings.SplitSeq(value, "|") {
				assert.Contains(t, values, alternative, "%s: %s of %s", where, label, name)
			}
		}
	}
	labels = slices.Sorted(maps.Keys(grouped))
	for _, match := range grouping.FindAllStringSubmatch(expression, -1) {
		for label := range strings.SplitSeq(match[1], ",") {
			assert.Contains(t, labels, strings.TrimSpace(label), "%s: grouped by", where)
		}
	}
	assert.NotEmpty(t, names, "%s: %s is about no metric", where, expression)
	return names, labels
}
