package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/keyedhash"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/pkg/watch"
	"github.com/nusnewob/kube-changejob/test/jobs"
)

// FuzzReconcile reads its bytes as a story: changes, edits, Jobs that end, go or are tampered with, caches that lag,
// writes that fail or whose answers are lost, crashes, two processes of which one comes between another's requests.
// The reconciler is the real one, on an API server in memory that checks every write:
//
//   - P1: each number runs once, numbers have no gap, a baseline moves with its Job alone, a cooldown is never cut
//     short, two Jobs never run side by side under Forbid and Replace, and in the end nothing is unanswered;
//   - P3: in the end nothing is written any more;
//   - rule 8: status has the references and fields of the spec, in its order.
func FuzzReconcile(f *testing.F) {
	random := rand.New(rand.NewSource(1))
	for range 100 {
		story := make([]byte, 50+random.Intn(350))
		random.Read(story)
		f.Add(story)
	}
	f.Fuzz(func(t *testing.T, story []byte) {
		s := newStage(t, story[:min(len(story), 2000)])
		for len(s.story) > 0 {
			s.happen(true)
		}
		s.settle()
	})
}

// stage is the API server, what it holds, and the processes that work on it.
type stage struct {
	t     *testing.T
	story []byte
	clock *clocktesting.FakePassiveClock
	key   byte

	// Versions of what is stored, the newest last: a cache may have any of them.
	ctjs []*v1alpha.ChangeTriggeredJob
	jobs [][]batchv1.Job

	objects   map[string]string // JSON of the referenced objects that exist, by name
	forbidden map[string]bool

	processes []*process // the last one leads

	born        map[int64]bool
	excepted    map[int64]bool // numbers that may run twice: see P1
	made        int            // Jobs in all
	writes      int
	jumps       int // of the clock
	lastCreated time.Time
	lastJumps   int
	depth       int  // of processes inside a request
	calm        bool // no fault happens any more
}

const (
	playNamespace = "ns"
	playName      = "ctj"
	playUID       = types.UID("0b0c7a0e-0000-4000-8000-000000000001")
)

var playObjects = []string{"a", "b", "c"}

func playReference(name string, fields ...string) v1alpha.ResourceReference {
	return v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: playNamespace, Name: name, Fields: fields}
}

// playReferences are what specs refer to.
var playReferences = [][]v1alpha.ResourceReference{
	{playReference("a", "*")},
	{playReference("a", "data")},
	{playReference("a", "data.x", "data.y"), playReference("b", "*")},
	{playReference("b", "*"), playReference("a", "data.y", "data.x")},
	{playReference("a", "data.x"), playReference("b", "*"), playReference("a", "data.y", "data.x")},
	{playReference("c", "data", "*"), playReference("b", "*"), playReference("a", "*")},
	{playReference("b", "data.x")},
}

func newStage(t *testing.T, story []byte) *stage {
	s := &stage{t: t, story: story, clock: clocktesting.NewFakePassiveClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)),
		objects: map[string]string{}, forbidden: map[string]bool{}, born: map[int64]bool{}, excepted: map[int64]bool{},
		jobs: [][]batchv1.Job{nil}}
	s.store(&v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: playNamespace, Name: playName, UID: playUID},
		Spec:       v1alpha.ChangeTriggeredJobSpec{JobTemplate: jobs.Template()},
	})
	s.edit()
	s.begin()
	return s
}

// next is the next byte of the story, below n.
func (s *stage) next(n int) int {
	if len(s.story) == 0 {
		return 0
	}
	b := s.story[0]
	s.story = s.story[1:]
	return int(b) % n
}

func (s *stage) ctj() *v1alpha.ChangeTriggeredJob { return s.ctjs[len(s.ctjs)-1] }

func (s *stage) newestJobs() []batchv1.Job { return s.jobs[len(s.jobs)-1] }

func (s *stage) store(ctj *v1alpha.ChangeTriggeredJob) {
	ctj.ResourceVersion = strconv.Itoa(len(s.ctjs) + 1)
	s.ctjs = append(s.ctjs, ctj)
}

// alterJobs stores another version of the Jobs.
func (s *stage) alterJobs(alter func(stored []batchv1.Job) []batchv1.Job) {
	var copies []batchv1.Job
	for _, stored := range s.newestJobs() {
		copies = append(copies, *stored.DeepCopy())
	}
	s.jobs = append(s.jobs, alter(copies))
}

