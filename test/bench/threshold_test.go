package bench

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/bench/figures"
	"github.com/nusnewob/kube-changejob/test/operator"
)

// thresholdWorld is a namespace with ConfigMaps of which the first few are referenced.
type thresholdWorld struct {
	server     *apiserver.Server
	namespace  string
	objects    int // all ConfigMaps
	most       int // how many of them are ever referenced
	referenced int
	made       int // changes so far
}

// BenchmarkThreshold measures what references cost the operator and the API server that are watched one by one, and what by one watch that
// covers all of the kind, so that one can see on which side of the two the operator's thresholds lie.
func BenchmarkThreshold(b *testing.B) {
	measures(b)
	skipWithoutProc(b)
	w := &thresholdWorld{objects: 5_000, most: 1_000}
	sizes := []int{16, 64, 256, 1_000}
	if short() {
		w.objects, w.most, sizes = 40, 16, []int{8, 16}
	}
	w.server = apiserver.Start(b, apiserver.CRDs())
	w.namespace = w.server.Namespace(b)
	each(b, w.objects, func(ctx context.Context, i int) error {
		return w.server.Client.Create(ctx, sizedConfig(w.namespace, configName(i), objectBytes))
	})
	for _, n := range sizes {
		subjects := w.refer(b, n)
		process := operator.Start(b, production(w.server.KubeConfig))
		awaitAll(b, w.server, w.namespace, subjects, hasBaselines)
		process.Stop(b)
		for range takes() {
			w.take(b, figures.Single, subjects, n, fmt.Sprintf("--watch-threshold=%d", w.objects))
			w.take(b, figures.Wide, subjects, 1, "--watch-threshold=-1")
		}
		require.NoError(b, w.server.Client.DeleteAllOf(b.Context(), &v1alpha.ChangeTriggeredJob{}, client.InNamespace(w.namespace)))
	}
}

// refer makes ChangeTriggeredJobs that reference the first n ConfigMaps, and returns how many they are.
func (w *thresholdWorld) refer(b *testing.B, n int) (count int) {
	b.Helper()
	w.referenced = n
	var references []v1alpha.ResourceReference
	for i := range n {
		references = append(references, toConfig(w.namespace, configName(i)))
	}
	for some := range slices.Chunk(references, mostReferences) {
		require.NoError(b, w.server.Client.Create(b.Context(), subjectOf(w.namespace, subjectName(count), some...)))
		count++
	}
	return count
}

// take measures one round of an operator that must have so many watches.
func (w *thresholdWorld) take(b *testing.B, arm string, subjects, watches int, flag string) {
	b.Helper()
	process := operator.Launch(b, production(w.server.KubeConfig, flag))
	awaitCompared(b, process, subjects)
	awaitStill(b, process.Pid())
	m, err := process.Metrics()
	require.NoError(b, err)
	require.EqualValues(b, watches, m.Sum("changejob_watches"), "watches of %s", arm)
	reconciles := m.Sum("controller_runtime_reconcile_total")
	if !short() {
		time.Sleep(atRest) // what is measured is what is left after this time
	}
	all := processes{figures.Itself: process.Pid(), figures.APIServer: child(b, "kube-apiserver")}
	take := func(measure, who, unit string, value float64) {
		record(figures.Figure{Measure: measure, Arm: arm, Statistic: who, Unit: unit, N: w.referenced, Of: "referenced objects"}, value)
		b.Logf("%s, %s, %d, %s: %.1f %s", measure, arm, w.referenced, who, value, unit)
	}
	for who, pid := range all {
		take(figures.ThresholdResident, who, "MiB", memoryMiB(b, pid, resident))
	}
	for measure, of := range map[string][2]int{
		figures.ThresholdUnreferenced: {w.most, w.objects},
		figures.ThresholdWithout:      {0, w.referenced},
	} {
		awaitStill(b, process.Pid())
		since := all.using(b)
		changes := w.change(b, of[0], of[1])
		awaitStill(b, process.Pid())
		for who, used := range since() {
			take(measure, who, "ms", ofThousand(used, changes))
		}
	}
	m, err = process.Metrics()
	require.NoError(b, err)
	require.InDelta(b, reconciles, m.Sum("controller_runtime_reconcile_total"), 0, "reconciles for changes without effect")
	process.Stop(b)
}

// change changes what is not referenced of the ConfigMaps of the numbers from and up to, without it, in turn, and returns how often. There are
// as many hands as divide the number of ConfigMaps, so that no two change the same one.
func (w *thresholdWorld) change(b *testing.B, from, to int) (changes int) {
	b.Helper()
	const lanes = 8
	changes = 1_000
	if short() {
		changes = 80
	}
	w.made++
	each(b, lanes, func(ctx context.Context, lane int) error {
		for k := lane; k < changes; k += lanes {
			object := sizedConfig(w.namespace, configName(from+k%(to-from)), 0)
			patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"count":"%d-%d"}}}`, w.made, k)
			if err := w.server.Client.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch)); err != nil {
				return err
			}
		}
		return nil
	})
	return changes
}
