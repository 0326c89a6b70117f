package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/jobs"
	"github.com/nusnewob/kube-changejob/test/operator"
)

const (
	// subjects is over how many ChangeTriggeredJobs the changes go around, so that none of them has many
	// Jobs, as none has in production.
	subjects = 100
	// maxRatio is how far the operator's median may be above the bare loop's.
	maxRatio = 2.5
	// timeout is how long one sample may take.
	timeout = 30 * time.Second
)

// BenchmarkLatency measures the time from a change to its Job, one change at a time: b.N changes for the
// operator and b.N for a bare loop (one watch; per change one Job create, then one status patch), in turn,
// on the same API server.
func BenchmarkLatency(b *testing.B) {
	server := apiserver.Start(b, apiserver.CRDs())
	w, err := client.NewWithWatch(server.Config, client.Options{Scheme: server.Scheme})
	require.NoError(b, err)

	bare := newArm(b, server, w)
	watching := make(chan struct{})
	go bare.loop(b.Context(), b, watching)
	<-watching
	operated := newArm(b, server, w)
	operator.Start(b, operator.Options{
		KubeConfig: server.KubeConfig,
		Args:       []string{"--watch-namespaces=" + operated.namespace},
	})
	operated.ready(b)
	for _, arm := range []*arm{bare, operated} { // the first create of a process re-reads live
		for i := range subjects {
			arm.sample(b, i)
		}
		arm.samples = nil
	}

	b.ResetTimer()
	for i := range b.N {
		bare.sample(b, i%subjects)
		operated.sample(b, i%subjects)
	}
	b.StopTimer()

	p50, bare50 := quantile(operated.samples, 0.5), quantile(bare.samples, 0.5)
	ratio := p50.Seconds() / bare50.Seconds()
	b.ReportMetric(milliseconds(p50), "p50-ms")
	b.ReportMetric(milliseconds(quantile(operated.samples, 0.95)), "p95-ms")
	b.ReportMetric(milliseconds(quantile(operated.samples, 0.99)), "p99-ms")
	b.ReportMetric(milliseconds(bare50), "bare-p50-ms")
	b.ReportMetric(milliseconds(quantile(bare.samples, 0.95)), "bare-p95-ms")
	b.ReportMetric(milliseconds(quantile(bare.samples, 0.99)), "bare-p99-ms")
	b.ReportMetric(ratio, "p50-ratio")
	if b.N >= 1000 && ratio > maxRatio { // fewer samples say little
		b.Errorf("p50 is %.2f times the bare loop's, want at most %.1f", ratio, maxRatio)
	}
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

func quantile(samples []time.Duration, q float64) time.Duration {
	sorted := slices.Clone(samples)
	slices.Sort(sorted)
	return sorted[int(q*float64(len(sorted)-1))]
}

// arm is one side of the comparison: a namespace with ConfigMaps, ChangeTriggeredJobs that watch them, and
// an observer that sees the Jobs and the statuses.
type arm struct {
	client    client.WithWatch
	namespace string
	changes   int
	samples   []time.Duration

	mu       sync.Mutex
	jobs     map[string]time.Time // first seen, by owner; taken by sample
	statuses map[string]int64     // trigger counts, by owner
	news     chan struct{}
}

func configName(i int) string  { return fmt.Sprintf("config-%d", i) }
func subjectName(i int) string { return fmt.Sprintf("ctj-%d", i) }

func newArm(b *testing.B, server *apiserver.Server, w client.WithWatch) *arm {
	a := &arm{
		client: w, namespace: server.Namespace(b),
		jobs: map[string]time.Time{}, statuses: map[string]int64{}, news: make(chan struct{}, 1),
	}
	for i := range subjects {
		require.NoError(b, w.Create(b.Context(), &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: configName(i)},
			Data:       map[string]string{"key": "0"},
		}))
		require.NoError(b, w.Create(b.Context(), &v1alpha.ChangeTriggeredJob{
			ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: subjectName(i)},
			Spec: v1alpha.ChangeTriggeredJobSpec{
				JobTemplate: jobs.Template(),
				Cooldown:    &metav1.Duration{},
				History:     ptr.To(int32(1000)),
				Resources: []v1alpha.ResourceReference{{
					APIVersion: "v1", Kind: "ConfigMap", Namespace: a.namespace, Name: configName(i), Fields: []string{"data"},
				}},
			},
		}))
	}
	a.follow(b, &batchv1.JobList{}, a.sawJob)
	a.follow(b, &v1alpha.ChangeTriggeredJobList{}, a.sawStatus)
	return a
}

