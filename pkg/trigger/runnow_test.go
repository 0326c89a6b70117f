package trigger

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// asks sets the annotation that asks for a Job.
func asks(value string) part { return func(in *Input) { in.RunNow = value } }

// forces sets the other one, too.
func forces(value string) part { return func(in *Input) { in.RunNowForce = value } }

// known is what status says of a ChangeTriggeredJob that it was written of before.
func known(answered string) part {
	return status(func(s *v1alpha.ChangeTriggeredJobStatus) { s.ObservedGeneration, s.LastRunNow = 1, answered })
}

// seenFirstWith is one of which nothing was written, and what its annotation said when this process saw it first.
func seenFirstWith(value string) part { return func(in *Input) { in.FirstRunNow = value } }

func askedForBy(value string) jobPart {
	return func(j *Job) { j.RunNow, j.Changed, j.Hashes = value, []Change{}, []TriggeredHash{} }
}

// runsFor expects the Job of a number, made because it was asked for.
func runsFor(number int64, value string) expectation {
	return func(t *testing.T, _ Input, d Decision) {
		t.Helper()
		require.NotNil(t, d.Create, "no Job; %s", d.Skip)
		assert.Equal(t, number, d.Create.Number)
		assert.Equal(t, nameOf(number), d.Create.Name)
		assert.Equal(t, ReasonRunNow, d.Create.Reason)
		assert.Equal(t, value, d.Create.RunNow)
		assert.Equal(t, value, d.Status.LastRunNow)
	}
}

// answered expects what status says was answered last.
func answered(value string) expectation {
	return func(t *testing.T, in Input, d Decision) {
		t.Helper()
		assert.Equal(t, value, statusAfter(in, d).LastRunNow)
	}
}

// forNothing expects a Job for which nothing changed.
func forNothing(t *testing.T, _ Input, d Decision) {
	t.Helper()
	require.NotNil(t, d.Create)
	assert.Empty(t, d.Create.Changed)
}

func skipsAs(why string) expectation {
	return func(t *testing.T, _ Input, d Decision) { t.Helper(); assert.Contains(t, d.Skip, why) }
}

