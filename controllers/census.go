package controllers

import (
	"context"
	"runtime"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/metrics"
)

// census counts the ChangeTriggeredJobs of the cache by what their status says. So it says what kubectl says: right after a start as
// well, of those that cannot be reconciled as well, and of none that is deleted. It keeps nothing but the counts.
type census struct {
	mu       sync.Mutex
	known    int
	pending  map[string]int
	degraded map[string]int
}

func newCensus() *census { return &census{pending: map[string]int{}, degraded: map[string]int{}} }

// OnAdd implements cache.ResourceEventHandler.
func (c *census) OnAdd(object any, _ bool) { c.count(object, 1) }

// OnUpdate implements cache.ResourceEventHandler. The old object is what was added or updated to last.
func (c *census) OnUpdate(old, object any) {
	c.count(old, -1)
	c.count(object, 1)
}

// OnDelete implements cache.ResourceEventHandler.
func (c *census) OnDelete(object any) {
	if gone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	c.count(object, -1)
}

func (c *census) count(object any, by int) {
	ctj, ok := object.(*v1alpha.ChangeTriggeredJob)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known += by
	if reason := pendingReason(&ctj.Status); reason != "" {
		c.pending[reason] += by
	}
	if reason := degradedReason(&ctj.Status); reason != "" {
		c.degraded[reason] += by
	}
}

// collector has the metrics that are found out when they are asked for. What more than one replica would say of the same
// ChangeTriggeredJobs, only the one that leads says: a sum over all would count them twice, and a zero from one that
// does not know them would look like an answer.
type collector struct {
	version string
	// leads says whether this process leads.
	leads func() bool
	// synced says whether the census has seen the whole cache.
	synced func() bool
	census *census
}

// RegisterMetrics has the metrics served that tell of the program, in this version, and of the ChangeTriggeredJobs in the manager's cache.
func RegisterMetrics(mgr ctrl.Manager, version string, to prometheus.Registerer) error {
	counted := newCensus()
	informer, err := mgr.GetCache().GetInformer(context.Background(), &v1alpha.ChangeTriggeredJob{})
	if err != nil {
		return err
	}
	registration, err := informer.AddEventHandler(counted)
	if err != nil {
		return err
	}
	return to.Register(&collector{version: version, leads: Leads(mgr), synced: registration.HasSynced, census: counted})
}

// Leads returns a function that says whether the manager's process leads, or need not ask who does.
func Leads(mgr ctrl.Manager) func() bool {
	elected := mgr.Elected()
	return func() bool {
		select {
		case <-elected:
			return true
		default:
			return false
		}
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []metrics.Description{buildInfo, leadingGauge, knownGauge, pendingGauge, degradedGauge} {
		to <- d.Desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	buildInfo.Is(1, to, c.version, runtime.Version())
	if !c.leads() {
		leadingGauge.Is(0, to)
		return
	}
	leadingGauge.Is(1, to)
	if !c.synced() {
		return
	}
	c.census.mu.Lock()
	defer c.census.mu.Unlock()
	knownGauge.Is(float64(c.census.known), to)
	for _, reason := range pendingGauge.Labels[0].All() {
		pendingGauge.Is(float64(c.census.pending[reason]), to, reason)
	}
	for _, reason := range degradedGauge.Labels[0].All() {
		degradedGauge.Is(float64(c.census.degraded[reason]), to, reason)
	}
}
