package report

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// seen is what the operator sees of ConfigMap a.
func seen(hash string) func(*trigger.Input) {
	return func(in *trigger.Input) {
		in.Observations = []trigger.Observation{{
			Reference:  trigger.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: "a"},
			Visibility: trigger.Visible, Exists: true, Fields: []string{"*"}, Hashes: []string{hash},
		}}
	}
}

func unseen(visibility trigger.Visibility) func(*trigger.Input) {
	return func(in *trigger.Input) {
		seen("")(in)
		o := &in.Observations[0]
		o.Visibility, o.Exists, o.Hashes, o.Since = visibility, false, nil, now.Add(-time.Hour)
	}
}

func runs(number int64) func(*trigger.Input) {
	return func(in *trigger.Input) {
		in.Jobs = append(in.Jobs, trigger.Job{
			Name: trigger.JobName(in.Name, in.UID, number), UID: "job", Number: number, CreationTimestamp: now.Add(-time.Minute), Outcome: v1alpha.JobActive,
		})
	}
}

func failed(number int64) func(*trigger.Input) {
	return func(in *trigger.Input) {
		runs(number)(in)
		j := &in.Jobs[len(in.Jobs)-1]
		j.Outcome, j.Finished = v1alpha.JobFailed, now
	}
}

func refusing(in *trigger.Input) {
	in.Refusal = &trigger.Refusal{Reason: trigger.ReasonJobNotCreated, Message: "exceeded quota until 2027-01-01T00:00:00Z", RetryAt: now.Add(time.Second)}
}

// operate has the operator decide now, and write status.
func operate(t *testing.T, ctj *v1alpha.ChangeTriggeredJob, sees ...func(*trigger.Input)) {
	t.Helper()
	in := trigger.Input{
		Name: ctj.Name, UID: ctj.UID, Generation: ctj.Generation, Spec: &ctj.Spec, Status: ctj.Status.DeepCopy(), HashID: "k", Now: now,
		RunNow: ctj.Annotations[v1alpha.RunNowAnnotation], RunNowForce: ctj.Annotations[v1alpha.RunNowForceAnnotation],
	}
	for _, see := range sees {
		see(&in)
	}
	decision := trigger.Decide(in)
	require.Empty(t, decision.ReadJobs)
	if decision.Status != nil {
		ctj.Status = *decision.Status
	}
}

