package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
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
	// patience is how long something may take that is to happen, where nothing else is said.
	patience = time.Minute
	tick     = 20 * time.Millisecond
)

// world is one namespace of an API server, an operator for it, the proxy between the two, and the oracle.
type world struct {
	*apiserver.Server
	t         *testing.T
	namespace string
	report    *row
	proxy     *proxy
	options   operator.Options
	process   *operator.Process
	// excuses are the oracle's.
	excuses map[string][]string
	// patience is how long something may take that is to happen.
	patience time.Duration

	audit   *apiserver.AuditReader
	history *history
	changes int
	idled   atomic.Bool // whether collect does nothing
	revives bool        // whether an operator that has ended by itself is started again, as the kubelet would

	mu   sync.Mutex
	seen map[types.UID]*batchv1.Job
}

// own starts an API server for one test alone, which runs beside others, and whose audit log is in the file that is returned.
func own(t *testing.T, options ...apiserver.Option) (*apiserver.Server, string) {
	t.Helper()
	t.Parallel()
	return alone(t, options...)
}

// alone is own for a test that needs the whole machine: no other runs beside it.
func alone(t *testing.T, options ...apiserver.Option) (*apiserver.Server, string) {
	t.Helper()
	audit := filepath.Join(t.TempDir(), "audit.log")
	return apiserver.Start(t, append(options, apiserver.CRDs(), auditLog(audit))...), audit
}

// auditLog has the file hold what the oracle asks for.
func auditLog(file string) apiserver.Option {
	return apiserver.AuditWritesOf(file, map[string][]string{
		"batch": {"jobs"}, v1alpha.GroupVersion.Group: {"changetriggeredjobs", "changetriggeredjobs/status"},
	})
}

// newWorld makes a world of an API server. When the test has ended, and no operator runs any more, the oracle looks
// once more for what should never have been.
func newWorld(t *testing.T, server *apiserver.Server, audit string, report *row) *world {
	t.Helper()
	w := &world{
		Server: server, t: t, namespace: server.Namespace(t), report: report, excuses: map[string][]string{}, patience: patience, seen: map[types.UID]*batchv1.Job{},
		audit: &apiserver.AuditReader{File: audit}, history: newHistory(),
	}
	_, err := w.audit.Next() // what was before is not of this namespace
	require.NoError(t, err)
	w.through(server.Config)
	t.Cleanup(func() {
		if v, err := w.verdict(); err == nil && len(v.broken) > 0 {
			t.Errorf("promises that were not kept:\n%s", strings.Join(v.broken, "\n"))
		}
	})
	return w
}

// through has operators that are started from now on go through a new proxy, as this user.
func (w *world) through(config *rest.Config) {
	w.t.Helper()
	w.proxy = newProxy(w.t, config)
	w.options = operator.Options{KubeConfig: operator.KubeConfigOfProxy(w.proxy.url), Namespace: w.namespace, Metrics: true,
		Args: []string{"--watch-namespaces=" + w.namespace, "--poll-interval=1s"}}
}

// start starts the operator and waits until it is ready.
func (w *world) start(args ...string) *operator.Process {
	w.t.Helper()
	options := w.options
	options.Args = append(slices.Clone(options.Args), args...)
	w.process = operator.Start(w.t, options)
	return w.process
}

// eventually asks again and again until there is no error.
func (w *world) eventually(ask func() error) {
	w.t.Helper()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for deadline := time.Now().Add(w.patience); ; <-ticker.C {
		if w.revives && w.process.Ended() {
			w.report.injected("the operator lost its lease and ended, and was started again", 1)
			w.start()
		}
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("after %s: %v", w.patience, err)
		}
	}
}

// inject makes a fault befall requests, and counts it for the report when the test ends.
func (w *world) inject(f fault, on func(*call) bool, edits ...func(*injection)) *injection {
	i := w.proxy.inject(f, on, edits...)
	w.t.Cleanup(func() { w.report.injected(f.name, i.strikes()) })
	return i
}

// configMap creates a ConfigMap.
func (w *world) configMap(name string) {
	w.t.Helper()
	require.NoError(w.t, w.Client.Create(w.t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, Data: map[string]string{"key": "first"},
	}))
}

// change gives a ConfigMap a value that nothing had before.
func (w *world) change(name string) {
	w.t.Helper()
	w.changes++
	w.set(name, fmt.Sprintf("change-%d", w.changes))
}

// set gives a ConfigMap a value.
func (w *world) set(name, value string) {
	w.t.Helper()
	w.eventually(func() error { return w.trySet(w.t.Context(), name, value) })
}

func (w *world) trySet(ctx context.Context, name, value string) error {
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	return w.Client.Patch(ctx, object, mergePatch(fmt.Sprintf(`{"data":{"key":%q}}`, value)))
}

func mergePatch(patch string) client.Patch {
	return client.RawPatch(types.MergePatchType, []byte(patch))
}