func (s *stage) findJob(name string) *batchv1.Job {
	stored := s.newestJobs()
	for i := range stored {
		if stored[i].Name == name {
			return &stored[i]
		}
	}
	return nil
}

func (s *stage) edit() {
	ctj := s.ctj().DeepCopy()
	ctj.Generation++
	spec := &ctj.Spec
	spec.Resources = playReferences[s.next(len(playReferences))]
	spec.Condition = []v1alpha.TriggerCondition{v1alpha.TriggerAny, v1alpha.TriggerAny, v1alpha.TriggerAll}[s.next(3)]
	spec.ConcurrencyPolicy = []v1alpha.ConcurrencyPolicy{v1alpha.AllowConcurrent, v1alpha.ForbidConcurrent, v1alpha.ReplaceConcurrent}[s.next(3)]
	spec.Cooldown = &metav1.Duration{Duration: []time.Duration{0, time.Second, time.Minute}[s.next(3)]}
	spec.History = new(int32(1 + s.next(3)))
	spec.Suspend = new(s.next(4) == 0)
	s.store(ctj)
}

func (s *stage) begin() {
	s.processes = append(s.processes, newProcess(s))
	if s.depth == 0 { // else one of them is inside a request
		s.processes = s.processes[max(len(s.processes)-2, 0):]
	}
}

// happen plays the next thing of the story. Nothing but what others do happens inside a request.
func (s *stage) happen(outside bool) {
	actor := s.processes[s.next(len(s.processes))]
	object := playObjects[s.next(len(playObjects))]
	switch s.next(28) {
	case 0, 1, 2:
		s.change(object)
	case 3:
		delete(s.objects, object)
	case 4:
		s.forbidden[object] = !s.forbidden[object]
	case 5:
		s.edit()
	case 6:
		s.end(s.next(8), s.next(2) == 0)
	case 7:
		s.remove(s.next(8))
	case 8:
		s.tamper(s.next(8))
	case 9:
		s.takeName()
	case 10, 11:
		actor.see(object)
	case 12:
		actor.catchUp()
	case 13:
		actor.cachedCTJ = len(s.ctjs) - 1
	case 14:
		if outside {
			s.clock.SetTime(s.clock.Now().Add(time.Duration(s.next(256)) * 300 * time.Millisecond))
		}
	case 15:
		if outside && s.next(4) == 0 {
			s.jumps++
			s.clock.SetTime(s.clock.Now().Add(time.Duration(s.next(256)-128) * time.Minute))
		}
	case 16:
		if outside {
			if s.next(8) == 0 {
				s.key++
			}
			s.processes = nil
			s.begin()
		}
	case 17:
		s.begin()
	case 18:
		actor.act()
	default:
		if outside {
			s.clock.SetTime(s.clock.Now().Add(time.Minute))
			s.change(object)
		}
		for _, object := range playObjects {
			actor.see(object)
		}
		if s.next(4) != 0 {
			actor.catchUp()
		}
		actor.act()
	}
}

func (s *stage) change(object string) {
	s.objects[object] = fmt.Sprintf(`{"metadata":{"name":%q},"data":{"x":"%d","y":"%d"}}`, object, s.next(3), s.next(2))
}

// choose returns the place of one of the Jobs for which holds, or -1.
func (s *stage) choose(which int, holds func(*batchv1.Job) bool) int {
	var fit []int
	stored := s.newestJobs()
	for i := range stored {
		if holds(&stored[i]) {
			fit = append(fit, i)
		}
	}
	if len(fit) == 0 {
		return -1
	}
	return fit[which%len(fit)]
}

func unfinished(j *batchv1.Job) bool { return job.Outcome(j) == v1alpha.JobActive }

func (s *stage) end(which int, complete bool) {
	i := s.choose(which, unfinished)
	if i < 0 {
		return
	}
	s.alterJobs(func(stored []batchv1.Job) []batchv1.Job {
		condition := batchv1.JobCondition{Type: batchv1.JobFailed, Status: corev1.ConditionTrue}
		if complete {
			condition.Type = batchv1.JobComplete
		}
		stored[i].Status.Conditions = append(stored[i].Status.Conditions, condition)
		return stored
	})
}

