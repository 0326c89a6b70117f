package command

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// defaultPatience is how long run --wait waits.
const defaultPatience = 10 * time.Minute

func (p *plugin) run() *cobra.Command {
	var force, await bool
	var patience time.Duration
	cmd := &cobra.Command{
		Use:   "run NAME",
		Short: "Have a Job run now, whatever has changed",
		Long: "Have a Job run now, whatever has changed and however long the cooldown still\n" +
			"is. It counts as a trigger as any other: it has the next number, and what had\n" +
			"changed by then is answered.\n\n" +
			"A ChangeTriggeredJob that is suspended runs none, unless --force says so. The\n" +
			"operator is asked by the annotation " + v1alpha.RunNowAnnotation + ", which takes the\n" +
			"right to patch the ChangeTriggeredJob, and that to create Jobs; --wait takes\n" +
			"those to list and watch Jobs, too.",
		Example: "  kubectl changejob run config-sync\n  kubectl changejob run config-sync --wait --timeout 5m",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			c, err := p.cluster(p.loud())
			if err != nil {
				return err
			}
			ctj, err := c.runnable(cmd.Context(), names[0], force)
			if err != nil {
				return err
			}
			if await {
				return p.runAndWait(cmd.Context(), c, ctj, force, patience)
			}
			if _, err := c.runNow(cmd.Context(), ctj, force, p.Now()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.Streams.Out, "%s asked to run\n", nameOf(ctj))
			return err
		},
		ValidArgsFunction: p.completeNames(one),
	}
	cmd.Flags().BoolVar(&force, "force", false, "Run it even while the ChangeTriggeredJob is suspended.")
	cmd.Flags().BoolVar(&await, "wait", false, "Wait until the Job has ended, and fail where it has not succeeded.")
	cmd.Flags().DurationVar(&patience, "timeout", defaultPatience, "How long --wait waits.")
	return cmd
}

// runnable returns a ChangeTriggeredJob that may be asked for a Job.
func (c *cluster) runnable(ctx context.Context, name string, force bool) (*v1alpha.ChangeTriggeredJob, error) {
	ctj, err := c.trigger(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case ctj.Spec.Suspended() && !force:
		return nil, fmt.Errorf("%s is suspended: resume it, or run it with --force", nameOf(ctj))
	case ctj.Status.ObservedGeneration == 0:
		// What it is seen with first counts as answered: it may be a copy.
		return nil, fmt.Errorf("the operator has not looked at %s yet: wait until it is Available", nameOf(ctj))
	default:
		return ctj, nil
	}
}

// runNow asks the operator for a Job, and returns the value that the Job will bear. ctj is what is stored then.
func (c *cluster) runNow(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, force bool, now time.Time) (value string, err error) {
	// The time is for people; the rest keeps two who ask at once from asking the same.
	value = now.UTC().Format(time.RFC3339) + "-" + rand.String(suffix)
	annotations := map[string]string{v1alpha.RunNowAnnotation: value}
	if force {
		annotations[v1alpha.RunNowForceAnnotation] = value
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	if err != nil {
		return "", err
	}
	return value, c.Patch(ctx, ctj, client.RawPatch(types.MergePatchType, patch))
}

// suffix is how many random characters a value ends with.
const suffix = 8

// runAndWait asks the operator for a Job, and waits until it has ended. It watches Jobs from before on: who may not do so is
// told that before anything runs, and a Job that is deleted as soon as it has ended is seen to end.
func (p *plugin) runAndWait(ctx context.Context, c *cluster, ctj *v1alpha.ChangeTriggeredJob, force bool, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, watching, err := c.watchJobs(ctx, ctj)
	if err != nil {
		return err
	}
	value, err := c.runNow(ctx, ctj, force, p.Now())
	if err != nil {
		watching.Stop()
		return err
	}
	a := &awaited{asked: ctj, value: value, triggers: ctj.Status.TriggerCount}
	if err := c.await(ctx, a, watching, p.LookInterval); err != nil {
		return err
	}
	if a.outcome != v1alpha.JobSucceeded {
		return fmt.Errorf("Job %s has failed", a.job.Name) //nolint:staticcheck // a kind's name
	}
	_, err = fmt.Fprintf(p.Streams.Out, "job.batch/%s succeeded\n", a.job.Name)
	return err
}
