// Package faults breaks what the operator stands on, in every way that a cluster can break, against a real control
// plane and the operator's real process, and has an oracle judge what has come of it.
package faults

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// history is what the API server's audit log says of Jobs and of the statuses of ChangeTriggeredJobs.
type history struct {
	created map[types.UID][]creation // by the ChangeTriggeredJob's UID
	written map[types.UID][]written
	deleted map[types.NamespacedName][]time.Time // when the deletion of a Job was asked for
}

// creation is one Job that was created.
type creation struct {
	job     *batchv1.Job
	version uint64
	at      time.Time
}

// written is one status that was written.
type written struct {
	ctj     *v1alpha.ChangeTriggeredJob
	version uint64
	at      time.Time
}

func newHistory() *history {
	return &history{
		created: map[types.UID][]creation{}, written: map[types.UID][]written{}, deleted: map[types.NamespacedName][]time.Time{},
	}
}

// add takes in one event of the audit log. Only what the API server has done counts.
func (h *history) add(event *auditv1.Event) error {
	if event.ObjectRef == nil || event.ResponseStatus == nil || event.ResponseStatus.Code/100 != 2 || strings.Contains(event.RequestURI, "dryRun=") {
		return nil
	}
	at := event.StageTimestamp.Time
	switch what := event.Verb + " " + event.ObjectRef.Resource + "/" + event.ObjectRef.Subresource; what {
	case "create jobs/":
		created := &batchv1.Job{}
		if err := decode(event, event.ResponseObject, created); err != nil {
			return err
		}
		if owner := metav1.GetControllerOf(created); owner != nil && owner.Kind == v1alpha.Kind {
			h.created[owner.UID] = append(h.created[owner.UID], creation{created, version(created), at})
		}
	case "delete jobs/":
		name := types.NamespacedName{Namespace: event.ObjectRef.Namespace, Name: event.ObjectRef.Name}
		h.deleted[name] = append(h.deleted[name], event.RequestReceivedTimestamp.Time)
	case "update changetriggeredjobs/status": // the operator asks for metadata alone in answer
		ctj, asked := &v1alpha.ChangeTriggeredJob{}, &v1alpha.ChangeTriggeredJob{}
		if err := errors.Join(decode(event, event.ResponseObject, ctj), decode(event, event.RequestObject, asked)); err != nil {
			return err
		}
		ctj.Status = asked.Status
		h.written[ctj.UID] = append(h.written[ctj.UID], written{ctj, version(ctj), at})
	}
	return nil
}

func decode(event *auditv1.Event, body *runtime.Unknown, into any) error {
	if body == nil {
		return fmt.Errorf("the audit log has not all of %s %s: it needs bodies", event.Verb, event.RequestURI)
	}
	return json.Unmarshal(body.Raw, into)
}

// version orders writes: it is etcd's.
func version(object metav1.Object) uint64 {
	number, _ := strconv.ParseUint(object.GetResourceVersion(), 10, 64)
	return number
}

// place is one field of one object.
type place struct {
	trigger.ObjectReference
	field string
}

// evidence is what the oracle judges by.
type evidence struct {
	ctjs []v1alpha.ChangeTriggeredJob
	// present is, for each field that a ChangeTriggeredJob references, the hash of what the API server has there now.
	present map[types.UID]map[place]string
	history *history
	// seen are Jobs that were there at some time: an API server that is killed has done what its audit log does not
	// tell any more.
	seen []*batchv1.Job
	// excuses are the reasons of a condition for which a ChangeTriggeredJob may lag behind, by its name.
	excuses map[string][]string
}

// verdict is what the oracle finds.
type verdict struct {
	// broken is what can never be right again: a promise was not kept.
	broken []string
	// unsettled is what is not right yet; at rest there is none.
	unsettled []string
	// created is how many Jobs there were, excepted how many of them repeat a number that a Job had which was
	// deleted before its creation was settled: what P1 excepts.
	created, excepted int
}

func (v *verdict) breaks(format string, args ...any) {
	v.broken = append(v.broken, fmt.Sprintf(format, args...))
}

func (v *verdict) awaits(format string, args ...any) {
	v.unsettled = append(v.unsettled, fmt.Sprintf(format, args...))
}

// judge says whether what was promised was kept:
//
//   - each trigger number was created once, they are contiguous from 1, and two in a row stand for different states;
//   - the baseline never moved without its Job, in no status that was ever written;
//   - at rest, hash = baseline = what the newest Job ran for = what is there now, unless lawfully pending.
func judge(e evidence) verdict {
	var v verdict
	e.history = e.history.with(e.seen)
	for uid := range e.history.created {
		judgeNumbers(&v, e.history, uid)
	}
	for uid := range e.history.written {
		judgeBaselines(&v, e.history, uid)
	}
	for i := range e.ctjs {
		judgeRest(&v, e, &e.ctjs[i])
	}
	slices.Sort(v.broken)
	slices.Sort(v.unsettled)
	return v
}

