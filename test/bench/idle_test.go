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

// BenchmarkIdle counts the requests that come while nothing changes, by the API server's audit log, the watches that are open, and the processor
// time. It is taken once at each size: it is a count. At the greatest it takes eleven minutes, in which every watch ends and goes on once, for the
// API server ends each after five to ten: what that asks for is among what is counted.
func BenchmarkIdle(b *testing.B) {
	measures(b)
	skipWithoutProc(b)
	const long = 11 * time.Minute
	windows := []struct {
		size   int
		during time.Duration
	}{{100, 2 * time.Minute}, {1_000, 2 * time.Minute}, {10_000, long}}
	if short() {
		windows = windows[:2]
		windows[0].size, windows[0].during = 10, 3*time.Second
		windows[1].size, windows[1].during = 20, 3*time.Second
	}
	audit := filepath.Join(b.TempDir(), "audit.log")
	server := apiserver.Start(b, apiserver.CRDs(), apiserver.AuditUsers(audit, measuredUser))
	kubeConfig := accountOf(b, server, measuredUser)
	log := newRequestLog(audit)
	makeNamespaces(b, server, idleNamespaces, numbered("idle"))
	made := 0
	for _, window := range windows {
		each(b, window.size-made, func(ctx context.Context, i int) error {
			i += made
			namespace := numbered("idle")(i % idleNamespaces)
			if err := server.Client.Create(ctx, sizedConfig(namespace, configName(i), 64)); err != nil {
				return err
			}
			return server.Client.Create(ctx, subjectOf(namespace, subjectName(i), toConfig(namespace, configName(i))))
		})
		made = window.size
		process := operator.Start(b, production(kubeConfig))
		awaitAll(b, server, "", made, hasBaselines)
		leaveAlone(b, log, process.Pid(), made, window.during, window.during == long)
		process.Stop(b)
	}
}

// leaveAlone leaves an operator alone for a while, and records what it does; renewals says whether watches must end and go on meanwhile.
func leaveAlone(b *testing.B, log *requestLog, pid, size int, during time.Duration, renewals bool) {
	b.Helper()
	awaitStill(b, pid)
	others, upkeep := log.asked(b, measuredUser)
	require.Positive(b, others, "the audit log knows the operator")
	from, begun, used := len(log.events), log.begun(b, measuredUser), cpuTime(b, pid)
	time.Sleep(during) // what is measured is what happens in this time, in which nothing does
	used = cpuTime(b, pid) - used
	othersThen, upkeepThen := log.asked(b, measuredUser)
	recordAt := func(measure, statistic, unit string, value float64) {
		record(figures.Figure{Measure: measure, Arm: figures.Operator, Statistic: statistic, Unit: unit, N: size, Of: "ChangeTriggeredJobs"}, value)
		b.Logf("%d, %s %s: %.2f %s", size, measure, statistic, value, unit)
	}
	recordAt(figures.RestCPU, "", "ms/s", 1000*used.Seconds()/during.Seconds())
	recordAt(figures.Idle, "requests", "requests/min", float64(othersThen-others)/during.Minutes())
	recordAt(figures.Idle, "leases and watches", "requests/min", float64(upkeepThen-upkeep)/during.Minutes())
	record(figures.Figure{
		Measure: figures.Watches, Arm: figures.Operator, Statistic: "ten namespaces", Unit: "watches", N: size, Of: "references",
	}, float64(log.open(b, measuredUser)))
	if others != othersThen {
		b.Errorf("requests while nothing changed: %v", log.urls(measuredUser, from))
	}
	if renewed := log.begun(b, measuredUser) - begun; renewals && renewed == 0 {
		b.Error("no watch ended and went on")
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
