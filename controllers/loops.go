package controllers

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// loopsSuspected tells whose Jobs seem to make the next ones run. Only those are in it, so that it has no more series than there
// are loops, whatever the number of ChangeTriggeredJobs.
var loopsSuspected = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "changejob_loop_suspected",
	Help: "1 for each ChangeTriggeredJob whose Jobs seem to change what makes them run, by namespace and name; the others have no series.",
}, []string{"namespace", "name"})

func init() { metrics.Registry.MustRegister(loopsSuspected) }

func showLoop(name types.NamespacedName, suspected bool) {
	if suspected {
		loopsSuspected.WithLabelValues(name.Namespace, name.Name).Set(1)
	} else {
		loopsSuspected.DeleteLabelValues(name.Namespace, name.Name)
	}
}
