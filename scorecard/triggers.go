package main

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
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

// selectorNamesChanges gives a ConfigMap the label of a selector: one Job runs, whose account names that ConfigMap.
func selectorNamesChanges(ctx context.Context, t *trial) error {
	const label = "changejob.dev/scorecard"
	selecting := func(spec *v1alpha.ChangeTriggeredJobSpec) {
		spec.Resources[0].Name = ""
		spec.Resources[0].Selector = &v1alpha.LabelSelector{MatchLabels: map[string]v1alpha.LabelValue{label: v1alpha.LabelValue(t.name)}}
	}
	if err := t.watch(ctx, selecting, "selected", "another"); err != nil {
		return err
	}
	labelled := t.configMap("selected", "before")
	labelled.Labels = map[string]string{label: t.name}
	if err := t.Update(ctx, labelled); err != nil {
		return fmt.Errorf("label ConfigMap %s: %w", labelled.Name, err)
	}
	t.saw("labelled ConfigMap %s", labelled.Name)
	ran, ctj, err := t.onlyJob(ctx)
	if err != nil {
		return err
	}
	account := job.ReadAccount(ran, ctj)
	want := []trigger.ObjectChange{{Namespace: t.namespace, Name: labelled.Name, Change: trigger.ObjectAdded}}
	if len(account.Changed) != 1 || account.Changed[0].UnnamedObjects != 0 || !reflect.DeepEqual(account.Changed[0].Objects, want) {
		return fmt.Errorf("annotation %s of Job %s does not name ConfigMap %s: %s", job.ChangedAnnotation, ran.Name, labelled.Name,
			ran.Annotations[job.ChangedAnnotation])
	}
	t.saw("%s: %s", job.ChangedAnnotation, ran.Annotations[job.ChangedAnnotation])
	return nil
}

// runNowRunsOneJob asks for a Job while nothing has changed: one runs, and says that it was asked for.
func runNowRunsOneJob(ctx context.Context, t *trial) error {
	if err := t.watch(ctx, nil, "config"); err != nil {
		return err
	}
	now, err := t.look(ctx)
	if err != nil {
		return err
	}
	asking := now.ctj.DeepCopy()
	asking.Annotations = map[string]string{v1alpha.RunNowAnnotation: t.name}
	if err := t.Update(ctx, asking); err != nil {
		return fmt.Errorf("set annotation %s: %w", v1alpha.RunNowAnnotation, err)
	}
	t.saw("set annotation %s", v1alpha.RunNowAnnotation)
	ran, ctj, err := t.onlyJob(ctx)
	if err != nil {
		return err
	}
	for annotation, want := range map[string]string{
		job.ReasonAnnotation:     string(trigger.ReasonRunNow),
		v1alpha.RunNowAnnotation: t.name,
	} {
		if got := ran.Annotations[annotation]; got != want {
			return fmt.Errorf("annotation %s of Job %s is %q and should be %q", annotation, ran.Name, got, want)
		}
		t.saw("%s: %s", annotation, want)
	}
	if ctj.Status.LastRunNow != t.name {
		return fmt.Errorf("lastRunNow is %q and should be %q", ctj.Status.LastRunNow, t.name)
	}
	return nil
}

// onlyJob waits for the first trigger, and returns its Job, beside which there is none, and what its ChangeTriggeredJob is like then.
func (t *trial) onlyJob(ctx context.Context) (*batchv1.Job, *v1alpha.ChangeTriggeredJob, error) {
	if err := t.triggered(ctx, 1); err != nil {
		return nil, nil, err
	}
	now, err := t.look(ctx)
	if err != nil {
		return nil, nil, err
	}
	if len(now.jobs) != 1 {
		return nil, nil, fmt.Errorf("there are %d Jobs and should be 1: %s", len(now.jobs), now)
	}
	t.saw("Jobs: 1")
	return &now.jobs[0], &now.ctj, nil
}

// progressing waits until what is pending waits for this reason.
func (t *trial) progressing(ctx context.Context, reason string) error {
	return t.await(ctx, "Progressing to be "+reason, func(now state) bool { return now.condition(trigger.ConditionProgressing).Reason == reason })
}