// byVersion returns the creations and the writes in etcd's order.
func (h *history) byVersion(uid types.UID) ([]creation, []written) {
	created, writes := slices.Clone(h.created[uid]), slices.Clone(h.written[uid])
	slices.SortFunc(created, func(a, b creation) int { return cmp.Compare(a.version, b.version) })
	slices.SortFunc(writes, func(a, b written) int { return cmp.Compare(a.version, b.version) })
	return created, writes
}

// with returns the history with the Jobs that it does not have. When exactly they were created is not known; it is taken
// to be right after the trigger before.
func (h *history) with(seen []*batchv1.Job) *history {
	known := map[types.UID]bool{}
	versions := map[types.NamespacedName]uint64{}
	for _, created := range h.created {
		for _, c := range created {
			known[c.job.UID] = true
			versions[types.NamespacedName{Namespace: c.job.Namespace, Name: c.job.Name}] = c.version
		}
	}
	missing := map[types.UID][]*batchv1.Job{}
	for _, j := range seen {
		if owner := metav1.GetControllerOf(j); owner != nil && owner.Kind == v1alpha.Kind && !known[j.UID] {
			missing[owner.UID] = append(missing[owner.UID], j)
		}
	}
	if len(missing) == 0 {
		return h
	}
	all := &history{created: maps.Clone(h.created), written: h.written, deleted: h.deleted}
	for uid, jobs := range missing {
		slices.SortFunc(jobs, func(a, b *batchv1.Job) int {
			m, _ := number(uid, a)
			n, _ := number(uid, b)
			return cmp.Compare(m, n)
		})
		for _, j := range jobs {
			n, _ := number(uid, j)
			before := versions[types.NamespacedName{Namespace: j.Namespace, Name: trigger.JobName(j.Labels[job.OwnerLabel], uid, n-1)}]
			versions[types.NamespacedName{Namespace: j.Namespace, Name: j.Name}] = before + 1
			all.created[uid] = append(slices.Clone(all.created[uid]), creation{job: j, version: before + 1, at: j.CreationTimestamp.Time})
		}
	}
	return all
}

// number is the trigger number of a Job of ours, by its name: an annotation alone proves nothing.
func number(owner types.UID, j *batchv1.Job) (int64, bool) {
	n, err := strconv.ParseInt(j.Annotations[job.TriggerAnnotation], 10, 64)
	return n, err == nil && j.Name == trigger.JobName(j.Labels[job.OwnerLabel], owner, n)
}

func judgeNumbers(v *verdict, h *history, uid types.UID) {
	created, writes := h.byVersion(uid)
	var newest int64
	var last *creation
	for i := range created {
		c := &created[i]
		v.created++
		n, ok := number(uid, c.job)
		switch {
		case !ok && len(writes) == 0:
			continue // its owner is none of ours
		case !ok:
			v.breaks("Job %s says it is trigger %s, whose name is another", c.job.Name, c.job.Annotations[job.TriggerAnnotation])
			continue
		case n <= newest && h.unsettledWhenDeleted(writes, created[:i], c, n):
			v.excepted++
			continue
		case n <= newest:
			v.breaks("Job %s: trigger %d was created twice", c.job.Name, n)
			continue
		case n != newest+1:
			v.breaks("Job %s: trigger %d follows trigger %d", c.job.Name, n, newest)
		}
		if last != nil && c.job.Annotations[job.ReasonAnnotation] == string(trigger.ReasonChange) &&
			c.job.Annotations[job.HashesAnnotation] != "" && !differ(last.job, c.job) && !replaced(h, writes, last, c) {
			v.breaks("Job %s: trigger %d ran for the same state as trigger %d", c.job.Name, n, newest)
		}
		newest, last = n, c
	}
}

// unsettledWhenDeleted says whether the number n may have been free when again was created: somebody had asked for the
// deletion of its Job, and no status that knew of the Job was written before that.
func (h *history) unsettledWhenDeleted(writes []written, before []creation, again *creation, n int64) bool {
	first := slices.IndexFunc(before, func(c creation) bool { return c.job.Name == again.job.Name })
	if first < 0 {
		return false
	}
	name := types.NamespacedName{Namespace: again.job.Namespace, Name: again.job.Name}
	return slices.ContainsFunc(h.deleted[name], func(deleted time.Time) bool {
		settled := slices.ContainsFunc(writes, func(w written) bool {
			return w.ctj.Status.TriggerCount >= n && w.at.Before(deleted)
		})
		return !settled && deleted.Before(again.at)
	})
}

