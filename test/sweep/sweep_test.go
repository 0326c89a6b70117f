// Package sweep edits a ChangeTriggeredJob from every one of a set of specs to every other, with the operator's real
// program and a real API server, while nothing changes and while changes stream in.
package sweep

import (
	"context"
	"fmt"
	"math/rand"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/keyedhash"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/jobs"
	"github.com/nusnewob/kube-changejob/test/operator"
)

const (
	patience = 30 * time.Second
	tick     = 10 * time.Millisecond
	name     = "ctj"
	// long is a cooldown that does not end.
	long = 720 * time.Hour
)

// spec is one of those that are edited into each other.
type spec struct {
	name string
	edit func(namespace string, s *v1alpha.ChangeTriggeredJobSpec)
}

// specs differ from each other in everything that an edit can change.
var specs = []spec{
	{"a whole object", refers(configMap("a", "*"))},
	{"two of its fields", refers(configMap("a", "data.x", "data.y"))},
	{"the same in another order, and one more object", refers(configMap("a", "data.y", "data.x"), secret())},
	{"one object in several references", refers(configMap("a", "data.x"), secret(), configMap("a", "data.y", "*"))},
	{"all of three, one of which is never there", refers(configMap("a", "data"), secret(), configMap("never", "*")).and(func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Condition = v1alpha.TriggerAll
	})},
	{"all of two", refers(configMap("a", "data"), configMap("b", "data")).and(func(s *v1alpha.ChangeTriggeredJobSpec) { s.Condition = v1alpha.TriggerAll })},
	{"suspended", refers(configMap("a", "data"), configMap("b", "data")).and(func(s *v1alpha.ChangeTriggeredJobSpec) { s.Suspend = new(true) })},
	{"in a cooldown", refers(configMap("a", "data"), secret()).and(func(s *v1alpha.ChangeTriggeredJobSpec) { s.Cooldown = &metav1.Duration{Duration: long} })},
	{"one Job at a time", refers(configMap("a", "data.x"), configMap("b", "*")).and(func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.ConcurrencyPolicy, s.History = v1alpha.ForbidConcurrent, new(int32(1))
	})},
	{"the newest Job alone", refers(configMap("b", "*"), configMap("a", "data.x")).and(func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.ConcurrencyPolicy, s.History = v1alpha.ReplaceConcurrent, new(int32(2))
	})},
	{"another template, and an object without a namespace", func(namespace string, s *v1alpha.ChangeTriggeredJobSpec) {
		refers(configMap("a", "*"))(namespace, s)
		s.Resources = append(s.Resources, v1alpha.ResourceReference{APIVersion: "v1", Kind: "Namespace", Name: namespace, Fields: []string{"metadata.labels"}})
		s.JobTemplate = jobs.Template(func(j *batchv1.JobSpec) { j.BackoffLimit = new(int32(3)) })
	}},
	{"fields deep inside", refers(v1alpha.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "d",
		Fields: []string{"spec.template.spec.containers[*].image", "spec.replicas"}})},
	{"outside of its windows", refers(configMap("a", "data"), secret()).and(func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Windows = []v1alpha.TriggerWindow{{Schedule: "0 0 29 2 *", Duration: metav1.Duration{Duration: time.Minute}}}
		s.RunOnCreate, s.OnFailure, s.PendingDeadline = new(true), v1alpha.RetriggerOnFailure, &metav1.Duration{Duration: long}
	})},
	{"a kind that nobody serves", refers(v1alpha.ResourceReference{APIVersion: "example.com/v1", Kind: "Nothing", Name: "n"}, configMap("a", "data"))},
}

type edit func(namespace string, s *v1alpha.ChangeTriggeredJobSpec)

func (e edit) and(more func(*v1alpha.ChangeTriggeredJobSpec)) edit {
	return func(namespace string, s *v1alpha.ChangeTriggeredJobSpec) {
		e(namespace, s)
		more(s)
	}
}

func refers(references ...v1alpha.ResourceReference) edit {
	return func(namespace string, s *v1alpha.ChangeTriggeredJobSpec) {
		for _, reference := range references {
			reference.Namespace = namespace
			s.Resources = append(s.Resources, reference)
		}
	}
}