func TestRunNow(t *testing.T) {
	long := strings.Repeat("é", v1alpha.MaxRunNowLength)
	tell(t, map[string]tale{
		"it does not wait for the next try at what failed, and is none": {
			[]part{retriggering, unanswered(objectA), failedBefore(1, 1, noon.Add(time.Minute)), known(""), asks("1")},
			[]expectation{runsFor(2, "1"), retried(0, time.Time{})}},
		"a new value runs a Job, though nothing has changed": {
			[]part{unchanged(objectA), known(""), asks("1")},
			[]expectation{runsFor(1, "1"), forNothing, lastTriggeredAt(noon), tells(EventJobCreated), progressing("True JobActive")}},
		"a value that was answered runs none": {
			[]part{unchanged(objectA), known("1"), asks("1")}, []expectation{createsNothing, answered("1"), progressing("False Idle")}},
		"any other value than the one that was answered last runs one": {
			[]part{unchanged(objectA), known("2"), asks("1")}, []expectation{runsFor(1, "1")}},
		"a value that is gone runs none, and stays answered": {
			[]part{unchanged(objectA), known("1")}, []expectation{createsNothing, answered("1"), tellsNothing}},
		"it stands for the whole state: what is pending is what it is for, and pending no more": {
			[]part{changed(objectA), unchanged(objectB), known(""), asks("1")},
			[]expectation{runsFor(1, "1"), because(Change{objectA, []string{"*"}}), says(objectA, "*", sum("new"), "")}},
		"it waits for no cooldown": {
			[]part{unchanged(objectA), known(""), triggered(noon), asks("1")}, []expectation{runsFor(1, "1")}},
		"it begins one": {
			[]part{changed(objectA), known("1"), asks("1"), last(1, v1alpha.JobSucceeded), triggered(noon.Add(-10 * time.Second)), job(1)},
			[]expectation{createsNothing, wakesIn(50 * time.Second), progressing("True Cooldown")}},
		"it waits for no other reference of All": {
			[]part{all, changed(objectA), unchanged(objectB), known(""), asks("1")},
			[]expectation{runsFor(1, "1"), because(Change{objectA, []string{"*"}})}},
		"it waits for nothing that cannot be seen": {
			[]part{refers(objectA), kept(objectA, "*", sum("1"), ""), cannotSee(objectA, Forbidden, 0), known(""), asks("1")},
			[]expectation{runsFor(1, "1"), available("False Forbidden")}},
		"it waits for a look at what has not been seen since the start": {
			[]part{unchanged(objectA), refers(objectB), kept(objectB, "*", sum("1"), ""), cannotSee(objectB, NotSynced, 10*time.Second), known(""), asks("1")},
			[]expectation{createsNothing, wakesIn(20 * time.Second), skipsAs("waiting for a look")}},
		"it waits for that no longer than the thirty seconds after which trouble is shown": {
			[]part{unchanged(objectA), refers(objectB), kept(objectB, "*", sum("1"), ""), cannotSee(objectB, NotSynced, 30*time.Second), known(""), asks("1")},
			[]expectation{runsFor(1, "1")}},
		"a change that is due meanwhile answers it": {
			[]part{changed(objectA), refers(objectB), kept(objectB, "*", sum("1"), ""), cannotSee(objectB, NotSynced, 0), known(""), asks("1")},
			[]expectation{runsFor(1, "1"), because(Change{objectA, []string{"*"}})}},
		"Allow: it runs beside the running Job": {
			[]part{unchanged(objectA), known(""), last(1, v1alpha.JobActive), job(1, running), asks("1")}, []expectation{runsFor(2, "1"), deletes()}},
		"Forbid: it waits for the running Job": {
			[]part{forbidding, unchanged(objectA), known(""), last(1, v1alpha.JobActive), job(1, running), asks("1")},
			[]expectation{createsNothing, answered(""), progressing("True JobRunning")}},
		"Replace: the running Job is deleted first, and what it ran for is unanswered again": {
			[]part{replacing, unchanged(objectA), known(""), last(1, v1alpha.JobActive), job(1, running, becauseOf(objectA, "*")), asks("1")},
			[]expectation{createsNothing, deletes(1), answered(""), says(objectA, "*", sum("old"), Unknown), lastJobIs(1, v1alpha.JobActive)}},
		"Replace: one that was asked for is asked for again when a change replaces it": {
			[]part{replacing, cooled, changed(objectA), known("1"), asks("1"), last(1, v1alpha.JobActive), job(1, running, askedForBy("1"))},
			[]expectation{createsNothing, deletes(1), answered(""), lastJobIs(1, v1alpha.JobActive)}},
		"Replace: so it runs, though the change is gone when the old one is": {
			[]part{replacing, cooled, unchanged(objectA), known(""), asks("1"), last(1, v1alpha.JobActive), lastMissing},
			[]expectation{runsFor(2, "1"), forNothing}},
		"Replace: one that is going because of us has not failed": {
			[]part{replacing, cooled, unchanged(objectA), known(""), last(1, v1alpha.JobActive), job(1, running, goingAway, askedForBy("1"))},
			[]expectation{lastJobIs(1, v1alpha.JobActive), tellsNothing}},
		"Replace: nor where it is suspended meanwhile, and the value is refused once that is gone": {
			[]part{replacing, suspended, cooled, unchanged(objectA), known(""), asks("1"), last(1, v1alpha.JobActive), job(1, running, goingAway, askedForBy("1"))},
			[]expectation{createsNothing, lastJobIs(1, v1alpha.JobActive), answered(""), tellsNothing}},
		"Replace: which it is then": {
			[]part{replacing, suspended, cooled, unchanged(objectA), known(""), asks("1"), last(1, v1alpha.JobActive), active(1), lastMissing},
			[]expectation{createsNothing, lastJobIs(1, ""), answered("1"), tells(EventRunNowRefused)}},
		"Replace: one that somebody else deletes has": {
			[]part{replacing, cooled, changed(objectA), known("1"), asks("1"), last(1, v1alpha.JobActive), job(1, running, goingAway, askedForBy("1"))},
			[]expectation{createsNothing, lastJobIs(1, v1alpha.JobFailed), answered("1"), tells(ReasonLastJobFailed)}},
		"Replace: a value that has been replaced itself is not asked for again": {
			[]part{replacing, cooled, unchanged(objectA), known("1"), asks("2"), last(1, v1alpha.JobActive), lastMissing},
			[]expectation{runsFor(2, "2")}},
		"one that fails when nothing had changed is not tried again": {
			[]part{retriggering, unchanged(objectA), known("1"), asks("1"), last(1, v1alpha.JobActive), job(1, failed, askedForBy("1"))},
			[]expectation{createsNothing, lastJobIs(1, v1alpha.JobFailed), progressing("False Idle")}},
		"it waits for no window": {
			[]part{unchanged(objectA), known(""), asks("1"), spec(func(s *v1alpha.ChangeTriggeredJobSpec) {
				s.Windows = []v1alpha.TriggerWindow{{Schedule: "0 3 * * *", Duration: metav1.Duration{Duration: time.Hour}}}
			})},
			[]expectation{runsFor(1, "1")}},
		"with runOnCreate, it is the first run": {
			[]part{refers(objectA), sees(objectA, sum("1")), asks("1"), spec(func(s *v1alpha.ChangeTriggeredJobSpec) { s.RunOnCreate = new(true) })},
			[]expectation{runsFor(1, "1"), func(t *testing.T, _ Input, d Decision) { assert.False(t, d.Status.FirstRunPending) }}},
		"with an invalid spec it waits, and is not lost": {
			[]part{invalid("broken"), refers(objectA), kept(objectA, "*", sum("1"), ""), known(""), asks("1")},
			[]expectation{createsNothing, answered("")}},
		"a Job that the API server refuses is retried when it is due": {
			[]part{unchanged(objectA), known(""), asks("1"), refused(Refusal{Reason: ReasonJobNotCreated, Message: "quota", RetryAt: noon.Add(time.Minute)})},
			[]expectation{createsNothing, answered(""), wakesIn(time.Minute), progressing("True JobNotCreated"), degraded("True JobNotCreated")}},
		"suspended: it is refused, once": {
			[]part{suspended, changed(objectA), known(""), asks("1")},
			[]expectation{createsNothing, answered("1"), tells(EventRunNowRefused, ReasonSuspended), says(objectA, "*", sum("new"), sum("old"))}},
		"suspended: so nothing runs for it after resume": {
			[]part{unchanged(objectA), known("1"), asks("1")}, []expectation{createsNothing}},
		"suspended: it runs when it is forced, by the same value": {
			[]part{suspended, changed(objectA), known(""), asks("1"), forces("1")},
			[]expectation{runsFor(1, "1"), because(Change{objectA, []string{"*"}}), tells(EventJobCreated)}},
		"suspended: another value forces nothing": {
			[]part{suspended, unchanged(objectA), known(""), asks("2"), forces("1")},
			[]expectation{createsNothing, answered("2"), tells(EventRunNowRefused)}},
		"suspended, with an invalid spec: nothing is refused before suspend can be read": {
			[]part{suspended, invalid("broken"), unchanged(objectA), known(""), asks("1")}, []expectation{createsNothing, answered("")}},
		"to force alone asks for nothing": {
			[]part{unchanged(objectA), known(""), forces("1")}, []expectation{createsNothing, answered("")}},
		"a value of 128 characters runs a Job": {
			[]part{unchanged(objectA), known(""), asks(long)}, []expectation{runsFor(1, long)}},
		"a longer one is refused, and remembered by what fits into status": {
			[]part{unchanged(objectA), known(""), asks(long + "é")},
			[]expectation{createsNothing, tells(EventRunNowRefused), func(t *testing.T, _ Input, d Decision) {
				assert.Less(t, len(d.Status.LastRunNow), v1alpha.MaxRunNowLength)
				assert.NotEmpty(t, d.Status.LastRunNow)
			}}},
		"one that is being deleted runs nothing": {
			[]part{deleting, unchanged(objectA), known(""), asks("1")}, []expectation{createsNothing, writesNothing}},
	})
}