// remove deletes a Job at once, as a person may.
func (s *stage) remove(which int) {
	if i := s.choose(which, func(*batchv1.Job) bool { return true }); i >= 0 {
		s.gone(s.newestJobs()[i].Name)
	}
}

// gone takes a Job away. Where a create of its number is unsettled, before the status write or in a process that
// is stopped inside the call, that number can run twice: the exception that P1 states.
func (s *stage) gone(name string) {
	for number := range s.born {
		creating := slices.ContainsFunc(s.processes, func(p *process) bool { return p.creating == name })
		if nameOfTrigger(number) == name && (creating || number > s.ctj().Status.TriggerCount) {
			s.excepted[number] = true
		}
	}
	s.alterJobs(func(stored []batchv1.Job) []batchv1.Job {
		return slices.DeleteFunc(stored, func(j batchv1.Job) bool { return j.Name == name })
	})
}

func nameOfTrigger(number int64) string { return trigger.JobName(playName, playUID, number) }

// tamper writes into a Job's annotations, as whoever may write Jobs can.
func (s *stage) tamper(which int) {
	i := s.choose(which, func(*batchv1.Job) bool { return true })
	if i < 0 {
		return
	}
	s.alterJobs(func(stored []batchv1.Job) []batchv1.Job {
		annotations := stored[i].Annotations
		switch s.next(6) {
		case 0:
			delete(annotations, job.TriggerAnnotation)
		case 1:
			annotations[job.TriggerAnnotation] = strconv.Itoa(s.next(256))
		case 2:
			annotations[job.TriggerAnnotation] = "9007199254740990"
		case 3:
			delete(annotations, job.HashesAnnotation)
		case 4:
			annotations[job.HashesAnnotation] = strings.Repeat("=", s.next(256))
		case 5:
			annotations[job.HashesAnnotation] = strings.ReplaceAll(annotations[job.HashesAnnotation], "v1-", "v2-")
		}
		return stored
	})
}

// takeName gives the name of the next trigger to a Job that is nobody's, or takes it away again.
func (s *stage) takeName() {
	s.alterJobs(func(stored []batchv1.Job) []batchv1.Job {
		if i := slices.IndexFunc(stored, func(j batchv1.Job) bool { return len(j.OwnerReferences) == 0 }); i >= 0 {
			return slices.Delete(stored, i, i+1)
		}
		name := nameOfTrigger(int64(len(s.born) + 1))
		if s.findJob(name) != nil {
			return stored
		}
		return append(stored, batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: playNamespace, Name: name, UID: "foreign",
			Annotations: map[string]string{job.TriggerAnnotation: "77"}}})
	})
}

// settle lets everything calm down, and checks that everything is answered and nothing goes on.
func (s *stage) settle() {
	s.calm = true
	s.forbidden = map[string]bool{}
	s.alterJobs(func(stored []batchv1.Job) []batchv1.Job {
		return slices.DeleteFunc(stored, func(j batchv1.Job) bool { return len(j.OwnerReferences) == 0 })
	})
	s.processes = nil
	s.begin()
	ctj := s.ctj().DeepCopy()
	ctj.Generation++
	ctj.Spec.Suspend, ctj.Spec.Condition = new(false), v1alpha.TriggerAny
	s.store(ctj)
	s.run()

	key := s.processes[0].reconciler.Key
	status := &s.ctj().Status
	for i, merged := range trigger.MergeReferences(s.ctj().Spec.Resources) {
		require.Less(s.t, i, len(status.ResourceHashes), "rule 8: a reference is not in status")
		told := status.ResourceHashes[i]
		require.Equal(s.t, merged.Reference, trigger.ObjectReference{APIVersion: told.APIVersion, Kind: told.Kind, Namespace: told.Namespace, Name: told.Name})
		require.Len(s.t, told.Fields, len(merged.Fields))
		for j, field := range merged.Fields {
			require.Equal(s.t, field, told.Fields[j].Field)
			require.Equal(s.t, key.Publish(playUID, merged.Reference, field, s.digest(merged.Reference.Name, field)), told.Fields[j].Hash)
			require.Empty(s.t, told.Fields[j].LastTriggeredHash, "pending for ever: %v", status.Conditions)
		}
	}
	require.Len(s.t, status.ResourceHashes, len(trigger.MergeReferences(s.ctj().Spec.Resources)))
	if len(s.excepted) == 0 {
		require.Equal(s.t, int64(len(s.born)), status.TriggerCount)
	}
	require.LessOrEqual(s.t, len(s.newestJobs()), s.ctj().Spec.EffectiveHistory())

	writes, made := s.writes, s.made
	s.processes = nil
	s.begin()
	s.run()
	require.Equal(s.t, writes, s.writes, "a write where nothing changed")

	changed := s.ctj().Spec.Resources[0]
	s.objects[changed.Name] = `{"metadata":{"name":"other"},"data":{"x":"other","y":"other"}}`
	s.processes = nil
	s.begin()
	s.run()
	require.Equal(s.t, made+1, s.made, "a change while nothing ran is answered once")
}

