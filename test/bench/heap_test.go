package bench

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
	"github.com/nusnewob/kube-changejob/pkg/watch"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/bench/figures"
)

// BenchmarkHeap measures what references add to the live heap of pkg/watch, which runs in this process, against a real API
// server, until it has seen all of them. There are 64 for each owner, of one path each, which the owner has compiled: that counts too.
func BenchmarkHeap(b *testing.B) {
	measures(b)
	sizes := []int{10_000, 20_000, 50_000}
	if short() {
		sizes = []int{100, 200}
	}
	server := apiserver.Start(b, apiserver.CRDs())
	namespace := server.Namespace(b)
	made := 0
	for _, size := range sizes {
		each(b, size-made, func(ctx context.Context, i int) error {
			return server.Client.Create(ctx, sizedConfig(namespace, configName(made+i), 64))
		})
		made = size
		for range takes() {
			value := heapOf(b, server, namespace, size) / 1024
			record(figures.Figure{Measure: figures.Heap, Arm: figures.Operator, Unit: "KiB", N: size, Of: "references"}, value)
			b.Logf("%d references: %.0f KiB", size, value)
		}
	}
}

// heapOf is how many bytes an engine holds that has seen so many references.
func heapOf(b *testing.B, server *apiserver.Server, namespace string, size int) float64 {
	b.Helper()
	before := liveHeap()
	engine, err := watch.New(watch.Options{Config: server.Config, OnChange: func(types.NamespacedName) {}})
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- engine.Start(ctx) }()
	owners := (size + mostReferences - 1) / mostReferences
	owner := func(i int) types.NamespacedName {
		return types.NamespacedName{Namespace: namespace, Name: subjectName(i)}
	}
	for i := range owners {
		path, err := fieldpath.Compile("data")
		require.NoError(b, err)
		var references []watch.Reference
		for j := i * mostReferences; j < min(size, (i+1)*mostReferences); j++ {
			references = append(references, watch.Reference{
				GroupVersionKind: schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"},
				Namespace:        namespace, Name: configName(j), Paths: []*fieldpath.Path{path},
			})
		}
		engine.Set(owner(i), references)
	}
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(stagePatience)
	for i := 0; i < owners; {
		if seesAll(engine, owner(i)) {
			i++
			continue
		}
		if time.Now().After(deadline) {
			b.Fatalf("%d of %d owners see all", i, owners)
		}
		<-ticker.C
	}
	after := liveHeap()
	cancel()
	require.NoError(b, <-ended)
	return float64(after) - float64(before)
}

func seesAll(engine *watch.Engine, owner types.NamespacedName) bool {
	observations, ok := engine.Observe(owner)
	for _, observation := range observations {
		ok = ok && observation.State == watch.Synced && observation.Exists
	}
	return ok
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