func configMap(name string, fields ...string) v1alpha.ResourceReference {
	return v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Name: name, Fields: fields}
}

func secret() v1alpha.ResourceReference {
	return v1alpha.ResourceReference{APIVersion: "v1", Kind: "Secret", Name: "s", Fields: []string{"data"}}
}

// tour is a way over every edge from one of n to another, once, that ends where it begins.
func tour(n int) []int {
	left := make([][]int, n)
	for from := range n {
		for to := range n {
			if from != to {
				left[from] = append(left[from], to)
			}
		}
	}
	var way []int
	for stack := []int{0}; len(stack) > 0; {
		at := stack[len(stack)-1]
		if len(left[at]) == 0 {
			way, stack = append(way, at), stack[:len(stack)-1]
			continue
		}
		stack, left[at] = append(stack, left[at][0]), left[at][1:]
	}
	return way
}

func TestATourTakesEveryEdgeOnce(t *testing.T) {
	way := tour(5)
	edges := map[[2]int]bool{}
	for i := range len(way) - 1 {
		edges[[2]int{way[i], way[i+1]}] = true
	}
	assert.Len(t, edges, 20)
	assert.Len(t, way, 21)
}

func TestFromEverySpecToEveryOther(t *testing.T) {
	audit := filepath.Join(t.TempDir(), "audit.log")
	server := apiserver.Start(t, apiserver.CRDs(), apiserver.AuditLog(audit, apiserver.AuditMetadata))
	operator.Start(t, operator.Options{KubeConfig: server.KubeConfig})
	stored := &corev1.Secret{}
	require.NoError(t, server.Client.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: keyedhash.SecretName}, stored))
	key, err := keyedhash.NewKey(stored.Data[keyedhash.DataKey])
	require.NoError(t, err)

	t.Run("walks", func(t *testing.T) {
		t.Run("while nothing changes, an edit makes nothing pending", func(t *testing.T) {
			t.Parallel()
			w := newWalker(t, server, key, 0)
			w.walk(func() {}, func() {})
			require.Zero(t, w.read(t).Status.TriggerCount)
		})
		for _, seed := range []int64{1, 2} {
			t.Run(fmt.Sprint("while changes stream in, nothing is lost: ", seed), func(t *testing.T) {
				t.Parallel()
				w := newWalker(t, server, key, seed)
				stop := w.stream()
				w.walk(w.changing.Unlock, w.changing.Lock)
				stop()
				w.editTo(spec{"all there is", refers(configMap("a", "*"), configMap("b", "*"), secret())})
				last := w.rest(t)
				require.Empty(t, pendingOf(last), "in the end everything is answered")
				t.Logf("%d edits, %d changes, %d Jobs", w.edits, w.changes, last.Status.TriggerCount)
				require.Greater(t, last.Status.TriggerCount, int64(len(specs)), "the changes had consequences")

				var want []string
				for number := range last.Status.TriggerCount {
					want = append(want, trigger.JobName(name, last.UID, number+1))
				}
				require.Equal(t, want, created(t, audit, w.namespace), "each trigger number was created once, in order")
			})
		}
	})
}

// created is the names of the Jobs that the API server has created in a namespace, in order, by its audit log.
func created(t *testing.T, audit, namespace string) (names []string) {
	events, err := apiserver.ReadAuditLog(audit)
	require.NoError(t, err)
	for _, event := range events {
		if event.Verb == "create" && event.ObjectRef.Resource == "jobs" && event.ObjectRef.Namespace == namespace && event.ResponseStatus.Code < 300 {
			names = append(names, event.ObjectRef.Name)
		}
	}
	return names
}

// walker walks one ChangeTriggeredJob over every edit, and knows what it was like at the last rest.
type walker struct {
	*apiserver.Server
	t         *testing.T
	key       *keyedhash.Key
	namespace string
	way       []int
	edits     int

	// changing is held while nothing is to change.
	changing sync.Mutex
	changes  int
	random   *rand.Rand

	replaced  bool              // a Job may have been replaced since the last rest
	gone      bool              // the newest Job had been replaced by the last rest, and none run since
	count     int64             // triggers until the last rest
	baselines map[string]string // at the last rest
}