// run lets the process that leads act until it has long been quiet.
func (s *stage) run() {
	leader := s.processes[len(s.processes)-1]
	for range 15 {
		for _, object := range playObjects {
			leader.see(object)
		}
		leader.catchUp()
		leader.act()
		s.alterJobs(func(stored []batchv1.Job) []batchv1.Job {
			return slices.DeleteFunc(stored, func(j batchv1.Job) bool { return j.DeletionTimestamp != nil })
		})
		for s.choose(0, unfinished) >= 0 {
			s.end(0, true)
		}
		s.clock.SetTime(s.clock.Now().Add(30 * time.Second))
	}
}

// digest is what a field of an object is now.
func (s *stage) digest(object, field string) fieldpath.Digest {
	path, err := fieldpath.Compile(field)
	require.NoError(s.t, err)
	return path.Digest([]byte(s.objects[object]))
}

// process is one operator.
type process struct {
	*stage
	reconciler *Reconciler
	began      time.Time

	// What its caches hold; they lag until they catch up.
	cachedCTJ, cachedJobs int
	seen                  map[string]sighting
	references            []watch.Reference

	decidedOn *v1alpha.ChangeTriggeredJob // what it read last
	creating  string                      // the name of the Job that it is creating
	acting    bool
}

// sighting is what a process has seen of an object.
type sighting struct {
	state watch.State
	since time.Time
	json  string
}

func newProcess(s *stage) *process {
	p := &process{stage: s, began: s.clock.Now(), seen: map[string]sighting{}}
	key, err := keyedhash.NewKey(slices.Repeat([]byte{s.key}, keyedhash.KeySize))
	require.NoError(s.t, err)
	p.reconciler = &Reconciler{Client: cached{process: p}, Live: live{process: p}, Watches: p, Key: key, Recorder: noEvents{}, Clock: s.clock,
		Term: p.term, memory: newMemory()}
	p.catchUp()
	if !s.calm { // an API server that lags has filled them
		p.cachedCTJ, p.cachedJobs = max(p.cachedCTJ-s.next(4), 0), max(p.cachedJobs-s.next(4), 0)
	}
	return p
}

// term is 1 while it leads: once another one does, it never does again.
func (p *process) term() int64 {
	if p == p.processes[len(p.processes)-1] {
		return 1
	}
	return 0
}

func (p *process) catchUp() { p.cachedCTJ, p.cachedJobs = len(p.ctjs)-1, len(p.jobs)-1 }

func (p *process) see(object string) {
	now := sighting{state: watch.Synced, since: p.clock.Now(), json: p.objects[object]}
	if p.forbidden[object] {
		now.state, now.json = watch.Forbidden, ""
	}
	if before := p.seen[object]; before.state == now.state && !before.since.IsZero() {
		now.since = before.since
	}
	p.seen[object] = now
}

// act is one call of Reconcile.
func (p *process) act() {
	if p.acting {
		return // one worker at a time
	}
	p.acting, p.creating = true, ""
	ctx := log.IntoContext(context.Background(), logr.Discard())
	_, err := p.reconciler.Reconcile(ctx, ctrl.Request{NamespacedName: types.NamespacedName{Namespace: playNamespace, Name: playName}})
	p.acting, p.creating = false, ""
	if p.calm {
		require.NoError(p.t, err)
	}
}

// request is a write: something may happen before it, and it may fail before or after it went through.
func (p *process) request(do func() error) error {
	if p.calm {
		return do()
	}
	if p.depth == 0 && p.next(3) == 0 {
		p.depth++
		for range p.next(6) {
			p.happen(false)
		}
		p.depth--
	}
	switch p.next(12) {
	case 0:
		return interrupted()
	case 1:
		return failed()
	case 2:
		if err := do(); err != nil {
			return err
		}
		return interrupted()
	case 3:
		if err := do(); err != nil {
			return err
		}
		return failed()
	}
	return do()
}