// differ says whether two Jobs ran for different states.
func differ(a, b *batchv1.Job) bool {
	return stripped(a) != stripped(b)
}

// stripped is the annotation of a Job's hashes without the marks of what was pending.
func stripped(j *batchv1.Job) string {
	return strings.ReplaceAll(j.Annotations[job.HashesAnnotation], "*", "")
}

// replaced says whether status had declared the state of the last Job unanswered before the next one was made, as
// concurrencyPolicy Replace does.
func replaced(h *history, writes []written, last, next *creation) bool {
	name := types.NamespacedName{Namespace: last.job.Namespace, Name: last.job.Name}
	return len(h.deleted[name]) > 0 && slices.ContainsFunc(writes, func(w written) bool {
		return w.version > last.version && w.version < next.version && slices.ContainsFunc(fields(w.ctj), func(f field) bool {
			return f.baseline == trigger.Unknown
		})
	})
}

// field is what a status says of one place.
type field struct {
	place
	hash, baseline string
}

func (f *field) pending() bool { return f.hash != f.baseline }

func fields(ctj *v1alpha.ChangeTriggeredJob) []field {
	var all []field
	for _, r := range ctj.Status.ResourceHashes {
		for _, stored := range r.Fields {
			f := field{
				place: place{trigger.ObjectReference{APIVersion: r.APIVersion, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}, stored.Field},
				hash:  stored.Hash, baseline: cmp.Or(stored.LastTriggeredHash, stored.Hash),
			}
			all = append(all, f)
		}
	}
	return all
}

// ranFor is the hashes that a Job stands for, as far as they are of fields that the status of ctj has: a status that was written comes
// without its spec.
func ranFor(ctj *v1alpha.ChangeTriggeredJob, j *batchv1.Job) map[place]string {
	unaware := ctj.DeepCopy() // of what an ended Job ran for, only a status that does not know it asks
	unaware.Status.TriggerCount = 0
	hashes := map[place]string{}
	for _, h := range job.Observe(j, unaware, trigger.References(nil, &ctj.Status)).Hashes {
		hashes[place{h.Reference, h.Field}] = h.Hash
	}
	return hashes
}

// judgeBaselines looks at every status that was written: the count moves with a Job, to what the Job ran for, and
// without a new count no baseline moves, but to be unanswered again, or where the key was another.
func judgeBaselines(v *verdict, h *history, uid types.UID) {
	created, writes := h.byVersion(uid)
	before := map[place]field{}
	var count int64
	for _, w := range writes {
		status := &w.ctj.Status
		name := w.ctj.Name
		var ran map[place]string
		if status.TriggerCount < count {
			v.breaks("%s: the count went back from %d to %d", name, count, status.TriggerCount)
		}
		if status.TriggerCount > count {
			i := slices.IndexFunc(created, func(c creation) bool {
				n, ok := number(uid, c.job)
				return ok && n == status.TriggerCount && c.version < w.version
			})
			if i < 0 {
				v.breaks("%s: status counts trigger %d, whose Job was not created", name, status.TriggerCount)
			} else {
				ran = ranFor(w.ctj, created[i].job)
			}
		}
		now := map[place]field{}
		for _, f := range fields(w.ctj) {
			was, known := before[f.place]
			switch hash, answered := ran[f.place]; {
			case answered && f.baseline != hash && f.baseline != trigger.Unknown:
				v.breaks("%s: the baseline of %s %s is not what trigger %d ran for", name, f.ObjectReference, f.field, status.TriggerCount)
			case ran == nil && known && was.baseline != "" && f.baseline != was.baseline && f.baseline != trigger.Unknown && sameKey(was.baseline, f.baseline):
				v.breaks("%s: the baseline of %s %s moved without a Job, at trigger %d", name, f.ObjectReference, f.field, status.TriggerCount)
			}
			now[f.place] = f
		}
		before, count = now, max(count, status.TriggerCount)
	}
}

// sameKey says whether two hashes were made with the same key.
func sameKey(a, b string) bool {
	idA, _, keyedA := strings.Cut(a, ":")
	idB, _, keyedB := strings.Cut(b, ":")
	return !keyedA || !keyedB || idA == idB
}