// follow calls saw for everything that a watch of the namespace tells.
func (a *arm) follow(b *testing.B, list client.ObjectList, saw func(client.Object)) {
	events, err := a.client.Watch(b.Context(), list, client.InNamespace(a.namespace))
	require.NoError(b, err)
	go func() {
		for event := range events.ResultChan() {
			object, ok := event.Object.(client.Object)
			if !ok || event.Type == watch.Deleted {
				continue
			}
			a.mu.Lock()
			saw(object)
			a.mu.Unlock()
			select {
			case a.news <- struct{}{}:
			default:
			}
		}
	}()
}

func (a *arm) sawJob(object client.Object) {
	owner := object.GetLabels()["changejob.dev/owner"]
	if _, known := a.jobs[owner]; !known {
		a.jobs[owner] = time.Now()
	}
}

func (a *arm) sawStatus(object client.Object) {
	a.statuses[object.GetName()] = object.(*v1alpha.ChangeTriggeredJob).Status.TriggerCount
}

// ready waits until every subject has its baseline.
func (a *arm) ready(b *testing.B) {
	require.Eventually(b, func() bool {
		var list v1alpha.ChangeTriggeredJobList
		if a.client.List(b.Context(), &list, client.InNamespace(a.namespace)) != nil {
			return false
		}
		return len(list.Items) == subjects && !slices.ContainsFunc(list.Items, func(ctj v1alpha.ChangeTriggeredJob) bool {
			return len(ctj.Status.ResourceHashes) == 0 || ctj.Status.ResourceHashes[0].Fields[0].Hash == ""
		})
	}, timeout, 100*time.Millisecond)
}

// sample changes one object, and takes the time until its Job is seen; then it waits for the status write, so
// that samples do not overlap.
func (a *arm) sample(b *testing.B, i int) {
	owner := subjectName(i)
	a.mu.Lock()
	want := a.statuses[owner] + 1
	delete(a.jobs, owner)
	a.mu.Unlock()

	a.changes++
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: configName(i)}}
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"data":{"key":"%d"}}`, a.changes))
	began := time.Now()
	require.NoError(b, a.client.Patch(b.Context(), object, patch))
	deadline := time.After(timeout)
	for {
		a.mu.Lock()
		seen, created := a.jobs[owner]
		settled := a.statuses[owner] == want
		a.mu.Unlock()
		if created && settled {
			a.samples = append(a.samples, seen.Sub(began))
			return
		}
		select {
		case <-a.news:
		case <-deadline:
			b.Fatalf("no Job for change %d of %s", a.changes, object.Name)
		}
	}
}

// loop is the least that an operator which remembers its baseline must do. It closes watching once its watch
// is there.
func (a *arm) loop(ctx context.Context, b *testing.B, watching chan<- struct{}) {
	events, err := a.client.Watch(ctx, &corev1.ConfigMapList{}, client.InNamespace(a.namespace))
	close(watching)
	if err != nil {
		b.Error(err)
		return
	}
	counts := map[string]int64{}
	for event := range events.ResultChan() {
		config, ok := event.Object.(*corev1.ConfigMap)
		if !ok || event.Type != watch.Modified {
			continue
		}
		var i int
		if _, err := fmt.Sscanf(config.Name, "config-%d", &i); err != nil {
			continue
		}
		owner := subjectName(i)
		counts[owner]++
		err := a.client.Create(ctx, &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: a.namespace, Name: fmt.Sprintf("%s-%d", owner, counts[owner]),
				Labels: map[string]string{"changejob.dev/owner": owner},
			},
			Spec: jobs.Spec(),
		})
		if err == nil {
			ctj := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: owner}}
			err = a.client.Status().Patch(ctx, ctj, client.RawPatch(types.MergePatchType,
				fmt.Appendf(nil, `{"status":{"triggerCount":%d,"lastJobName":%q}}`, counts[owner], owner)))
		}
		if err != nil && ctx.Err() == nil {
			b.Error(err)
			return
		}
	}
}
