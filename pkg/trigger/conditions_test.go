package trigger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// said is what status says already: conditions with these reasons, Available, Progressing and Degraded, each as
// "status reason", with messages.
func said(generation int64, available, progressing, degraded string) part {
	return status(func(s *v1alpha.ChangeTriggeredJobStatus) {
		s.ObservedGeneration = generation
		for _, condition := range [][2]string{
			{ConditionAvailable, available}, {ConditionProgressing, progressing}, {ConditionDegraded, degraded}} {
			state, reason, _ := strings.Cut(condition[1], " ")
			meta.SetStatusCondition(&s.Conditions, metav1.Condition{Type: condition[0], Status: metav1.ConditionStatus(state),
				Reason: reason, Message: "as it was", ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(noon.Add(-time.Hour))})
		}
	})
}

func TestConditions(t *testing.T) {
	quota := Refusal{Reason: ReasonJobNotCreated, Message: "exceeded quota", RetryAt: noon.Add(7 * time.Second)}
	taken := Refusal{Reason: ReasonNameTaken, Message: "a Job of that name exists", RetryAt: noon.Add(7 * time.Second)}
	unfit := Refusal{Reason: ReasonInvalidSpec, Message: "spec.template: Required value", RetryAt: noon.Add(10 * time.Minute)}
	odd := Refusal{Reason: "no reason at all", Message: "?", RetryAt: noon.Add(time.Second)}

	for sentence, c := range map[string]struct {
		given []part
		want  [3]string // Available, Progressing, Degraded
	}{
		"all visible, nothing pending": {
			[]part{unchanged(objectA)}, [3]string{"True Watching", "False Idle", "False AsExpected"}},
		"pending in the cooldown": {
			[]part{changed(objectA), triggered(noon)}, [3]string{"True Watching", "True Cooldown", "False AsExpected"}},
		"pending, and All is incomplete": {
			[]part{all, changed(objectA), unchanged(objectB)}, [3]string{"True Watching", "True WaitingForAll", "False AsExpected"}},
		"pending and suspended": {
			[]part{suspended, changed(objectA)}, [3]string{"True Watching", "True Suspended", "False AsExpected"}},
		"not suspended any more, and not looked at yet": {
			[]part{status(func(s *v1alpha.ChangeTriggeredJobStatus) {
				s.Conditions = []metav1.Condition{condition(ConditionProgressing, metav1.ConditionTrue, ReasonSuspended, "suspended")}
			}), generation(2), refers(objectA), kept(objectA, "*", sum("new"), sum("old")), cannotSee(objectA, NotSynced, 0)},
			[3]string{"True Watching", "True Triggering", "False AsExpected"}},
		"what was waited for is over once a Job is created, though others have not been looked at": {
			[]part{status(func(s *v1alpha.ChangeTriggeredJobStatus) {
				s.Conditions = []metav1.Condition{condition(ConditionProgressing, metav1.ConditionTrue, ReasonCooldown, "the cooldown")}
			}), changed(objectA), refers(objectB), holding(objectB), kept(objectB, "*", sum("new"), sum("old")), cannotSee(objectB, NotSynced, 0)},
			[3]string{"True Watching", "True JobActive", "False AsExpected"}},
		"pending behind a running Job": {
			[]part{forbidding, cooled, last(1, v1alpha.JobActive), changed(objectA), job(1, running)},
			[3]string{"True Watching", "True JobRunning", "False AsExpected"}},
		"suspended counts before the rest": {
			[]part{suspended, all, triggered(noon), changed(objectA), unchanged(objectB)}, [3]string{"True Watching", "True Suspended", "False AsExpected"}},
		"suspended with nothing pending": {
			[]part{suspended, unchanged(objectA)}, [3]string{"True Watching", "False Idle", "False AsExpected"}},
		"a Job has just been created": {
			[]part{changed(objectA)}, [3]string{"True Watching", "True JobActive", "False AsExpected"}},
		"a Job is active": {
			[]part{last(1, v1alpha.JobActive), unchanged(objectA), job(1, running)}, [3]string{"True Watching", "True JobActive", "False AsExpected"}},
		"a Job is active and the next waits for the cooldown": {
			[]part{last(1, v1alpha.JobActive), triggered(noon), changed(objectA), job(1, running)}, [3]string{"True Watching", "True Cooldown", "False AsExpected"}},
		"an ended Job was taken over, and the next one is due": {
			[]part{noCooldown, changed(objectA), job(1, ranFor(objectA, "*", sum("x")))}, [3]string{"True Watching", "True Triggering", "False AsExpected"}},
		"an object is absent": {
			[]part{refers(objectA), kept(objectA, "*", Absent, ""), sees(objectA, Absent)}, [3]string{"True Watching", "False Idle", "False AsExpected"}},
		"an object is forbidden": {
			[]part{unchanged(objectB), refers(objectA), cannotSee(objectA, Forbidden, 0)}, [3]string{"False Forbidden", "False Idle", "True Forbidden"}},
		"a kind is not served": {
			[]part{unchanged(objectB), refers(objectA), kept(objectA, "*", Absent, ""), unserved(objectA)}, [3]string{"False KindNotServed", "False Idle", "True KindNotServed"}},
		"a version is not served": {
			[]part{refers(objectA), cannotSee(objectA, VersionNotServed, 0)}, [3]string{"False KindNotServed", "False Idle", "True KindNotServed"}},
		"no sync for 30 seconds": {
			[]part{refers(objectA), kept(objectA, "*", sum("1"), ""), cannotSee(objectA, NotSynced, 30*time.Second)}, [3]string{"False NotSynced", "False Idle", "True NotSynced"}},
		"several troubles at once": {
			[]part{refers(objectA, objectB, objectC), cannotSee(objectA, NotSynced, time.Hour), cannotSee(objectB, VersionNotServed, 0), cannotSee(objectC, Forbidden, 0)},
			[3]string{"False Forbidden", "False Idle", "True Forbidden"}},
		"trouble with one reference while another waits": {
			[]part{changed(objectA), triggered(noon), refers(objectB), cannotSee(objectB, Forbidden, 0)}, [3]string{"False Forbidden", "True Cooldown", "True Forbidden"}},
		"an invalid spec": {
			[]part{invalid("spec.resources[0].fields[0]: …"), changed(objectA)}, [3]string{"False InvalidSpec", "False InvalidSpec", "True InvalidSpec"}},
		"an invalid spec while a Job is active": {
			[]part{invalid("no"), last(1, v1alpha.JobActive), refers(objectA), job(1, running)}, [3]string{"False InvalidSpec", "False InvalidSpec", "True InvalidSpec"}},
		"a spec that the API server refused": {
			[]part{changed(objectA), refused(unfit)}, [3]string{"False InvalidSpec", "False InvalidSpec", "True InvalidSpec"}},
		"a spec that the API server refused, with nothing pending any more": {
			[]part{unchanged(objectA), refused(unfit)}, [3]string{"True Watching", "False Idle", "False AsExpected"}},
		"a spec that the API server refused, and what is pending waits for something else": {
			[]part{all, changed(objectA), unchanged(objectB), refused(unfit)}, [3]string{"True Watching", "True WaitingForAll", "False AsExpected"}},
		"a spec that the API server refused, while the present state is not known": {
			[]part{refers(objectA), kept(objectA, "*", sum("2"), sum("1")), cannotSee(objectA, NotSynced, 0), refused(unfit)},
			[3]string{"False InvalidSpec", "False InvalidSpec", "True InvalidSpec"}},
		"a Job refused by a quota": {
			[]part{changed(objectA), refused(quota)}, [3]string{"True Watching", "True JobNotCreated", "True JobNotCreated"}},
		"a Job refused for a reason that we have no word for": {
			[]part{changed(objectA), refused(odd)}, [3]string{"True Watching", "True JobNotCreated", "True JobNotCreated"}},
		"a Job whose name is taken": {
			[]part{changed(objectA), refused(taken)}, [3]string{"True Watching", "True NameTaken", "True NameTaken"}},
		"a Job was refused, and nothing is pending any more": {
			[]part{unchanged(objectA), refused(quota)}, [3]string{"True Watching", "False Idle", "False AsExpected"}},
		"a Job was refused, and the retry is due": {
			[]part{changed(objectA), refused(quota), at(quota.RetryAt)}, [3]string{"True Watching", "True JobActive", "False AsExpected"}},
		"the last Job failed": {
			[]part{last(1, v1alpha.JobActive), unchanged(objectA), job(1, failed)}, [3]string{"True Watching", "False Idle", "True LastJobFailed"}},
		"the last Job failed and the next one waits": {
			[]part{last(1, v1alpha.JobActive), triggered(noon), changed(objectA), job(1, failed)}, [3]string{"True Watching", "True Cooldown", "True LastJobFailed"}},
		"the last Job failed and a reference is forbidden": {
			[]part{last(1, v1alpha.JobActive), refers(objectA), cannotSee(objectA, Forbidden, 0), job(1, failed)}, [3]string{"False Forbidden", "False Idle", "True Forbidden"}},
		"never seen, for a while": {
			[]part{refers(objectA), cannotSee(objectA, NotSynced, time.Minute)}, [3]string{"False NotSynced", "False Idle", "True NotSynced"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			in := scene(c.given...)
			in.Generation = 7
			d := Decide(in)
			checkInvariants(t, in, d)
			checkQuiet(t, in, d)
			require.NotNil(t, d.Status)
			assert.Equal(t, c.want, conditionsOf(d.Status))
			assert.Equal(t, int64(7), d.Status.ObservedGeneration)
			for _, condition := range d.Status.Conditions {
				assert.NotEmpty(t, condition.Message)
				assert.Equal(t, int64(7), condition.ObservedGeneration)
			}
		})
	}
}