func newWalker(t *testing.T, server *apiserver.Server, key *keyedhash.Key, seed int64) *walker {
	w := &walker{Server: server, t: t, key: key, namespace: server.Namespace(t), random: rand.New(rand.NewSource(seed)), baselines: map[string]string{}}
	w.way = tour(len(specs))
	w.changing.Lock()
	for _, object := range []string{"a", "b", "s", "d"} {
		w.change(object)
	}
	ctj := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	w.become(&ctj.Spec, specs[w.way[0]])
	require.NoError(t, w.Client.Create(t.Context(), ctj))
	w.rest(t)
	w.finishJobs()
	return w
}

func (w *walker) become(s *v1alpha.ChangeTriggeredJobSpec, to spec) {
	*s = v1alpha.ChangeTriggeredJobSpec{JobTemplate: jobs.Template(), Cooldown: &metav1.Duration{}, OnLoop: v1alpha.IgnoreLoop}
	to.edit(w.namespace, s)
}

func (w *walker) editTo(to spec) {
	w.t.Helper()
	require.EventuallyWithT(w.t, func(c *assert.CollectT) {
		ctj := w.read(c)
		w.replaced = w.replaced || ctj.Spec.ConcurrencyPolicy == v1alpha.ReplaceConcurrent
		w.become(&ctj.Spec, to)
		w.replaced = w.replaced || ctj.Spec.ConcurrencyPolicy == v1alpha.ReplaceConcurrent
		require.NoError(c, w.Client.Update(context.Background(), ctj))
	}, patience, tick)
	w.edits++
}

// walk makes every edit, each while changes may happen, and comes to rest after each.
func (w *walker) walk(begin, end func()) {
	for i := range len(w.way) - 1 {
		from, to := specs[w.way[i]], specs[w.way[i+1]]
		w.t.Logf("from %s to %s", from.name, to.name)
		begin()
		w.editTo(to)
		require.EventuallyWithT(w.t, func(c *assert.CollectT) {
			ctj := w.read(c)
			require.Equal(c, ctj.Generation, ctj.Status.ObservedGeneration)
		}, patience, tick)
		end()
		w.rest(w.t)
	}
}

// rest waits until what is pending is so for a lawful reason, and checks the status.
func (w *walker) rest(t *testing.T) *v1alpha.ChangeTriggeredJob {
	t.Helper()
	var rested *v1alpha.ChangeTriggeredJob
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		ctj := w.read(c)
		require.Equal(c, ctj.Generation, ctj.Status.ObservedGeneration)
		w.asSpec(c, ctj)
		w.lawful(c, ctj)
		w.kept(c, ctj)
		rested = ctj
	}, patience, tick)
	w.baselines, w.count, w.replaced = baselinesOf(rested), rested.Status.TriggerCount, rested.Spec.ConcurrencyPolicy == v1alpha.ReplaceConcurrent
	w.gone = w.newestJob(t, rested).Number != w.count
	return rested
}

// asSpec checks that status has the references and fields of the spec, in its order, and the hashes of what there is.
// Of what is pending the newest hash may be written later.
func (w *walker) asSpec(c require.TestingT, ctj *v1alpha.ChangeTriggeredJob) {
	merged := trigger.MergeReferences(ctj.Spec.Resources)
	require.Len(c, ctj.Status.ResourceHashes, len(merged))
	for i, wanted := range merged {
		shown := ctj.Status.ResourceHashes[i]
		require.Equal(c, wanted.Reference, objectOf(shown))
		require.Len(c, shown.Fields, len(wanted.Fields))
		object := w.object(c, wanted.Reference)
		for j, field := range wanted.Fields {
			require.Equal(c, field, shown.Fields[j].Field)
			path, err := fieldpath.Compile(field)
			require.NoError(c, err)
			hash := w.key.Publish(ctj.UID, wanted.Reference, field, path.Digest(object))
			if shown.Fields[j].LastTriggeredHash == "" {
				require.Equal(c, hash, shown.Fields[j].Hash, "%s of %s is not as status says", field, wanted.Reference)
			}
		}
	}
}

