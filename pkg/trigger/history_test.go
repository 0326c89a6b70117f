package trigger

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func TestRule7History(t *testing.T) {
	tell(t, map[string]tale{
		"the Jobs with the highest numbers stay": {
			[]part{history(2), last(4, v1alpha.JobSucceeded), unchanged(objectA), job(2), job(4), job(1), job(3)},
			[]expectation{createsNothing, deletes(1, 2)}},
		"the highest number is not the newest creation time": {
			[]part{history(1), last(2, v1alpha.JobSucceeded), unchanged(objectA), job(1, born(noon)), job(2, born(noon.AddDate(-1, 0, 0)))},
			[]expectation{deletes(1)}},
		"as many as the history are all kept": {
			[]part{history(2), last(2, v1alpha.JobSucceeded), unchanged(objectA), job(1), job(2)}, []expectation{deletes()}},
		"by default it is five": {
			[]part{last(6, v1alpha.JobSucceeded), unchanged(objectA), job(1), job(2), job(3), job(4), job(5), job(6)}, []expectation{deletes(1)}},
		"a failed Job is an ended one": {
			[]part{history(1), last(2, v1alpha.JobSucceeded), unchanged(objectA), job(1, failed), job(2)}, []expectation{deletes(1)}},
		"a running Job is never deleted": {
			[]part{history(1), last(3, v1alpha.JobSucceeded), unchanged(objectA), job(1, running), job(2), job(3)}, []expectation{deletes(2)}},
		"a running Job takes its place among the highest": {
			[]part{history(2), last(3, v1alpha.JobActive), unchanged(objectA), job(1), job(2), job(3, running)}, []expectation{deletes(1)}},
		"the Job that is being created takes its place": {
			[]part{history(2), cooled, last(2, v1alpha.JobSucceeded), changed(objectA), job(1), job(2)}, []expectation{creates(3), deletes(1)}},
		"a history of one leaves the Job that is being created": {
			[]part{history(1), cooled, last(2, v1alpha.JobSucceeded), changed(objectA), job(1), job(2)}, []expectation{creates(3), deletes(1, 2)}},
		"a Job that is going already is not deleted again, and takes no place": {
			[]part{history(2), last(3, v1alpha.JobSucceeded), unchanged(objectA), job(1), job(2), job(3, goingAway)}, []expectation{deletes()}},
		"Jobs without a number are the oldest, by creation time": {
			[]part{history(2), last(1, v1alpha.JobSucceeded), unchanged(objectA), job(1),
				job(8, unannotated, born(noon)), job(9, unannotated, born(noon.Add(-1)))},
			[]expectation{deletes(9)}},
		"the last Job keeps its place, though its annotations were taken away": {
			[]part{history(1), last(2, v1alpha.JobSucceeded), unchanged(objectA), job(1), job(2, unannotated)}, []expectation{deletes(1)}},
		"a Job of a forged number is the oldest": {
			[]part{history(1), last(1, v1alpha.JobSucceeded), unchanged(objectA), job(1), job(7, func(j *Job) { j.Number = 1000 })}, []expectation{deletes(7)}},
		"a refused Job takes no place": {
			[]part{history(1), cooled, last(1, v1alpha.JobSucceeded), changed(objectA), job(1), refused(Refusal{Message: "quota", RetryAt: noon.Add(1)})},
			[]expectation{createsNothing, deletes()}},
		"an invalid spec keeps its history short, too": {
			[]part{history(1), invalid("broken"), last(2, v1alpha.JobSucceeded), refers(objectA), job(1), job(2)}, []expectation{deletes(1)}},
		"a spec that cannot be read keeps every Job: how many are wanted is not known": {
			[]part{last(7, v1alpha.JobSucceeded), refers(objectA), undecoded, job(1), job(2), job(3), job(4), job(5), job(6), job(7)}, []expectation{deletes()}},
		"a history below one is one": {
			[]part{history(-3), last(2, v1alpha.JobSucceeded), unchanged(objectA), job(1), job(2)}, []expectation{deletes(1)}},
	})
}

func TestRule7AJobAboveThePersistedCountIsNeverDeleted(t *testing.T) {
	s := recall(scene(history(1), last(1, v1alpha.JobSucceeded), unchanged(objectA), job(1), job(2), job(3)))
	var numbers []int64
	for _, j := range s.outdated() {
		numbers = append(numbers, j.Number)
	}
	assert.Equal(t, []int64{1}, numbers)
}
