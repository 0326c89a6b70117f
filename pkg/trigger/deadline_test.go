package trigger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func deadline(after time.Duration) part {
	return spec(func(s *v1alpha.ChangeTriggeredJobSpec) { s.PendingDeadline = &metav1.Duration{Duration: after} })
}

func TestPendingDeadline(t *testing.T) {
	hourAgo := noon.Add(-time.Hour)
	forgotten := func(o ObjectReference) []expectation {
		return []expectation{createsNothing, says(o, "*", sum("new"), ""), pendingSince(o, time.Time{})}
	}
	tell(t, map[string]tale{
		"what is suspended for as long is forgotten": {
			[]part{deadline(time.Hour), suspended, waiting(objectA, hourAgo)},
			append(forgotten(objectA), tells(EventPendingForgotten), progressing("False Idle"))},
		"a moment before it is not, and that is when to look again": {
			[]part{deadline(time.Hour), suspended, waiting(objectA, hourAgo), at(noon.Add(-time.Nanosecond))},
			[]expectation{says(objectA, "*", sum("new"), sum("old")), progressing("True Suspended"), wakesIn(time.Nanosecond)}},
		"without a deadline it is never": {
			[]part{suspended, waiting(objectA, noon.Add(-1000*time.Hour))},
			[]expectation{says(objectA, "*", sum("new"), sum("old")), wakesIn(0)}},
		"one of several is forgotten alone": {
			[]part{deadline(time.Hour), suspended, waiting(objectA, hourAgo), waiting(objectB, noon.Add(-time.Minute))},
			append(forgotten(objectA), says(objectB, "*", sum("new"), sum("old")), progressing("True Suspended"), wakesIn(59*time.Minute))},
		"All in part": {
			[]part{deadline(time.Hour), all, waiting(objectA, hourAgo), unchanged(objectB)},
			append(forgotten(objectA), tells(EventPendingForgotten))},
		"a trigger that is due at that moment wins": {
			[]part{deadline(time.Hour), waiting(objectA, hourAgo)}, []expectation{creates(1)}},
		"All that is complete at that moment wins": {
			[]part{deadline(time.Hour), all, waiting(objectA, hourAgo), changed(objectB)}, []expectation{creates(1)}},
		"outside of the windows": {
			[]part{deadline(time.Hour), opens("0 22 * * *", time.Hour), waiting(objectA, hourAgo)}, forgotten(objectA)},
		"within a window that opens at that moment it triggers": {
			[]part{deadline(time.Hour), opens("0 12 * * *", time.Hour), waiting(objectA, hourAgo)}, []expectation{creates(1)}},
		"behind a Job that Forbid waits for": {
			[]part{deadline(time.Hour), forbidding, cooled, last(1, v1alpha.JobActive), waiting(objectA, hourAgo), job(1, running)}, forgotten(objectA)},
		"not behind a Job that is being replaced": {
			[]part{deadline(time.Hour), replacing, cooled, last(1, v1alpha.JobActive), waiting(objectA, hourAgo), job(1, running, becauseOf(objectA, "*"))},
			[]expectation{deletes(1), progressing("True JobRunning")}},
		"nor where that one ran for something else": {
			[]part{deadline(time.Hour), replacing, cooled, last(1, v1alpha.JobActive), waiting(objectA, hourAgo), unchanged(objectB), job(1, running, becauseOf(objectB, "*"))},
			[]expectation{deletes(1), says(objectA, "*", sum("new"), sum("old")), says(objectB, "*", sum("old"), Unknown)}},
		"nor while a first run waits for a look at others": {
			[]part{deadline(time.Hour), spec(func(s *v1alpha.ChangeTriggeredJobSpec) { s.RunOnCreate = new(true) }),
				status(func(s *v1alpha.ChangeTriggeredJobStatus) { s.FirstRunPending = true }), waiting(objectA, hourAgo), refers(objectB), cannotSee(objectB, NotSynced, 0)},
			[]expectation{createsNothing, says(objectA, "*", sum("new"), sum("old"))}},
		"nor while that one goes": {
			[]part{deadline(time.Hour), replacing, cooled, last(1, v1alpha.JobActive), refers(objectA), kept(objectA, "*", sum("new"), Unknown),
				pendingFrom(objectA, hourAgo), sees(objectA, sum("new")), job(1, running, goingAway, becauseOf(objectA, "*"))},
			[]expectation{says(objectA, "*", sum("new"), Unknown)}},
		"nor outside of the windows, as long as that one goes": {
			[]part{deadline(time.Hour), replacing, opens("0 22 * * *", time.Hour), cooled, last(1, v1alpha.JobActive), refers(objectA), kept(objectA, "*", sum("new"), Unknown),
				pendingFrom(objectA, hourAgo), sees(objectA, sum("new")), job(1, running, goingAway, becauseOf(objectA, "*"))},
			[]expectation{says(objectA, "*", sum("new"), Unknown), progressing("True OutsideWindow"), lastJobIs(1, v1alpha.JobActive)}},
		"not while it settles": {
			[]part{deadline(61 * time.Second), settles(30 * time.Second), triggered(noon.Add(-62 * time.Second)), waiting(objectA, noon.Add(-61*time.Second)), movedAt(objectA, noon.Add(-time.Second))},
			[]expectation{createsNothing, progressing("True Settling"), says(objectA, "*", sum("new"), sum("old"))}},
		"not while a failed Job waits for its next try": {
			[]part{deadline(30 * time.Second), cooldown(10 * time.Second), retriggering, cooled, failedBefore(1, 2, noon.Add(10*time.Second)), refers(objectA),
				kept(objectA, "*", sum("new"), Unknown), pendingFrom(objectA, noon.Add(-30*time.Second)), sees(objectA, sum("new"))},
			[]expectation{createsNothing, progressing("True Retrying"), says(objectA, "*", sum("new"), Unknown), retried(2, noon.Add(10*time.Second)), wakesIn(10 * time.Second)}},
		"but where the try waits for a window": {
			[]part{deadline(time.Hour), opens("0 22 * * *", time.Hour), retriggering, cooled, failedBefore(1, 2, noon.Add(-time.Minute)), refers(objectA),
				kept(objectA, "*", sum("new"), Unknown), pendingFrom(objectA, hourAgo), sees(objectA, sum("new"))},
			append(forgotten(objectA), retried(0, time.Time{}), tells(EventPendingForgotten))},
		"while the Jobs seem to change it themselves, which is over then": {
			[]part{deadline(2 * time.Minute), triggered(noon.Add(-3 * time.Minute)), waiting(objectA, noon.Add(-2*time.Minute)), status(func(s *v1alpha.ChangeTriggeredJobStatus) {
				s.ObservedGeneration, s.ResourceHashes[0].LoopCount = 1, loopAfter+2
			})},
			append(forgotten(objectA), degraded("False AsExpected"))},
		"while the API server refuses the Job": {
			[]part{deadline(time.Hour), waiting(objectA, hourAgo), refused(Refusal{Reason: ReasonJobNotCreated, Message: "quota", RetryAt: noon.Add(time.Minute)})},
			append(forgotten(objectA), degraded("False AsExpected"))},
		"not with an invalid spec": {
			[]part{deadline(time.Hour), invalid("no"), waiting(objectA, hourAgo)}, []expectation{says(objectA, "*", sum("new"), sum("old"))}},
		"what is not synced yet after a start is given time": {
			[]part{deadline(time.Hour), refers(objectA), kept(objectA, "*", sum("new"), sum("old")), pendingFrom(objectA, hourAgo), cannotSee(objectA, NotSynced, 0)},
			[]expectation{createsNothing, says(objectA, "*", sum("new"), sum("old")), wakesIn(syncPatience)}},
		"also while it is suspended, since it may be back as it was": {
			[]part{deadline(time.Hour), suspended, refers(objectA), kept(objectA, "*", sum("new"), sum("old")), pendingFrom(objectA, hourAgo), cannotSee(objectA, NotSynced, 0)},
			[]expectation{createsNothing, says(objectA, "*", sum("new"), sum("old")), wakesIn(syncPatience)}},
		"what cannot be seen is forgotten as it was last known": {
			[]part{deadline(time.Hour), suspended, refers(objectA), kept(objectA, "*", sum("new"), sum("old")), pendingFrom(objectA, hourAgo), cannotSee(objectA, Forbidden, time.Hour)},
			forgotten(objectA)},
		"of a release before it is pending since now, and status says so at once": {
			[]part{deadline(time.Hour), suspended, changed(objectB), refers(objectA), kept(objectA, "*", sum("new"), sum("old")), sees(objectA, sum("new"))},
			[]expectation{pendingSince(objectA, noon), wakesIn(time.Hour)}},
		"a try that is put off for too long is forgotten with what it is for": {
			[]part{deadline(61 * time.Second), retriggering, suspended, cooled, failedBefore(1, 0, noon.Add(time.Second)), last(1, v1alpha.JobFailed), job(1, failed),
				refers(objectA), kept(objectA, "*", sum("new"), Unknown), pendingFrom(objectA, hourAgo), sees(objectA, sum("new"))},
			append(forgotten(objectA), retried(0, time.Time{}))},
	})
}