// object is the JSON of an object as it is now; nothing where there is none.
func (w *walker) object(c require.TestingT, reference trigger.ObjectReference) []byte {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(reference.APIVersion)
	object.SetKind(reference.Kind)
	err := w.Client.Get(context.Background(), client.ObjectKey{Namespace: reference.Namespace, Name: reference.Name}, object)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil
	}
	require.NoError(c, err)
	text, err := object.MarshalJSON()
	require.NoError(c, err)
	return text
}

// lawful checks that what is pending waits for a reason that the spec gives.
func (w *walker) lawful(c require.TestingT, ctj *v1alpha.ChangeTriggeredJob) {
	pending := pendingOf(ctj)
	progressing := meta.FindStatusCondition(ctj.Status.Conditions, trigger.ConditionProgressing)
	require.NotNil(c, progressing)
	if len(pending) == 0 {
		return
	}
	var reason string
	switch {
	case ctj.Spec.Suspended():
		reason = trigger.ReasonSuspended
	case ctj.Spec.Condition == v1alpha.TriggerAll && len(pending) < len(ctj.Status.ResourceHashes):
		reason = trigger.ReasonWaitingForAll
	case len(ctj.Spec.Windows) > 0:
		reason = trigger.ReasonOutsideWindow
	case ctj.Spec.EffectiveCooldown() == long && ctj.Status.LastTriggeredTime != nil:
		reason = trigger.ReasonCooldown
	default:
		require.Fail(c, "lost", "%v is pending and not answered: %s", pending, progressing.Message)
	}
	require.Equal(c, reason, progressing.Reason, progressing.Message)
}

// kept checks that an edit moved no baseline: each is what it was at the last rest, or what the newest Job since has
// run for.
func (w *walker) kept(c require.TestingT, ctj *v1alpha.ChangeTriggeredJob) {
	require.GreaterOrEqual(c, ctj.Status.TriggerCount, w.count)
	newest := w.newestJob(c, ctj)
	if ctj.Status.TriggerCount > 0 && newest.Number != ctj.Status.TriggerCount {
		require.True(c, w.replaced || w.gone && ctj.Status.TriggerCount == w.count, "the newest Job is gone, and nobody has replaced it")
		return
	}
	ranFor := map[string]string{}
	for _, h := range newest.Hashes {
		ranFor[h.Reference.String()+" "+h.Field] = h.Hash
	}
	for place, baseline := range baselinesOf(ctj) {
		before, stayed := w.baselines[place]
		answered, mentioned := ranFor[place]
		switch {
		case baseline == trigger.Unknown:
			require.True(c, w.replaced || before == trigger.Unknown, "%s is forgotten", place)
		case ctj.Status.TriggerCount > w.count && mentioned:
			require.Equal(c, answered, baseline, "%s is not what the newest Job ran for", place)
		case stayed:
			require.Equal(c, before, baseline, "an edit moved what %s is compared with", place)
		}
	}
}

func (w *walker) newestJob(c require.TestingT, ctj *v1alpha.ChangeTriggeredJob) (newest trigger.Job) {
	unaware := ctj.DeepCopy() // of what an ended Job ran for, only a status that does not know it asks
	unaware.Status.TriggerCount = 0
	merged := trigger.MergeReferences(ctj.Spec.Resources)
	for _, stored := range w.jobs(c) {
		if observed := job.Observe(&stored, unaware, merged); observed.Number > newest.Number {
			newest = observed
		}
	}
	return newest
}

func (w *walker) read(c require.TestingT) *v1alpha.ChangeTriggeredJob {
	ctj := &v1alpha.ChangeTriggeredJob{}
	require.NoError(c, w.Client.Get(context.Background(), client.ObjectKey{Namespace: w.namespace, Name: name}, ctj))
	return ctj
}

