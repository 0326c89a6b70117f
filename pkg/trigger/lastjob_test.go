package trigger

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func TestLastJobStatus(t *testing.T) {
	tell(t, map[string]tale{
		"a Job that completed has succeeded": {
			[]part{last(1, v1alpha.JobActive), unchanged(objectA), job(1)},
			[]expectation{lastJobIs(1, v1alpha.JobSucceeded), degraded("False AsExpected"), progressing("False Idle")}},
		"a Job that failed for good has failed": {
			[]part{last(1, v1alpha.JobActive), unchanged(objectA), job(1, failed)},
			[]expectation{lastJobIs(1, v1alpha.JobFailed), degraded("True LastJobFailed"), tells(ReasonLastJobFailed)}},
		"a running Job is active": {
			[]part{last(1, ""), unchanged(objectA), job(1, running)},
			[]expectation{lastJobIs(1, v1alpha.JobActive), progressing("True JobActive")}},
		"a Job whose deletion is seen while it is unfinished has failed": {
			[]part{last(1, v1alpha.JobActive), unchanged(objectA), job(1, running, goingAway)},
			[]expectation{lastJobIs(1, v1alpha.JobFailed), tells(ReasonLastJobFailed)}},
		"a Job that ended before it was deleted keeps its outcome": {
			[]part{last(1, v1alpha.JobActive), unchanged(objectA), job(1, goingAway)},
			[]expectation{lastJobIs(1, v1alpha.JobSucceeded)}},
		"a Job that ends while it is being deleted has the outcome that it ends with": {
			[]part{last(1, v1alpha.JobFailed), unchanged(objectA), job(1, goingAway)},
			[]expectation{lastJobIs(1, v1alpha.JobSucceeded)}},
		"of a Job that vanished nothing is known, and that is no failure": {
			[]part{last(1, v1alpha.JobActive), lastMissing, unchanged(objectA)},
			[]expectation{lastJobIs(1, ""), degraded("False AsExpected"), tellsNothing}},
		"a Job that had succeeded before it was deleted has succeeded": {
			[]part{last(1, v1alpha.JobSucceeded), unchanged(objectA)}, []expectation{lastJobIs(1, v1alpha.JobSucceeded)}},
		"a Job that had failed before it was deleted has failed": {
			[]part{last(1, v1alpha.JobFailed), unchanged(objectA)}, []expectation{lastJobIs(1, v1alpha.JobFailed), degraded("True LastJobFailed")}},
		"an older Job says nothing of the last one": {
			[]part{last(2, v1alpha.JobActive), unchanged(objectA), job(1, failed), job(2, running)}, []expectation{lastJobIs(2, v1alpha.JobActive)}},
		"a Job that is adopted before the others are read makes status forget none of them": {
			[]part{last(1, v1alpha.JobActive), active(1), unchanged(objectA), job(2, running)},
			[]expectation{adopts(2), func(t *testing.T, _ Input, d Decision) {
				assert.Equal(t, []string{nameOf(2), nameOf(1)}, activeOf(d.Status))
			}}},
		"before the first Job there is none": {
			[]part{unchanged(objectA)}, []expectation{func(t *testing.T, _ Input, d Decision) {
				assert.Empty(t, d.Status.LastJobName)
				assert.Empty(t, d.Status.LastJobStatus)
			}}},
	})
}

func TestActiveJobs(t *testing.T) {
	tell(t, map[string]tale{
		"are those that have not ended, the newest first": {
			[]part{last(4, v1alpha.JobActive), unchanged(objectA), job(1, running), job(2), job(3, failed), job(4, running)},
			[]expectation{func(t *testing.T, _ Input, d Decision) {
				assert.Equal(t, []string{nameOf(4), nameOf(1)}, activeOf(d.Status))
			}}},
		"include those that are being deleted": {
			[]part{last(1, v1alpha.JobActive), unchanged(objectA), job(1, running, goingAway)},
			[]expectation{func(t *testing.T, _ Input, d Decision) { assert.Equal(t, []string{nameOf(1)}, activeOf(d.Status)) }}},
	})

	t.Run("are listed up to a bound: those with the highest numbers", func(t *testing.T) {
		parts := []part{last(60, v1alpha.JobActive), unchanged(objectA)}
		for n := int64(1); n <= 60; n++ {
			parts = append(parts, job(n, running))
		}
		d := Decide(scene(parts...))
		require.Len(t, d.Status.Active, v1alpha.MaxActive)
		assert.Equal(t, nameOf(60), d.Status.Active[0].Name)
		assert.Equal(t, nameOf(11), d.Status.Active[49].Name)
	})
	t.Run("are in the same order, however the Jobs come", func(t *testing.T) {
		var want []string
		for _, order := range [][]int64{{1, 2, 3}, {3, 1, 2}, {2, 3, 1}} {
			parts := []part{last(3, v1alpha.JobActive), unchanged(objectA)}
			for _, n := range order {
				parts = append(parts, job(n, running), job(0, named(fmt.Sprintf("x%d", n)), running, born(noon)))
			}
			got := activeOf(Decide(scene(parts...)).Status)
			if want == nil {
				want = got
			}
			assert.Equal(t, want, got)
		}
	})
}