func TestRunNowAtFirstSight(t *testing.T) {
	tell(t, map[string]tale{
		"the value of one that is seen first is answered: it may be a copy, or restored": {
			[]part{refers(objectA), sees(objectA, sum("1")), asks("1"), seenFirstWith("1")},
			[]expectation{createsNothing, answered("1"), tells(EventRunNowRefused)}},
		"so is it before everything was looked at, and at once, lest a process that ends here forgets it": {
			[]part{refers(objectA), cannotSee(objectA, NotSynced, 0), asks("1"), seenFirstWith("1"), generation(1)},
			[]expectation{createsNothing, answered("1"), tells(EventRunNowRefused)}},
		"with an invalid spec, too": {
			[]part{invalid("broken"), refers(objectA), asks("1"), seenFirstWith("1")}, []expectation{createsNothing, answered("1")}},
		"a value that comes later runs a Job, though nothing was written yet": {
			[]part{refers(objectA), sees(objectA, sum("1")), asks("1")}, []expectation{runsFor(1, "1")}},
		"a value that takes the place of the first runs a Job, though nothing was written yet": {
			[]part{refers(objectA), sees(objectA, sum("1")), asks("2"), seenFirstWith("1")}, []expectation{runsFor(1, "2")}},
		"a status of the release before says nothing of it, and a value that comes later runs a Job": {
			[]part{unchanged(objectA), known(""), asks("1"), seenFirstWith("1")}, []expectation{runsFor(1, "1")}},
		"a status that cannot be read is none: nothing runs by itself": {
			[]part{refers(objectA), sees(objectA, sum("1")), asks("1"), seenFirstWith("1"), func(in *Input) {
				in.Status = &v1alpha.ChangeTriggeredJobStatus{}
				if err := in.Status.UnmarshalJSON([]byte(`{"triggerCount":"many","lastRunNow":"0"}`)); err != nil || in.Status.Undecoded() == nil {
					panic("this status can be decoded")
				}
			}},
			[]expectation{createsNothing, answered("1")}},
	})
}

