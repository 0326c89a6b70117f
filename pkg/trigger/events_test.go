package trigger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func TestEvents(t *testing.T) {
	quota := Refusal{Reason: ReasonJobNotCreated, Message: "exceeded quota", RetryAt: noon.Add(time.Second)}
	tell(t, map[string]tale{
		"the first look tells nothing": {[]part{refers(objectA), sees(objectA, sum("1"))}, []expectation{tellsNothing}},
		"a Job is created":             {[]part{changed(objectA)}, []expectation{tells(EventJobCreated)}},
		"a wait begins":                {[]part{changed(objectA), triggered(noon)}, []expectation{tells(ReasonCooldown)}},
		"a wait goes on":               {[]part{said(1, "True Watching", "True Cooldown", "False AsExpected"), changed(objectA), triggered(noon)}, []expectation{tellsNothing}},
		"a wait is for something else": {[]part{said(1, "True Watching", "True Cooldown", "False AsExpected"), changed(objectA), triggered(noon), suspended}, []expectation{tells(ReasonSuspended)}},
		"a wait is over":               {[]part{said(1, "True Watching", "True Cooldown", "False AsExpected"), changed(objectA)}, []expectation{tells(EventJobCreated)}},
		"a reference is forbidden":     {[]part{refers(objectA), cannotSee(objectA, Forbidden, 0)}, []expectation{tells(ReasonForbidden)}},
		"a kind is not served":         {[]part{refers(objectA), unserved(objectA)}, []expectation{tells(ReasonKindNotServed)}},
		"the spec is invalid":          {[]part{refers(objectA), invalid("no")}, []expectation{tells(ReasonInvalidSpec)}},
		"a Job is refused":             {[]part{changed(objectA), refused(quota)}, []expectation{tells(ReasonJobNotCreated)}},
		"the last Job failed":          {[]part{last(1, v1alpha.JobActive), unchanged(objectA), job(1, failed)}, []expectation{tells(ReasonLastJobFailed)}},
		"the next Job failed, too":     {[]part{said(1, "True Watching", "True JobActive", "True LastJobFailed"), last(2, v1alpha.JobActive), unchanged(objectA), job(2, failed)}, []expectation{tells(ReasonLastJobFailed)}},
		"the last Job failed, and the next one is created in its place at once": {
			[]part{forbidding, cooled, last(1, v1alpha.JobActive), changed(objectA), job(1, failed)}, []expectation{creates(2), tells(ReasonLastJobFailed, EventJobCreated)}},
		"it was deleted unfinished, and the next one is created beside it": {
			[]part{cooled, last(1, v1alpha.JobActive), changed(objectA), job(1, running, goingAway)}, []expectation{creates(2), tells(ReasonLastJobFailed, EventJobCreated)}},
		"it failed, and the next one runs for what it failed at, too": {
			[]part{retriggering, cooled, last(1, v1alpha.JobActive), unchanged(objectB), changed(objectA), job(1, failed, becauseOf(objectB, "*"))},
			[]expectation{creates(2), tells(ReasonLastJobFailed, EventJobCreated)}},
		"it failed, and the next one is taken over": {
			[]part{cooled, last(1, v1alpha.JobActive), changed(objectA), job(1, failed), job(2, running, ranFor(objectA, "*", sum("new")))},
			[]expectation{adopts(2), tells(ReasonLastJobFailed, EventJobAdopted)}},
		"that it failed has been told, and the next one is created": {
			[]part{cooled, last(1, v1alpha.JobFailed), changed(objectA), job(1, failed)}, []expectation{creates(2), tells(EventJobCreated)}},
		"that it failed has been told, and the next one is taken over": {
			[]part{cooled, last(1, v1alpha.JobFailed), changed(objectA), job(1, failed), job(2, running, ranFor(objectA, "*", sum("new")))},
			[]expectation{adopts(2), tells(EventJobAdopted)}},
		"the last Job failed behind other trouble": {[]part{said(1, "False Forbidden", "True JobActive", "True Forbidden"), last(1, v1alpha.JobActive), refers(objectA), cannotSee(objectA, Forbidden, 0), job(1, failed)}, []expectation{tells(ReasonLastJobFailed)}},
		"other trouble ends, and the last Job had failed long ago": {
			[]part{said(1, "False Forbidden", "False Idle", "True Forbidden"), last(1, v1alpha.JobFailed), unchanged(objectA), job(1, failed)}, []expectation{tells(EventRecovered)}},
		"one trouble turns into another": {
			[]part{said(1, "False Forbidden", "False Idle", "True Forbidden"), refers(objectA), cannotSee(objectA, VersionNotServed, 0)}, []expectation{tells(ReasonKindNotServed)}},
		"the same trouble goes on": {
			[]part{said(1, "False Forbidden", "False Idle", "True Forbidden"), refers(objectA), cannotSee(objectA, Forbidden, 0)}, []expectation{tellsNothing}},
	})

	t.Run("a created Job is told with what changed, never values", func(t *testing.T) {
		d := Decide(scene(cooled, last(6, v1alpha.JobSucceeded), refersTo(objectA, "data", "x"), kept(objectA, "data", sum("1"), ""), kept(objectA, "x", sum("1"), ""), sees(objectA, sum("2"), sum("3"))))
		assert.Equal(t, []Event{{corev1.EventTypeNormal, EventJobCreated,
			"Created Job " + nameOf(7) + " (trigger 7): ConfigMap default/a (data, x) changed", nameOf(7)}}, d.Events)
	})
	t.Run("a failure is told of the Job that failed, and no try is promised where the next Job is there", func(t *testing.T) {
		d := Decide(scene(retriggering, cooled, last(6, v1alpha.JobActive), changed(objectA), job(6, failed, becauseOf(objectA, "*"))))
		require.Len(t, d.Events, 2)
		assert.Equal(t, Event{corev1.EventTypeWarning, ReasonLastJobFailed, "Job " + nameOf(6) + " failed, or was deleted before it had ended", nameOf(6)}, d.Events[0])
	})
	t.Run("trouble is a warning", func(t *testing.T) {
		d := Decide(scene(refers(objectA), invalid("no")))
		require.Len(t, d.Events, 1)
		assert.Equal(t, corev1.EventTypeWarning, d.Events[0].Type)
	})
}
