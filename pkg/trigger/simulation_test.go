package trigger

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/window"
)

// TestP1ToP3WhateverHappens drives operators through changes, deletions, edits, clock jumps, crashes after any
// write, stale reads, late leaders and outside deletions of Jobs, on a model of the API server, and checks
//
//   - P1: each number runs once, numbers have no gap, a baseline moves with its Job alone (or is forgotten by its deadline), no
//     Job runs without a difference (but the first run, and those that were asked for) or outside of the windows, no failure is
//     tried again too often, never two side by side under Forbid and Replace, what was asked for runs once unless it was refused,
//     and in the end nothing is unanswered;
//   - P2: what changed while nothing ran is answered in the end, and a restart alone triggers nothing;
//   - P3: in the end nothing is written any more.
func TestP1ToP3WhateverHappens(t *testing.T) { rapid.Check(t, whateverHappens) }

// FuzzWhateverHappens plays the same, led by what code a story reaches rather than by chance.
func FuzzWhateverHappens(f *testing.F) { f.Fuzz(rapid.MakeFuzz(whateverHappens)) }

func whateverHappens(t *rapid.T) {
	w := newWorld(t)
	some := func(t *rapid.T) *operator {
		return w.operators[rapid.IntRange(0, len(w.operators)-1).Draw(t, "operator")]
	}
	object := func(t *rapid.T) ObjectReference { return rapid.SampledFrom(simObjects).Draw(t, "object") }
	t.Repeat(map[string]func(*rapid.T){
		"object changes": func(t *rapid.T) { w.setValue(object(t), rapid.IntRange(0, 3).Draw(t, "value")) },
		"when changes": func(t *rapid.T) {
			w.held[object(t)] = rapid.SampledFrom([]v1alpha.WhenResult{"", v1alpha.WhenFalse, v1alpha.WhenFailed}).Draw(t, "result")
		},
		"rights change": func(t *rapid.T) { o := object(t); w.forbidden[o] = !w.forbidden[o] },
		"time passes": func(t *rapid.T) {
			w.now = w.now.Add(time.Duration(rapid.IntRange(1, 40_000).Draw(t, "ms")) * time.Millisecond)
		},
		"clock jumps": func(t *rapid.T) {
			w.jumps++
			w.now = w.now.Add(time.Duration(rapid.IntRange(-90, 90).Draw(t, "minutes")) * time.Minute)
		},
		"spec is edited":                  func(t *rapid.T) { w.edit(t) },
		"policy is edited":                func(t *rapid.T) { w.editPolicy(t) },
		"when is edited":                  func(t *rapid.T) { w.editWhen(t) },
		"a Job is asked for":              func(t *rapid.T) { w.ask(t) },
		"Job ends":                        func(t *rapid.T) { w.endJob(t) },
		"Job is gone":                     func(t *rapid.T) { w.loseJob(t) },
		"Job is deleted":                  func(t *rapid.T) { w.deleteJobByHand(t) },
		"operator sees":                   func(t *rapid.T) { some(t).see(object(t)) },
		"caches catch up":                 func(t *rapid.T) { some(t).catchUp() },
		"one cache is ahead of the other": func(t *rapid.T) { some(t).cached = w.ctj },
		"operator acts":                   func(t *rapid.T) { some(t).step(t, true) },
		"operator acts on":                func(t *rapid.T) { some(t).round(t, false) },
		"change is acted on, once all has been seen": func(t *rapid.T) {
			op := some(t)
			w.change(t, object(t))
			op.catchUp()
			op.seeAll()
			op.round(t, rapid.Bool().Draw(t, "faulty"))
		},
		"change is acted on in part": func(t *rapid.T) {
			op := some(t)
			w.change(t, object(t))
			op.seeAll()
			for range rapid.IntRange(1, 5).Draw(t, "steps") {
				op.step(t, false)
			}
		},
		"change is acted on by the old caches": func(t *rapid.T) {
			op := some(t)
			w.change(t, object(t))
			op.seeAll()
			op.round(t, false)
		},
		"Jobs change what makes them run": func(t *rapid.T) { some(t).loop(t) },
		"leader changes":                  func(*rapid.T) { w.operators = []*operator{w.operators[len(w.operators)-1], w.start()} },
		"operator crashes":                func(*rapid.T) { w.operators = []*operator{w.start()} },
		"key is replaced": func(*rapid.T) {
			w.key++
			w.operators = []*operator{w.start()}
		},
	})
	w.settle(t)
}

var simObjects = []ObjectReference{objectA, objectB, objectC, objectsW}

// world is the API server and what it holds.
type world struct {
	now       time.Time
	key       int
	values    map[ObjectReference]int // 0 is absent
	moment    uint64                  // counts the changes of what is selected; came and went are the last of each kind
	came      uint64
	went      uint64
	forbidden map[ObjectReference]bool
	held      map[ObjectReference]v1alpha.WhenResult // what isReady comes to for the object

	ctj       resource
	jobs      []Job
	operators []*operator

	born     map[int64][]TriggeredHash // what the Job of each number was for
	told     map[int64][]Change        // and what it was told had changed
	excepted map[int64]bool            // numbers that may run twice: see P1
	created  int                       // Jobs in all
	failed   map[int64]bool            // numbers whose Job failed, or was deleted unfinished
	retries  int                       // Jobs in a row that ran for what had failed

	asked    int             // how often a Job was asked for
	ran      map[string]bool // the values for which a Job was created
	released map[string]bool // those that need not run once: refused, seen first, or of a Job that was deleted or replaced

	jumps       int       // of the clock
	lastCreated time.Time // when the last Job was created
	lastJumps   int       // jumps at that time
}

