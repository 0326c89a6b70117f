package bench

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/bench/feed"
	"github.com/nusnewob/kube-changejob/test/bench/figures"
	"github.com/nusnewob/kube-changejob/test/jobs"
	"github.com/nusnewob/kube-changejob/test/operator"
)

// patience is how long the largest of arms may take for anything.
const patience = 10 * time.Minute

// shape is what an arm works on: n ChangeTriggeredJobs, and as many ConfigMaps, or with fanOut one that all of them watch.
type shape struct {
	n      int
	fanOut bool
	keep   int32 // how many Jobs each keeps; 0: as many as there are
}

func (s shape) objects() int {
	if s.fanOut {
		return 1
	}
	return s.n
}

// arm is one side of a comparison: a process with a namespace of its own, and an observer that sees the Jobs and the statuses that
// it writes there.
type arm struct {
	shape
	name      string
	namespace string
	client    client.WithWatch
	statuses  bool // whether it writes them
	process   interface {
		Pid() int
		Pause(t testing.TB)
		Resume(t testing.TB)
	}
	stop func()

	mu    sync.Mutex
	of    []tally // by ChangeTriggeredJob
	total tally
	news  chan struct{}
	// latest is when a Job or a trigger was last seen.
	latest time.Time
}

// tally counts what has been seen of a ChangeTriggeredJob, or of all.
type tally struct {
	baselines int
	changes   int // that were sent
	created   int // Jobs, since the start
	present   int // Jobs, now
	triggers  int // as status counts them
	active    int // Jobs that status lists
	// sent is when the last change was sent, and seen when the last Job was.
	sent, seen time.Time
}

func (t *tally) add(other *tally, times int) {
	t.baselines += times * other.baselines
	t.changes += times * other.changes
	t.created += times * other.created
	t.present += times * other.present
	t.triggers += times * other.triggers
	t.active += times * other.active
}

func configName(i int) string  { return fmt.Sprintf("config-%d", i) }
func subjectName(i int) string { return fmt.Sprintf("ctj-%d", i) }

// newArm fills a namespace, starts the process of the named side in it, and returns when every change is answered from now on.
func newArm(b *testing.B, server *apiserver.Server, name string, shape shape) *arm {
	b.Helper()
	c, err := client.NewWithWatch(server.Config, client.Options{Scheme: server.Scheme})
	require.NoError(b, err)
	a := &arm{
		shape: shape, name: name, statuses: name != figures.Create, namespace: server.Namespace(b), client: c,
		of: make([]tally, shape.n), news: make(chan struct{}, 1),
	}
	ctx, cancel := context.WithCancel(b.Context())
	a.follow(ctx, b, &batchv1.JobList{}, a.sawJob)
	if a.statuses {
		a.follow(ctx, b, &v1alpha.ChangeTriggeredJobList{}, a.sawStatus)
	}
	a.populate(b)

	var end func(b *testing.B)
	switch name {
	case figures.Operator:
		options := production(server.KubeConfig, "--watch-namespaces="+a.namespace)
		options.Namespace = a.namespace // its lease is its own: several arms may lead at a time
		p := operator.Start(b, options)
		a.process, end = p, func(b *testing.B) { p.Stop(b) }
		a.await(b, "baselines", func(t *tally) bool { return t.baselines == a.n })
	case figures.Bare, figures.Create:
		mode := map[string]string{figures.Bare: "bare", figures.Create: "create"}[name]
		args := []string{"--namespace=" + a.namespace}
		if a.fanOut {
			args = append(args, "--fan-out="+strconv.Itoa(a.n))
		}
		p := startRival(b, server.KubeConfig, mode, args...)
		a.process, end = p, p.stop
	default:
		b.Fatalf("there is no arm %q", name)
	}
	a.stop = func() { end(b); cancel() }
	return a
}

// populate creates what the arm works on.
func (a *arm) populate(b *testing.B) {
	each(b, a.objects(), func(ctx context.Context, i int) error {
		return a.client.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: configName(i)},
			Data:       map[string]string{"key": "0"},
		})
	})
	if !a.statuses {
		return
	}
	template, keep := jobs.Template(), a.keep
	if keep == 0 {
		keep = 1000 // no Job is deleted while something is measured
	}
	each(b, a.n, func(ctx context.Context, i int) error {
		return a.client.Create(ctx, &v1alpha.ChangeTriggeredJob{
			ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: subjectName(i)},
			Spec: v1alpha.ChangeTriggeredJobSpec{
				JobTemplate: template,
				Cooldown:    &metav1.Duration{},
				OnLoop:      v1alpha.IgnoreLoop, // a change as soon as the Job before is there is all that is measured
				History:     new(keep),
				Resources: []v1alpha.ResourceReference{{
					APIVersion: "v1", Kind: "ConfigMap", Namespace: a.namespace, Name: configName(i % a.objects()), Fields: []string{"data"},
				}},
			},
		})
	})
}