// remove deletes a ConfigMap.
func (w *world) remove(name string) {
	w.t.Helper()
	require.NoError(w.t, w.Client.Delete(w.t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}))
}

// ctj creates a ChangeTriggeredJob on ConfigMaps, without a cooldown; edits alter it before.
func (w *world) ctj(name string, configMaps []string, edits ...func(*v1alpha.ChangeTriggeredJobSpec)) *v1alpha.ChangeTriggeredJob {
	w.t.Helper()
	ctj := w.newCTJ(name, configMaps, edits...)
	require.NoError(w.t, w.Client.Create(w.t.Context(), ctj))
	return ctj
}

func (w *world) tryCTJ(name string, configMaps []string) error {
	return w.Client.Create(w.t.Context(), w.newCTJ(name, configMaps))
}

func (w *world) newCTJ(name string, configMaps []string, edits ...func(*v1alpha.ChangeTriggeredJobSpec)) *v1alpha.ChangeTriggeredJob {
	ctj := &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec:       v1alpha.ChangeTriggeredJobSpec{JobTemplate: jobs.Template(), Cooldown: &metav1.Duration{}, OnLoop: v1alpha.IgnoreLoop},
	}
	for _, configMap := range configMaps {
		ctj.Spec.Resources = append(ctj.Spec.Resources, reference(w.namespace, configMap))
	}
	for _, edit := range edits {
		edit(&ctj.Spec)
	}
	return ctj
}

func reference(namespace, configMap string) v1alpha.ResourceReference {
	return v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: configMap, Fields: []string{"data"}}
}

// edit changes the spec of a ChangeTriggeredJob.
func (w *world) edit(name string, change func(*v1alpha.ChangeTriggeredJobSpec)) {
	w.t.Helper()
	w.eventually(func() error {
		ctj, err := w.get(name)
		if err != nil {
			return err
		}
		change(&ctj.Spec)
		return w.Client.Update(w.t.Context(), ctj)
	})
}

func (w *world) get(name string) (*v1alpha.ChangeTriggeredJob, error) {
	ctj := &v1alpha.ChangeTriggeredJob{}
	return ctj, w.Client.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, ctj)
}

// shows waits until status is as it is to be.
func (w *world) shows(name string, holds func(*v1alpha.ChangeTriggeredJob) error) {
	w.t.Helper()
	w.eventually(func() error {
		ctj, err := w.get(name)
		if err != nil {
			return err
		}
		return holds(ctj)
	})
}

// watching waits until every field has a baseline.
func (w *world) watching(names ...string) {
	w.t.Helper()
	for _, name := range names {
		w.shows(name, func(ctj *v1alpha.ChangeTriggeredJob) error {
			if c := meta.FindStatusCondition(ctj.Status.Conditions, trigger.ConditionAvailable); c == nil || c.Status != metav1.ConditionTrue {
				return fmt.Errorf("%s is not available: %+v", name, c)
			}
			return nil
		})
	}
}

// triggered waits until a ChangeTriggeredJob counts so many triggers, and nothing is pending.
func (w *world) triggered(name string, count int64) {
	w.t.Helper()
	w.shows(name, func(ctj *v1alpha.ChangeTriggeredJob) error {
		if ctj.Status.TriggerCount != count {
			return fmt.Errorf("%s counts %d triggers, want %d: %+v", name, ctj.Status.TriggerCount, count, ctj.Status.Conditions)
		}
		for _, f := range fields(ctj) {
			if f.pending() {
				return fmt.Errorf("%s: %s is pending", name, f.ObjectReference)
			}
		}
		return nil
	})
}

// condition waits until a condition has this reason.
func (w *world) condition(name, kind, reason string) {
	w.t.Helper()
	w.shows(name, func(ctj *v1alpha.ChangeTriggeredJob) error { return hasReason(ctj, kind, reason) })
}

func hasReason(ctj *v1alpha.ChangeTriggeredJob, kind, reason string) error {
	if c := meta.FindStatusCondition(ctj.Status.Conditions, kind); c == nil || c.Reason != reason {
		return fmt.Errorf("%s: %s is %+v, want %s", ctj.Name, kind, c, reason)
	}
	return nil
}

// jobs returns the Jobs that there are, and remembers them for the oracle. No Job goes unseen: only those go that have
// ended or were let go, and both is done by who calls this.
func (w *world) jobs(ctx context.Context) ([]batchv1.Job, error) {
	var list batchv1.JobList
	if err := w.Client.List(ctx, &list, client.InNamespace(w.namespace), client.HasLabels{job.OwnerLabel}); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range list.Items {
		w.seen[list.Items[i].UID] = list.Items[i].DeepCopy()
	}
	return list.Items, nil
}

// finish ends every Job that runs, as the Job controller would.
func (w *world) finish() {
	w.t.Helper()
	w.eventually(func() error { return w.finishAll(w.t.Context()) })
}

