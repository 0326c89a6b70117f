// Command metricsdocs writes the page about the metrics from what the program defines.
//
// Usage: metricsdocs > docs/metrics.md
package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	_ "github.com/nusnewob/kube-changejob/controllers" // it defines metrics, and so do those that it imports
	"github.com/nusnewob/kube-changejob/pkg/metrics"
)

const head = `---
title: Metrics and Traces
description: "What the operator says of itself: metrics, a dashboard, alerts and traces"
---

# Metrics and Traces

The tables of metrics are generated from the program by ` + "`make manifests`" + `.

## Reading metrics

The operator serves metrics in Prometheus' text format at ` + "`/metrics`" + `, by HTTPS, to those alone who are bound to the cluster role
` + "`kube-changejob-metrics-reader`" + `. Where the Prometheus operator runs, one command has them scraped, and brings the
alerts of the [runbooks](runbooks.md):

` + "```bash" + `
kubectl apply -k github.com/nusnewob/kube-changejob/config/prometheus
` + "```" + `

Prometheus' service account must be bound to that cluster role; and where your Prometheus selects monitors and rules by labels, such as
` + "`release`" + `, give these to both. A dashboard for Grafana is in
[` + "`config/grafana/kube-changejob.json`" + `](../config/grafana/kube-changejob.json): import it, or have it found by Grafana's sidecar, which looks for
ConfigMaps with the label ` + "`grafana_dashboard`" + `:

` + "```bash" + `
kubectl apply -k github.com/nusnewob/kube-changejob/config/grafana
` + "```" + `

No label holds the name or the namespace of an object, and no metric holds anything of what a watched object contains: the values of each label are
those of the tables. ` + "`Other`" + ` is what none of them fits.

### More than one replica

Counters and histograms are of one process, from its start on; each of their series is there from then on, with the value 0. Add them up over
all replicas: ` + "`sum(rate(changejob_triggers_total[5m]))`" + `. One that does not lead counts nothing but what it does, and adds nothing to the sum.

Gauges that say how things stand (marked "leader") are served only by the process that leads, and watches. Others do not have
them, rather than a 0 that would read as an answer. While no process leads, nobody has them: that is what the alert
` + "`ChangejobNoLeader`" + ` is for. After a restart they are there as soon as the process leads and has read the
ChangeTriggeredJobs, by what is stored in these; what is deleted is not counted from then on.

`

const tail = `
## Of the libraries

Beside these there are those of controller-runtime (` + "`controller_runtime_*`, `workqueue_*`, `rest_client_*`, `certwatcher_*`" + `), of Go
(` + "`go_*`" + `) and of the process (` + "`process_*`" + `). The queue of the reconciler and its metrics have the name ` + "`changetriggeredjob`" + `.

## How long triggers take

` + "`changejob_trigger_duration_seconds`" + ` begins when the operator has seen a change that makes its ChangeTriggeredJob pending, and ends when
the API server has answered that the Job is created. Of several changes that one Job stands for, the first counts. What a
ChangeTriggeredJob asks for is no delay of the operator's: such triggers have ` + "`waited=\"true\"`" + `. So the time that the operator itself takes is

` + "```text" + `
histogram_quantile(0.99, sum by (le) (rate(changejob_trigger_duration_seconds_bucket{waited="false"}[5m])))
` + "```" + `

A change from before the operator's start is measured from when it was found; one that was pending at the end of the last process, from when
its object was read again.

## Traces

With ` + "`--otlp-endpoint=http://otel-collector.observability:4317`" + ` the operator sends a trace for each change that it sees to an OpenTelemetry
collector, by OTLP over gRPC. The variables of the OpenTelemetry SDK count as well: ` + "`OTEL_EXPORTER_OTLP_ENDPOINT`" + ` in place of the flag,
` + "`OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_EXPORTER_OTLP_CERTIFICATE`, `OTEL_TRACES_SAMPLER`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME`" + ` and the
others that it knows for traces. Without an endpoint nothing is traced, and nothing is spent on it.

At ` + "`https://`" + ` the collector's certificate is verified: by the authorities of the system, or where it has none, as in the operator's image, by the public ones
that Mozilla's browsers trust. For an authority of your own, ` + "`OTEL_EXPORTER_OTLP_CERTIFICATE`" + ` names a file with its certificate, which is to be mounted: from a
ConfigMap, by the values ` + "`manager.volumes` and `manager.volumeMounts`" + ` of the [Helm chart](helm.md#values), or by a patch of the Deployment.

| span | when |
|---|---|
| ` + "`watch event`" + ` | a change has been seen that concerns a ChangeTriggeredJob; the root of the trace |
| ` + "`decide`" + ` | what is known is gathered and decided on; ` + "`changejob.pending`" + ` says for what the change waits, where it does |
| ` + "`create Job`" + ` | the API server is asked for the Job |
| ` + "`write status`" + ` | the status with the new baseline is stored |

Each has the attributes ` + "`changejob.namespace` and `changejob.name`" + `, and those of a trigger ` + "`changejob.trigger`" + ` (its number) and
` + "`changejob.reason`" + `. A change that waits is decided on more than once: all of that belongs to the trace of the first change that the Job stands
for, and the log lines about it have its id as ` + "`trace`" + `. Nothing of what an object contains is in a span. Where the collector does not answer, spans are lost and a
line is logged; triggers do not wait for it.
`

func main() {
	if _, err := io.WriteString(os.Stdout, page()); err != nil {
		fmt.Fprintln(os.Stderr, "metricsdocs:", err)
		os.Exit(1)
	}
}

// page is the page.
func page() string {
	var b strings.Builder
	b.WriteString(head)
	b.WriteString("## The operator's metrics\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, d := range metrics.Definitions() {
		kind := string(d.Type)
		if d.Leader {
			kind += ", leader"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, kind, labels(d), d.Help)
	}
	b.WriteString(tail)
	return b.String()
}

// labels names the labels of a metric, and the values that each can have.
func labels(d metrics.Definition) string {
	all := make([]string, 0, len(d.Labels))
	for _, l := range d.Labels {
		values := l.Free
		if values == "" {
			values = "`" + strings.Join(l.All(), "`, `") + "`"
		}
		all = append(all, "`"+l.Name+"`: "+values)
	}
	return strings.Join(all, "; ")
}