// follow calls saw for everything that happens in the namespace to objects of the list's kind.
func (a *arm) follow(ctx context.Context, b *testing.B, list client.ObjectList, saw func(watch.EventType, client.Object)) {
	b.Helper()
	events, err := feed.Follow(ctx, a.client, list, a.namespace)
	require.NoError(b, err)
	go func() {
		for event := range events {
			if object, ok := event.Object.(client.Object); ok {
				saw(event.Type, object)
			} else {
				b.Errorf("%s: watch: %v", a.name, event.Object)
			}
		}
	}()
}

func (a *arm) sawJob(event watch.EventType, object client.Object) {
	now := time.Now()
	a.update(object.GetLabels()[job.OwnerLabel], func(t *tally) {
		switch event {
		case watch.Added:
			t.created, t.present, t.seen = t.created+1, t.present+1, now
			a.latest = now
		case watch.Deleted:
			t.present--
		}
	})
}

func (a *arm) sawStatus(_ watch.EventType, object client.Object) {
	now := time.Now()
	status := &object.(*v1alpha.ChangeTriggeredJob).Status
	a.update(object.GetName(), func(t *tally) {
		if len(status.ResourceHashes) == 1 && status.ResourceHashes[0].Fields[0].Hash != "" {
			t.baselines = 1
		}
		if triggers := int(status.TriggerCount); triggers != t.triggers {
			t.triggers = triggers
			a.latest = now
		}
		t.active = len(status.Active)
	})
}

// update changes the tally of a ChangeTriggeredJob, and of all.
func (a *arm) update(subject string, change func(*tally)) {
	i, err := strconv.Atoi(strings.TrimPrefix(subject, "ctj-"))
	if err != nil || i >= a.n {
		return
	}
	a.mu.Lock()
	before := a.of[i]
	change(&a.of[i])
	a.total.add(&before, -1)
	a.total.add(&a.of[i], 1)
	a.mu.Unlock()
	select {
	case a.news <- struct{}{}:
	default:
	}
}

// change changes a ConfigMap. The time starts before the request is sent.
func (a *arm) change(ctx context.Context, i int) error {
	watching := []int{i}
	if a.fanOut {
		watching = make([]int, a.n)
		for i := range watching {
			watching[i] = i
		}
	}
	now := time.Now()
	for _, i := range watching {
		a.update(subjectName(i), func(t *tally) { t.changes, t.sent = t.changes+1, now })
	}
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: configName(i)}}
	patch := fmt.Appendf(nil, `{"data":{"key":"%d"}}`, a.tally(i).changes)
	return a.client.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch))
}

// tally returns what has been seen of one ChangeTriggeredJob.
func (a *arm) tally(i int) tally {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.of[i]
}

// answered waits until there are as many Jobs as there were changes, and statuses that count them where the arm writes any.
func (a *arm) answered(b *testing.B) {
	b.Helper()
	a.await(b, "answers", func(t *tally) bool {
		return t.created >= t.changes && (!a.statuses || t.triggers >= t.changes)
	})
}

func (a *arm) await(b *testing.B, what string, done func(total *tally) bool) {
	b.Helper()
	deadline := time.After(patience)
	for {
		a.mu.Lock()
		total := a.total
		a.mu.Unlock()
		if done(&total) {
			return
		}
		select {
		case <-a.news:
		case <-deadline:
			b.Fatalf("%s: no %s after %s: %+v", a.name, what, patience, total)
		}
	}
}

// sweep deletes the Jobs, so that they do not fill up the server, waits until the operator has taken note of it, which costs it
// requests, and until the Pods are gone, too. There was exactly one Job for each change, or the benchmark fails.
func (a *arm) sweep(b *testing.B) {
	b.Helper()
	for i := range a.n {
		if t := a.tally(i); t.created != t.changes || a.statuses && t.triggers != t.changes {
			b.Errorf("%s: %s: %d changes, %d Jobs, %d triggers", a.name, subjectName(i), t.changes, t.created, t.triggers)
		}
	}
	inBackground := client.PropagationPolicy(metav1.DeletePropagationBackground)
	for {
		err := a.client.DeleteAllOf(b.Context(), &batchv1.Job{}, client.InNamespace(a.namespace), inBackground)
		if apierrors.IsTimeout(err) { // there were more than the server deletes in the time of a request
			continue
		}
		require.NoError(b, err)
		break
	}
	a.await(b, "end of the Jobs", func(t *tally) bool { return t.present == 0 && t.active == 0 })
	require.Eventually(b, func() bool {
		var pods corev1.PodList
		return a.client.List(b.Context(), &pods, client.InNamespace(a.namespace), client.Limit(1)) == nil && len(pods.Items) == 0
	}, patience, 100*time.Millisecond)
}
