package trigger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// opens adds a window by the clock of UTC; opensIn one by that of a time zone.
func opens(schedule string, duration time.Duration) part { return opensIn("", schedule, duration) }

func opensIn(zone, schedule string, duration time.Duration) part {
	return spec(func(s *v1alpha.ChangeTriggeredJobSpec) {
		s.Windows = append(s.Windows, v1alpha.TriggerWindow{Schedule: schedule, TimeZone: zone, Duration: metav1.Duration{Duration: duration}})
	})
}

func TestWindows(t *testing.T) {
	tell(t, map[string]tale{
		"without any, a change triggers at any time": {
			[]part{changed(objectA)}, []expectation{creates(1)}},
		"within one it triggers": {
			[]part{opens("0 11 * * *", 2*time.Hour), changed(objectA)}, []expectation{creates(1)}},
		"outside it waits for the next one to open": {
			[]part{opens("0 22 * * *", 2*time.Hour), changed(objectA)},
			[]expectation{createsNothing, progressing("True OutsideWindow"), wakesIn(10 * time.Hour), says(objectA, "*", sum("new"), sum("old"))}},
		"a moment before, it waits still": {
			[]part{opens("0 12 * * *", time.Hour), changed(objectA), at(noon.Add(-time.Nanosecond))}, []expectation{createsNothing, wakesIn(time.Nanosecond)}},
		"when it opens it triggers": {
			[]part{opens("0 12 * * *", time.Hour), changed(objectA)}, []expectation{creates(1)}},
		"at its end it is closed": {
			[]part{opens("0 11 * * *", time.Hour), changed(objectA)}, []expectation{createsNothing, wakesIn(23 * time.Hour)}},
		"one of several is enough": {
			[]part{opens("0 22 * * *", time.Hour), opens("30 11 * * *", time.Hour), changed(objectA)}, []expectation{creates(1)}},
		"of several closed ones the next to open counts": {
			[]part{opens("0 22 * * *", time.Hour), opens("0 15 * * *", time.Hour), opens("0 18 * * *", time.Hour), changed(objectA)},
			[]expectation{createsNothing, wakesIn(3 * time.Hour)}},
		"the clock is that of its time zone": {
			[]part{opensIn("Asia/Tokyo", "0 21 * * *", time.Hour), changed(objectA)}, []expectation{creates(1)}},
		"opened each minute for a week, it is always open": {
			[]part{opens("* * * * *", v1alpha.MaxWindowDuration), changed(objectA)}, []expectation{creates(1)}},
		"with nothing pending nothing waits": {
			[]part{opens("0 22 * * *", time.Hour), unchanged(objectA)}, []expectation{progressing("False Idle"), wakesIn(0)}},
		"what is back at its baseline by then triggers nothing": {
			[]part{opens("0 12 * * *", time.Hour), refers(objectA), kept(objectA, "*", sum("new"), sum("old")), sees(objectA, sum("old"))},
			[]expectation{createsNothing, progressing("False Idle")}},
		"suspended counts before it": {
			[]part{suspended, opens("0 22 * * *", time.Hour), changed(objectA)}, []expectation{progressing("True Suspended"), wakesIn(0)}},
		"it counts before the cooldown": {
			[]part{opens("0 22 * * *", time.Hour), triggered(noon), changed(objectA)}, []expectation{progressing("True OutsideWindow"), wakesIn(10 * time.Hour)}},
		"within one the cooldown counts": {
			[]part{opens("0 12 * * *", time.Hour), triggered(noon), changed(objectA)}, []expectation{progressing("True Cooldown"), wakesIn(time.Minute)}},
		"which closes before the end of another wait": {
			[]part{opens("30 11 * * *", time.Hour), forbidding, cooled, last(1, v1alpha.JobActive), waiting(objectA, noon), job(1, running)},
			[]expectation{progressing("True JobRunning"), wakesIn(30 * time.Minute)}},
		"which another goes on from": {
			[]part{opens("30 11 * * *", time.Hour), opens("15 12 * * *", time.Hour), forbidding, cooled, last(1, v1alpha.JobActive), waiting(objectA, noon), job(1, running)},
			[]expectation{progressing("True JobRunning"), wakesIn(75 * time.Minute)}},
		"which is what is waited for then": {
			[]part{opens("0 11 * * *", time.Hour), forbidding, cooled, last(1, v1alpha.JobActive), waiting(objectA, noon.Add(-time.Minute)), job(1, running)},
			[]expectation{progressing("True OutsideWindow"), wakesIn(23 * time.Hour)}},
		"one that never closes is looked at now and then": {
			[]part{opens("* * * * *", v1alpha.MaxWindowDuration), forbidding, cooled, last(1, v1alpha.JobActive), waiting(objectA, noon), job(1, running)},
			[]expectation{progressing("True JobRunning"), wakesIn(maxOverlaps * time.Minute)}},
		"what has changed just before it opens settles first": {
			[]part{opens("0 12 * * *", time.Hour), settles(30 * time.Second), waiting(objectA, noon.Add(-time.Hour)), movedAt(objectA, noon.Add(-10*time.Second))},
			[]expectation{createsNothing, progressing("True Settling"), wakesIn(20 * time.Second)}},
		"what has changed in one before settles no more when it opens": {
			[]part{opens("0 12 * * *", time.Hour), settles(30 * time.Second), waiting(objectA, noon.Add(-25*time.Hour)), movedAt(objectA, noon.Add(-10*time.Second))},
			[]expectation{creates(1)}},
		"of several windows the first counts for how late it may be": {
			[]part{opens("0 12 * * *", time.Hour), opens("58 11 * * *", time.Minute), settles(30 * time.Second), waiting(objectA, noon.Add(-time.Hour)), movedAt(objectA, noon.Add(-time.Second))},
			[]expectation{creates(1)}},
		"outside it is the window that is waited for": {
			[]part{opens("0 22 * * *", time.Hour), settles(30 * time.Second), changed(objectA)}, []expectation{progressing("True OutsideWindow"), wakesIn(10 * time.Hour)}},
		"Replace deletes nothing outside": {
			[]part{opens("0 22 * * *", time.Hour), replacing, cooled, last(1, v1alpha.JobActive), changed(objectA), job(1, running)},
			[]expectation{deletes(), progressing("True OutsideWindow")}},
		"one that cannot be read is never open": {
			[]part{opens("at noon", time.Hour), changed(objectA)}, []expectation{createsNothing, progressing("True OutsideWindow"), wakesIn(0)}},
		"one that cannot be read hides no other": {
			[]part{opens("at noon", time.Hour), opensIn("Nowhere", "0 12 * * *", time.Hour), opens("0 13 * * *", time.Hour), changed(objectA)},
			[]expectation{createsNothing, wakesIn(time.Hour)}},
	})
}

func TestTheMessageSaysWhenTheNextWindowOpens(t *testing.T) {
	in := scene(opensIn("Europe/Berlin", "0 22 * * *", time.Hour), changed(objectA))
	assert.Equal(t, "ConfigMap default/a changed; outside of all windows, the next one opens at 2026-03-04T21:00:00Z", Decide(in).Skip)
	in = scene(opens("0 0 29 2 *", time.Hour), changed(objectA), at(time.Date(2096, 3, 1, 0, 0, 0, 0, time.UTC)))
	assert.Equal(t, "ConfigMap default/a changed; outside of all windows, and none opens within five years", Decide(in).Skip)
}
