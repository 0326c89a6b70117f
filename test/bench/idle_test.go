package bench

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/bench/figures"
	"github.com/nusnewob/kube-changejob/test/operator"
)

// measuredUser is whose requests are counted.
const measuredUser = "operator"

// idleNamespaces is over how many namespaces the ChangeTriggeredJobs are spread.
const idleNamespaces = 10

// BenchmarkIdle counts the requests that come while nothing changes, by the API server's audit log, and the processor time. It is taken once: it is a count, and
// takes two minutes.
func BenchmarkIdle(b *testing.B) {
	measures(b)
	skipWithoutProc(b)
	size, during := 10_000, 2*time.Minute
	if short() {
		size, during = 20, 6*time.Second
	}
	audit := filepath.Join(b.TempDir(), "audit.log")
	server := apiserver.Start(b, apiserver.CRDs(), apiserver.AuditUsers(audit, measuredUser))
	log := newRequestLog(audit)
	makeNamespaces(b, server, idleNamespaces, numbered("idle"))
	each(b, size, func(ctx context.Context, i int) error {
		namespace := numbered("idle")(i % idleNamespaces)
		if err := server.Client.Create(ctx, sizedConfig(namespace, configName(i), 64)); err != nil {
			return err
		}
		return server.Client.Create(ctx, subjectOf(namespace, subjectName(i), toConfig(namespace, configName(i))))
	})
	process := operator.Start(b, production(accountOf(b, server, measuredUser)))
	awaitAll(b, server, "", size, hasBaselines)
	awaitStill(b, process.Pid())

	others, upkeep := log.asked(b, measuredUser)
	require.Positive(b, others, "the audit log knows the operator")
	from, used := len(log.events), cpuTime(b, process.Pid())
	time.Sleep(during) // what is measured is what happens in this time, in which nothing does
	used = cpuTime(b, process.Pid()) - used
	othersThen, upkeepThen := log.asked(b, measuredUser)
	perMinute := func(statistic string, count int) {
		value := float64(count) / during.Minutes()
		record(figures.Figure{
			Measure: figures.Idle, Arm: figures.Operator, Statistic: statistic, Unit: "requests/min", N: size, Of: "ChangeTriggeredJobs",
		}, value)
		b.Logf("%s: %.1f per minute", statistic, value)
	}
	busy := 1000 * used.Seconds() / during.Seconds()
	record(figures.Figure{Measure: figures.RestCPU, Arm: figures.Operator, Unit: "ms/s", N: size, Of: "ChangeTriggeredJobs"}, busy)
	b.Logf("%s: %.2f ms/s", figures.RestCPU, busy)
	perMinute("requests", othersThen-others)
	perMinute("leases and watches", upkeepThen-upkeep)
	if others != othersThen {
		b.Errorf("requests while nothing changed: %v", log.urls(measuredUser, from))
	}
}

// BenchmarkWatches counts the watches that are open at the API server, the operator's own (of ChangeTriggeredJobs and Jobs, and of what
// defines kinds) among them. It is taken once: it is a count.
func BenchmarkWatches(b *testing.B) {
	measures(b)
	skipWithoutProc(b)
	type sizes map[string][]int
	all := sizes{"one namespace": {10, 100, 1_000}, "a namespace each": {10, 100}}
	if short() {
		all = sizes{"one namespace": {10, 20}, "a namespace each": {10}}
	}
	audit := filepath.Join(b.TempDir(), "audit.log")
	server := apiserver.Start(b, apiserver.CRDs(), apiserver.AuditUsers(audit, measuredUser))
	kubeConfig := accountOf(b, server, measuredUser)
	log := newRequestLog(audit)
	home := server.Namespace(b)
	for statistic, ns := range all {
		made := 0
		for _, n := range ns {
			namespace := func(int) string { return home }
			if statistic == "a namespace each" {
				namespace = numbered("each")
				makeNamespaces(b, server, n-made, func(i int) string { return namespace(made + i) })
			}
			each(b, n-made, func(ctx context.Context, i int) error {
				return server.Client.Create(ctx, sizedConfig(namespace(made+i), configName(made+i), 64))
			})
			made = n
			each(b, n, func(ctx context.Context, i int) error {
				return server.Client.Create(ctx, subjectOf(home, subjectName(i), toConfig(namespace(i), configName(i))))
			})
			process := operator.Start(b, production(kubeConfig))
			awaitAll(b, server, "", n, hasBaselines)
			awaitStill(b, process.Pid())
			open := log.open(b, measuredUser)
			record(figures.Figure{
				Measure: figures.Watches, Arm: figures.Operator, Statistic: statistic, Unit: "watches", N: n, Of: "references",
			}, float64(open))
			b.Logf("%d references, %s: %d watches", n, statistic, open)
			process.Stop(b)
			require.NoError(b, server.Client.DeleteAllOf(b.Context(), &v1alpha.ChangeTriggeredJob{}, client.InNamespace(home)))
		}
	}
}