func TestConditionMessages(t *testing.T) {
	message := func(conditionType, want string) expectation {
		return func(t *testing.T, _ Input, d Decision) {
			t.Helper()
			c := meta.FindStatusCondition(d.Status.Conditions, conditionType)
			require.NotNil(t, c)
			assert.Equal(t, want, c.Message)
		}
	}
	tell(t, map[string]tale{
		"the cooldown says what waits and when it ends": {
			[]part{changed(objectA), triggered(noon)},
			[]expectation{message(ConditionProgressing, "ConfigMap default/a changed; the cooldown ends at 2026-03-04T12:01:00Z")}},
		"All says who is waited for": {
			[]part{all, changed(objectA), unchanged(objectB), unchanged(objectC)},
			[]expectation{message(ConditionProgressing, "ConfigMap default/a changed; waiting for a change of Secret default/b, Node c")}},
		"Forbid says which Job": {
			[]part{forbidding, cooled, last(1, v1alpha.JobActive), changed(objectA), job(1, running)},
			[]expectation{message(ConditionProgressing, "ConfigMap default/a changed; waiting for the end of Job "+nameOf(1))}},
		"troubles are told apart": {
			[]part{refers(objectA, objectB, objectC), cannotSee(objectA, VersionNotServed, 0), cannotSee(objectB, Forbidden, 0), cannotSee(objectC, Forbidden, 0)},
			[]expectation{message(ConditionAvailable, "Secret default/b, Node c: "+messageForbidden+"; ConfigMap default/a: "+messageVersionNotServed)}},
		"what is wrong with the spec is said, and cut where it is long": {
			[]part{refers(objectA), invalid(strings.Repeat("x", 5000))},
			[]expectation{func(t *testing.T, _ Input, d Decision) {
				assert.Len(t, meta.FindStatusCondition(d.Status.Conditions, ConditionDegraded).Message, maxMessageLength)
			}}},
		"a reference says what is wrong with it": {
			[]part{unchanged(objectA), refers(objectB, objectC), sees(objectB, Absent), cannotSee(objectC, Forbidden, 0)},
			[]expectation{func(t *testing.T, _ Input, d Decision) {
				assert.Empty(t, messageOf(d.Status, objectA))
				assert.Equal(t, messageAbsent, messageOf(d.Status, objectB))
				assert.Equal(t, messageForbidden, messageOf(d.Status, objectC))
			}}},
	})
	t.Run("many references are counted, not named", func(t *testing.T) {
		in := scene()
		for i := range 64 {
			o := objectA
			o.Name = fmt.Sprintf("a%d", i)
			changed(o)(&in)
		}
		suspended(&in)
		assert.Contains(t, meta.FindStatusCondition(Decide(in).Status.Conditions, ConditionProgressing).Message,
			"ConfigMap default/a0, ConfigMap default/a1, ConfigMap default/a2 and 61 more changed")
	})
}

