package controllers

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

func TestAJobThatEndsCountsOnce(t *testing.T) {
	status := func(last string, outcome v1alpha.JobStatus, active ...string) *v1alpha.ChangeTriggeredJobStatus {
		s := &v1alpha.ChangeTriggeredJobStatus{LastJobName: last, LastJobStatus: outcome}
		for _, name := range active {
			s.Active = append(s.Active, v1alpha.JobReference{Name: name})
		}
		return s
	}
	job := func(name string, outcome v1alpha.JobStatus) trigger.Job {
		return trigger.Job{Name: name, Outcome: outcome}
	}
	type ends = map[string]v1alpha.JobStatus
	for name, c := range map[string]struct {
		before, after *v1alpha.ChangeTriggeredJobStatus
		jobs          []trigger.Job
		want          ends
	}{
		"it runs": {
			status("a", v1alpha.JobActive, "a"), status("a", v1alpha.JobActive, "a"), []trigger.Job{job("a", v1alpha.JobActive)}, ends{}},
		"it is created": {
			status("", ""), status("a", v1alpha.JobActive, "a"), nil, ends{}},
		"it has completed": {
			status("a", v1alpha.JobActive, "a"), status("a", v1alpha.JobSucceeded), []trigger.Job{job("a", v1alpha.JobSucceeded)}, ends{"a": v1alpha.JobSucceeded}},
		"it had completed before": {
			status("a", v1alpha.JobSucceeded), status("a", v1alpha.JobSucceeded), []trigger.Job{job("a", v1alpha.JobSucceeded)}, ends{}},
		"an older one fails while the last one runs": {
			status("b", v1alpha.JobActive, "b", "a"), status("b", v1alpha.JobActive, "b"), []trigger.Job{job("a", v1alpha.JobFailed), job("b", v1alpha.JobActive)}, ends{"a": v1alpha.JobFailed}},
		"it vanished": {
			status("a", v1alpha.JobActive, "a"), status("a", ""), nil, ends{"a": outcomeUnknown}},
		"it was deleted unfinished, and is gone now": {
			status("a", v1alpha.JobFailed, "a"), status("a", v1alpha.JobFailed), nil, ends{"a": v1alpha.JobFailed}},
		"it was replaced": {
			status("a", v1alpha.JobActive, "a"), status("b", v1alpha.JobActive, "b"), nil, ends{"a": outcomeUnknown}},
		"it is taken over when it has ended": {
			status("a", v1alpha.JobSucceeded), status("b", v1alpha.JobSucceeded), []trigger.Job{job("b", v1alpha.JobSucceeded)}, ends{"b": v1alpha.JobSucceeded}},
		"status has no room for it any more": {
			status("b", v1alpha.JobActive, "a"), status("c", v1alpha.JobActive, "c"), []trigger.Job{job("a", v1alpha.JobActive), job("c", v1alpha.JobActive)}, ends{}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, outcomes(c.before, c.after, c.jobs))
		})
	}
}

// TestAJobThatStatusHasNoRoomForCountsOnceToo: of 52 Jobs that run, status names the newest 50.
func TestAJobThatStatusHasNoRoomForCountsOnceToo(t *testing.T) {
	name := func(n int) string { return fmt.Sprintf("job-%d", n) }
	jobs := make([]trigger.Job, 0, 52)
	for n := range 52 {
		jobs = append(jobs, trigger.Job{Name: name(n), Outcome: v1alpha.JobActive})
	}
	listing := func(names ...int) *v1alpha.ChangeTriggeredJobStatus {
		s := &v1alpha.ChangeTriggeredJobStatus{}
		for _, n := range names {
			s.Active = append(s.Active, v1alpha.JobReference{Name: name(n)})
		}
		return s
	}
	var newest []int
	for n := 51; n > 1; n-- {
		newest = append(newest, n)
	}
	type ends = map[string]v1alpha.JobStatus
	r := &record{}
	assert.Empty(t, r.unlistedOutcomes(listing(newest...), jobs))
	assert.Equal(t, []string{"job-0", "job-1"}, r.unlisted)

	jobs[0].Outcome = v1alpha.JobFailed
	assert.Equal(t, ends{"job-0": v1alpha.JobFailed}, r.unlistedOutcomes(listing(newest...), jobs))
	assert.Empty(t, r.unlistedOutcomes(listing(newest...), jobs), "once")

	// The newest ends, so that there is room for the last: from then on, status tells of it.
	jobs[51].Outcome = v1alpha.JobSucceeded
	before, after := listing(newest...), listing(append(newest[1:], 1)...)
	assert.Equal(t, ends{"job-51": v1alpha.JobSucceeded}, outcomes(before, after, jobs))
	assert.Empty(t, r.unlistedOutcomes(after, jobs))
	assert.Empty(t, r.unlisted)
	jobs[1].Outcome = v1alpha.JobSucceeded
	assert.Equal(t, ends{"job-1": v1alpha.JobSucceeded}, outcomes(after, listing(newest[1:]...), jobs))
	assert.Empty(t, r.unlistedOutcomes(listing(newest[1:]...), jobs))

	r = &record{unlisted: []string{"job-0"}}
	assert.Equal(t, ends{"job-0": outcomeUnknown}, r.unlistedOutcomes(listing(newest...), jobs[1:]), "it was deleted")
}