// resource is the ChangeTriggeredJob at one version.
type resource struct {
	version, generation int64
	spec                *v1alpha.ChangeTriggeredJobSpec
	status              *v1alpha.ChangeTriggeredJobStatus
	runNow, force       string
}

func newWorld(t *rapid.T) *world {
	w := &world{now: noon, values: map[ObjectReference]int{}, forbidden: map[ObjectReference]bool{}, held: map[ObjectReference]v1alpha.WhenResult{},
		born: map[int64][]TriggeredHash{}, told: map[int64][]Change{}, excepted: map[int64]bool{}, failed: map[int64]bool{}, ran: map[string]bool{}, released: map[string]bool{}}
	w.ctj = resource{version: 1, status: &v1alpha.ChangeTriggeredJobStatus{}}
	w.edit(t)
	w.operators = []*operator{w.start()}
	return w
}

// change changes an object after the cooldown.
func (w *world) change(t *rapid.T, o ObjectReference) {
	w.setValue(o, rapid.IntRange(0, 3).Draw(t, "value"))
	w.now = w.now.Add(61 * time.Second)
}

// setValue changes an object; a selection has as many objects as its value is.
func (w *world) setValue(o ObjectReference, value int) {
	before := w.values[o]
	w.values[o] = value
	if o.Selection != "" && value != before {
		if w.moment++; value > before {
			w.came = w.moment
		} else {
			w.went = w.moment
		}
	}
}

// changeIn is how an object has changed from one value to another, which are as valueOf has them.
func changeIn(o ObjectReference, before, after string) v1alpha.ChangeType {
	switch {
	case before == Absent, o.Selection != "" && after != Absent && after > before:
		return v1alpha.ChangeCreated
	case after == Absent, o.Selection != "":
		return v1alpha.ChangeDeleted
	default:
		return v1alpha.ChangeUpdated
	}
}

// waitsFor reports whether the round under way was decided on a sight of the object by which its changes wait.
func (op *operator) waitsFor(o ObjectReference) bool {
	for _, observation := range op.input.Observations {
		if observation.Reference == o {
			return observation.Visibility == Visible && observation.WaitingForWhen != ""
		}
	}
	return false
}

// unasked reports whether the round under way was decided before the object had been looked at for its `when`, with a change of
// it pending that counts.
func (op *operator) unasked(o ObjectReference) bool {
	was := keptFields(op.input.Status.ResourceHashes)[fieldKey{o, "*"}]
	if !was.pending() || was.baseline != Unknown && !op.counts(o, valueOf(was.baseline), valueOf(was.hash)) {
		return false
	}
	return whenOf(op.input.Spec, o) != "" && slices.ContainsFunc(op.input.Observations, func(seen Observation) bool {
		return seen.Reference == o && seen.Visibility == NotSynced
	})
}

// counts reports whether a change of the object counts by the spec that the round under way was decided by.
func (op *operator) counts(o ObjectReference, before, after string) bool {
	for i := range op.input.Spec.Resources {
		if ref := &op.input.Spec.Resources[i]; ReferenceOf(ref) == o {
			return ref.Counts(changeIn(o, before, after))
		}
	}
	return true
}

func (w *world) edit(t *rapid.T) {
	objects := rapid.SliceOfNDistinct(rapid.SampledFrom(simObjects), 1, 3, rapid.ID).Draw(t, "resources")
	suspend := rapid.IntRange(0, 3).Draw(t, "suspend") == 0
	history := int32(rapid.IntRange(1, 3).Draw(t, "history"))
	cooldown := time.Duration(rapid.SampledFrom([]int{0, 1, 60}).Draw(t, "cooldown")) * time.Second
	spec := &v1alpha.ChangeTriggeredJobSpec{
		Resources:         resourcesOf(objects...),
		Condition:         rapid.SampledFrom([]v1alpha.TriggerCondition{v1alpha.TriggerAny, v1alpha.TriggerAny, v1alpha.TriggerAll}).Draw(t, "condition"),
		Cooldown:          &metav1.Duration{Duration: cooldown},
		ConcurrencyPolicy: anyPolicy.Draw(t, "policy"),
		Suspend:           &suspend, History: &history,
		OnLoop:         rapid.SampledFrom([]v1alpha.LoopPolicy{"", "", v1alpha.SlowDownLoop, v1alpha.IgnoreLoop}).Draw(t, "on loop"),
		RunOnCreate:    rapid.Ptr(rapid.Bool(), true).Draw(t, "run on create"),
		OnFailure:      rapid.SampledFrom([]v1alpha.FailurePolicy{"", v1alpha.RetriggerOnFailure}).Draw(t, "on failure"),
		RetriggerLimit: new(int32(rapid.IntRange(1, simRetries).Draw(t, "limit"))),
	}
	if rapid.IntRange(0, 2).Draw(t, "settles") == 0 {
		spec.Settle = &metav1.Duration{Duration: cooldown / 2}
	}
	if rapid.IntRange(0, 2).Draw(t, "has a deadline") == 0 {
		spec.PendingDeadline = &metav1.Duration{Duration: cooldown + 10*time.Second}
	}
	if rapid.IntRange(0, 3).Draw(t, "has windows") == 0 {
		spec.Windows = []v1alpha.TriggerWindow{{Schedule: "*/2 * * * *", Duration: metav1.Duration{Duration: time.Minute}}}
	}
	for i := range spec.Resources {
		if spec.Resources[i].Selector == nil {
			spec.Resources[i].When = anyWhen.Draw(t, "when")
		}
		spec.Resources[i].Changes = rapid.SampledFrom([][]v1alpha.ChangeType{nil, nil, {created}, {isUpdated}, {deleted}, {created, isUpdated}, {created, deleted}}).Draw(t, "changes")
	}
	w.put(spec)
}

