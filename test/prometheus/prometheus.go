// Package prometheus makes what Prometheus itself reads of what config/prometheus has for the Prometheus operator, so that a test on
// a cluster without that operator scrapes, and alerts, by what is shipped.
package prometheus

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// monitoringAPI is the apiVersion of what the Prometheus operator reads.
const monitoringAPI = "monitoring.coreos.com/v1"

// Shipped are the objects of config/prometheus.
type Shipped struct {
	monitor serviceMonitor
	rule    prometheusRule
}

// Read reads the objects out of what `kubectl kustomize config/prometheus` prints: one ServiceMonitor and one PrometheusRule. What
// else there is, and a field that is not made into anything here, is an error: it would be shipped, and not tested.
func Read(manifests string) (Shipped, error) {
	var s Shipped
	monitors, rules := 0, 0
	for document := range strings.SplitSeq(manifests, "\n---\n") {
		var is metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(document), &is); err != nil {
			return s, err
		}
		var err error
		switch {
		case is.APIVersion != monitoringAPI:
			err = fmt.Errorf("the kind %s of %q is none of the Prometheus operator's", is.Kind, is.APIVersion)
		case is.Kind == "ServiceMonitor":
			monitors++
			err = yaml.UnmarshalStrict([]byte(document), &s.monitor)
		case is.Kind == "PrometheusRule":
			rules++
			err = yaml.UnmarshalStrict([]byte(document), &s.rule)
		default:
			err = fmt.Errorf("the kind %s is not known here", is.Kind)
		}
		if err != nil {
			return s, fmt.Errorf("%s: %w", is.Kind, err)
		}
	}
	if monitors != 1 || rules != 1 {
		return s, fmt.Errorf("there are %d ServiceMonitors and %d PrometheusRules, and one of each is expected", monitors, rules)
	}
	return s, nil
}

// Alerts are the names of the alerts, in their order.
func (s Shipped) Alerts() (names []string) {
	for _, group := range s.rule.Spec.Groups {
		for _, rule := range group.Rules {
			names = append(names, rule.Alert)
		}
	}
	return names
}