// Set implements Watches.
func (p *process) Set(_ types.NamespacedName, references []watch.Reference) {
	p.references = references
}

// SetAll implements Watches.
func (p *process) SetAll(references map[types.NamespacedName][]watch.Reference) {
	for _, given := range references {
		p.references = given
	}
}

// Remove implements Watches.
func (p *process) Remove(types.NamespacedName) { p.references = nil }

// Scope implements Watches.
func (p *process) Scope(schema.GroupVersionKind) (bool, error) { return true, nil }

// Observe implements Watches.
func (p *process) Observe(types.NamespacedName) ([]watch.Observation, bool) {
	var observations []watch.Observation
	for _, reference := range p.references {
		seen, ok := p.seen[reference.Name]
		if !ok {
			seen = sighting{state: watch.NotSynced, since: p.began}
		}
		observation := watch.Observation{State: seen.state, Since: seen.since, Exists: seen.json != ""}
		if seen.state == watch.Synced {
			observation.Digests = fieldpath.Digests([]byte(seen.json), reference.Paths)
		}
		observations = append(observations, observation)
	}
	return observations, true
}

// cached is the client of a process: it reads from the caches.
type cached struct {
	client.Client
	*process
}

func (c cached) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	if found, ok := object.(*batchv1.Job); ok {
		stored := c.jobs[c.cachedJobs]
		i := slices.IndexFunc(stored, func(j batchv1.Job) bool { return j.Name == key.Name })
		if i < 0 {
			return notFound(key.Name)
		}
		stored[i].DeepCopyInto(found)
		_, err := job.Strip(found)
		return err
	}
	c.decidedOn = c.ctjs[c.cachedCTJ]
	c.decidedOn.DeepCopyInto(object.(*v1alpha.ChangeTriggeredJob))
	return nil
}

func (c cached) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if ctjs, ok := list.(*v1alpha.ChangeTriggeredJobList); ok {
		ctjs.Items = append(ctjs.Items, *c.ctjs[c.cachedCTJ].DeepCopy())
		return nil
	}
	found := list.(*batchv1.JobList)
	stored := c.jobs[c.cachedJobs]
	for i := range stored {
		if job.Owned(&stored[i], playUID) {
			stripped := stored[i].DeepCopy()
			if _, err := job.Strip(stripped); err != nil {
				return err
			}
			found.Items = append(found.Items, *stripped)
		}
	}
	return nil
}

func (c cached) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	created := object.(*batchv1.Job)
	decidedOn := c.decidedOn
	c.creating = created.Name
	return c.request(func() error { return c.create(created, decidedOn) })
}

func (c cached) Delete(_ context.Context, object client.Object, options ...client.DeleteOption) error {
	asked := (&client.DeleteOptions{}).ApplyOptions(options)
	return c.request(func() error {
		stored := c.findJob(object.GetName())
		if stored == nil {
			return notFound(object.GetName())
		}
		if stored.UID != *asked.Preconditions.UID {
			return apierrors.NewConflict(schema.GroupResource{}, object.GetName(), nil)
		}
		require.True(c.t, !unfinished(stored) || c.decidedOn.Spec.ConcurrencyPolicy == v1alpha.ReplaceConcurrent, "a running Job is deleted")
		c.writes++
		if !unfinished(stored) {
			c.gone(stored.Name)
			return nil
		}
		c.alterJobs(func(jobs []batchv1.Job) []batchv1.Job {
			i := slices.IndexFunc(jobs, func(j batchv1.Job) bool { return j.Name == object.GetName() })
			jobs[i].DeletionTimestamp = new(metav1.NewTime(c.clock.Now()))
			return jobs
		})
		return nil
	})
}

func (c cached) Status() client.SubResourceWriter { return statusWriter{process: c.process} }

func notFound(name string) error { return apierrors.NewNotFound(schema.GroupResource{}, name) }

