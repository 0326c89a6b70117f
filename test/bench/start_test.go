package bench

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/bench/figures"
	"github.com/nusnewob/kube-changejob/test/jobs"
	"github.com/nusnewob/kube-changejob/test/operator"
)

const (
	// startNamespaces is over how many namespaces the ChangeTriggeredJobs are spread: each references an object of its own.
	startNamespaces = 10
	// restful is how long nothing is compared any more before the last comparison is taken to have been the last.
	restful = 3 * time.Second
	// leaseName is that of the operator's lease.
	leaseName = "kube-changejob-leader"
)

// startKind is a kind of which objects are referenced, all alike but for their names.
type startKind struct {
	resource string // as rival takes it
	manifest string // without a name
}

const podTemplate = `{metadata: {labels: {app: a}}, spec: {containers: [{name: c, image: "busybox:1.37"}]}}`

// startKinds are kinds that have no controller here, and of which no two objects are in each other's way.
var startKinds = []startKind{
	{"v1/configmaps", `{apiVersion: v1, kind: ConfigMap, data: {key: value}}`},
	{"v1/secrets", `{apiVersion: v1, kind: Secret, data: {key: dmFsdWU=}}`},
	{"v1/serviceaccounts", `{apiVersion: v1, kind: ServiceAccount}`},
	{"v1/podtemplates", `{apiVersion: v1, kind: PodTemplate, template: ` + podTemplate + `}`},
	{"apps/v1/controllerrevisions", `{apiVersion: apps/v1, kind: ControllerRevision, revision: 1, data: {key: value}}`},
	{"apps/v1/deployments", `{apiVersion: apps/v1, kind: Deployment, spec: {selector: {matchLabels: {app: a}}, template: ` + podTemplate + `}}`},
	{"apps/v1/statefulsets", `{apiVersion: apps/v1, kind: StatefulSet, spec: {serviceName: s, selector: {matchLabels: {app: a}}, template: ` + podTemplate + `}}`},
	{"networking.k8s.io/v1/ingresses", `{apiVersion: networking.k8s.io/v1, kind: Ingress, spec: {defaultBackend: {service: {name: s, port: {number: 80}}}}}`},
	{"networking.k8s.io/v1/networkpolicies", `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, spec: {podSelector: {}, policyTypes: [Ingress]}}`},
	{"discovery.k8s.io/v1/endpointslices", `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, endpoints: []}`},
}

// startWorld is ChangeTriggeredJobs over ten kinds, each with a baseline and a finished Job.
type startWorld struct {
	server   *apiserver.Server
	size     int
	triggers int // all of them
}

func (w *startWorld) namespace(i int) string {
	return numbered("start")(i / len(startKinds) % startNamespaces)
}

// reference is the object of a number.
func (w *startWorld) reference(i int) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	content, err := yaml.YAMLToJSON([]byte(startKinds[i%len(startKinds)].manifest))
	if err == nil {
		err = object.UnmarshalJSON(content)
	}
	object.SetNamespace(w.namespace(i))
	object.SetName(numbered("object")(i))
	return object, err
}