func TestWhatIsForgottenIsNamed(t *testing.T) {
	d := Decide(scene(deadline(time.Hour), suspended, refersTo(objectA, "x", "y"), refers(objectB),
		kept(objectA, "x", sum("new"), sum("old")), kept(objectA, "y", sum("same"), ""), kept(objectB, "*", sum("new"), sum("old")),
		pendingFrom(objectA, noon.Add(-2*time.Hour)), pendingFrom(objectB, noon.Add(-time.Hour)),
		sees(objectA, sum("new"), sum("same")), sees(objectB, sum("new"))))
	assert.Equal(t, []Event{{Type: corev1.EventTypeWarning, Reason: EventPendingForgotten, Message: "Pending for longer than pendingDeadline (1h0m0s), " +
		"and forgotten without a Job: ConfigMap default/a (x), Secret default/b (*)"}}, d.Events)
}

func TestTheNextChangeOfWhatWasForgottenCounts(t *testing.T) {
	in := scene(deadline(time.Hour), suspended, waiting(objectA, noon.Add(-time.Hour)))
	in = settled(in, Decide(in))
	in.Spec.Suspend, in.Observations = nil, nil
	sees(objectA, sum("new"))(&in)
	require.Nil(t, Decide(in).Create)
	in.Observations = nil
	sees(objectA, sum("newer"))(&in)
	creates(1)(t, in, Decide(in))
}