func TestATransitionTimeMovesWithTheStatusAlone(t *testing.T) {
	in := scene(said(1, "True Watching", "True Cooldown", "False AsExpected"), all, changed(objectA), unchanged(objectB))
	d := Decide(in)
	before := metav1.NewTime(noon.Add(-time.Hour))
	assert.Equal(t, before, meta.FindStatusCondition(d.Status.Conditions, ConditionProgressing).LastTransitionTime, "another reason, the same status")

	in = scene(said(1, "False Forbidden", "True Cooldown", "True Forbidden"), unchanged(objectA))
	d = Decide(in)
	for _, c := range d.Status.Conditions {
		assert.Equal(t, metav1.NewTime(noon), c.LastTransitionTime, c.Type)
	}
}

func TestAReferenceThatIsNotSyncedIsNotShownFor30Seconds(t *testing.T) {
	lately := cannotSee(objectA, NotSynced, 10*time.Second)
	known := func(in *Input) { refers(objectA)(in); kept(objectA, "*", sum("1"), "")(in) }
	asItWas := func(t *testing.T, in Input, d Decision) {
		t.Helper()
		assert.Equal(t, conditionsOf(in.Status), conditionsOf(statusAfter(in, d)))
	}
	tell(t, map[string]tale{
		"what was available stays so": {
			[]part{known, said(1, "True Watching", "False Idle", "False AsExpected"), lately},
			[]expectation{asItWas, wakesIn(20 * time.Second), tellsNothing}},
		"what was forbidden stays so": {
			[]part{known, said(1, "False Forbidden", "False Idle", "True Forbidden"), lately},
			[]expectation{asItWas, wakesIn(20 * time.Second), tellsNothing}},
		"what was waiting stays so": {
			[]part{refers(objectA), kept(objectA, "*", sum("2"), sum("1")), said(1, "True Watching", "True Cooldown", "False AsExpected"), lately},
			[]expectation{asItWas, wakesIn(20 * time.Second), tellsNothing}},
		"what was refused stays so": {
			[]part{refers(objectA), kept(objectA, "*", sum("2"), sum("1")), said(1, "True Watching", "True JobNotCreated", "True JobNotCreated"), lately},
			[]expectation{asItWas, wakesIn(20 * time.Second), tellsNothing}},
		"what the API server found invalid stays so": {
			[]part{refers(objectA), kept(objectA, "*", sum("2"), sum("1")), said(1, "False InvalidSpec", "False InvalidSpec", "True InvalidSpec"), lately},
			[]expectation{asItWas, wakesIn(20 * time.Second), tellsNothing}},
		"what was refused and is edited is not": {
			[]part{refers(objectA), kept(objectA, "*", sum("2"), sum("1")), generation(2), said(1, "False InvalidSpec", "False InvalidSpec", "True InvalidSpec"), lately},
			[]expectation{available("True Watching"), degraded("False AsExpected")}},
		"another trouble is shown": {
			[]part{known, said(1, "True Watching", "False Idle", "False AsExpected"), lately, refers(objectB), cannotSee(objectB, Forbidden, 0)},
			[]expectation{available("False Forbidden"), tells(ReasonForbidden)}},
		"what was invalid and has been mended is valid": {
			[]part{known, generation(2), said(1, "False InvalidSpec", "False InvalidSpec", "True InvalidSpec"), lately},
			[]expectation{available("True Watching"), progressing("False Idle"), degraded("False AsExpected")}},
		"of a new one nothing is written before its first look": {
			[]part{refers(objectA), lately}, []expectation{writesNothing, wakesIn(20 * time.Second)}},
		"nor of a reference that an edit adds": {
			[]part{unchanged(objectB), generation(2), said(1, "True Watching", "False Idle", "False AsExpected"), refers(objectA), lately},
			[]expectation{writesNothing, wakesIn(20 * time.Second)}},
		"a first look at another reference is written, and that one is missing": {
			[]part{refers(objectB), sees(objectB, sum("b")), refers(objectA), lately},
			[]expectation{says(objectB, "*", sum("b"), ""), available("Unknown FirstLook"), degraded("False AsExpected"), wakesIn(20 * time.Second)}},
		"a trigger of another reference is not held up": {
			[]part{changed(objectB), generation(2), said(1, "True Watching", "False Idle", "False AsExpected"), refers(objectA), lately},
			[]expectation{creates(1), available("Unknown FirstLook")}},
		"after 30 seconds it is shown": {
			[]part{known, said(1, "True Watching", "False Idle", "False AsExpected"), cannotSee(objectA, NotSynced, 30*time.Second)},
			[]expectation{available("False NotSynced"), degraded("True NotSynced"), tells(ReasonNotSynced), wakesIn(0)}},
		"what is seen again has recovered": {
			[]part{known, said(1, "False NotSynced", "False Idle", "True NotSynced"), sees(objectA, sum("1"))},
			[]expectation{available("True Watching"), tells(EventRecovered)}},
	})
}
