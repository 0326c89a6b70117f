package main

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// expected are conditions as the user guide's table has them.
type expected map[string]struct {
	status metav1.ConditionStatus
	reason string
}

var (
	idle = expected{
		trigger.ConditionAvailable:   {metav1.ConditionTrue, trigger.ReasonWatching},
		trigger.ConditionProgressing: {metav1.ConditionFalse, trigger.ReasonIdle},
		trigger.ConditionDegraded:    {metav1.ConditionFalse, trigger.ReasonAsExpected},
	}
	suspended = expected{
		trigger.ConditionAvailable:   {metav1.ConditionTrue, trigger.ReasonWatching},
		trigger.ConditionProgressing: {metav1.ConditionTrue, trigger.ReasonSuspended},
		trigger.ConditionDegraded:    {metav1.ConditionFalse, trigger.ReasonAsExpected},
	}
)

// statusIsAsDocumented goes through idle, pending and answered, and looks at what status says of each.
func statusIsAsDocumented(ctx context.Context, t *trial) error {
	yes := true
	if err := t.watch(ctx, func(spec *v1alpha.ChangeTriggeredJobSpec) { spec.Suspend = &yes }, "config"); err != nil {
		return err
	}
	if err := t.status(ctx, "idle", idle, func(now state) error {
		field := now.ctj.Status.ResourceHashes[0].Fields[0]
		if field.Hash == "" || field.LastTriggeredHash != "" || now.ctj.Status.LastTriggeredTime != nil {
			return fmt.Errorf("the baseline is %+v", field)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := t.change(ctx, "config", "after"); err != nil {
		return err
	}
	if err := t.status(ctx, "pending and suspended", suspended, func(now state) error {
		if field := now.ctj.Status.ResourceHashes[0].Fields[0]; field.LastTriggeredHash == "" {
			return fmt.Errorf("lastTriggeredHash does not show what is pending: %+v", field)
		}
		return nil
	}); err != nil {
		return err
	}
	now, err := t.look(ctx)
	if err != nil {
		return err
	}
	resumed := now.ctj.DeepCopy()
	resumed.Spec.Suspend = nil
	if err := t.Update(ctx, resumed); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	if err := t.triggered(ctx, 1); err != nil {
		return err
	}
	return t.status(ctx, "answered", idle, func(now state) error {
		status := now.ctj.Status
		switch {
		case status.LastJobStatus != v1alpha.JobSucceeded || len(status.Active) > 0:
			return fmt.Errorf("lastJobStatus is %q, active are %d", status.LastJobStatus, len(status.Active))
		case status.LastTriggeredTime == nil || status.LastJobName == "":
			return errors.New("the last Job or its time is not named")
		case status.ResourceHashes[0].Fields[0].LastTriggeredHash != "":
			return errors.New("it is still pending")
		}
		return nil
	})
}

// status waits until the conditions are the expected ones, and the rest of status is right.
func (t *trial) status(ctx context.Context, what string, conditions expected, right func(state) error) error {
	var why error
	err := t.await(ctx, "the status of one that is "+what, func(now state) bool {
		why = nil
		for kind, want := range conditions {
			if got := now.condition(kind); got.Status != want.status || got.Reason != want.reason {
				why = fmt.Errorf("%s is %s %s and should be %s %s", kind, got.Status, got.Reason, want.status, want.reason)
			} else if got.ObservedGeneration != now.ctj.Generation || got.Message == "" {
				why = fmt.Errorf("%s has no message, or speaks of another generation", kind)
			}
		}
		if why == nil && len(now.ctj.Status.ResourceHashes) == 0 {
			why = errors.New("resourceHashes is empty")
		}
		if why == nil {
			why = right(now)
		}
		return why == nil
	})
	return errors.Join(err, why)
}
