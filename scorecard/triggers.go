package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// cooldown is long enough to change something inside it, and short enough to wait for its end.
const cooldown = 8 * time.Second

// changeTriggersOneJob changes a ConfigMap: one Job runs, and says what for.
func changeTriggersOneJob(ctx context.Context, t *trial) error {
	if err := t.watch(ctx, nil, "config"); err != nil {
		return err
	}
	if err := t.jobCount(ctx, 0); err != nil {
		return fmt.Errorf("the first look triggers nothing: %w", err)
	}
	if err := t.change(ctx, "config", "after"); err != nil {
		return err
	}
	if err := t.triggered(ctx, 1); err != nil {
		return err
	}
	if err := t.jobCount(ctx, 1); err != nil {
		return fmt.Errorf("one change runs one Job: %w", err)
	}
	now, err := t.look(ctx)
	if err != nil {
		return err
	}
	ran := &now.jobs[0]
	if !metav1.IsControlledBy(ran, &now.ctj) {
		return fmt.Errorf("the Job %s does not belong to the ChangeTriggeredJob", ran.Name)
	}
	for annotation, want := range map[string]string{
		job.TriggerAnnotation: "1",
		job.ReasonAnnotation:  string(trigger.ReasonChange),
		job.ChangedAnnotation: `{"resources":[{"apiVersion":"v1","kind":"ConfigMap","namespace":` + strconv.Quote(t.namespace) +
			`,"name":` + strconv.Quote(t.name+"-config") + `,"fields":["data"]}],"omittedFields":0}`,
	} {
		if got := ran.Annotations[annotation]; got != want {
			return fmt.Errorf("annotation %s of Job %s is %q and should be %q", annotation, ran.Name, got, want)
		}
		t.saw("%s: %s", annotation, want)
	}
	return nil
}

// allWaitsForAll changes one ConfigMap of two: nothing runs until the other one has changed, too.
func allWaitsForAll(ctx context.Context, t *trial) error {
	all := func(spec *v1alpha.ChangeTriggeredJobSpec) { spec.Condition = v1alpha.TriggerAll }
	if err := t.watch(ctx, all, "first", "second"); err != nil {
		return err
	}
	if err := t.change(ctx, "first", "after"); err != nil {
		return err
	}
	if err := t.progressing(ctx, trigger.ReasonWaitingForAll); err != nil {
		return err
	}
	if err := t.jobCount(ctx, 0); err != nil {
		return fmt.Errorf("condition All waits for every reference: %w", err)
	}
	if err := t.change(ctx, "second", "after"); err != nil {
		return err
	}
	if err := t.triggered(ctx, 1); err != nil {
		return err
	}
	return t.jobCount(ctx, 1)
}

// cooldownLosesNothing changes a ConfigMap inside the cooldown: a Job runs for it when that ends, and not before.
func cooldownLosesNothing(ctx context.Context, t *trial) error {
	cooled := func(spec *v1alpha.ChangeTriggeredJobSpec) { spec.Cooldown = &metav1.Duration{Duration: cooldown} }
	if err := t.watch(ctx, cooled, "config"); err != nil {
		return err
	}
	if err := t.change(ctx, "config", "1"); err != nil {
		return err
	}
	if err := t.triggered(ctx, 1); err != nil {
		return fmt.Errorf("no Job begins the cooldown: %w", err)
	}
	first, err := t.look(ctx)
	if err != nil {
		return err
	}
	if err := t.change(ctx, "config", "2"); err != nil {
		return err
	}
	if err := t.progressing(ctx, trigger.ReasonCooldown); err != nil {
		return err
	}
	if err := t.triggered(ctx, 2); err != nil {
		return err
	}
	second, err := t.look(ctx)
	if err != nil {
		return err
	}
	between := second.ctj.Status.LastTriggeredTime.Sub(first.ctj.Status.LastTriggeredTime.Time)
	if between < cooldown {
		return fmt.Errorf("the second Job ran %s after the first, and the cooldown is %s", between, cooldown)
	}
	t.saw("the second Job ran %s after the first; the cooldown is %s", between, cooldown)
	return t.jobCount(ctx, 2)
}

// historyIsKept makes four Jobs of which two are to be kept: those with the highest numbers.
func historyIsKept(ctx context.Context, t *trial) error {
	two := int32(2)
	if err := t.watch(ctx, func(spec *v1alpha.ChangeTriggeredJobSpec) { spec.History = &two }, "config"); err != nil {
		return err
	}
	for number := int64(1); number <= 4; number++ {
		if err := t.change(ctx, "config", strconv.FormatInt(number, 10)); err != nil {
			return err
		}
		if err := t.triggered(ctx, number); err != nil {
			return fmt.Errorf("of four Jobs, of which two are to be kept, number %d does not run: %w", number, err)
		}
	}
	return t.await(ctx, "Jobs 3 and 4 alone to be left", func(now state) bool {
		kept := map[string]bool{}
		for i := range now.jobs {
			kept[now.jobs[i].Annotations[job.TriggerAnnotation]] = true
		}
		return len(now.jobs) == 2 && kept["3"] && kept["4"]
	})
}

// progressing waits until what is pending waits for this reason.
func (t *trial) progressing(ctx context.Context, reason string) error {
	return t.await(ctx, "Progressing to be "+reason, func(now state) bool { return now.condition(trigger.ConditionProgressing).Reason == reason })
}