// ask sets the annotation that asks for a Job to a new value, and may force it.
func (w *world) ask(t *rapid.T) {
	w.asked++
	if w.ctj.runNow != "" {
		w.released[w.ctj.runNow] = true // who writes another value in its place wants but one Job of the two
	}
	w.ctj.runNow = fmt.Sprint("request ", w.asked)
	if rapid.Bool().Draw(t, "force") {
		w.ctj.force = w.ctj.runNow
	}
	w.ctj.version++
}

// simRetries is how often a failed Job is tried again at most.
const simRetries = 2

// editPolicy leaves the rest as it is: what runs may be too much for the new policy.
func (w *world) editPolicy(t *rapid.T) {
	spec := w.ctj.spec.DeepCopy()
	spec.ConcurrencyPolicy = anyPolicy.Draw(t, "policy")
	w.put(spec)
}

// editWhen has another expression say when changes of an object count, and resumes.
func (w *world) editWhen(t *rapid.T) {
	spec := w.ctj.spec.DeepCopy()
	if ref := &spec.Resources[rapid.IntRange(0, len(spec.Resources)-1).Draw(t, "reference")]; ref.Selector == nil {
		ref.When = anyWhen.Draw(t, "when")
	}
	no := false
	spec.Suspend = &no
	w.put(spec)
}

// The expressions that there are; where the one is true the other is not.
const isReady, notReady = "object.ready == true", "object.ready != true"

var anyWhen = rapid.SampledFrom([]string{"", "", "", isReady, isReady, notReady})

// comesTo is what an expression comes to for an object.
func (w *world) comesTo(expression string, o ObjectReference) v1alpha.WhenResult {
	switch result := w.held[o]; {
	case expression == "":
		return ""
	case expression == isReady, result == v1alpha.WhenFailed:
		return result
	case result == "":
		return v1alpha.WhenFalse
	default:
		return ""
	}
}

// whenOf is the expression that a spec has for an object.
func whenOf(spec *v1alpha.ChangeTriggeredJobSpec, o ObjectReference) string {
	for _, ref := range MergeReferences(spec.Resources) {
		if ref.Reference == o {
			return ref.When
		}
	}
	return ""
}

var anyPolicy = rapid.SampledFrom([]v1alpha.ConcurrencyPolicy{v1alpha.AllowConcurrent, v1alpha.ForbidConcurrent, v1alpha.ReplaceConcurrent})

func (w *world) put(spec *v1alpha.ChangeTriggeredJobSpec) {
	w.ctj.spec = spec
	w.ctj.version++
	w.ctj.generation++
}

func (w *world) job(name string) *Job {
	for i := range w.jobs {
		if w.jobs[i].Name == name {
			return &w.jobs[i]
		}
	}
	return nil
}