// create stores a Job, and checks P1.
func (p *process) create(created *batchv1.Job, decidedOn *v1alpha.ChangeTriggeredJob) error {
	if p.findJob(created.Name) != nil {
		return apierrors.NewAlreadyExists(schema.GroupResource{}, created.Name)
	}
	number, err := strconv.ParseInt(created.Annotations[job.TriggerAnnotation], 10, 64)
	require.NoError(p.t, err)
	require.Equal(p.t, nameOfTrigger(number), created.Name)
	spec := &decidedOn.Spec
	require.False(p.t, spec.Suspended())
	if !p.excepted[number] {
		require.False(p.t, p.born[number], "trigger %d runs twice", number)
		require.Equal(p.t, int64(len(p.born)+1), number, "numbers have no gap")
		if p.jumps == p.lastJumps && !p.lastCreated.IsZero() {
			require.GreaterOrEqual(p.t, p.clock.Now().Sub(p.lastCreated), spec.EffectiveCooldown(), "a cooldown is cut short")
		}
		ours := func(j *batchv1.Job) bool { return unfinished(j) && job.Owned(j, playUID) }
		if spec.ConcurrencyPolicy != v1alpha.AllowConcurrent {
			require.Negative(p.t, p.choose(0, ours), "two Jobs run side by side")
		}
	}
	p.writes++
	p.made++
	p.born[number], p.lastCreated, p.lastJumps = true, p.clock.Now(), p.jumps
	created.UID = types.UID(fmt.Sprint("job-", p.made))
	created.CreationTimestamp = metav1.NewTime(p.clock.Now().Truncate(time.Second))
	p.alterJobs(func(jobs []batchv1.Job) []batchv1.Job { return append(jobs, *created.DeepCopy()) })
	return nil
}

// statusWriter writes status on the API server.
type statusWriter struct {
	client.SubResourceWriter
	*process
}

func (w statusWriter) Update(_ context.Context, object client.Object, _ ...client.SubResourceUpdateOption) error {
	asked := object.(*v1alpha.ChangeTriggeredJob)
	return w.request(func() error {
		if asked.ResourceVersion != w.ctj().ResourceVersion || asked.UID != w.ctj().UID {
			return apierrors.NewConflict(schema.GroupResource{}, playName, nil)
		}
		text, err := json.Marshal(asked.Status)
		require.NoError(w.t, err)
		next := w.ctj().DeepCopy()
		next.Status = v1alpha.ChangeTriggeredJobStatus{}
		require.NoError(w.t, json.Unmarshal(text, &next.Status))
		w.check(next)
		w.writes++
		w.store(next)
		next.DeepCopyInto(asked)
		return nil
	})
}

// check checks that the count goes up with Jobs alone, and that baselines move with it.
func (p *process) check(next *v1alpha.ChangeTriggeredJob) {
	before, after := &p.ctj().Status, &next.Status
	require.GreaterOrEqual(p.t, after.TriggerCount, before.TriggerCount, "the count goes back")
	require.True(p.t, after.TriggerCount == 0 || p.born[after.TriggerCount], "a number that no Job of ours had")
	was := baselines(before)
	for place, baseline := range baselines(after) {
		old, known := was[place]
		id := p.reconciler.Key.ID() + ":"
		switch {
		case !known || old == "" || old == baseline: // the first look, or nothing new
		case after.TriggerCount > before.TriggerCount: // with its Job
		case baseline == trigger.Unknown:
		case old != trigger.Absent && old != trigger.Unknown && !strings.HasPrefix(old, id): // another key
		default:
			require.Fail(p.t, "a baseline moves without a Job", "%s: %s to %s", place, old, baseline)
		}
	}
}

// baselines are what the last trigger stood for, by object and field.
func baselines(status *v1alpha.ChangeTriggeredJobStatus) map[string]string {
	all := map[string]string{}
	for _, resource := range status.ResourceHashes {
		for _, field := range resource.Fields {
			baseline := field.LastTriggeredHash
			if baseline == "" {
				baseline = field.Hash
			}
			all[resource.Name+" "+field.Field] = baseline
		}
	}
	return all
}

// live reads from the API server itself.
type live struct {
	client.Reader
	*process
}

func (l live) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	switch o := object.(type) {
	case *v1alpha.ChangeTriggeredJob:
		l.decidedOn = l.ctj()
		l.ctj().DeepCopyInto(o)
	case *batchv1.Job:
		stored := l.findJob(key.Name)
		if stored == nil {
			return notFound(key.Name)
		}
		stored.DeepCopyInto(o)
	}
	return nil
}

// noEvents takes events and keeps none.
type noEvents struct{ events.EventRecorder }

func (noEvents) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {}
