package prometheus

import (
	"maps"
	"regexp"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// serviceMonitor is what of a ServiceMonitor is made into a scrape configuration.
type serviceMonitor struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	Spec            struct {
		Endpoints []endpoint           `json:"endpoints"`
		Selector  metav1.LabelSelector `json:"selector"`
	} `json:"spec"`
}

// endpoint is one port of the Services that a ServiceMonitor selects.
type endpoint struct {
	Path            string `json:"path"`
	Port            string `json:"port"`
	Scheme          string `json:"scheme"`
	BearerTokenFile string `json:"bearerTokenFile"`
	TLSConfig       struct {
		InsecureSkipVerify bool `json:"insecureSkipVerify"`
	} `json:"tlsConfig"`
}

// A relabeling keeps what matches, or, where it has a target, takes what matches over into that.
type relabeling struct {
	Source []string `json:"source_labels"`
	Regex  string   `json:"regex,omitempty"`
	Action string   `json:"action,omitempty"`
	Target string   `json:"target_label,omitempty"`
}

// What Prometheus finds out of each endpoint, and the labels that the Prometheus operator makes of it.
const discovered = "__meta_kubernetes_"

var targetLabels = []struct{ from, to string }{
	{"namespace", "namespace"},
	{"service_name", "service"},
	{"service_name", "job"},
	{"pod_name", "pod"},
	{"pod_container_name", "container"},
	{"endpointslice_port_name", "endpoint"},
}

// Config returns a configuration of Prometheus that scrapes and evaluates once in an interval: by the ServiceMonitor, found as the
// Prometheus operator has it found, in the EndpointSlices of its namespace; and by the rules in that file.
func (s Shipped) Config(interval, rulesFile string) ([]byte, error) {
	var jobs []any
	for _, e := range s.monitor.Spec.Endpoints {
		jobs = append(jobs, map[string]any{
			"job_name":     "serviceMonitor/" + s.monitor.Metadata.Namespace + "/" + s.monitor.Metadata.Name,
			"metrics_path": e.Path,
			"scheme":       e.Scheme,
			"authorization": map[string]any{
				"credentials_file": e.BearerTokenFile,
			},
			"tls_config": map[string]any{"insecure_skip_verify": e.TLSConfig.InsecureSkipVerify},
			"kubernetes_sd_configs": []any{map[string]any{
				"role":       "endpointslice",
				"namespaces": map[string]any{"names": []string{s.monitor.Metadata.Namespace}},
			}},
			"relabel_configs": relabelings(s.monitor.Spec.Selector.MatchLabels, e.Port),
		})
	}
	return yaml.Marshal(map[string]any{
		"global":         map[string]any{"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
		"rule_files":     []string{rulesFile},
		"scrape_configs": jobs,
	})
}

// relabelings keep the port of that name of the Services with these labels, and label it as the Prometheus operator does.
func relabelings(services map[string]string, port string) (all []relabeling) {
	for _, label := range slices.Sorted(maps.Keys(services)) {
		name := regexp.MustCompile(`[^a-zA-Z0-9_]`).ReplaceAllString(label, "_")
		all = append(all, relabeling{
			Source: []string{discovered + "service_label_" + name, discovered + "service_labelpresent_" + name},
			Regex:  "(" + regexp.QuoteMeta(services[label]) + ");true",
			Action: "keep",
		})
	}
	all = append(all, relabeling{Source: []string{discovered + "endpointslice_port_name"}, Regex: regexp.QuoteMeta(port), Action: "keep"})
	for _, label := range targetLabels {
		all = append(all, relabeling{Source: []string{discovered + label.from}, Target: label.to})
	}
	return all
}
