package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/bench/figures"
	"github.com/nusnewob/kube-changejob/test/operator"
)

const (
	// watchedObjects is how many objects of a kind are referenced: few enough that the operator watches each by itself.
	watchedObjects = 10
	// crowdOfEach is how many unreferenced objects are changed in turn by the side of each referenced one.
	crowdOfEach = 100
	// irrelevantChanges is how many changes are made in a round.
	irrelevantChanges = 5_000
)

// irrelevance is a way of changing objects of a watched kind that selects nothing that counts.
type irrelevance struct {
	statistic string
	reference v1alpha.ResourceReference // without a name and a namespace
	resource  string                    // as rival takes it
	namespace string                    // empty for a kind that has none
	// make makes what is changed by the side of the referenced object i, and that.
	make func(ctx context.Context, i int) error
	// change makes change k by the side of the referenced object i; k only grows.
	change func(ctx context.Context, i, k int) error
	// mark makes a change of the referenced object i that counts.
	mark func(ctx context.Context, i, k int) error
}

// notes is an annotation such as objects have: with it, an event has more than bookmarkBytes even if it holds metadata alone.
var notes = map[string]string{"example.com/notes": strings.Repeat("note ", 240)}

func (w *costWorld) irrelevances(namespace string) []*irrelevance {
	config := func(name string) *corev1.ConfigMap {
		object := sizedConfig(namespace, name, objectBytes)
		object.Annotations = notes
		return object
	}
	named := func(i int) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: watchedName(i)} }
	patch := func(ctx context.Context, object client.Object, format string, args ...any) error {
		return w.server.Client.Patch(ctx, object, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, format, args...)))
	}
	return []*irrelevance{
		{
			statistic: figures.Unreferenced, resource: "v1/configmaps", namespace: namespace,
			reference: v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Fields: []string{"data"}},
			make: func(ctx context.Context, i int) error {
				for k := range crowdOfEach {
					if err := w.server.Client.Create(ctx, config(crowdName(i, k))); err != nil {
						return err
					}
				}
				return w.server.Client.Create(ctx, config(watchedName(i)))
			},
			change: func(ctx context.Context, i, k int) error {
				return patch(ctx, config(crowdName(i, k%crowdOfEach)), `{"data":{"count":"%d"}}`, k)
			},
			mark: func(ctx context.Context, i, k int) error {
				return patch(ctx, config(watchedName(i)), `{"data":{"count":"%d"}}`, k)
			},
		},
		{
			statistic: figures.UnreferencedPods, resource: "v1/pods", namespace: namespace,
			reference: v1alpha.ResourceReference{APIVersion: "v1", Kind: "Pod", Fields: []string{"metadata.labels"}},
			make: func(ctx context.Context, i int) error {
				for k := range crowdOfEach {
					if err := w.server.Client.Create(ctx, simulatedPod(namespace, crowdName(i, k))); err != nil {
						return err
					}
				}
				return w.server.Client.Create(ctx, simulatedPod(namespace, watchedName(i)))
			},
			change: func(ctx context.Context, i, k int) error {
				pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: crowdName(i, k%crowdOfEach)}}
				return w.server.Client.Status().Patch(ctx, pod, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"status":{"message":"%d"}}`, k)))
			},
			mark: func(ctx context.Context, i, k int) error {
				return patch(ctx, &corev1.Pod{ObjectMeta: named(i)}, `{"metadata":{"labels":{"count":"%d"}}}`, k)
			},
		},
		{
			statistic: figures.Heartbeats, resource: "v1/nodes",
			reference: v1alpha.ResourceReference{APIVersion: "v1", Kind: "Node", Fields: []string{"*"}},
			make:      func(ctx context.Context, i int) error { return w.makeNode(ctx, watchedName(i)) },
			change: func(ctx context.Context, i, k int) error {
				node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: watchedName(i)}}
				return w.server.Client.Status().Patch(ctx, node, client.RawPatch(types.StrategicMergePatchType, heartbeat(k)))
			},
			mark: func(ctx context.Context, i, k int) error {
				node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: watchedName(i)}}
				return patch(ctx, node, `{"metadata":{"labels":{"count":"%d"}}}`, k)
			},
		},
		{
			statistic: figures.StatusChurn, resource: "apps/v1/deployments", namespace: namespace,
			reference: v1alpha.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Fields: []string{"spec.template"}},
			make: func(ctx context.Context, i int) error {
				deployment := &appsv1.Deployment{ObjectMeta: named(i), Spec: appsv1.DeploymentSpec{
					Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "a"}},
					Template: corev1.PodTemplateSpec{
						ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "a"}},
						Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "busybox:1.37"}}},
					},
				}}
				deployment.Annotations = notes
				return w.server.Client.Create(ctx, deployment)
			},
			change: func(ctx context.Context, i, k int) error {
				return w.server.Client.Status().Patch(ctx, &appsv1.Deployment{ObjectMeta: named(i)}, client.RawPatch(types.MergePatchType,
					fmt.Appendf(nil, `{"status":{"replicas":1000,"readyReplicas":%d}}`, k%1000)))
			},
			mark: func(ctx context.Context, i, k int) error {
				return patch(ctx, &appsv1.Deployment{ObjectMeta: named(i)},
					`{"spec":{"template":{"metadata":{"annotations":{"count":"%d"}}}}}`, k)
			},
		},
	}
}

func watchedName(i int) string  { return fmt.Sprintf("watched-%d", i) }
func crowdName(i, k int) string { return fmt.Sprintf("crowd-%d-%d", i, k) }

// nodeConditions are those that a kubelet reports.
var nodeConditions = []corev1.NodeConditionType{
	corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure, corev1.NodeNetworkUnavailable, corev1.NodeReady,
}

// makeNode makes a Node about as large as one is.
func (w *costWorld) makeNode(ctx context.Context, name string) error {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: notes}}
	if err := w.server.Client.Create(ctx, node); err != nil {
		return err
	}
	for i := range 50 {
		node.Status.Images = append(node.Status.Images, corev1.ContainerImage{
			Names:     []string{fmt.Sprintf("registry.example.com/team/program-%d@sha256:%064d", i, i)},
			SizeBytes: int64(i) << 20,
		})
	}
	now := metav1.NewTime(time.Unix(1_700_000_000, 0))
	for _, condition := range nodeConditions {
		node.Status.Conditions = append(node.Status.Conditions, corev1.NodeCondition{
			Type: condition, Status: corev1.ConditionFalse, Reason: "AsItShouldBe", Message: "kubelet says so",
			LastHeartbeatTime: now, LastTransitionTime: now,
		})
	}
	return w.server.Client.Status().Update(ctx, node)
}

// heartbeat is the patch that a kubelet makes: nothing has changed but the time.
func heartbeat(k int) []byte {
	at := time.Unix(1_700_000_001+int64(k), 0).UTC().Format(time.RFC3339)
	var conditions []string
	for _, condition := range nodeConditions {
		conditions = append(conditions, fmt.Sprintf(`{"type":%q,"lastHeartbeatTime":%q}`, condition, at))
	}
	return fmt.Appendf(nil, `{"status":{"conditions":[%s]}}`, strings.Join(conditions, ","))
}

// costWorld is where irrelevant changes happen.
type costWorld struct {
	server    *apiserver.Server
	namespace string // of the ChangeTriggeredJobs
	log       *requestLog
	users     map[string][]byte // kubeconfigs, by arm
	made      int               // changes so far
	// elsewhere is how many events of each change go to others than those that are measured: the API server watches Nodes itself.
	elsewhere float64
}

// costArms are the sides, each a user of its own.
var costArms = map[string]string{
	figures.Operator: "operator", figures.Wide: "wide", figures.Informer: "informer", figures.Metadata: "metadata",
}

// BenchmarkCost measures what changes cost that select nothing: processor time, requests, reconciles and the events that arrive. All of it is read
// when the process has nothing left to do; after that a change of every referenced object that does count shows that the process was
// watching all the time, and had nothing else to answer.
func BenchmarkCost(b *testing.B) {
	measures(b)
	skipWithoutProc(b)
	audit := filepath.Join(b.TempDir(), "audit.log")
	users := make([]string, 0, len(costArms))
	for _, user := range costArms {
		users = append(users, user)
	}
	w := &costWorld{
		server: apiserver.Start(b, apiserver.CRDs(), apiserver.AuditUsers(audit, users...)),
		log:    newRequestLog(audit), users: map[string][]byte{},
	}
	for arm, user := range costArms {
		w.users[arm] = accountOf(b, w.server, user)
	}
	w.namespace = w.server.Namespace(b)
	ways := w.irrelevances(w.namespace)
	for n, way := range ways {
		each(b, watchedObjects, func(ctx context.Context, i int) error {
			if err := way.make(ctx, i); err != nil {
				return err
			}
			reference := way.reference
			reference.Namespace, reference.Name = way.namespace, watchedName(i)
			return w.server.Client.Create(ctx, subjectOf(w.namespace, costSubject(n, i), reference))
		})
	}
	for n, way := range ways {
		before := sentEvents(b, w.server, nameOf(way.resource))
		w.changes(b, way, watchedObjects)
		w.elsewhere = (sentEvents(b, w.server, nameOf(way.resource)) - before) / watchedObjects
		for range takes() {
			w.operator(b, figures.Operator, n, way)
			w.operator(b, figures.Wide, n, way, "--watch-threshold=-1")
			w.rival(b, figures.Informer, "informer", way)
			w.rival(b, figures.Metadata, "metadata", way)
		}
	}
}

// nameOf is the last part of a resource, by which the API server's metrics know it.
func nameOf(resource string) string { return resource[strings.LastIndex(resource, "/")+1:] }

func costSubject(way, i int) string { return subjectName(way*watchedObjects + i) }

// changes makes so many irrelevant changes, those by the side of each referenced object one after the other.
func (w *costWorld) changes(b *testing.B, way *irrelevance, count int) {
	b.Helper()
	w.made += count
	from := w.made
	each(b, watchedObjects, func(ctx context.Context, i int) error {
		for k := range count / watchedObjects {
			if err := way.change(ctx, i, from+k); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *costWorld) mark(b *testing.B, way *irrelevance) {
	b.Helper()
	w.made++
	each(b, watchedObjects, func(ctx context.Context, i int) error { return way.mark(ctx, i, w.made) })
}

// operator measures one round of an operator.
func (w *costWorld) operator(b *testing.B, arm string, n int, way *irrelevance, args ...string) {
	b.Helper()
	process := operator.Start(b, production(w.users[arm], args...))
	all := watchedObjects * len(w.irrelevances(w.namespace))
	awaitAll(b, w.server, w.namespace, all, hasBaselines)
	w.settle(b, process)
	reconciles := func() float64 {
		m, err := process.Metrics()
		require.NoError(b, err)
		return m.Sum("controller_runtime_reconcile_total")
	}
	before := reconciles()
	w.measure(b, arm, process.Pid(), way)
	w.record(b, figures.CostReconciles, arm, way, "reconciles", reconciles()-before)

	counts := w.triggers(b)
	w.mark(b, way)
	for i := range watchedObjects {
		counts[costSubject(n, i)]++
	}
	awaitAll(b, w.server, w.namespace, all, func(ctj *v1alpha.ChangeTriggeredJob) bool {
		return ctj.Status.TriggerCount >= counts[ctj.Name]
	})
	assert.Equal(b, counts, w.triggers(b), "triggers")
	process.Stop(b)
}

// settle waits until an operator sees everything, as a ChangeTriggeredJob that is new to it shows in each kind.
func (w *costWorld) settle(b *testing.B, process *operator.Process) {
	b.Helper()
	for _, way := range w.irrelevances(w.namespace) {
		reference := way.reference
		reference.Namespace, reference.Name = way.namespace, watchedName(0)
		awaitBaseline(b, w.server, subjectOf(w.namespace, "one-more", reference))
	}
	awaitStill(b, process.Pid())
}

func (w *costWorld) triggers(b *testing.B) map[string]int64 {
	b.Helper()
	counts := map[string]int64{}
	for _, ctj := range allOf(b, w.server, w.namespace) {
		counts[ctj.Name] = ctj.Status.TriggerCount
	}
	return counts
}

// rival measures one round of a rival.
func (w *costWorld) rival(b *testing.B, arm, mode string, way *irrelevance) {
	b.Helper()
	var names []string
	for i := range watchedObjects {
		names = append(names, strings.TrimPrefix(way.namespace+"/"+watchedName(i), "/"))
	}
	slices.Sort(names)
	changes := filepath.Join(b.TempDir(), "changes")
	args := watchArgs(b, mode, way.resource, way.reference.Kind, names, way.reference.Fields[0], "--changes="+changes)
	process := startRival(b, w.users[arm], mode, args...)
	awaitStill(b, process.Pid())
	w.measure(b, arm, process.Pid(), way)

	w.mark(b, way)
	seen := func() []string {
		content, err := os.ReadFile(changes)
		require.NoError(b, err)
		return strings.Fields(string(content))
	}
	require.Eventually(b, func() bool { return len(seen()) >= watchedObjects }, timeout, 50*time.Millisecond, "the changes that count")
	found := seen()
	slices.Sort(found)
	assert.Equal(b, names, found, "the changes that count")
	process.stop(b)
}

// measure makes irrelevant changes, and records what a process made of them.
func (w *costWorld) measure(b *testing.B, arm string, pid int, way *irrelevance) {
	b.Helper()
	count := irrelevantChanges
	if short() {
		count = 100
	}
	asked := func() int {
		others, _ := w.log.asked(b, costArms[arm])
		return others + w.log.begun(b, costArms[arm])
	}
	events, requests, cpu := sentEvents(b, w.server, nameOf(way.resource)), asked(), awaitStill(b, pid)
	w.changes(b, way, count)
	cpu = awaitStill(b, pid) - cpu
	per := 1000 / float64(count)
	w.record(b, figures.CostCPU, arm, way, "ms", cpu.Seconds()*1000*per)
	w.record(b, figures.CostRequests, arm, way, "requests", float64(asked()-requests)*per)
	w.record(b, figures.CostEvents, arm, way, "events",
		(sentEvents(b, w.server, nameOf(way.resource))-events-w.elsewhere*float64(count))*per)
}

func (w *costWorld) record(b *testing.B, measure, arm string, way *irrelevance, unit string, value float64) {
	b.Helper()
	record(figures.Figure{Measure: measure, Arm: arm, Statistic: way.statistic, Unit: unit}, value)
	b.Logf("%s, %s, %s: %.2f %s", measure, arm, way.statistic, value, unit)
}