// change makes all of an object that counts another.
func (w *startWorld) change(ctx context.Context, i int) error {
	object, err := w.reference(i)
	if err != nil {
		return err
	}
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{"changed":"%d"}}}`, time.Now().UnixNano())
	return w.server.Client.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch))
}

// grow makes more of them, and lets an operator take their baselines and run their Jobs, which then end.
func (w *startWorld) grow(b *testing.B, size int) {
	b.Helper()
	before := w.size
	w.size = size
	each(b, size-before, func(ctx context.Context, i int) error {
		i += before
		object, err := w.reference(i)
		if err != nil {
			return err
		}
		gvk, namespace, name := object.GroupVersionKind(), object.GetNamespace(), object.GetName()
		if err := w.server.Client.Create(ctx, object); err != nil {
			return fmt.Errorf("%s: %w", gvk.Kind, err)
		}
		return w.server.Client.Create(ctx, subjectOf(namespace, subjectName(i), v1alpha.ResourceReference{
			APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind, Namespace: namespace, Name: name,
		}))
	})
	process := operator.Start(b, production(w.server.KubeConfig))
	awaitAll(b, w.server, "", size, hasBaselines)
	each(b, size-before, func(ctx context.Context, i int) error { return w.change(ctx, before+i) })
	w.triggers += size - before
	awaitAll(b, w.server, "", size, func(ctj *v1alpha.ChangeTriggeredJob) bool { return ctj.Status.TriggerCount > 0 })
	w.finish(b)
	process.Stop(b)
}

// finish ends all Jobs, and waits until the operator knows.
func (w *startWorld) finish(b *testing.B) {
	b.Helper()
	var list batchv1.JobList
	require.NoError(b, w.server.Client.List(b.Context(), &list, client.HasLabels{job.OwnerLabel}))
	assert.Len(b, list.Items, w.triggers, "Jobs")
	each(b, len(list.Items), func(ctx context.Context, i int) error {
		if len(list.Items[i].Status.Conditions) > 0 {
			return nil
		}
		return jobs.Finish(ctx, w.server.Client, list.Items[i].Namespace, list.Items[i].Name, batchv1.JobComplete)
	})
	awaitAll(b, w.server, "", w.size, func(ctj *v1alpha.ChangeTriggeredJob) bool {
		return ctj.Status.LastJobStatus == v1alpha.JobSucceeded && len(ctj.Status.Active) == 0
	})
}

// BenchmarkStart measures how long it takes from the lease acquired until the last of N ChangeTriggeredJobs has been compared
// with its baseline, beside a program that lists and decodes the same. The last is known by the operator's metrics: there is nothing else to be
// seen where nothing differs. They are asked for 20 to 50 times a second, which the operator pays for.
func BenchmarkStart(b *testing.B) {
	measures(b)
	sizes := []int{100, 1_000, 10_000}
	if short() {
		sizes = []int{20}
	}
	w := &startWorld{server: apiserver.Start(b, apiserver.CRDs())}
	operator.Program(b)
	makeNamespaces(b, w.server, startNamespaces, numbered("start"))
	for _, size := range sizes {
		w.grow(b, size)
		for range takes() {
			process, began := w.launch(b, w.server.KubeConfig)
			compared := awaitCompared(b, process, size)
			w.record(b, figures.Start, figures.Operator, "s", compared.Sub(acquired(b, w.server)).Seconds())
			w.record(b, figures.StartProcess, figures.Operator, "s", compared.Sub(began).Seconds())
			w.record(b, figures.ResidentStart, figures.Operator, "MiB", memoryMiB(b, process.Pid(), resident))
			process.Stop(b)
			itself, whole := w.list(b, w.server.KubeConfig)
			w.record(b, figures.Start, figures.List, "s", itself)
			w.record(b, figures.StartProcess, figures.List, "s", whole.Seconds())
		}
		w.bytes(b, size)
	}
	w.check(b)
}

func (w *startWorld) record(b *testing.B, measure, arm, unit string, value float64) {
	record(figures.Figure{Measure: measure, Arm: arm, Unit: unit, N: w.size, Of: "ChangeTriggeredJobs"}, value)
	b.Logf("%s, %s, %d: %.3f %s", measure, arm, w.size, value, unit)
}

func (w *startWorld) launch(b *testing.B, kubeConfig []byte) (process *operator.Process, began time.Time) {
	b.Helper()
	began = time.Now()
	return operator.Launch(b, production(kubeConfig)), began
}

// awaitCompared waits until each has been compared, and returns when the last was: then the operator rests. A reconcile succeeds
// that has compared; one whose object has not been read yet asks for another one after a while, which its metrics tell apart.
func awaitCompared(b *testing.B, process *operator.Process, size int) (last time.Time) {
	b.Helper()
	interval := 20 * time.Millisecond
	if size >= 10_000 {
		interval = 50 * time.Millisecond
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	deadline := time.Now().Add(stagePatience)
	const total = "controller_runtime_reconcile_total"
	compared := 0.0
	for ; ; <-ticker.C {
		if time.Now().After(deadline) || process.Ended() {
			b.Fatalf("%.0f of %d compared\n%s", compared, size, process.Log())
		}
		m, err := process.Metrics()
		if err != nil {
			continue // it does not listen yet
		}
		now := time.Now()
		if count := m.Sum(total, `result="success"`); count != compared {
			compared, last = count, now
		}
		busy := m.Sum("workqueue_depth") + m.Sum("controller_runtime_active_workers")
		if compared >= float64(size) && busy == 0 && now.Sub(last) > restful {
			if failed := m.Sum(total, `result="error"`); failed > 0 {
				b.Errorf("%.0f reconciles failed", failed)
			}
			b.Logf("%.0f reconciles for %d, of which %.0f compared", m.Sum(total), size, compared)
			return last
		}
	}
}

// acquired is when the operator became the leader, by its own clock, which is this one.
func acquired(b *testing.B, server *apiserver.Server) time.Time {
	b.Helper()
	lease := &coordinationv1.Lease{}
	require.NoError(b, server.Client.Get(b.Context(), types.NamespacedName{Namespace: "default", Name: leaseName}, lease))
	require.NotEmpty(b, *lease.Spec.HolderIdentity)
	return lease.Spec.AcquireTime.Time
}

// list runs the program that lists and decodes, and returns how many seconds it took by itself, and how long from the start of its process
// until its end.
func (w *startWorld) list(b *testing.B, kubeConfig []byte) (seconds float64, whole time.Duration) {
	b.Helper()
	var resources []string
	for _, kind := range startKinds {
		resources = append(resources, kind.resource)
	}
	_, err := rivalProgram()
	require.NoError(b, err)
	began := time.Now()
	process := startRival(b, kubeConfig, "list", "--resources="+strings.Join(resources, ","))
	select {
	case <-process.ended:
		whole = time.Since(began)
	case <-time.After(stagePatience):
		b.Fatal("the list does not end")
	}
	require.NoError(b, process.err, process.stderr.String())
	var bytes, objects int
	_, err = fmt.Sscan(string(process.output), &seconds, &bytes, &objects)
	require.NoError(b, err, string(process.output))
	require.GreaterOrEqual(b, objects, 2*w.size+w.triggers, "ChangeTriggeredJobs, what they reference, and their Jobs")
	return seconds, whole
}

// bytes measures what is read over the network, encrypted and compressed, in runs of their own.
func (w *startWorld) bytes(b *testing.B, size int) {
	b.Helper()
	proxy := newCountingProxy(b, w.server)
	process, _ := w.launch(b, proxy.KubeConfig)
	awaitCompared(b, process, size)
	w.record(b, figures.StartBytes, figures.Operator, "MiB", proxy.readMiB())
	process.Stop(b)
	proxy = newCountingProxy(b, w.server)
	w.list(b, proxy.KubeConfig)
	w.record(b, figures.StartBytes, figures.List, "MiB", proxy.readMiB())
}

// check shows that an operator that has come to rest by its metrics has compared: what changed while it was away has
// triggered once, and nothing else has.
func (w *startWorld) check(b *testing.B) {
	b.Helper()
	each(b, len(startKinds), w.change)
	w.triggers += len(startKinds)
	process, _ := w.launch(b, w.server.KubeConfig)
	awaitCompared(b, process, w.size)
	triggers := 0
	for _, ctj := range allOf(b, w.server, "") {
		triggers += int(ctj.Status.TriggerCount)
	}
	assert.Equal(b, w.triggers, triggers, "triggers at rest")
	w.finish(b)
	process.Stop(b)
}
