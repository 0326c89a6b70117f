package controllers

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/nusnewob/kube-changejob/pkg/metrics"
	"github.com/nusnewob/kube-changejob/pkg/watch"
)

var (
	watchEvents = metrics.Describe(metrics.Definition{Name: "changejob_watch_events_total", Type: metrics.Counter,
		Help: "Events of the watches on what is referenced, by what became of them. dropped are of objects that nobody references, outdated those that " +
			"say nothing new, unchanged those that altered nothing that is referenced; changed have woken ChangeTriggeredJobs.",
		Labels: []metrics.Label{{Name: "result", Values: watch.EventResults}}})
	watchFailures = metrics.Describe(metrics.Definition{Name: "changejob_watch_failures_total", Type: metrics.Counter,
		Help: "Watches, and reads before them, that failed, and are tried again. forbidden: the operator may not read; notServed: there is no such resource, or it " +
			"cannot be watched; unreachable: the API server could not be reached, or the connection broke before its answer was complete; answer: it answered with " +
			"another error, or with what cannot be read.",
		Labels: []metrics.Label{{Name: "reason", Values: watch.Failures}}})
	watches = metrics.Describe(metrics.Definition{Name: "changejob_watches", Type: metrics.Gauge, Leader: true,
		Help: "Watches on what is referenced, by what each covers and whether it sees that. forbidden are those of which the operator may not read what they cover: the " +
			"ChangeTriggeredJobs that reference it say so, in changejob_degraded. polled are those that are lists instead, " +
			"every --poll-interval, since the kind cannot be watched.",
		Labels: []metrics.Label{{Name: "scope", Values: watch.Scopes}, {Name: "state", Values: watch.WatchStates}}})
	watchedKinds = metrics.Describe(metrics.Definition{Name: "changejob_watched_kinds", Type: metrics.Gauge, Leader: true,
		Help: "Kinds that are referenced."})
	watchedObjects = metrics.Describe(metrics.Definition{Name: "changejob_watched_objects", Type: metrics.Gauge, Leader: true,
		Help: "Objects that are referenced, whether they exist or not."})
)

// watchCollector has the metrics of the watch engine.
type watchCollector struct {
	stats func() watch.Stats
	leads func() bool
}

// RegisterWatchMetrics has the metrics of the watch engine served; leads says whether this process leads, and so watches.
func RegisterWatchMetrics(engine *watch.Engine, leads func() bool, to prometheus.Registerer) error {
	return to.Register(&watchCollector{stats: engine.Stats, leads: leads})
}

// Describe implements prometheus.Collector.
func (c *watchCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []metrics.Description{watchEvents, watchFailures, watches, watchedKinds, watchedObjects} {
		to <- d.Desc
	}
}

// Collect implements prometheus.Collector.
func (c *watchCollector) Collect(to chan<- prometheus.Metric) {
	s := c.stats()
	for _, result := range watch.EventResults {
		watchEvents.Is(float64(s.Events[result]), to, result)
	}
	for _, reason := range watch.Failures {
		watchFailures.Is(float64(s.Failures[reason]), to, reason)
	}
	if !c.leads() {
		return
	}
	for _, scope := range watch.Scopes {
		for _, state := range watch.WatchStates {
			watches.Is(float64(s.Watches[watch.Watching{Scope: scope, State: state}]), to, scope, state)
		}
	}
	watchedKinds.Is(float64(s.Kinds), to)
	watchedObjects.Is(float64(s.Objects), to)
}
