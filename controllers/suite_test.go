package controllers

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/keyedhash"
	"github.com/nusnewob/kube-changejob/pkg/watch"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/jobs"
)

var server *apiserver.Server

func TestMain(m *testing.M) { os.Exit(apiserver.Main(m, &server, apiserver.CRDs())) }

const (
	patience = 20 * time.Second
	tick     = 10 * time.Millisecond
)

// world is a namespace of the test's own, with an operator that reconciles it alone.
type world struct {
	client.Client
	t         *testing.T
	ctx       context.Context
	namespace string
}

func newWorld(t *testing.T) *world {
	return &world{Client: server.Client, t: t, ctx: t.Context(), namespace: server.Namespace(t)}
}

// operator is a running manager.
type operator struct {
	*Reconciler
	engine *watch.Engine
	stop   func()
}

// remembers says whether the operator remembers anything of a ChangeTriggeredJob.
func (o *operator) remembers(name types.NamespacedName) bool {
	o.memory.mu.Lock()
	defer o.memory.mu.Unlock()
	_, ok := o.memory.records[name]
	return ok
}

// setting changes how an operator is made.
type setting func(*setup)

type setup struct {
	config *rest.Config
	faults interceptor.Funcs
	key    *keyedhash.Key
	clock  clock.PassiveClock
	term   func() int64
	tracer trace.Tracer
}

func withClock(c clock.PassiveClock) setting { return func(s *setup) { s.clock = c } }

func withConfig(config *rest.Config) setting { return func(s *setup) { s.config = config } }

func withTerm(term func() int64) setting { return func(s *setup) { s.term = term } }

func withTracer(tracer trace.Tracer) setting { return func(s *setup) { s.tracer = tracer } }

func withFaults(faults interceptor.Funcs) setting { return func(s *setup) { s.faults = faults } }

func testKey(t *testing.T) *keyedhash.Key {
	key, err := keyedhash.NewKey([]byte(strings.Repeat("k", keyedhash.KeySize)))
	require.NoError(t, err)
	return key
}

// operate runs an operator until it is stopped or the test ends.
func (w *world) operate(settings ...setting) *operator {
	w.t.Helper()
	s := &setup{config: server.Config, key: testKey(w.t), clock: clock.RealClock{}}
	for _, set := range settings {
		set(s)
	}
	owned, err := labels.NewRequirement(job.OwnerLabel, selection.Exists, nil)
	require.NoError(w.t, err)
	mgr, err := ctrl.NewManager(s.config, ctrl.Options{
		Scheme:  server.Scheme,
		Logger:  logr.Discard(),
		Metrics: metricsserver.Options{BindAddress: "0"},
		Cache: cache.Options{
			DefaultNamespaces: map[string]cache.Config{w.namespace: {}},
			ByObject: map[client.Object]cache.ByObject{
				&batchv1.Job{}: {Label: labels.NewSelector().Add(*owned), Transform: job.Strip},
			},
		},
		NewClient: func(config *rest.Config, options client.Options) (client.Client, error) {
			c, err := newClient(config, options)
			if err != nil {
				return nil, err
			}
			return interceptor.NewClient(c, s.faults), nil
		},
	})
	require.NoError(w.t, err)
	wakeups := &Wakeups{Clock: s.clock, Tracer: s.tracer}
	engine, err := watch.New(watch.Options{Config: s.config, PollInterval: time.Second, OnChange: wakeups.Enqueue, Log: logr.Discard()})
	require.NoError(w.t, err)
	require.NoError(w.t, mgr.Add(engine))
	reconciler := &Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Watches: engine, Key: s.key,
		Recorder: mgr.GetEventRecorder("kube-changejob"), Clock: s.clock, Term: s.term, Tracer: s.tracer,
	}
	require.NoError(w.t, reconciler.SetupWithManager(mgr, wakeups, controller.Options{
		MaxConcurrentReconciles: 4, SkipNameValidation: new(true),
	}))

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			assert.NoError(w.t, err)
		case <-time.After(patience):
			w.t.Error("the manager does not stop")
		}
	})
	w.t.Cleanup(stop)
	return &operator{Reconciler: reconciler, engine: engine, stop: stop}
}

// configMap creates a ConfigMap with one key.
func (w *world) configMap(name, value string) *corev1.ConfigMap {
	w.t.Helper()
	object := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Data:       map[string]string{"key": value},
	}
	require.NoError(w.t, w.Create(w.ctx, object))
	return object
}