func (w *walker) jobs(c require.TestingT) []batchv1.Job {
	var list batchv1.JobList
	require.NoError(c, w.Client.List(context.Background(), &list, client.InNamespace(w.namespace)))
	return list.Items
}

// every calls do again and again until the returned function is called, or the test ends.
func (w *walker) every(pause time.Duration, do func()) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(pause):
				do()
			}
		}
	}()
	stop = sync.OnceFunc(func() {
		close(done)
		<-ended
	})
	w.t.Cleanup(stop)
	return stop
}

// stream lets changes happen for as long as nobody holds changing.
func (w *walker) stream() (stop func()) {
	return w.every(2*time.Millisecond, func() {
		if w.changing.TryLock() {
			defer w.changing.Unlock()
			w.change([]string{"a", "a", "b", "s", "d", "namespace"}[w.random.Intn(6)])
		}
	})
}

// finishJobs stands in for the Job controller and the garbage collector.
func (w *walker) finishJobs() {
	w.every(20*time.Millisecond, func() {
		for _, stored := range w.jobs(w.t) {
			if stored.DeletionTimestamp != nil {
				patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
				assert.NoError(w.t, client.IgnoreNotFound(w.Client.Patch(context.Background(), &stored, patch)))
			} else if err := jobs.Finish(context.Background(), w.Client, w.namespace, stored.Name, batchv1.JobComplete); !apierrors.IsConflict(err) {
				assert.NoError(w.t, client.IgnoreNotFound(err))
			}
		}
	})
}

// change gives an object one of a few states; that it does not exist is one of those of b.
func (w *walker) change(object string) {
	w.changes++
	ctx := context.Background()
	at := metav1.ObjectMeta{Namespace: w.namespace, Name: object}
	values := map[string]string{"x": strconv.Itoa(w.random.Intn(3)), "y": strconv.Itoa(w.random.Intn(2))}
	var wanted client.Object
	switch object {
	case "s":
		wanted = &corev1.Secret{ObjectMeta: at, StringData: values}
	case "d":
		spec := jobs.Spec().Template.Spec
		spec.RestartPolicy, spec.Containers[0].Image = corev1.RestartPolicyAlways, "busybox:"+values["x"]
		labels := map[string]string{"app": "d"}
		wanted = &appsv1.Deployment{ObjectMeta: at, Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(w.random.Intn(2))), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec}}}
	case "namespace":
		patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":{"x":%q}}}`, values["x"]))
		assert.NoError(w.t, w.Client.Patch(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}, patch))
		return
	default:
		wanted = &corev1.ConfigMap{ObjectMeta: at, Data: values}
	}
	if object == "b" && w.random.Intn(4) == 0 {
		assert.NoError(w.t, client.IgnoreNotFound(w.Client.Delete(ctx, wanted)))
		return
	}
	err := w.Client.Update(ctx, wanted.DeepCopyObject().(client.Object))
	if apierrors.IsNotFound(err) {
		err = w.Client.Create(ctx, wanted)
	}
	assert.NoError(w.t, err)
}

// pendingOf names the objects that are pending.
func pendingOf(ctj *v1alpha.ChangeTriggeredJob) (pending []string) {
	for _, shown := range ctj.Status.ResourceHashes {
		if slices.ContainsFunc(shown.Fields, func(f v1alpha.FieldHash) bool { return f.LastTriggeredHash != "" }) {
			pending = append(pending, objectOf(shown).String())
		}
	}
	return pending
}

func baselinesOf(ctj *v1alpha.ChangeTriggeredJob) map[string]string {
	baselines := map[string]string{}
	for _, shown := range ctj.Status.ResourceHashes {
		for _, field := range shown.Fields {
			baseline := field.LastTriggeredHash
			if baseline == "" {
				baseline = field.Hash
			}
			baselines[objectOf(shown).String()+" "+field.Field] = baseline
		}
	}
	return baselines
}

func objectOf(shown v1alpha.ResourceHash) trigger.ObjectReference {
	return trigger.ObjectReference{APIVersion: shown.APIVersion, Kind: shown.Kind, Namespace: shown.Namespace, Name: shown.Name}
}
