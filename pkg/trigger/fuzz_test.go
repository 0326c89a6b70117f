package trigger

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// FuzzDecide gives Decide whatever its types can hold, as a status of another release or a hostile Job may. Nothing
// may panic, what is so of every decision must be so, and a decision that is carried out leaves nothing to do.
func FuzzDecide(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(decideAnything))
}

func TestDecideWhateverItIsGiven(t *testing.T) { rapid.Check(t, decideAnything) }

func decideAnything(t *rapid.T) {
	in := anyInput().Draw(t, "input")
	stored := in.Status.DeepCopy()
	d := Decide(in)
	require.Equal(t, stored, in.Status, "an argument was changed")
	require.Equal(t, d, Decide(in), "the same input, another decision")
	checkInvariants(t, in, d)
	misnamed := slices.ContainsFunc(in.Jobs, func(j Job) bool { return j.Name != nameOf(j.Number) })
	if d.Create == nil || !misnamed { // else a name or a number may mean something else once the count has moved
		checkQuiet(t, in, d)
	}
	for _, doomed := range d.Delete {
		require.False(t, doomed.Deleting, "deleted twice")
		require.True(t, !doomed.Running() || in.Spec.ConcurrencyPolicy == v1alpha.ReplaceConcurrent, "a running Job is deleted")
	}
}

