package bench

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/bench/figures"
	"github.com/nusnewob/kube-changejob/test/bench/scaling"
	"github.com/nusnewob/kube-changejob/test/operator"
)

// BenchmarkSimulation measures what simulated clusters of three sizes ask of the operator, which docs/scaling.md compares with what the
// formula says of them. Nothing is compressed on the way: how much that saves depends on what is in the objects, and these are made up. There
// are neither kubelets nor a Job controller, whose part the benchmark plays: what counts are the objects and their changes.
func BenchmarkSimulation(b *testing.B) {
	measures(b)
	skipWithoutProc(b)
	sizes, during := []int{50, 200, 800}, time.Minute
	if short() {
		sizes, during = []int{10}, 3*time.Second
	}
	for _, nodes := range sizes {
		b.Run(fmt.Sprintf("Nodes=%d", nodes), func(b *testing.B) {
			s := &simulation{server: apiserver.Start(b, apiserver.CRDs(), apiserver.FeatureGate("WatchListCompression", false)), nodes: nodes, cluster: scaling.Simulated(nodes)}
			endJobs(b, s.server)
			s.populate(b)
			s.trigger(b) // so that each has a Job, as in a cluster that has been there for a while
			for range takes() {
				s.measure(b, during)
			}
		})
	}
}

type simulation struct {
	server  *apiserver.Server
	nodes   int
	cluster scaling.Cluster
}

const podsOfNode = 30

// namespace is that of what belongs to a Node.
func (s *simulation) namespace(node int) string { return numbered("team")(node / 10) }

func podName(node, i int) string { return fmt.Sprintf("pod-%d-%d", node, i) }

func (s *simulation) populate(b *testing.B) {
	b.Helper()
	makeNamespaces(b, s.server, (s.nodes+9)/10, numbered("team"))
	each(b, s.nodes, func(ctx context.Context, node int) error {
		namespace := s.namespace(node)
		for i := range podsOfNode {
			if err := s.server.Client.Create(ctx, simulatedPod(namespace, podName(node, i))); err != nil {
				return err
			}
		}
		for i := range 4 {
			if err := s.server.Client.Create(ctx, sizedConfig(namespace, configName(4*node+i), 1<<10)); err != nil {
				return err
			}
		}
		for i := range 2 {
			ctj := subjectOf(namespace, subjectName(2*node+i),
				toConfig(namespace, configName(4*node+2*i)), toConfig(namespace, configName(4*node+2*i+1)),
				v1alpha.ResourceReference{APIVersion: "v1", Kind: "Pod", Namespace: namespace, Name: podName(node, i), Fields: []string{"spec"}})
			ctj.Spec.History = ptr.To(int32(s.cluster.History))
			if err := s.server.Client.Create(ctx, ctj); err != nil {
				return err
			}
		}
		return nil
	})
}

// simulatedPod is a Pod about as large as one is.
func simulatedPod(namespace, name string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "busybox:1.37"}}},
	}
	for i := range 20 {
		pod.Spec.Containers[0].Env = append(pod.Spec.Containers[0].Env,
			corev1.EnvVar{Name: fmt.Sprintf("VARIABLE_%d", i), Value: strings.Repeat("v", 64)})
	}
	return pod
}

// trigger lets an operator take the baselines, and then run a Job for each.
func (s *simulation) trigger(b *testing.B) {
	b.Helper()
	process := operator.Start(b, production(s.server.KubeConfig))
	awaitAll(b, s.server, "", 2*s.nodes, hasBaselines)
	each(b, 2*s.nodes, func(ctx context.Context, i int) error { return s.changeConfig(ctx, i/2, 2*i) })
	awaitAll(b, s.server, "", 2*s.nodes, func(ctj *v1alpha.ChangeTriggeredJob) bool { return ctj.Status.TriggerCount > 0 })
	process.Stop(b)
}

// changeConfig makes a change that counts.
func (s *simulation) changeConfig(ctx context.Context, node, i int) error {
	patch := fmt.Appendf(nil, `{"data":{"count":"%d"}}`, time.Now().UnixNano())
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace(node), Name: configName(i)}}
	return s.server.Client.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch))
}

// changePod makes a change that does not.
func (s *simulation) changePod(ctx context.Context, node, i int) error {
	patch := fmt.Appendf(nil, `{"status":{"message":"%d"}}`, time.Now().UnixNano())
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace(node), Name: podName(node, i)}}
	return s.server.Client.Status().Patch(ctx, pod, client.RawPatch(types.MergePatchType, patch))
}

// measure starts an operator, has the cluster live for a while, and records what that took. Bytes and requests are counted on the way
// to the API server and by the operator's own metrics.
func (s *simulation) measure(b *testing.B, during time.Duration) {
	b.Helper()
	proxy := newCountingProxy(b, s.server)
	process := operator.Launch(b, production(proxy.KubeConfig))
	started := awaitCompared(b, process, 2*s.nodes).Sub(acquired(b, s.server))
	requests := func() float64 {
		m, err := process.Metrics()
		require.NoError(b, err)
		return m.Sum("rest_client_requests_total")
	}
	asked, used, read, began := requests(), cpuTime(b, process.Pid()), proxy.readMiB(), time.Now()
	s.live(b, during)
	seconds := time.Since(began).Seconds()
	used = awaitStill(b, process.Pid()) - used
	for statistic, value := range map[string]float64{
		scaling.Start:    started.Seconds(),
		scaling.CPU:      1000 * used.Seconds() / seconds,
		scaling.Read:     1024 * (proxy.readMiB() - read) / seconds,
		scaling.Requests: (requests() - asked) / seconds,
		scaling.Memory:   memoryMiB(b, process.Pid(), resident),
	} {
		record(figures.Figure{
			Measure: figures.Simulation, Arm: figures.Operator, Statistic: statistic, Unit: "as named", N: s.nodes, Of: "Nodes",
		}, value)
		b.Logf("%d Nodes: %s %.2f", s.nodes, statistic, value)
	}
	process.Stop(b)
}

// live makes the changes of a cluster, in an even stream.
func (s *simulation) live(b *testing.B, during time.Duration) {
	b.Helper()
	group, ctx := errgroup.WithContext(b.Context())
	group.SetLimit(hands)
	stream := func(rate float64, change func(k int) error) func() error {
		return func() error {
			ticker := time.NewTicker(time.Duration(float64(time.Second) / rate))
			defer ticker.Stop()
			end := time.After(during)
			for k := 0; ; k++ {
				select {
				case <-ticker.C:
				case <-end:
					return nil
				}
				group.Go(func() error { return change(k) })
			}
		}
	}
	streams, _ := errgroup.WithContext(ctx)
	streams.Go(stream(s.cluster.Crowds[0].Changes, func(k int) error { return s.changePod(ctx, k%s.nodes, k/s.nodes%podsOfNode) }))
	streams.Go(stream(s.cluster.Triggers, func(k int) error {
		i := k % (2 * s.nodes)
		return s.changeConfig(ctx, i/2, 2*i)
	}))
	require.NoError(b, streams.Wait())
	require.NoError(b, group.Wait())
}
