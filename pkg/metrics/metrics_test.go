package metrics

import (
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

func TestEverySeriesIsThereFromTheBeginning(t *testing.T) {
	NewCounters("test_counters_total", "help", Label{Name: "result", Values: []string{"a", "b"}, Open: true})
	NewHistograms("test_histograms", "help", []float64{1}, Label{Name: "waited", Values: []string{"false", "true"}})
	NewCounter("test_counter_total", "help")
	NewGauge("test_gauge", "help")
	series := map[string]int{}
	families, err := metrics.Registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		series[family.GetName()] = len(family.GetMetric())
	}
	assert.Equal(t, 3, series["test_counters_total"])
	assert.Equal(t, 2, series["test_histograms"])
	assert.Equal(t, 1, series["test_counter_total"])
	assert.Equal(t, 1, series["test_gauge"])
}

func TestALabelHasNoValueThatWasNotDefined(t *testing.T) {
	open := NewCounters("test_open_total", "help", Label{Name: "reason", Values: []string{"Known"}, Open: true})
	closed := NewCounters("test_closed_total", "help", Label{Name: "reason", Values: []string{"Known"}})
	histograms := NewHistograms("test_closed_histograms", "help", []float64{1}, Label{Name: "reason", Values: []string{"Known"}})
	for _, counters := range []*Counters{open, closed} {
		counters.Of("Known").Inc()
		counters.Of("a user's own word").Inc()
	}
	histograms.Of("a user's own word").Observe(1)
	assert.InDelta(t, 1, testutil.ToFloat64(open.Of("Known")), 0)
	assert.InDelta(t, 1, testutil.ToFloat64(open.Of(Other)), 0)
	assert.InDelta(t, 1, testutil.ToFloat64(closed.Of("Known")), 0)
	values, err := testutil.GatherAndCount(metrics.Registry, "test_open_total", "test_closed_total", "test_closed_histograms")
	require.NoError(t, err)
	assert.Equal(t, 4, values)
}

func TestWhatIsFoundOutWhenAskedForHasItsType(t *testing.T) {
	to := make(chan prometheus.Metric, 2)
	Describe(Definition{Name: "test_gauge", Type: Gauge, Help: "help", Labels: []Label{{Name: "scope", Values: []string{"object"}}}}).Is(3, to, "object")
	Describe(Definition{Name: "test_found_total", Type: Counter, Help: "help"}).Is(4, to)
	var gauge, counter dto.Metric
	require.NoError(t, (<-to).Write(&gauge))
	require.NoError(t, (<-to).Write(&counter))
	assert.InDelta(t, 3, gauge.GetGauge().GetValue(), 0)
	assert.Equal(t, "object", gauge.GetLabel()[0].GetValue())
	assert.InDelta(t, 4, counter.GetCounter().GetValue(), 0)
}

func TestDefinitionsAreInTheOrderOfTheirNames(t *testing.T) {
	NewCounter("test_z_total", "help")
	NewCounter("test_a_total", "help")
	var names []string
	for _, d := range Definitions() {
		names = append(names, d.Name)
	}
	assert.True(t, slices.IsSorted(names))
	assert.Contains(t, names, "test_z_total")
}