func anyInput() *rapid.Generator[Input] {
	text := rapid.SampledFrom([]string{"", "a", "*", "\xff", "data", Absent, Unknown})
	hash := rapid.SampledFrom([]string{"", Absent, Unknown, "k1:1", "k1:2", "k2:1", ":", "k1:", "abc", "\xff"})
	object := rapid.SampledFrom([]ObjectReference{{}, objectA, objectB, objectC, objectsW})
	matched := rapid.Ptr(rapid.Int32Range(-1, 70), true)
	number := rapid.OneOf(rapid.Int64Range(-2, 4), rapid.SampledFrom([]int64{1 << 40, maxNumber - 1, maxNumber, maxNumber + 1, math.MaxInt64}))
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		return rapid.SampledFrom([]time.Time{{}, noon, noon.Add(-time.Minute), noon.Add(time.Hour), noon.Add(7 * time.Millisecond),
			time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(-9999, 1, 1, 0, 0, 0, 0, time.UTC)}).Draw(t, "time")
	})
	outcome := rapid.SampledFrom([]v1alpha.JobStatus{"", v1alpha.JobActive, v1alpha.JobSucceeded, v1alpha.JobFailed, "Odd"})
	name := rapid.Custom(func(t *rapid.T) string {
		return rapid.OneOf(text, rapid.Map(number, nameOf)).Draw(t, "name")
	})
	asked := rapid.SampledFrom([]string{"", "a", "b", "\xff", strings.Repeat("é", 128), strings.Repeat("é", 129)})
	job := rapid.Custom(func(t *rapid.T) Job {
		j := Job{Name: name.Draw(t, "job"), Number: number.Draw(t, "number"), CreationTimestamp: moment.Draw(t, "created"),
			Finished: moment.Draw(t, "finished"), Outcome: outcome.Draw(t, "outcome"), Deleting: rapid.Bool().Draw(t, "deleting")}
		if j.Number < 1<<40 && j.Name != nameOf(j.Number) {
			j.Number = 0 // whoever reads Jobs has checked; a number far above the count is checked again
		}
		if rapid.IntRange(0, 3).Draw(t, "asked for") == 0 {
			j.RunNow = asked.Draw(t, "run now")
		}
		for range rapid.IntRange(0, 2).Draw(t, "hashes") {
			j.Hashes = append(j.Hashes, TriggeredHash{object.Draw(t, "object"), text.Draw(t, "path"), hash.Draw(t, "hash")})
			j.Changed = append(j.Changed, Change{object.Draw(t, "object"), []string{text.Draw(t, "path")}})
		}
		return j
	})
	entry := rapid.Custom(func(t *rapid.T) v1alpha.ResourceHash {
		o := object.Draw(t, "object")
		e := v1alpha.ResourceHash{APIVersion: o.APIVersion, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Message: text.Draw(t, "message")}
		if rapid.Bool().Draw(t, "dated") {
			e.PendingSince = &metav1.Time{Time: moment.Draw(t, "pending since")}
			e.ChangedTime = &metav1.Time{Time: moment.Draw(t, "changed")}
		}
		e.Exists, e.LastTriggeredExists = rapid.Ptr(rapid.Bool(), true).Draw(t, "exists"), rapid.Ptr(rapid.Bool(), true).Draw(t, "existed")
		e.WaitingForWhen = rapid.SampledFrom([]v1alpha.WhenResult{"", "", v1alpha.WhenFalse, "Odd"}).Draw(t, "waiting")
		e.LoopCount = rapid.SampledFrom([]int32{0, 0, 1, loopAfter - 1, loopAfter, maxLoopCount, math.MaxInt32, -1}).Draw(t, "loops")
		for range rapid.IntRange(0, 3).Draw(t, "fields") {
			e.Fields = append(e.Fields, v1alpha.FieldHash{Field: text.Draw(t, "path"), Hash: hash.Draw(t, "hash"), LastTriggeredHash: hash.Draw(t, "baseline")})
		}
		if e.Selection = o.Selection; e.Selection != "" {
			e.Matched, e.LastTriggeredMatched = matched.Draw(t, "matched"), matched.Draw(t, "matched before")
			for range rapid.IntRange(0, 60).Draw(t, "objects") {
				e.Objects = append(e.Objects, v1alpha.ObjectHash{Name: text.Draw(t, "object"), Hashes: rapid.SliceOfN(hash, 0, 3).Draw(t, "hashes")})
			}
		}
		return e
	})
	aResult := rapid.SampledFrom([]v1alpha.WhenResult{"", "", v1alpha.WhenFalse, v1alpha.WhenFailed, v1alpha.WhenUnknown, "Odd"})
	aMoment := rapid.Uint64Range(0, 5)
	mark := rapid.Custom(func(t *rapid.T) Mark {
		return Mark{Reference: object.Draw(t, "object"), Hashes: rapid.SliceOfN(hash, 0, 2).Draw(t, "hashes"), At: aMoment.Draw(t, "at"),
			Baseline: rapid.SliceOfN(hash, 0, 2).Draw(t, "baseline"), BaselineAt: aMoment.Draw(t, "baseline at")}
	})
	observation := rapid.Custom(func(t *rapid.T) Observation {
		var objects []ObservedObject
		for range rapid.IntRange(0, 60).Draw(t, "objects") {
			objects = append(objects, ObservedObject{Name: text.Draw(t, "object"), Hashes: rapid.SliceOfN(hash, 0, 3).Draw(t, "hashes")})
		}
		return Observation{Reference: object.Draw(t, "object"), Matched: rapid.IntRange(-1, 70).Draw(t, "matched"), Objects: objects, Exists: rapid.Bool().Draw(t, "exists"), Since: moment.Draw(t, "since"),
			Visibility: rapid.SampledFrom([]Visibility{Visible, Visible, Forbidden, KindNotServed, VersionNotServed, NotSynced, TooMany, "Odd"}).Draw(t, "visibility"),
			Fields:     rapid.SliceOfN(text, 0, 3).Draw(t, "fields"), Hashes: rapid.SliceOfN(hash, 0, 3).Draw(t, "hashes"),
			WaitingForWhen: aResult.Draw(t, "when"),
			Moment:         aMoment.Draw(t, "moment"), LastCreated: aMoment.Draw(t, "created"), LastUpdated: aMoment.Draw(t, "updated"), LastDeleted: aMoment.Draw(t, "deleted")}
	})
	condition := rapid.Custom(func(t *rapid.T) metav1.Condition {
		return metav1.Condition{Type: rapid.SampledFrom([]string{ConditionAvailable, ConditionProgressing, ConditionDegraded, "Odd"}).Draw(t, "type"),
			Status: rapid.SampledFrom([]metav1.ConditionStatus{"", metav1.ConditionTrue, metav1.ConditionFalse}).Draw(t, "status"),
			Reason: rapid.SampledFrom([]string{"", ReasonForbidden, ReasonInvalidSpec, ReasonCooldown, ReasonLastJobFailed}).Draw(t, "reason")}
	})
	return rapid.Custom(func(t *rapid.T) Input {
		in := scene()
		in.Generation, in.Deleting = rapid.Int64Range(1, 3).Draw(t, "generation"), rapid.IntRange(0, 9).Draw(t, "deleting") == 0
		for range rapid.IntRange(0, 3).Draw(t, "references") {
			refersTo(object.Draw(t, "object"), rapid.SliceOfN(text, 0, 3).Draw(t, "fields")...)(&in)
			if rapid.IntRange(0, 2).Draw(t, "has when") == 0 {
				in.Spec.Resources[len(in.Spec.Resources)-1].When = "true"
			}
			in.Spec.Resources[len(in.Spec.Resources)-1].Changes = rapid.SliceOfN(
				rapid.SampledFrom([]v1alpha.ChangeType{created, isUpdated, deleted, "Odd"}), 0, 2).Draw(t, "changes")
		}
		in.Spec.Condition = rapid.SampledFrom([]v1alpha.TriggerCondition{"", v1alpha.TriggerAll, "Odd"}).Draw(t, "condition")
		in.Spec.ConcurrencyPolicy = rapid.SampledFrom([]v1alpha.ConcurrencyPolicy{"", v1alpha.ForbidConcurrent, v1alpha.ReplaceConcurrent, "Odd"}).Draw(t, "policy")
		if rapid.Bool().Draw(t, "has cooldown") {
			in.Spec.Cooldown = &metav1.Duration{Duration: time.Duration(rapid.Int64().Draw(t, "cooldown"))}
		}
		duration := func(name string) *metav1.Duration {
			some := rapid.SampledFrom([]time.Duration{0, time.Nanosecond, time.Second, time.Minute, time.Hour, math.MaxInt64, math.MinInt64})
			return rapid.Ptr(rapid.Map(some, func(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }), true).Draw(t, name)
		}
		in.Spec.Settle, in.Spec.PendingDeadline = duration("settle"), duration("deadline")
		in.Spec.OnLoop = rapid.SampledFrom([]v1alpha.LoopPolicy{"", v1alpha.SlowDownLoop, v1alpha.IgnoreLoop, "Odd"}).Draw(t, "on loop")
		in.Spec.RunOnCreate = rapid.Ptr(rapid.Bool(), true).Draw(t, "run on create")
		in.Spec.OnFailure = rapid.SampledFrom([]v1alpha.FailurePolicy{"", v1alpha.RetriggerOnFailure, "Odd"}).Draw(t, "on failure")
		in.Spec.RetriggerLimit = rapid.Ptr(rapid.Int32(), true).Draw(t, "limit")
		for range max(rapid.IntRange(-3, 2).Draw(t, "windows"), 0) {
			opensIn(rapid.SampledFrom([]string{"", "Europe/Berlin", "Nowhere"}).Draw(t, "zone"),
				rapid.SampledFrom([]string{"* * * * *", "0 12 * * *", "0 0 30 2 *", "odd"}).Draw(t, "schedule"),
				rapid.SampledFrom([]time.Duration{0, -1, time.Hour, math.MaxInt64}).Draw(t, "open for"))(&in)
		}
		in.Spec.History = rapid.Ptr(rapid.Int32(), true).Draw(t, "history")
		if rapid.IntRange(0, 4).Draw(t, "suspended") == 0 {
			suspended(&in)
		}
		in.Invalid = rapid.SampledFrom([]string{"", "", "", "no\xff"}).Draw(t, "invalid")
		in.Status = &v1alpha.ChangeTriggeredJobStatus{
			ObservedGeneration: rapid.Int64Range(0, 3).Draw(t, "observed"), TriggerCount: number.Draw(t, "count"),
			LastJobName: name.Draw(t, "last"), LastJobStatus: outcome.Draw(t, "last outcome"),
			ResourceHashes: rapid.SliceOfN(entry, 0, 4).Draw(t, "entries"), Conditions: rapid.SliceOfN(condition, 0, 4).Draw(t, "conditions"),
			Active:          []v1alpha.JobReference{{Name: name.Draw(t, "active")}},
			FirstRunPending: rapid.Bool().Draw(t, "owed"),
		}
		if rapid.Bool().Draw(t, "tried") {
			in.Status.Retry = &v1alpha.RetryStatus{Count: rapid.SampledFrom([]int32{0, 1, 7, 100, math.MaxInt32, math.MinInt32}).Draw(t, "tries")}
			if rapid.Bool().Draw(t, "to be tried") {
				in.Status.Retry.NextTime = &metav1.Time{Time: moment.Draw(t, "next try")}
			}
		}
		if rapid.Bool().Draw(t, "deferred") {
			in.Deferred = &Deferral{Status: &v1alpha.ChangeTriggeredJobStatus{ResourceHashes: rapid.SliceOfN(entry, 0, 4).Draw(t, "deferred entries")}, from: in.Status}
		}
		in.Marks = rapid.SliceOfN(mark, 0, 2).Draw(t, "marks")
		if rapid.IntRange(0, 4).Draw(t, "new") == 0 {
			in.Status = &v1alpha.ChangeTriggeredJobStatus{}
		}
		if rapid.Bool().Draw(t, "has triggered") {
			in.Status.LastTriggeredTime = &metav1.Time{Time: moment.Draw(t, "triggered")}
		}
		if rapid.Bool().Draw(t, "has finished") {
			in.Status.LastJobFinishedTime = &metav1.Time{Time: moment.Draw(t, "last finished")}
		}
		in.RunNow, in.RunNowForce, in.FirstRunNow = asked.Draw(t, "run now"), asked.Draw(t, "force"), asked.Draw(t, "first run now")
		in.Status.LastRunNow = asked.Draw(t, "last run now")
		in.Observations = rapid.SliceOfN(observation, 0, 4).Draw(t, "observations")
		for _, j := range rapid.SliceOfN(job, 0, 4).Draw(t, "jobs") {
			if !slices.ContainsFunc(in.Jobs, func(other Job) bool { return other.Name == j.Name }) {
				in.Jobs = append(in.Jobs, j)
			}
		}
		in.MissingJobs = rapid.SliceOfN(name, 0, 3).Draw(t, "missing")
		in.LastStatusWrite = moment.Draw(t, "wrote")
		if rapid.IntRange(0, 3).Draw(t, "refused") == 0 {
			in.Refusal = &Refusal{Reason: rapid.SampledFrom([]string{"", ReasonInvalidSpec, ReasonNameTaken, "odd reason"}).Draw(t, "reason"),
				Message: text.Draw(t, "why"), RetryAt: moment.Draw(t, "retry")}
		}
		return in
	})
}
