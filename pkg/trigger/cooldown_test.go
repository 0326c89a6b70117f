package trigger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func TestRule5Cooldown(t *testing.T) {
	tell(t, map[string]tale{
		"a change inside it waits for its end, and no longer": {
			[]part{changed(objectA), triggered(noon.Add(-10 * time.Second))},
			[]expectation{createsNothing, wakesIn(50 * time.Second), says(objectA, "*", sum("new"), sum("old")), progressing("True Cooldown")}},
		"a change inside it triggers at its end": {
			[]part{refers(objectA), kept(objectA, "*", sum("new"), sum("old")), sees(objectA, sum("new")), triggered(noon.Add(-time.Minute))},
			[]expectation{creates(1)}},
		"it has not ended a moment before": {
			[]part{changed(objectA), triggered(noon.Add(-time.Minute)), at(noon.Add(-time.Nanosecond))},
			[]expectation{createsNothing, wakesIn(time.Nanosecond)}},
		"what triggers at its end is whatever then differs": {
			[]part{cooled, refers(objectA), kept(objectA, "*", sum("second"), sum("first")), sees(objectA, sum("third"))},
			[]expectation{creates(1), says(objectA, "*", sum("third"), "")}},
		"a state that is back at its baseline is not pending": {
			[]part{refers(objectA), kept(objectA, "*", sum("new"), sum("old")), sees(objectA, sum("old")), triggered(noon.Add(-10 * time.Second))},
			[]expectation{createsNothing, wakesIn(0), says(objectA, "*", sum("old"), ""), progressing("False Idle")}},
		"of the first trigger there is none": {
			[]part{changed(objectA), cooldown(time.Hour)}, []expectation{creates(1)}},
		"it counts from the operator's own record, though the Jobs are gone": {
			[]part{changed(objectA), last(3, v1alpha.JobSucceeded), triggered(noon.Add(-10 * time.Second))},
			[]expectation{createsNothing, wakesIn(50 * time.Second)}},
		"it counts from the operator's own record, though a Job of somebody else is newer": {
			[]part{changed(objectA), cooled, last(1, v1alpha.JobSucceeded), job(1), job(0, named("by-hand"), born(noon))},
			[]expectation{creates(2)}},
		"by default it is a minute": {
			[]part{changed(objectA), triggered(noon)}, []expectation{wakesIn(time.Minute)}},
		"one of the spec counts at once": {
			[]part{changed(objectA), triggered(noon.Add(-10 * time.Second)), cooldown(5 * time.Second)}, []expectation{creates(1)}},
		"one of zero is none, though the last trigger was rounded up": {
			[]part{changed(objectA), noCooldown, triggered(noon), at(noon.Add(-400 * time.Millisecond))}, []expectation{creates(1)}},
		"the last trigger is stored in whole seconds, rounded up": {
			[]part{changed(objectA), at(noon.Add(time.Millisecond))},
			[]expectation{creates(1), lastTriggeredAt(noon.Add(time.Second))}},
		"a whole second is stored as it is": {
			[]part{changed(objectA)}, []expectation{creates(1), lastTriggeredAt(noon)}},
		"a last trigger in the future, by a clock that jumped, is rewritten to now": {
			[]part{changed(objectA), triggered(noon.Add(24 * time.Hour))},
			[]expectation{createsNothing, lastTriggeredAt(noon), wakesIn(time.Minute)}},
		"a last trigger in the future is rewritten, though nothing is pending": {
			[]part{unchanged(objectA), triggered(noon.Add(1001 * time.Millisecond))},
			[]expectation{createsNothing, lastTriggeredAt(noon), wakesIn(0)}},
		"a second in the future is rounding": {
			[]part{unchanged(objectA), triggered(noon.Add(time.Second))},
			[]expectation{lastTriggeredAt(noon.Add(time.Second))}},
		"a time of zero is none": {
			[]part{changed(objectA), status(func(s *v1alpha.ChangeTriggeredJobStatus) { s.LastTriggeredTime = &metav1.Time{} })},
			[]expectation{creates(1)}},
	})
}

func TestRule5ClockThatJumpedIsMendedOnce(t *testing.T) {
	in := scene(unchanged(objectA), triggered(noon.Add(time.Hour)), at(noon.Add(700*time.Millisecond)))
	d := Decide(in)
	require.NotNil(t, d.Status)
	for _, later := range []time.Duration{0, time.Millisecond, time.Second, time.Hour} {
		again := settled(in, d)
		again.Now = in.Now.Add(later)
		assert.Nil(t, Decide(again).Status, later)
	}
}

func TestRule5NoCooldownIsCutShort(t *testing.T) {
	for fraction := time.Duration(0); fraction < time.Second; fraction += 37 * time.Millisecond {
		now := noon.Add(fraction)
		d := Decide(scene(changed(objectA), at(now)))
		end := d.Status.LastTriggeredTime.Add(v1alpha.DefaultCooldown)
		assert.GreaterOrEqual(t, end.Sub(now), v1alpha.DefaultCooldown)
		assert.Less(t, end.Sub(now), v1alpha.DefaultCooldown+time.Second)
	}
}

func TestRule5TheCooldownCountsFromTheCreateNotFromTheDecision(t *testing.T) {
	d := Decide(scene(changed(objectA)))
	answered := noon.Add(3500 * time.Millisecond)
	d.Created(answered)
	assert.Equal(t, noon.Add(4*time.Second), d.Status.LastTriggeredTime.Time)

	none := Decision{}
	none.Created(answered)
	assert.Equal(t, Decision{}, none, "nothing was created")
}