// TestTheNextTriggerIsToldAsTheOperatorSaysIt goes by what the operator really writes.
func TestTheNextTriggerIsToldAsTheOperatorSaysIt(t *testing.T) {
	suspended := func(c *v1alpha.ChangeTriggeredJob) { c.Spec.Suspend = new(true) }
	firstRun := func(c *v1alpha.ChangeTriggeredJob) { c.Spec.RunOnCreate = new(true) }
	forbidding := func(c *v1alpha.ChangeTriggeredJob) { c.Spec.ConcurrencyPolicy = v1alpha.ForbidConcurrent }
	settling := func(c *v1alpha.ChangeTriggeredJob) { c.Spec.Settle = &metav1.Duration{Duration: 5 * time.Second} }
	retrying := func(c *v1alpha.ChangeTriggeredJob) { c.Spec.OnFailure = v1alpha.RetriggerOnFailure }
	asked := func(c *v1alpha.ChangeTriggeredJob) { c.Annotations = map[string]string{v1alpha.RunNowAnnotation: "1"} }
	forced := func(c *v1alpha.ChangeTriggeredJob) {
		c.Annotations = map[string]string{v1alpha.RunNowAnnotation: "1", v1alpha.RunNowForceAnnotation: "1"}
	}
	window := func(schedule string) func(*v1alpha.ChangeTriggeredJob) {
		return func(c *v1alpha.ChangeTriggeredJob) {
			c.Spec.Windows = []v1alpha.TriggerWindow{{Schedule: schedule, Duration: metav1.Duration{Duration: time.Hour}}}
		}
	}
	last := func(ago time.Duration) func(*v1alpha.ChangeTriggeredJob) {
		return func(c *v1alpha.ChangeTriggeredJob) {
			c.Status.TriggerCount, c.Status.LastTriggeredTime = 1, at(-ago)
			c.Status.LastJobName, c.Status.LastJobStatus = trigger.JobName(c.Name, c.UID, 1), v1alpha.JobSucceeded
		}
	}
	active := func(c *v1alpha.ChangeTriggeredJob) { c.Status.LastJobStatus = v1alpha.JobActive }
	looping := func(c *v1alpha.ChangeTriggeredJob) { c.Status.ResourceHashes[0].LoopCount = 10 }
	type edits []func(*v1alpha.ChangeTriggeredJob)
	type sees []func(*trigger.Input)
	changed, same := seen("k:2"), seen("k:1")

	for does, test := range map[string]struct {
		edits edits
		sees  sees
		want  Next
	}{
		"a first run that is suspended":      {edits{firstRun, suspended}, sees{same}, Next{Message: "after resume"}},
		"suspended, and nothing has changed": {edits{suspended}, sees{same}, Next{Message: "when something changes, after resume"}},
		"suspended, and something has":       {edits{last(20 * time.Second), suspended}, sees{changed}, Next{NotBefore: at(40 * time.Second), Message: "after resume"}},
		"suspended, and nothing can be seen": {
			edits{last(time.Hour), suspended}, sees{unseen(trigger.Forbidden)}, Next{Message: "when something changes, after resume"}},
		"suspended, and the kind is gone": {
			edits{last(time.Hour), suspended}, sees{unseen(trigger.KindNotServed)}, Next{Message: "after resume"}},
		"suspended, while a Job runs": {
			edits{last(time.Hour), active, suspended}, sees{same, runs(1)}, Next{Message: "when something changes, after resume"}},
		"suspended, and what has changed waits for its when": {
			edits{last(time.Hour), suspended, func(c *v1alpha.ChangeTriggeredJob) { c.Spec.Resources[0].When = "false" }},
			sees{changed, func(in *trigger.Input) { in.Observations[0].WaitingForWhen = v1alpha.WhenFalse }},
			Next{Message: "when what it waits for is true, after resume"}},
		"suspended, and what seems to be a loop": {
			edits{last(20 * time.Second), suspended, looping}, sees{changed}, Next{NotBefore: at(40 * time.Second), Message: "after resume"}},
		"a Job that was asked for, and refused by a quota": {
			edits{last(20 * time.Second), asked}, sees{same, refusing}, Next{Message: "when the API server takes the Job, which is tried again and again"}},
		"one that was forced, and refused by a quota": {
			edits{last(20 * time.Second), suspended, forced}, sees{same, refusing}, Next{Message: "when the API server takes the Job, which is tried again and again"}},
		"one that was asked for, while another runs": {
			edits{last(20 * time.Second), active, forbidding, asked}, sees{same, runs(1)}, Next{Message: "when the running Job has ended"}},
		"a first run that is refused": {
			edits{firstRun}, sees{same, refusing}, Next{Message: "when the API server takes the Job, which is tried again and again"}},

		"the cooldown": {edits{last(20 * time.Second)}, sees{changed}, Next{Time: at(40 * time.Second), NotBefore: at(40 * time.Second), Message: "when the cooldown ends"}},
		"the cooldown, after which a window may be closed": {
			edits{last(20 * time.Second), window("30 11 * * *")}, sees{changed}, Next{NotBefore: at(40 * time.Second), Message: "when the cooldown ends and a window is open"}},
		"the cooldown, after which it may have to settle": {
			edits{last(20 * time.Second), settling}, sees{changed}, Next{NotBefore: at(40 * time.Second), Message: "when the cooldown ends and nothing has changed for 5s"}},
		"the cooldown, after which a Job may run": {
			edits{last(20 * time.Second), active, forbidding}, sees{changed, runs(1)},
			Next{NotBefore: at(40 * time.Second), Message: "when the cooldown ends and the running Job has ended"}},
		"the cooldown, after which a loop is suspected": {
			edits{last(20 * time.Second), looping}, sees{changed},
			Next{NotBefore: at(40 * time.Second), Message: "when the cooldown ends and the wait for what may be a loop is over"}},
		"the cooldown, after which the next try is due": {
			edits{last(55 * time.Second), active, retrying}, sees{same, failed(1)},
			Next{Time: at(10 * time.Second), NotBefore: at(10 * time.Second), Message: "when the last Job is tried again"}},
		"the next try": {
			edits{last(time.Hour), active, retrying}, sees{same, failed(1)},
			Next{Time: at(10 * time.Second), NotBefore: at(10 * time.Second), Message: "when the last Job is tried again"}},
		"a window": {
			edits{last(time.Hour), window("0 13 * * *")}, sees{changed}, Next{Time: at(time.Hour), NotBefore: at(time.Hour), Message: "when the next window opens"}},
		"a window that opens before the cooldown ends": {
			edits{last(0), window("10 12 * * *"), func(c *v1alpha.ChangeTriggeredJob) { c.Spec.Cooldown = &metav1.Duration{Duration: 2 * time.Hour} }}, sees{changed},
			Next{NotBefore: at(2 * time.Hour), Message: "when a window is open and the cooldown has ended"}},
		"a window, in which it may have to settle": {
			edits{last(time.Hour), window("0 13 * * *"), settling}, sees{changed},
			Next{NotBefore: at(time.Hour), Message: "when the next window opens and nothing has changed for 5s"}},
		"that it settles": {
			edits{last(time.Hour), settling}, sees{changed}, Next{Time: at(5 * time.Second), NotBefore: at(5 * time.Second), Message: "when nothing has changed for a while"}},
		"what seems to be a loop": {
			edits{last(90 * time.Second), looping}, sees{changed},
			Next{Time: at(30 * time.Second), NotBefore: at(30 * time.Second), Message: "when the wait for what may be a loop is over"}},
	} {
		t.Run(does, func(t *testing.T) {
			ctj := watcher(configMap("a"))
			if !strings.Contains(does, "first run") { // which is owed to a new one alone
				operate(t, ctj, same)
			}
			for _, edit := range test.edits {
				edit(ctj)
			}
			operate(t, ctj, test.sees...)
			assert.Equal(t, test.want, SummaryOf(ctj, now).Next)
		})
	}
}

// TestEveryWaitIsToldInWords: what the operator may say of what waits, this plugin has words for.
func TestEveryWaitIsToldInWords(t *testing.T) {
	for _, reason := range trigger.Waits {
		ctj := watcher(configMap("a"))
		ctj.Status.Conditions = conditions(available, waiting(reason), healthy)
		if reason == trigger.ReasonSuspended {
			ctj.Spec.Suspend = new(true)
		}
		message := SummaryOf(ctj, now).Next.Message
		assert.Regexp(t, `^(now|after resume|when \w.*)$`, message, reason)
		assert.NotEqual(t, forWhatever, message, reason)
	}
	for reason := range waits {
		assert.True(t, slices.Contains(trigger.Waits, reason), reason)
	}
}
