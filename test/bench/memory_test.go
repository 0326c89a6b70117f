package bench

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/jobs"
	"github.com/nusnewob/kube-changejob/test/operator"
)

const (
	crowdSize   = 20_000
	objectBytes = 4 << 10
	references  = 10

	// maxGrowth is how much the peak may grow by what nobody references, in MiB.
	maxGrowth = 25
)

// BenchmarkMemory measures the operator's peak resident memory with ten referenced ConfigMaps alone, and with
// 20,000 others of 4 KiB beside them in the same namespace, all of them inside the watch. It is the median
// of five processes each, with the server's streaming lists on and off. One iteration is the whole.
func BenchmarkMemory(b *testing.B) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		b.Skip("peak memory is read from /proc")
	}
	for _, watchList := range []bool{true, false} {
		b.Run(fmt.Sprintf("WatchList=%t", watchList), func(b *testing.B) {
			for b.Loop() {
				growth(b, watchList)
			}
		})
	}
}

func growth(b *testing.B, watchList bool) {
	server := apiserver.Start(b, apiserver.CRDs(), apiserver.WatchList(watchList))
	namespace := server.Namespace(b)
	for i := range references {
		name := configName(i)
		require.NoError(b, server.Client.Create(b.Context(), configMap(namespace, name)))
		require.NoError(b, server.Client.Create(b.Context(), &v1alpha.ChangeTriggeredJob{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: subjectName(i)},
			Spec: v1alpha.ChangeTriggeredJobSpec{
				JobTemplate: jobs.Template(),
				Resources:   []v1alpha.ResourceReference{{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: name}},
			},
		}))
	}
	alone := peak(b, server, namespace)

	group, ctx := errgroup.WithContext(b.Context())
	group.SetLimit(8)
	for i := range crowdSize {
		group.Go(func() error { return server.Client.Create(ctx, configMap(namespace, fmt.Sprintf("crowd-%d", i))) })
	}
	require.NoError(b, group.Wait())
	beside := peak(b, server, namespace)

	b.ReportMetric(alone, "alone-MiB")
	b.ReportMetric(beside, "beside-20000-MiB")
	b.ReportMetric(beside-alone, "growth-MiB")
	if beside-alone > maxGrowth {
		b.Errorf("the peak grew by %.1f MiB, want at most %d", beside-alone, maxGrowth)
	}
}

func configMap(namespace, name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Data:       map[string]string{"key": strings.Repeat("x", objectBytes)},
	}
}

// peak is the median, in MiB, of the peak resident memory of several operators, each of which has watched
// the whole cluster's ConfigMaps until it had answered for one changed ChangeTriggeredJob.
func peak(b *testing.B, server *apiserver.Server, namespace string) float64 {
	var peaks []float64
	for range rounds {
		process := operator.Start(b, operator.Options{KubeConfig: server.KubeConfig, Args: []string{"--watch-threshold=-1"}})
		requireObserved(b, server, namespace)
		peaks = append(peaks, vmHWM(b, process.Pid()))
		process.Stop(b)
	}
	slices.Sort(peaks)
	return peaks[len(peaks)/2]
}

// vmHWM reads the peak resident memory of a process, in MiB.
func vmHWM(b *testing.B, pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(b, err)
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			require.NoError(b, err)
			return kib / 1024
		}
	}
	b.Fatal("no VmHWM")
	return 0
}

// requireObserved waits until a process has read everything: a ChangeTriggeredJob that is new to it has its
// baseline.
func requireObserved(b *testing.B, server *apiserver.Server, namespace string) {
	ctx := b.Context()
	ctj := &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "probe-"},
		Spec: v1alpha.ChangeTriggeredJobSpec{
			JobTemplate: jobs.Template(),
			Resources: []v1alpha.ResourceReference{
				{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: configName(0)},
			},
		},
	}
	require.NoError(b, server.Client.Create(ctx, ctj))
	require.Eventually(b, func() bool {
		key := types.NamespacedName{Namespace: namespace, Name: ctj.Name}
		return server.Client.Get(ctx, key, ctj) == nil &&
			len(ctj.Status.ResourceHashes) == 1 && ctj.Status.ResourceHashes[0].Fields[0].Hash != ""
	}, timeout, 100*time.Millisecond)
	require.NoError(b, server.Client.Delete(ctx, ctj))
}