func (w *world) finishAll(ctx context.Context) error {
	list, err := w.jobs(ctx)
	if err != nil {
		return err
	}
	for i := range list {
		if len(list[i].Status.Conditions) > 0 {
			continue
		}
		err := jobs.Finish(ctx, w.Client, w.namespace, list[i].Name, batchv1.JobComplete)
		if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) { // the operator, or another of us, was there first
			return err
		}
	}
	return nil
}

// rests waits until the oracle finds nothing that is not as it should be, and returns what it found. What can
// never be right again fails the test at once.
func (w *world) rests() verdict {
	w.t.Helper()
	var v verdict
	w.eventually(func() error {
		var err error
		if v, err = w.verdict(); err != nil {
			return err
		}
		if len(v.broken) > 0 {
			w.t.Fatalf("promises that were not kept:\n%s", strings.Join(v.broken, "\n"))
		}
		if len(v.unsettled) > 0 {
			return fmt.Errorf("not at rest:\n%s", strings.Join(v.unsettled, "\n"))
		}
		return nil
	})
	return v
}

// verdict asks the oracle.
func (w *world) verdict() (verdict, error) {
	ctx := context.Background()
	e := evidence{history: w.history, excuses: w.excuses, present: map[types.UID]map[place]string{}}
	var list v1alpha.ChangeTriggeredJobList
	if err := w.Client.List(ctx, &list, client.InNamespace(w.namespace)); err != nil {
		return verdict{}, err
	}
	e.ctjs = list.Items
	key, err := w.key(ctx)
	if err != nil {
		return verdict{}, err
	}
	seen := map[trigger.ObjectReference][]byte{}
	for i := range e.ctjs {
		ctj := &e.ctjs[i]
		if e.present[ctj.UID], err = w.present(ctx, ctj, key, seen); err != nil {
			return verdict{}, err
		}
	}
	events, err := w.audit.Next()
	if err != nil {
		return verdict{}, err
	}
	for i := range events {
		if o := events[i].ObjectRef; o == nil || o.Namespace != w.namespace {
			continue
		}
		if err := w.history.add(&events[i]); err != nil {
			return verdict{}, err
		}
	}
	if _, err := w.jobs(ctx); err != nil {
		return verdict{}, err
	}
	w.mu.Lock()
	e.seen = slices.Collect(maps.Values(w.seen))
	w.mu.Unlock()
	v := judge(e)
	if len(v.broken) > 0 {
		for i := range e.ctjs {
			if name := e.ctjs[i].Name + ":"; slices.ContainsFunc(v.broken, func(finding string) bool { return strings.HasPrefix(finding, name) }) {
				v.broken = append(v.broken, name, e.story(e.ctjs[i].UID))
			}
		}
	}
	return v, nil
}

// key is the operator's key, by which the oracle knows what status should say.
func (w *world) key(ctx context.Context) (*keyedhash.Key, error) {
	secret := &corev1.Secret{}
	if err := w.Client.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: keyedhash.SecretName}, secret); err != nil {
		return nil, err
	}
	return keyedhash.NewKey(secret.Data[keyedhash.DataKey])
}

// present is the hashes of what the API server has of the objects that ctj references. Objects are read once.
func (w *world) present(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, key *keyedhash.Key, seen map[trigger.ObjectReference][]byte) (map[place]string, error) {
	hashes := map[place]string{}
	for _, r := range trigger.MergeReferences(ctj.Spec.Resources) {
		content, read := seen[r.Reference]
		if !read {
			var err error
			if content, err = w.read(ctx, r.Reference); err != nil {
				return nil, err
			}
			seen[r.Reference] = content
		}
		for _, path := range r.Fields {
			compiled, err := fieldpath.Compile(path)
			if err != nil {
				continue
			}
			digest := fieldpath.Absent
			if content != nil {
				digest = compiled.Digest(content)
			}
			hashes[place{r.Reference, path}] = key.Publish(ctj.UID, r.Reference, path, digest)
		}
	}
	return hashes, nil
}

// read returns an object as JSON; nil where there is none, or not even its kind.
func (w *world) read(ctx context.Context, r trigger.ObjectReference) ([]byte, error) {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(r.APIVersion)
	object.SetKind(r.Kind)
	err := w.Client.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: r.Name}, object)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(object)
}

// collect lets go, again and again until it is stopped, the Jobs that wait for their Pods to be gone, and ends those that run: there
// are no Pods, and neither a garbage collector nor a Job controller.
func (w *world) collect(stop <-chan struct{}, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if !w.idled.Load() {
			_ = w.letGo(context.Background())
			_ = w.finishAll(context.Background())
		}
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
	}
}

func (w *world) letGo(ctx context.Context) error {
	list, err := w.jobs(ctx)
	if err != nil {
		return err
	}
	for i := range list {
		j := &list[i]
		if j.DeletionTimestamp.IsZero() || len(j.Finalizers) == 0 {
			continue
		}
		j.Finalizers = nil
		if err := w.Client.Update(ctx, j); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}