// change sets the key of a ConfigMap.
func (w *world) change(name, value string) {
	w.t.Helper()
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"data":{"key":"`+value+`"}}`))
	require.NoError(w.t, w.Patch(w.ctx, object, patch))
}

// trigger is a ChangeTriggeredJob on ConfigMaps with no cooldown; edit alters it before it is created.
func (w *world) trigger(name string, configMaps []string, edit ...func(*v1alpha.ChangeTriggeredJobSpec)) *v1alpha.ChangeTriggeredJob {
	w.t.Helper()
	ctj := &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec: v1alpha.ChangeTriggeredJobSpec{
			JobTemplate: jobs.Template(),
			Cooldown:    &metav1.Duration{},
		},
	}
	for _, configMap := range configMaps {
		ctj.Spec.Resources = append(ctj.Spec.Resources, v1alpha.ResourceReference{
			APIVersion: "v1", Kind: "ConfigMap", Namespace: w.namespace, Name: configMap, Fields: []string{"data"},
		})
	}
	for _, change := range edit {
		change(&ctj.Spec)
	}
	require.NoError(w.t, w.Create(w.ctx, ctj))
	return ctj
}

// edit changes the spec of a ChangeTriggeredJob.
func (w *world) edit(name string, change func(*v1alpha.ChangeTriggeredJobSpec)) {
	w.t.Helper()
	require.EventuallyWithT(w.t, func(c *assert.CollectT) {
		ctj := w.get(name)
		change(&ctj.Spec)
		require.NoError(c, w.Update(w.ctx, ctj))
	}, patience, tick)
}

func (w *world) get(name string) *v1alpha.ChangeTriggeredJob {
	w.t.Helper()
	ctj := &v1alpha.ChangeTriggeredJob{}
	require.NoError(w.t, w.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, ctj))
	return ctj
}

// jobs returns the Jobs of a ChangeTriggeredJob by the label that the user guide names.
func (w *world) jobs(name string) []batchv1.Job {
	w.t.Helper()
	var list batchv1.JobList
	require.NoError(w.t, w.List(w.ctx, &list, client.InNamespace(w.namespace), client.MatchingLabels{job.OwnerLabel: name}))
	return list.Items
}

func namesOf(jobs []batchv1.Job) []string {
	names := make([]string, 0, len(jobs))
	for i := range jobs {
		names = append(names, jobs[i].Name)
	}
	return names
}

// eventually waits until check holds of the ChangeTriggeredJob and its Jobs.
func (w *world) eventually(name string, check func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, jobs []batchv1.Job)) {
	w.t.Helper()
	require.EventuallyWithT(w.t, func(c *assert.CollectT) { check(c, w.get(name), w.jobs(name)) }, patience, tick)
}

// watching waits until the ChangeTriggeredJob has its baseline.
func (w *world) watching(name string) {
	w.t.Helper()
	w.eventually(name, func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		require.Equal(c, ctj.Generation, ctj.Status.ObservedGeneration)
		requireCondition(c, ctj, "Available", metav1.ConditionTrue, "")
		for _, resource := range ctj.Status.ResourceHashes {
			for _, field := range resource.Fields {
				require.NotEmpty(c, field.Hash)
			}
		}
	})
}

// triggered waits until exactly count triggers have happened and their last Job is the newest one.
func (w *world) triggered(name string, count int64) *v1alpha.ChangeTriggeredJob {
	w.t.Helper()
	w.eventually(name, func(c *assert.CollectT, ctj *v1alpha.ChangeTriggeredJob, _ []batchv1.Job) {
		require.Equal(c, count, ctj.Status.TriggerCount)
		for _, resource := range ctj.Status.ResourceHashes {
			for _, field := range resource.Fields {
				require.Empty(c, field.LastTriggeredHash, "pending")
			}
		}
	})
	return w.get(name)
}

// settled passes a change through another ChangeTriggeredJob of the same operator and waits for its Job: by then
// the operator has seen everything that happened before. It stands in for "and nothing else happens".
func (w *world) settled() {
	w.t.Helper()
	name := "settle-" + metav1.Now().Format("150405.000000000")
	name = strings.ReplaceAll(name, ".", "-")
	w.configMap(name, "before")
	w.trigger(name, []string{name})
	w.watching(name)
	w.change(name, "after")
	w.triggered(name, 1)
}

func requireCondition(t require.TestingT, ctj *v1alpha.ChangeTriggeredJob, kind string, status metav1.ConditionStatus, reason string) {
	condition := meta.FindStatusCondition(ctj.Status.Conditions, kind)
	require.NotNil(t, condition, "no condition %s", kind)
	require.Equal(t, status, condition.Status, "%s: %s: %s", kind, condition.Reason, condition.Message)
	if reason != "" {
		require.Equal(t, reason, condition.Reason, condition.Message)
	}
	require.NotEmpty(t, condition.Message)
}

// finish ends a Job.
func (w *world) finish(name string, outcome batchv1.JobConditionType) {
	w.t.Helper()
	require.EventuallyWithT(w.t, func(c *assert.CollectT) {
		require.NoError(c, jobs.Finish(w.ctx, w.Client, w.namespace, name, outcome))
	}, patience, tick)
}

// events returns the events about the ChangeTriggeredJob.
func (w *world) events(t require.TestingT, name string) (events []eventsv1.Event) {
	var list eventsv1.EventList
	require.NoError(t, w.List(w.ctx, &list, client.InNamespace(w.namespace)))
	for _, event := range list.Items {
		if event.Regarding.Name == name {
			events = append(events, event)
		}
	}
	return events
}

// event waits for an event about the ChangeTriggeredJob.
func (w *world) event(name, reason string) {
	w.t.Helper()
	w.eventWhere(name, reason, func(eventsv1.Event) bool { return true })
}

// eventAbout waits for one about one of its Jobs.
func (w *world) eventAbout(name, reason, job string) {
	w.t.Helper()
	w.eventWhere(name, reason, func(event eventsv1.Event) bool {
		return event.Related != nil && event.Related.Kind == "Job" && event.Related.Name == job && strings.Contains(event.Note, job)
	})
}

func (w *world) eventWhere(name, reason string, holds func(eventsv1.Event) bool) {
	w.t.Helper()
	require.EventuallyWithT(w.t, func(c *assert.CollectT) {
		require.True(c, slices.ContainsFunc(w.events(c, name), func(event eventsv1.Event) bool {
			return event.Reason == reason && holds(event)
		}), "no event %s about %s", reason, name)
	}, patience, tick)
}
