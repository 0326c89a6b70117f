package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
)

const (
	// defaultPatience is how long run --wait waits.
	defaultPatience = 10 * time.Minute
	// lookInterval is how often it looks.
	lookInterval = 500 * time.Millisecond
)

func (p *plugin) run() *cobra.Command {
	var force, await bool
	var patience time.Duration
	cmd := &cobra.Command{
		Use:   "run NAME",
		Short: "Have a Job run now, whatever has changed",
		Long: "Have a Job run now, whatever has changed and however long the cooldown still is. It counts as a trigger as any other: it\n" +
			"has the next number, and what had changed by then is answered.\n\n" +
			"A ChangeTriggeredJob that is suspended runs none, unless --force says so. The operator is asked by the annotation\n" +
			v1alpha.RunNowAnnotation + ", which takes the right to patch the ChangeTriggeredJob, and that to create Jobs.",
		Example: "  kubectl changejob run config-sync\n  kubectl changejob run config-sync --wait --timeout 5m",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			c, err := p.cluster(p.loud())
			if err != nil {
				return err
			}
			ctj, value, err := c.runNow(cmd.Context(), names[0], force, p.Now())
			if err != nil {
				return err
			}
			if !await {
				_, err := fmt.Fprintf(p.Streams.Out, "%s asked to run\n", nameOf(ctj))
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), patience)
			defer cancel()
			ended, err := c.awaitRun(ctx, ctj, value)
			if err != nil {
				return err
			}
			outcome := job.Outcome(ended)
			if outcome != v1alpha.JobSucceeded {
				return fmt.Errorf("Job %s has failed", ended.Name) //nolint:staticcheck // a kind's name
			}
			_, err = fmt.Fprintf(p.Streams.Out, "job.batch/%s succeeded\n", ended.Name)
			return err
		},
		ValidArgsFunction: p.completeNames(one),
	}
	cmd.Flags().BoolVar(&force, "force", false, "Run it even while the ChangeTriggeredJob is suspended.")
	cmd.Flags().BoolVar(&await, "wait", false, "Wait until the Job has ended, and fail where it has not succeeded.")
	cmd.Flags().DurationVar(&patience, "timeout", defaultPatience, "How long --wait waits.")
	return cmd
}

// runNow asks the operator for a Job, and returns the value that the Job will bear.
func (c *cluster) runNow(ctx context.Context, name string, force bool, now time.Time) (*v1alpha.ChangeTriggeredJob, string, error) {
	ctj, err := c.trigger(ctx, name)
	if err != nil {
		return nil, "", err
	}
	if ctj.Spec.Suspended() && !force {
		return nil, "", fmt.Errorf("%s is suspended: resume it, or run it with --force", nameOf(ctj))
	}
	if ctj.Status.ObservedGeneration == 0 {
		// What it is seen with first counts as answered: it may be a copy.
		return nil, "", fmt.Errorf("the operator has not looked at %s yet: wait until it is Available", nameOf(ctj))
	}
	// The time is for people; the rest keeps two who ask at once from asking the same.
	value := now.UTC().Format(time.RFC3339) + "-" + rand.String(suffix)
	annotations := map[string]string{v1alpha.RunNowAnnotation: value}
	if force {
		annotations[v1alpha.RunNowForceAnnotation] = value
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	if err != nil {
		return nil, "", err
	}
	if err := c.Patch(ctx, ctj, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return nil, "", err
	}
	return ctj, value, nil
}

// suffix is how many random characters a value ends with.
const suffix = 8

// awaitRun waits until the Job that was asked for by a value has ended.
func (c *cluster) awaitRun(ctx context.Context, asked *v1alpha.ChangeTriggeredJob, value string) (*batchv1.Job, error) {
	var started, ended *batchv1.Job
	err := wait.PollUntilContextCancel(ctx, lookInterval, true, func(ctx context.Context) (bool, error) {
		// The ChangeTriggeredJob first: its status is written after the Job.
		ctj, err := c.trigger(ctx, asked.Name)
		if err != nil {
			return false, err
		}
		jobs, err := c.jobs(ctx, ctj)
		if err != nil {
			return false, err
		}
		answered := ctj.Status.LastRunNow == value
		found := askedBy(jobs, ctj, value)
		switch {
		case found != nil:
			started = found
		case started != nil && !answered:
			started = nil // it was replaced before it had ended, and the next Job answers in its place
		case started != nil:
			return false, fmt.Errorf("Job %s is gone, and its end was not seen", started.Name) //nolint:staticcheck // a kind's name
		case answered:
			return false, fmt.Errorf("the operator refused to run a Job: see kubectl events --for ctj/%s", asked.Name)
		case ctj.Annotations[v1alpha.RunNowAnnotation] != value:
			return false, fmt.Errorf("somebody else has asked %s to run before a Job was there", nameOf(ctj))
		}
		if started == nil || job.Outcome(started) == v1alpha.JobActive {
			return false, nil
		}
		ended = started
		return true, nil
	})
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && ended == nil {
		if started == nil {
			return nil, fmt.Errorf("no Job has started in time: see kubectl changejob describe %s", asked.Name)
		}
		return nil, fmt.Errorf("Job %s has not ended in time", started.Name) //nolint:staticcheck // a kind's name
	}
	return ended, err
}

// askedBy returns the Job that was made for a value of the annotation; the last one, where one before was replaced.
func askedBy(jobs []batchv1.Job, ctj *v1alpha.ChangeTriggeredJob, value string) *batchv1.Job {
	var last *batchv1.Job
	for i := range jobs {
		j := &jobs[i]
		if !job.Owned(j, ctj.UID) || j.Annotations[v1alpha.RunNowAnnotation] != value {
			continue
		}
		if last == nil || last.CreationTimestamp.Before(&j.CreationTimestamp) {
			last = j
		}
	}
	return last
}
