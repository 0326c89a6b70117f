package bench

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/bench/figures"
	"github.com/nusnewob/kube-changejob/test/operator"
)

const (
	// referencedBeside is how many objects are referenced beside the crowd.
	referencedBeside = 10
	// atRest is how long after a process has read everything its memory is looked at.
	atRest = 5 * time.Second
)

// sizedConfig is a ConfigMap of a size.
func sizedConfig(namespace, name string, size int) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Data:       map[string]string{"key": strings.Repeat("x", size)},
	}
}

// BenchmarkMemoryByCluster measures the resident memory of processes that watch all ConfigMaps of a cluster, of which ten count.
func BenchmarkMemoryByCluster(b *testing.B) {
	measures(b)
	skipWithoutProc(b)
	sizes := []int{0, 20_000, 100_000}
	if short() {
		sizes = []int{0, 200}
	}
	for statistic, streaming := range map[string]bool{figures.Streaming: true, figures.Paged: false} {
		b.Run(statistic, func(b *testing.B) { memoryByCluster(b, statistic, streaming, sizes) })
	}
}

// memoryByCluster measures all sizes on one API server, which has the objects made once.
func memoryByCluster(b *testing.B, statistic string, streaming bool, sizes []int) {
	b.Helper()
	server := apiserver.Start(b, apiserver.CRDs(), apiserver.WatchList(streaming))
	namespace := server.Namespace(b)
	names := refer(b, server, namespace, 0, referencedBeside, 1)
	made := 0
	for _, size := range sizes {
		each(b, size-made, func(ctx context.Context, i int) error {
			return server.Client.Create(ctx, sizedConfig(namespace, numbered("crowd")(made+i), objectBytes))
		})
		made = size
		measure := func(arm string, pid int) {
			recordMemory(b, pid, map[string]string{figures.PeakCluster: peak, figures.ResidentCluster: resident},
				figures.Figure{Arm: arm, Statistic: statistic, N: size, Of: "objects"})
		}
		started := func(arm string, took time.Duration) {
			record(figures.Figure{Measure: figures.StartCluster, Arm: arm, Statistic: statistic, Unit: "s", N: size, Of: "objects"}, took.Seconds())
		}
		for round := range takes() {
			began := time.Now()
			process := operator.Start(b, production(server.KubeConfig, "--watch-threshold=-1"))
			awaitOneMore(b, server, namespace)
			started(figures.Operator, time.Since(began))
			measure(figures.Operator, process.Pid())
			process.Stop(b)
			if round > 0 {
				continue // the rivals are far off, and slow
			}
			for mode, arm := range watchers {
				began := time.Now()
				rival := startWatcher(b, server, mode, names)
				started(arm, time.Since(began))
				measure(arm, rival.Pid())
				rival.stop(b)
			}
		}
	}
}

// watchers are the rivals that watch, by their modes.
var watchers = map[string]string{"informer": figures.Informer, "metadata": figures.Metadata}

// startWatcher starts one of them, to which the data of the named ConfigMaps count.
func startWatcher(b *testing.B, server *apiserver.Server, mode string, names []string) *rivalProcess {
	b.Helper()
	return startRival(b, server.KubeConfig, mode, watchArgs(b, mode, "v1/configmaps", "ConfigMap", names, "data")...)
}

// watchArgs are the arguments of a rival that watches.
func watchArgs(b *testing.B, mode, resource, kind string, names []string, fields string, more ...string) []string {
	b.Helper()
	file := filepath.Join(b.TempDir(), "names") // so many fit into no argument
	require.NoError(b, os.WriteFile(file, []byte(strings.Join(names, "\n")), 0o600))
	args := append([]string{"--resource=" + resource, "--names=" + file, "--fields=" + fields}, more...)
	if mode == "metadata" {
		args = append(args, "--kind="+kind)
	}
	return args
}

// BenchmarkMemoryByReferences measures the resident memory of processes by how many ConfigMaps are referenced, for the operator 64 by each
// ChangeTriggeredJob. In its first process that sees them baselines are taken, which is not measured.
func BenchmarkMemoryByReferences(b *testing.B) {
	measures(b)
	skipWithoutProc(b)
	sizes := []int{10, 100, 1_000, 10_000, 50_000}
	if short() {
		sizes = []int{10, 100}
	}
	server := apiserver.Start(b, apiserver.CRDs())
	namespace := server.Namespace(b)
	measure := func(arm string, pid, size int) {
		recordMemory(b, pid, map[string]string{figures.PeakReferences: peak, figures.ResidentReferences: resident, figures.OwnReferences: own},
			figures.Figure{Arm: arm, N: size, Of: "references"})
	}
	var names []string
	for _, size := range sizes {
		names = append(names, refer(b, server, namespace, len(names), size, mostReferences)...)
		process := operator.Start(b, production(server.KubeConfig))
		awaitAll(b, server, namespace, len(allOf(b, server, namespace)), hasBaselines)
		process.Stop(b)
		for range takes() {
			process := operator.Start(b, production(server.KubeConfig))
			awaitOneMore(b, server, namespace)
			measure(figures.Operator, process.Pid(), size)
			process.Stop(b)
		}
		for mode, arm := range watchers { // far off, and slow: once
			rival := startWatcher(b, server, mode, names)
			measure(arm, rival.Pid(), size)
			rival.stop(b)
		}
	}
}

// refer makes the ConfigMaps of the numbers from and up to, without it, and ChangeTriggeredJobs with so many references each, or fewer. It
// returns the names, as rivals take them.
func refer(b *testing.B, server *apiserver.Server, namespace string, from, to, share int) (names []string) {
	b.Helper()
	each(b, to-from, func(ctx context.Context, i int) error {
		return server.Client.Create(ctx, sizedConfig(namespace, configName(from+i), objectBytes))
	})
	var subjects []*v1alpha.ChangeTriggeredJob
	var numbers []int
	for i := from; i < to; i++ {
		names = append(names, namespace+"/"+configName(i))
		numbers = append(numbers, i)
	}
	for some := range slices.Chunk(numbers, share) {
		var references []v1alpha.ResourceReference
		for _, i := range some {
			references = append(references, toConfig(namespace, configName(i)))
		}
		subjects = append(subjects, subjectOf(namespace, subjectName(some[0]), references...))
	}
	each(b, len(subjects), func(ctx context.Context, i int) error { return server.Client.Create(ctx, subjects[i]) })
	return names
}

// What the kernel knows of a process' memory, as it calls it.
const (
	peak     = "VmHWM"
	resident = "VmRSS"
	own      = "RssAnon"
)

// recordMemory records what the kernel knows of the memory once the process is at rest, each as a measure.
func recordMemory(b *testing.B, pid int, by map[string]string, f figures.Figure) {
	b.Helper()
	if !short() {
		time.Sleep(atRest) // what is measured is what is left after this time
	}
	f.Unit = "MiB"
	for measure, what := range by {
		f.Measure = measure
		value := memoryMiB(b, pid, what)
		record(f, value)
		b.Logf("%s, %s, %s, %d: %.1f MiB", f.Measure, f.Arm, f.Statistic, f.N, value)
	}
}

// awaitOneMore waits until an operator has read everything: the object of a ChangeTriggeredJob that is new to it is in one
// watch with all others.
func awaitOneMore(b *testing.B, server *apiserver.Server, namespace string) {
	b.Helper()
	awaitBaseline(b, server, subjectOf(namespace, "one-more", toConfig(namespace, configName(0))))
}
