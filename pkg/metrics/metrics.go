package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// NewCounter returns a counter without labels.
func NewCounter(name, help string) prometheus.Counter {
	d := define(Definition{Name: name, Type: Counter, Help: help})
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: d.Name, Help: d.Help})
	metrics.Registry.MustRegister(c)
	return c
}

// NewGauge returns a gauge without labels, which is 0 until it is set.
func NewGauge(name, help string) prometheus.Gauge {
	d := define(Definition{Name: name, Type: Gauge, Help: help})
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: d.Name, Help: d.Help})
	metrics.Registry.MustRegister(g)
	return g
}

// Counters are the series of a counter with one label.
type Counters struct {
	series map[string]prometheus.Counter
}

// NewCounters returns a counter with one label. All its series are there from the beginning: one that came with the first
// occurrence would have no value before, and no increase could be seen.
func NewCounters(name, help string, label Label) *Counters {
	d := define(Definition{Name: name, Type: Counter, Help: help, Labels: []Label{label}})
	vector := prometheus.NewCounterVec(prometheus.CounterOpts{Name: d.Name, Help: d.Help}, d.names())
	metrics.Registry.MustRegister(vector)
	return &Counters{series: series(label, func(value string) prometheus.Counter { return vector.WithLabelValues(value) })}
}

// Of returns the counter for a value of the label. Where it is no known one, that is the one for Other; there being none, what is
// counted is not shown.
func (c *Counters) Of(value string) prometheus.Counter {
	if counter, known := c.series[value]; known {
		return counter
	}
	if other, open := c.series[Other]; open {
		return other
	}
	return prometheus.NewCounter(prometheus.CounterOpts{Name: "unknown"})
}

// Histograms are the series of a histogram with one label.
type Histograms struct {
	series map[string]prometheus.Observer
}

// NewHistograms returns a histogram with one label, all of whose series are there from the beginning.
func NewHistograms(name, help string, buckets []float64, label Label) *Histograms {
	d := define(Definition{Name: name, Type: Histogram, Help: help, Labels: []Label{label}})
	vector := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: d.Name, Help: d.Help, Buckets: buckets}, d.names())
	metrics.Registry.MustRegister(vector)
	return &Histograms{series: series(label, func(value string) prometheus.Observer { return vector.WithLabelValues(value) })}
}

// Of returns the histogram for a value of the label, one that is not shown where it is no known one.
func (h *Histograms) Of(value string) prometheus.Observer {
	if histogram, known := h.series[value]; known {
		return histogram
	}
	return prometheus.ObserverFunc(func(float64) {})
}

// series makes the series of each value of a label.
func series[T any](label Label, of func(value string) T) map[string]T {
	all := make(map[string]T, len(label.Values)+1)
	for _, value := range label.All() {
		all[value] = of(value)
	}
	return all
}

// Description is a metric whose values are found out when it is asked for.
type Description struct {
	Definition
	*prometheus.Desc
}

// Describe defines a metric whose values are found out when it is asked for, by a collector.
func Describe(d Definition) Description {
	define(d)
	return Description{Definition: d, Desc: prometheus.NewDesc(d.Name, d.Help, d.names(), nil)}
}

// Is sends the value of one series.
func (d Description) Is(value float64, to chan<- prometheus.Metric, labels ...string) {
	kind := prometheus.GaugeValue
	if d.Type == Counter {
		kind = prometheus.CounterValue
	}
	to <- prometheus.MustNewConstMetric(d.Desc, kind, value, labels...)
}