func TestWhatAReleaseBeforeLeftPendingIsDatedAtOnceWhereADeadlineCounts(t *testing.T) {
	for sentence, p := range map[string]part{"with a deadline": deadline(time.Hour), "with settle": settles(time.Second)} {
		t.Run(sentence, func(t *testing.T) {
			in := atRest(t, suspended, p, changed(objectA))
			in.Status.ResourceHashes[0].PendingSince = nil
			d := Decide(in)
			require.NotNil(t, d.Status)
			pendingSince(objectA, noon)(t, in, d)
		})
	}
}

// Which of two watches is synced first after a start is chance, and decides nothing.
func TestNothingIsForgottenWhileAllMayBeComplete(t *testing.T) {
	for sentence, second := range map[string]part{
		"what changed while nothing ran": kept(objectB, "*", sum("old"), ""),
		"what status has as pending":     kept(objectB, "*", sum("new"), sum("old")),
	} {
		for _, first := range []ObjectReference{objectA, objectB} {
			t.Run(sentence+", and "+first.Name+" is seen first", func(t *testing.T) {
				in := scene(deadline(time.Hour), all, cooled, refers(objectA, objectB), kept(objectA, "*", sum("new"), sum("old")),
					pendingFrom(objectA, noon.Add(-90*time.Minute)), second)
				for _, o := range []ObjectReference{objectA, objectB} {
					if o == first {
						sees(o, sum("new"))(&in)
					} else {
						cannotSee(o, NotSynced, 0)(&in)
					}
				}
				d := Decide(in)
				require.Nil(t, d.Create)
				assert.NotContains(t, reasonsOf(d.Events), EventPendingForgotten)
				in = settled(in, d)
				in.Now, in.Observations = in.Now.Add(10*time.Millisecond), nil
				sees(objectA, sum("new"))(&in)
				sees(objectB, sum("new"))(&in)
				assert.NotNil(t, Decide(in).Create)
			})
		}
	}
}

// What waits for its `when` past the deadline is not forgotten in the decision that creates a Job for something else, but right after it.
func TestWhatWaitsBeyondTheDeadlineIsForgottenOnceTheJobOfOthersIsCreated(t *testing.T) {
	in := scene(deadline(time.Hour), cooled, waiting(objectA, noon.Add(-time.Hour)), changed(objectB))
	holding(objectA)(&in)
	in.Observations[0].WaitingForWhen = v1alpha.WhenFalse
	d := Decide(in)
	require.NotNil(t, d.Create)
	assert.Equal(t, atOnce, d.RequeueAfter)
	in = settled(in, d)
	in.Now = in.Now.Add(d.RequeueAfter)
	d = Decide(in)
	assert.Contains(t, reasonsOf(d.Events), EventPendingForgotten)
	assert.Zero(t, d.RequeueAfter)
}