func judgeRest(v *verdict, e evidence, ctj *v1alpha.ChangeTriggeredJob) {
	name := ctj.Name
	status := &ctj.Status
	if excused(ctj, e.excuses[name]) {
		return
	}
	if status.ObservedGeneration != ctj.Generation {
		v.awaits("%s: the spec has not been looked at yet", name)
	}
	created, _ := e.history.byVersion(ctj.UID)
	var newest *batchv1.Job
	var highest int64
	for _, c := range created {
		if n, _ := number(ctj.UID, c.job); n >= highest {
			newest, highest = c.job, n
		}
	}
	if highest != status.TriggerCount {
		v.awaits("%s: status counts %d triggers, the newest Job is of trigger %d", name, status.TriggerCount, highest)
	}
	ran := map[place]string{}
	if newest != nil {
		ran = ranFor(ctj, newest)
	}
	said := fields(ctj)
	lawful := lawfullyPending(ctj, said)
	for _, reference := range trigger.MergeReferences(ctj.Spec.Resources) {
		for _, path := range reference.Fields {
			at := place{reference.Reference, path}
			i := slices.IndexFunc(said, func(f field) bool { return f.place == at })
			if i < 0 || said[i].hash == "" {
				v.awaits("%s: %s %s has not been looked at yet", name, at.ObjectReference, path)
				continue
			}
			f := said[i]
			if present, known := e.present[ctj.UID][at]; known && f.hash != present {
				v.awaits("%s: %s %s is not what status says", name, at.ObjectReference, path)
			}
			if f.pending() {
				if !lawful {
					v.awaits("%s: %s %s is pending: %s", name, at.ObjectReference, path, why(ctj))
				}
				continue
			}
			if hash, mentioned := ran[at]; mentioned && hash != f.baseline {
				v.awaits("%s: %s %s is not what the newest Job ran for", name, at.ObjectReference, path)
			}
		}
	}
}

// why is what a ChangeTriggeredJob says of what it does.
func why(ctj *v1alpha.ChangeTriggeredJob) string {
	var said []string
	for _, kind := range []string{trigger.ConditionProgressing, trigger.ConditionDegraded} {
		if c := meta.FindStatusCondition(ctj.Status.Conditions, kind); c != nil {
			said = append(said, fmt.Sprintf("%s %s, %s: %s", kind, c.Status, c.Reason, c.Message))
		}
	}
	return strings.Join(said, "; ")
}

// lawfullyPending says whether what is pending may wait for ever: for the end of a suspension, or for a change of what
// has not changed.
func lawfullyPending(ctj *v1alpha.ChangeTriggeredJob, said []field) bool {
	if ctj.Spec.Suspended() {
		return true
	}
	if ctj.Spec.EffectiveCondition() != v1alpha.TriggerAll {
		return false
	}
	changed := map[trigger.ObjectReference]bool{}
	for _, f := range said {
		changed[f.ObjectReference] = changed[f.ObjectReference] || f.pending()
	}
	for _, pending := range changed {
		if !pending {
			return true
		}
	}
	return false
}

// excused says whether a condition has one of the reasons.
func excused(ctj *v1alpha.ChangeTriggeredJob, reasons []string) bool {
	for _, kind := range []string{trigger.ConditionAvailable, trigger.ConditionProgressing, trigger.ConditionDegraded} {
		if c := meta.FindStatusCondition(ctj.Status.Conditions, kind); c != nil && slices.Contains(reasons, c.Reason) {
			return true
		}
	}
	return false
}

// story tells, in etcd's order, what is known of one ChangeTriggeredJob, for people who look for what went wrong. Hashes are cut
// short.
func (e *evidence) story(uid types.UID) string {
	type line struct {
		version uint64
		text    string
	}
	short := func(hash string) string {
		if _, sum, keyed := strings.Cut(hash, ":"); keyed {
			return sum[:min(len(sum), 6)]
		}
		return hash
	}
	created, writes := e.history.with(e.seen).byVersion(uid)
	var lines []line
	for _, c := range created {
		text := fmt.Sprintf("%s Job %s created: trigger %s, %s", c.at.Format(time.TimeOnly), c.job.Name, c.job.Annotations[job.TriggerAnnotation], c.job.Annotations[job.HashesAnnotation])
		for _, deleted := range e.history.deleted[types.NamespacedName{Namespace: c.job.Namespace, Name: c.job.Name}] {
			text += ", deletion asked for at " + deleted.Format(time.TimeOnly)
		}
		lines = append(lines, line{c.version, text})
	}
	for _, w := range writes {
		text := fmt.Sprintf("%s status: count %d, generation %d", w.at.Format(time.TimeOnly), w.ctj.Status.TriggerCount, w.ctj.Status.ObservedGeneration)
		for _, f := range fields(w.ctj) {
			text += fmt.Sprintf("; %s: %s, baseline %s", f.Name, short(f.hash), short(f.baseline))
		}
		lines = append(lines, line{w.version, text})
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.version, b.version) })
	var told strings.Builder
	for _, l := range lines[max(0, len(lines)-40):] {
		fmt.Fprintf(&told, "    %6d %s\n", l.version, l.text)
	}
	return told.String()
}