// anyJob draws one of the Jobs for which holds, or returns nil.
func (w *world) anyJob(t *rapid.T, holds func(*Job) bool) *Job {
	var fit []int
	for i := range w.jobs {
		if holds(&w.jobs[i]) {
			fit = append(fit, i)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return &w.jobs[rapid.SampledFrom(fit).Draw(t, "job")]
}

func (w *world) endJob(t *rapid.T) {
	if j := w.anyJob(t, (*Job).Running); j != nil {
		j.Outcome = rapid.SampledFrom([]v1alpha.JobStatus{v1alpha.JobSucceeded, v1alpha.JobFailed}).Draw(t, "outcome")
		j.Finished = w.now.Truncate(time.Second)
		w.failed[j.Number] = w.failed[j.Number] || j.Outcome == v1alpha.JobFailed
	}
}

func (w *world) loseJob(t *rapid.T) {
	if j := w.anyJob(t, func(j *Job) bool { return j.Deleting }); j != nil {
		w.remove(j)
	}
}

func (w *world) deleteJobByHand(t *rapid.T) {
	if j := w.anyJob(t, func(*Job) bool { return true }); j != nil {
		w.failed[j.Number] = w.failed[j.Number] || j.Running()
		w.deleteJob(j)
	}
}

// deleteJob begins a deletion: an ended Job is gone at once, a running one when its Pods are.
func (w *world) deleteJob(j *Job) {
	if j.Running() {
		j.Deleting = true
		return
	}
	w.remove(j)
}

// saysUnanswered reports whether status says that what a Job ran for is unanswered.
func (w *world) saysUnanswered(j *Job) bool {
	said := keptFields(w.ctj.status.ResourceHashes)
	return !slices.ContainsFunc(j.Changed, func(c Change) bool {
		key := fieldKey{c.ObjectReference, "*"}
		f, ok := said[key]
		_, stoodFor := hashFor(j.Hashes, key) // a first run does not for what it never saw
		return ok && stoodFor && f.baseline != Unknown
	})
}

// remove takes a Job away. Where a create of its number is unsettled, before the status write or in an operator
// that is stopped inside the call, that number can run twice: the exception that P1 states.
func (w *world) remove(j *Job) {
	unsettled := j.Number > w.ctj.status.TriggerCount || slices.ContainsFunc(w.operators, func(op *operator) bool {
		return op.decision.Create != nil && op.decision.Create.Number == j.Number
	})
	if unsettled {
		w.excepted[j.Number] = true
	}
	if unsettled {
		delete(w.ran, j.RunNow)
	}
	w.jobs = slices.DeleteFunc(w.jobs, func(other Job) bool { return other.Name == j.Name })
}

// create is a create of a Job at the API server; it checks P1.
func (w *world) create(t *rapid.T, op *operator) bool {
	c := op.decision.Create
	if w.job(c.Name) != nil {
		return false
	}
	_, again := w.born[c.Number]
	if !w.excepted[c.Number] {
		require.False(t, again, "trigger %d runs twice", c.Number)
		require.Equal(t, int64(len(w.born)+1), c.Number, "numbers have no gap")
		if w.jumps == w.lastJumps && !w.lastCreated.IsZero() && c.Reason == ReasonChange {
			require.GreaterOrEqual(t, w.now.Sub(w.lastCreated), op.input.Spec.EffectiveCooldown(), "a cooldown is cut short")
			require.GreaterOrEqual(t, w.now.Sub(w.lastCreated), loopWaitBefore(op.input.Spec, op.decision), "a suspected loop does not wait")
		}
		if op.input.Spec.ConcurrencyPolicy != v1alpha.AllowConcurrent {
			require.False(t, slices.ContainsFunc(w.jobs, func(j Job) bool { return j.Running() }), "two Jobs run side by side")
		}
	}
	if c.RunNow != "" {
		require.False(t, w.ran[c.RunNow], "%s runs twice", c.RunNow)
		w.ran[c.RunNow] = true
	}
	free := c.Reason == ReasonFirstRun || c.Reason == ReasonRunNow
	require.True(t, free || slices.ContainsFunc(c.Changed, func(change Change) bool { return op.differs(change.ObjectReference) }),
		"a Job without a difference")
	w.accountForReason(t, op)
	for _, opening := range op.input.Spec.Windows {
		parsed, err := window.Parse(opening.Schedule, opening.TimeZone, opening.Duration.Duration)
		require.NoError(t, err)
		require.True(t, c.Reason == ReasonRunNow || parsed.Open(op.input.Now), "a Job outside of the windows")
	}
	if op.input.Spec.Condition == v1alpha.TriggerAll && c.Reason != ReasonRetry && c.Reason != ReasonRunNow {
		require.Len(t, c.Changed, len(MergeReferences(op.input.Spec.Resources)), "All is not all")
	}
	for _, change := range c.Changed {
		require.True(t, c.Reason == ReasonFirstRun || !op.waitsFor(change.ObjectReference), "%s waits for its when", change.ObjectReference)
	}
	for _, told := range c.Selected {
		require.True(t, c.Reason == ReasonFirstRun || len(told.Objects)+told.Unnamed > 0, "%s changed, and the Job is told of no object", told.Reference)
	}
	for _, h := range c.Hashes {
		require.Equal(t, op.lastKnown(h.Reference), h.Hash, "a Job for a state that nobody saw")
		require.False(t, op.unasked(h.Reference), "a Job stands for %s, of whose when nothing is known", h.Reference)
	}
	w.lastCreated, w.lastJumps = w.now, w.jumps
	w.born[c.Number], w.told[c.Number] = c.Hashes, c.Changed
	w.created++
	w.jobs = append(w.jobs, Job{Name: c.Name, UID: types.UID(fmt.Sprint(w.created)), Number: c.Number, Hashes: c.Hashes, Changed: c.Changed, RunNow: c.RunNow,
		Outcome: v1alpha.JobActive, CreationTimestamp: w.now.Truncate(time.Second)})
	return true
}

// accountForReason checks that a Job's reason is true.
func (w *world) accountForReason(t *rapid.T, op *operator) {
	c := op.decision.Create
	switch c.Reason {
	case ReasonFirstRun:
		require.True(t, op.input.Spec.RunsOnCreate() && c.Number == 1, "a first run that is none")
		w.retries = 0
	case ReasonRetry:
		require.Equal(t, v1alpha.RetriggerOnFailure, op.input.Spec.OnFailure)
		if !w.excepted[c.Number] && !w.excepted[c.Number-1] {
			require.True(t, w.failed[c.Number-1], "a try after a Job that did not fail")
			w.retries++
			require.LessOrEqual(t, w.retries, simRetries, "one try too many")
		}
	default:
		w.retries = 0
	}
}

// write is a write of status at the API server; it checks that baselines move with their Jobs alone.
func (w *world) write(t *rapid.T, op *operator) bool {
	if op.version != w.ctj.version {
		return false // a conflict
	}
	next := op.decision.Status.DeepCopy()
	before := keptFields(w.ctj.status.ResourceHashes)
	for key, after := range keptFields(next.ResourceHashes) {
		was, ok := before[key]
		foreign := was.baseline != Absent && was.baseline != Unknown && !madeWith(op.key, was.baseline)
		hash, mentioned := hashFor(w.born[next.TriggerCount], key)
		switch {
		case w.excepted[next.TriggerCount]: // two Jobs of this number may have run, for two states
		case was.baseline == after.baseline:
			if next.TriggerCount > w.ctj.status.TriggerCount && mentioned && after.baseline != Unknown {
				require.Equal(t, hash, after.baseline, "a baseline stays behind its Job")
			}
		case !ok || was.baseline == "": // the first look
		case after.baseline == Unknown:
			require.True(t, foreign && was.pending() || op.replaces() || op.retriggers() || op.decision.Adopted != 0, "a baseline is forgotten")
		case next.TriggerCount > w.ctj.status.TriggerCount && mentioned:
			require.Equal(t, hash, after.baseline, "a baseline that its Job did not run for")
		case next.TriggerCount > w.ctj.status.TriggerCount && op.decision.Create != nil:
			// answered by what was seen last under another key
		case was.baseline == Unknown && op.resigns(): // the tries were taken back
			require.Equal(t, after.hash, after.baseline)
			require.True(t, w.job(next.LastJobName) == nil || mentions(w.told[next.TriggerCount], key.object, key.path),
				"%s is answered with a try, and the Job that failed did not run for it", key.object)
		case op.moves(key.object, was.baseline, after.baseline), op.moves(key.object, op.putOff()[key].hash, after.baseline):
			require.True(t, after.baseline == after.hash || after.baseline == op.putOff()[key].hash, "what does not count moves the baseline along")
		case slices.Contains(reasonsOf(op.decision.Events), EventPendingForgotten):
			require.Positive(t, op.input.Spec.EffectivePendingDeadline())
			require.Equal(t, after.hash, after.baseline, "a state is forgotten that is another than the present one")
		default:
			require.True(t, foreign && !was.pending(), "a baseline moves without a Job: %s to %s", was.baseline, after.baseline)
		}
	}
	require.GreaterOrEqual(t, next.TriggerCount, w.ctj.status.TriggerCount)
	if next.LastRunNow != w.ctj.status.LastRunNow && next.TriggerCount == w.ctj.status.TriggerCount {
		refused := slices.ContainsFunc(op.decision.Events, func(e Event) bool { return e.Reason == EventRunNowRefused })
		require.True(t, refused || next.LastRunNow == "" && op.replaces(), "%q is answered by nothing", next.LastRunNow)
		if refused {
			require.True(t, op.input.Spec.Suspended() || w.ctj.status.ObservedGeneration == 0, "%q is refused", next.LastRunNow)
			w.released[next.LastRunNow] = true
		}
	}
	if next.LastRunNow == "" { // asked for again, whether the Job ends before it is deleted or not
		delete(w.ran, w.ctj.status.LastRunNow)
	}
	w.ctj.status = next
	w.ctj.version++
	return true
}

func hashFor(hashes []TriggeredHash, key fieldKey) (string, bool) {
	for _, h := range hashes {
		if h.Reference == key.object && h.Field == key.path {
			return h.Hash, true
		}
	}
	return "", false
}

// operator is one process. It follows the protocol that the reconciler follows: the model of one is the model of
// the other.
type operator struct {
	w     *world
	key   string
	since time.Time

	// What the caches hold; they lag behind until they catch up.
	cached resource
	jobs   []Job
	seen   map[ObjectReference]Observation
	whens  map[ObjectReference]string    // the expressions by which objects are looked at
	lost   map[ObjectReference]time.Time // since when they are not, for the expression is another one

	// What the process remembers.
	written   int64  // version of the last own write
	readLive  bool   // a conflict, or an answer that was lost
	first     string // the annotation that asks for a Job, when nothing had been written
	unwritten bool
	confirmed bool // a first create has been preceded by a live read
	wroteAt   time.Time
	marks     []Mark
	deferred  *Deferral

	// The round under way.
	next     stage
	version  int64
	jumps    int // of the clock, when it was decided
	input    Input
	decision Decision
}

// cacheGrace is how long an old cache is waited for.
const cacheGrace = 5 * time.Second

// stage is what a round does next.
type stage int

const (
	decide stage = iota
	confirm
	create
	writeStatus
	deleteJobs
)

// start returns a new process, with caches as of now and nothing synced.
func (w *world) start() *operator {
	op := &operator{w: w, key: fmt.Sprintf("k%d", w.key), since: w.now, seen: map[ObjectReference]Observation{},
		whens: map[ObjectReference]string{}, lost: map[ObjectReference]time.Time{}}
	op.catchUp()
	op.first, op.unwritten = op.cached.runNow, true
	if w.ctj.status.ObservedGeneration == 0 {
		w.released[op.first] = true // it is answered by being seen first
	}
	return op
}

func (op *operator) catchUp() { op.cached, op.jobs = op.w.ctj, slices.Clone(op.w.jobs) }

// see brings what the process knows of one object up to date.
func (op *operator) see(o ObjectReference) {
	observation := Observation{Reference: o, Visibility: Forbidden, Fields: []string{"*"}, Since: op.w.now}
	if !op.w.forbidden[o] {
		observation.Visibility, observation.Hashes = Visible, []string{Absent}
		if value := op.w.values[o]; value != 0 {
			observation.Exists, observation.Hashes = true, []string{fmt.Sprintf("%s:%s=%d", op.key, o.Name, value)}
		}
		if o.Selection != "" { // as many objects as its value is
			for i := range op.w.values[o] {
				observation.Objects = append(observation.Objects, ObservedObject{Name: fmt.Sprint(i), Hashes: []string{op.key + ":1"}})
			}
			observation.Matched = len(observation.Objects)
			observation.Moment, observation.LastCreated, observation.LastDeleted = op.w.moment+1, op.w.came+1, op.w.went+1
		}
	}
	op.whens[o] = whenOf(op.cached.spec, o)
	observation.WaitingForWhen = op.w.comesTo(op.whens[o], o)
	op.seen[o] = observation
}

func (op *operator) seeAll() {
	for _, o := range simObjects {
		op.see(o)
	}
}

// differs reports whether the round under way was decided on a real difference: values are compared, not hashes.
func (op *operator) differs(o ObjectReference) bool {
	was, ok := keptFields(op.input.Status.ResourceHashes)[fieldKey{o, "*"}]
	if !ok {
		return false
	}
	hash, ok := hashFor(op.decision.Create.Hashes, fieldKey{o, "*"})
	if !ok {
		hash = was.hash
	}
	if said, ok := op.putOff()[fieldKey{o, "*"}]; ok && valueOf(said.hash) != valueOf(hash) && op.counts(o, valueOf(said.hash), valueOf(hash)) {
		return true
	}
	return was.baseline == Unknown || was.pending() && !canCompare(was.baseline, hash) ||
		valueOf(was.baseline) != valueOf(hash) && (op.undescribed(o) || op.counts(o, valueOf(was.baseline), valueOf(hash)))
}

// undescribed reports whether the status that the round under way was decided on does not say what the last Job ran for of the objects
// of a selection, as after a Job that was taken over: then whatever differs counts.
func (op *operator) undescribed(o ObjectReference) bool {
	return slices.ContainsFunc(op.input.Status.ResourceHashes, func(entry v1alpha.ResourceHash) bool {
		if objectOf(&entry) != o || entry.Matched == nil {
			return false
		}
		then := *entry.Matched
		if entry.LastTriggeredMatched != nil {
			then = *entry.LastTriggeredMatched
		}
		return len(entry.Objects) != int(then)
	})
}

// putOff is what the status says, if any, that this process had put off when the round under way was decided.
func (op *operator) putOff() map[fieldKey]field {
	if op.input.Deferred == nil {
		return nil
	}
	return keptFields(op.input.Deferred.Status.ResourceHashes)
}

// moves reports whether a baseline has not moved, or has by a change that does not count.
func (op *operator) moves(o ObjectReference, from, to string) bool {
	known := from != "" && from != Unknown
	return known && (from == to || !op.counts(o, valueOf(from), valueOf(to)))
}

// leads reports whether the process knows for certain that it leads, by the time left of its lease: once another one
// may lead, it begins no create.
func (op *operator) leads() bool { return op == op.w.operators[len(op.w.operators)-1] }

// lastKnown is the hash that the round under way was to go by.
func (op *operator) lastKnown(o ObjectReference) string {
	for _, observation := range op.input.Observations {
		if observation.Reference == o && observation.Visibility == Visible {
			return observation.Hashes[0]
		}
	}
	return keptFields(op.input.Status.ResourceHashes)[fieldKey{o, "*"}].hash
}

// mayDelete checks that a running Job is deleted by Replace alone, once status says that its state is unanswered.
func (op *operator) mayDelete(t *rapid.T, j *Job) {
	if !j.Running() {
		return
	}
	require.Equal(t, v1alpha.ReplaceConcurrent, op.input.Spec.ConcurrencyPolicy, "a running Job is deleted")
	said := keptFields(statusAfter(op.input, op.decision).ResourceHashes)
	for _, change := range j.Changed {
		if f, ok := said[fieldKey{change.ObjectReference, "*"}]; ok && f.hash != "" {
			require.Equal(t, Unknown, f.baseline, "a Job is replaced before status says so")
		}
	}
}

func valueOf(hash string) string {
	_, value, keyed := strings.Cut(hash, ":")
	if !keyed {
		return hash
	}
	return value
}

func (op *operator) replaces() bool {
	return slices.ContainsFunc(op.decision.Delete, func(j Job) bool { return j.Running() })
}

// retriggers reports whether the round under way finds that the last Job failed, and makes what it ran for pending.
func (op *operator) retriggers() bool {
	last, next := op.input.Status, op.decision.Status
	found := next.LastJobStatus == v1alpha.JobFailed && (last.LastJobStatus != v1alpha.JobFailed || last.LastJobName != next.LastJobName)
	if op.decision.Create != nil { // the next Job, which does not stand for what waits
		found = last.LastJobStatus == v1alpha.JobActive && op.w.failed[last.TriggerCount]
	}
	return op.input.Spec.OnFailure == v1alpha.RetriggerOnFailure && found
}

// resigns reports whether the round under way takes back a try that was due.
func (op *operator) resigns() bool {
	last, next := op.input.Status.Retry, op.decision.Status.Retry
	return last != nil && last.NextTime != nil && (next == nil || next.NextTime == nil) && op.decision.Create == nil &&
		(op.input.Spec.OnFailure != v1alpha.RetriggerOnFailure || last.Count >= *op.input.Spec.RetriggerLimit ||
			op.decision.Status.LastJobStatus == v1alpha.JobSucceeded)
}

// faults are what can befall a write.
const (
	succeeds    = "succeeds"
	lostBefore  = "fails before it goes through"
	lostAnswer  = "goes through, but its answer is lost"
	crashBefore = "crash before it"
	crashAfter  = "crash after it"
)

// step does the next thing of the round. A write that fails leaves the process with the need of a live read; one
// that it crashes at leaves nothing.
func (op *operator) step(t *rapid.T, faulty bool) {
	fate := succeeds
	if faulty && op.next != decide {
		fate = rapid.SampledFrom([]string{succeeds, succeeds, succeeds, lostBefore, lostAnswer, crashBefore, crashAfter}).Draw(t, "fate")
	}
	switch fate {
	case lostBefore:
		op.anew()
		return
	case crashBefore:
		op.crash()
		return
	}
	switch op.next {
	case decide:
		op.decide(t)
	case confirm: // an old cache may have decided on what another process has done since
		if op.version != op.w.ctj.version {
			op.anew()
			return
		}
		op.confirmed, op.next = true, create
	case create:
		op.next = writeStatus
		if !op.w.create(t, op) { // the name is the lock: the Job that has it is ours, and is taken over
			op.input.Jobs = append(op.input.Jobs, *op.w.job(op.decision.Create.Name))
			op.decision = Decide(op.input)
			require.Nil(t, op.decision.Create, "a Job that exists is not created")
		} else {
			op.decision.Created(op.w.now)
		}
	case writeStatus:
		op.next = deleteJobs
		if op.decision.Status != nil {
			if !op.w.write(t, op) {
				op.anew()
				return
			}
			if fate == lostAnswer { // it is not known to be written, and what is remembered stays
				op.anew()
				return
			}
			op.written, op.wroteAt = op.w.ctj.version, op.w.now
		}
		op.deferred, op.marks = op.decision.Deferred, op.decision.Marks
	case deleteJobs:
		for _, doomed := range op.decision.Delete {
			if j := op.w.job(doomed.Name); j != nil && j.UID == doomed.UID {
				op.mayDelete(t, j)
				// Where another operator has moved status on meanwhile, nobody can tell any more that it was replaced.
				w := op.w
				w.failed[j.Number] = w.failed[j.Number] || j.Running() && !w.saysUnanswered(j)
				op.w.deleteJob(j)
			}
		}
		op.done()
	}
	switch fate {
	case lostAnswer:
		op.anew()
	case crashAfter:
		op.crash()
	}
}

// done ends the round.
func (op *operator) done() { op.next, op.decision = decide, Decision{} }

// anew ends the round, and the next one decides on a live read.
func (op *operator) anew() {
	op.done()
	op.readLive = true
}

// crash replaces the process by a new one.
func (op *operator) crash() {
	for i := range op.w.operators {
		if op.w.operators[i] == op {
			op.done()
			op.w.operators[i] = op.w.start()
		}
	}
}

// decide reads and decides: never on a version older than the own last write.
func (op *operator) decide(t *rapid.T) {
	ctj := op.cached
	if op.readLive || ctj.version < op.written && op.w.now.Sub(op.wroteAt) >= cacheGrace {
		ctj, op.readLive, op.written = op.w.ctj, false, op.w.ctj.version
	}
	if ctj.version < op.written {
		return
	}
	op.version, op.jumps = ctj.version, op.w.jumps
	op.input = Input{Name: sceneName, UID: sceneUID, Generation: ctj.generation, Spec: ctj.spec, Status: ctj.status,
		RunNow: ctj.runNow, RunNowForce: ctj.force, FirstRunNow: ctj.runNow,
		Jobs: slices.Clone(op.jobs), LastStatusWrite: op.wroteAt, Deferred: op.deferred, Marks: op.marks, HashID: op.key, Now: op.w.now}
	if op.unwritten = op.unwritten && ctj.status.ObservedGeneration == 0; op.unwritten {
		op.input.FirstRunNow = op.first
	}
	for _, ref := range MergeReferences(ctj.spec.Resources) {
		if ref.When != "" && op.whens[ref.Reference] != ref.When { // it is looked at anew
			op.whens[ref.Reference], op.lost[ref.Reference] = ref.When, op.w.now
			delete(op.seen, ref.Reference)
		}
		observation, ok := op.seen[ref.Reference]
		if !ok {
			observation = Observation{Reference: ref.Reference, Fields: ref.Fields, Visibility: NotSynced, Since: op.since}
			if lost := op.lost[ref.Reference]; lost.After(op.since) {
				observation.Since = lost
			}
		}
		if ref.When == "" {
			observation.WaitingForWhen = ""
		}
		op.input.Observations = append(op.input.Observations, observation)
	}
	op.decision = Decide(op.input)
	if len(op.decision.ReadJobs) > 0 {
		for _, name := range op.decision.ReadJobs {
			if j := op.w.job(name); j != nil {
				op.input.Jobs = append(op.input.Jobs, *j)
			} else {
				op.input.MissingJobs = append(op.input.MissingJobs, name)
			}
		}
		op.decision = Decide(op.input)
		require.Empty(t, op.decision.ReadJobs, "read, and asked for again")
	}
	checkInvariants(t, op.input, op.decision)
	checkWakesInTime(t, op.input, op.decision)
	switch {
	case op.decision.Create == nil:
		op.next = writeStatus
	case !op.leads():
		op.confirmed = false
		op.done()
	case op.confirmed:
		op.next = create
	default:
		op.next = confirm
	}
}

// round finishes the round under way, or makes a whole one.
func (op *operator) round(t *rapid.T, faulty bool) {
	op.step(t, faulty)
	for op.next != decide {
		op.step(t, faulty)
	}
}

// loop has the Jobs change all that is watched, right after their creation, until they are suspected of it, and then on: they end, and time
// passes after which the next one may come or not. What else a change may wait for is taken from the spec before.
func (op *operator) loop(t *rapid.T) {
	w := op.w
	spec, no := w.ctj.spec.DeepCopy(), false
	spec.Suspend, spec.Windows, spec.PendingDeadline = &no, nil, nil
	spec.Cooldown = &metav1.Duration{Duration: time.Minute}
	for i := range spec.Resources {
		spec.Resources[i].When, spec.Resources[i].Changes = "", nil
	}
	w.put(spec)
	passes := rapid.SampledFrom([]time.Duration{time.Minute, 3 * time.Minute, 10 * time.Minute}).Draw(t, "passes")
	act := func() {
		op.catchUp()
		op.seeAll()
		op.round(t, false)
	}
	change := func() {
		for _, ref := range MergeReferences(w.ctj.spec.Resources) {
			w.setValue(ref.Reference, w.values[ref.Reference]%3+1)
		}
		act()
	}
	act()
	change() // which is nobody's doing, and triggers
	created := true
	for n := range rapid.SampledFrom([]int{3, loopAfter + 2, loopAfter + 6}).Draw(t, "rounds") {
		before := w.created
		if created {
			change()
			w.now = w.now.Add(10 * time.Second) // status is not written all the time
			act()
		}
		for i := len(w.jobs) - 1; i >= 0; i-- {
			if j := &w.jobs[i]; j.Running() {
				j.Outcome, j.Finished = v1alpha.JobSucceeded, w.now.Truncate(time.Second)
			}
			if w.jobs[i].Deleting {
				w.remove(&w.jobs[i])
			}
		}
		if w.now = w.now.Add(61 * time.Second); n > loopAfter {
			w.now = w.now.Add(passes)
		}
		act()
		created = w.created > before
	}
}

// settle lets everything calm down, and checks that everything is answered and nothing goes on.
func (w *world) settle(t *rapid.T) {
	w.operators = []*operator{w.start()}
	op := w.operators[0]
	clear(w.held)
	maps.DeleteFunc(w.forbidden, func(ObjectReference, bool) bool { return true })
	spec := w.ctj.spec.DeepCopy()
	no := false
	spec.Suspend, spec.Condition = &no, v1alpha.TriggerAny
	spec.Windows, spec.PendingDeadline = nil, nil
	for i := range spec.Resources {
		if spec.Resources[i].When != "" {
			spec.Resources[i].When = isReady
		}
	}
	w.put(spec)
	run := func() {
		for range 20 {
			op.catchUp()
			op.seeAll()
			op.round(t, false)
			for i := len(w.jobs) - 1; i >= 0; i-- {
				j := &w.jobs[i]
				if j.Deleting {
					w.remove(j)
				} else if j.Running() {
					j.Outcome = v1alpha.JobSucceeded
				}
			}
			w.now = w.now.Add(10 * time.Second)
		}
	}
	run()

	// P1 and P2: what each object is now is what its last Job, or the first look, was for.
	for key, f := range keptFields(w.ctj.status.ResourceHashes) {
		require.False(t, f.pending(), "%s is pending for ever", key.object)
		want := Absent
		if value := w.values[key.object]; value != 0 {
			want = fmt.Sprintf("%s:%s=%d", op.key, key.object.Name, value)
		}
		require.Equal(t, want, f.hash)
	}
	for _, entry := range w.ctj.status.ResourceHashes {
		if entry.Selection != "" {
			require.Equal(t, w.values[objectOf(&entry)], int(*entry.Matched))
			require.Nil(t, entry.LastTriggeredMatched)
			require.Len(t, entry.Objects, int(*entry.Matched), "what the last Job ran for is described")
		}
	}
	if w.ctj.runNow != "" {
		require.Equal(t, w.ctj.runNow, w.ctj.status.LastRunNow, "what was asked for is neither run nor refused")
		require.True(t, w.ran[w.ctj.runNow] || w.released[w.ctj.runNow] || len(w.excepted) > 0, "%s did not run", w.ctj.runNow)
	}
	if len(w.excepted) == 0 {
		require.Equal(t, int64(len(w.born)), w.ctj.status.TriggerCount)
	}
	require.LessOrEqual(t, len(w.jobs), w.ctj.spec.EffectiveHistory())

	// P3, and P2's other half: nothing more is written or created, by a new process neither.
	version, created := w.ctj.version, w.created
	run()
	op = w.start()
	w.operators = []*operator{op}
	op.round(t, false)
	run()
	require.Equal(t, version, w.ctj.version, "a write where nothing changed")
	require.Equal(t, created, w.created, "a restart triggers")

	// An edit by which all changes count makes nothing pending.
	spec = w.ctj.spec.DeepCopy()
	for i := range spec.Resources {
		spec.Resources[i].Changes = nil
	}
	w.put(spec)
	run()
	require.Equal(t, created, w.created, "an edit triggers")

	// P2: what changes while nothing runs is answered by the next process.
	changed := objectOfSpec(w.ctj.spec)
	w.setValue(changed, w.values[changed]%3+1)
	op = w.start()
	w.operators = []*operator{op}
	run()
	require.Equal(t, created+1, w.created, "a change while nothing ran is answered once")

	// What is asked for while nothing runs is answered once, too, and a restart does not ask again.
	w.ask(t)
	for range 2 {
		w.operators = []*operator{w.start()}
		op = w.operators[0]
		run()
		require.Equal(t, created+2, w.created, "what is asked for runs once")
	}
}

func objectOfSpec(spec *v1alpha.ChangeTriggeredJobSpec) ObjectReference {
	return MergeReferences(spec.Resources)[0].Reference
}