func TestRunNowIsTakenOverWithItsJob(t *testing.T) {
	tell(t, map[string]tale{
		"what a Job was asked for by is answered": {
			[]part{unchanged(objectA), known(""), asks("1"), job(1, running, askedForBy("1"))},
			[]expectation{adopts(1), answered("1"), says(objectA, "*", sum("old"), "")}},
		"what was asked for since is not": {
			[]part{unchanged(objectA), known(""), asks("2"), job(1, running, askedForBy("1"))},
			[]expectation{adopts(1), answered("1")}},
		"suspended meanwhile: nothing is refused that has its Job": {
			[]part{suspended, unchanged(objectA), known(""), asks("1"), job(1, running, askedForBy("1"))},
			[]expectation{adopts(1), answered("1"), tells(EventJobAdopted)}},
		"before anything was written: nothing is refused that has its Job": {
			[]part{refers(objectA), sees(objectA, sum("1")), asks("1"), seenFirstWith("1"), job(1, running, askedForBy("1"))},
			[]expectation{adopts(1), answered("1"), tells(EventJobAdopted)}},
		"a Job that nobody asked for answers nothing": {
			[]part{unchanged(objectA), known("1"), asks("2"), job(1, running, ranFor(objectA, "*", sum("old")))},
			[]expectation{adopts(1), answered("1")}},
		"a forged value that does not fit into status is not written there": {
			[]part{unchanged(objectA), known(""), job(1, running, askedForBy(strings.Repeat("x", 1000)))},
			[]expectation{adopts(1), func(t *testing.T, _ Input, d Decision) {
				assert.Less(t, len(d.Status.LastRunNow), v1alpha.MaxRunNowLength)
			}}},
	})
}

func TestRunNowLeadsWhereTheLostWriteWouldHave(t *testing.T) {
	for sentence, parts := range map[string][]part{
		"nothing changed":                   {unchanged(objectA), known(""), asks("1")},
		"something changed":                 {changed(objectA), unchanged(objectB), known("0"), asks("1")},
		"nothing could ever be seen":        {refers(objectA), cannotSee(objectA, Forbidden, time.Hour), known(""), asks("1")},
		"nothing had been written":          {refers(objectA), sees(objectA, sum("1")), asks("1")},
		"forced, and with Jobs before this": {suspended, cooled, last(4, v1alpha.JobFailed), unchanged(objectA), job(4, failed), known(""), asks("1"), forces("1")},
	} {
		t.Run(sentence, func(t *testing.T) {
			in := scene(parts...)
			in.Now = noon.Add(300 * time.Millisecond)
			lost := Decide(in)
			require.NotNil(t, lost.Create)

			after := settled(in, lost)
			after.Status = in.Status
			if after.Jobs[len(after.Jobs)-1].Hashes == nil {
				after.Jobs[len(after.Jobs)-1].Hashes = []TriggeredHash{} // as it is read
			}
			taken := Decide(after)
			require.Equal(t, lost.Create.Number, taken.Adopted)
			assert.Equal(t, lost.Status, taken.Status)
			assert.Nil(t, Decide(settled(after, taken)).Create, "the trigger has been made")
		})
	}
}

func TestRunNowIsToldWithoutItsValue(t *testing.T) {
	for value, parts := range map[string][]part{"s3cret-1": nil, "s3cret-2": {suspended}} {
		for _, e := range Decide(scene(append(parts, changed(objectA), known(""), asks(value))...)).Events {
			assert.NotContains(t, e.Message, value)
		}
	}
	d := Decide(scene(unchanged(objectA), known(""), asks("1")))
	assert.Contains(t, d.Events[0].Message, "asked for by run-now")
	d = Decide(scene(changed(objectA), known(""), asks("1")))
	assert.Contains(t, d.Events[0].Message, "asked for by run-now; ConfigMap default/a (*) changed")
}
