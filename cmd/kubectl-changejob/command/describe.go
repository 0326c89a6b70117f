package command

import (
	"context"

	"github.com/spf13/cobra"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/text"
)

func (p *plugin) describe() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "describe NAME…",
		Short: "Tell why the last Job ran, what is pending, and what comes next",
		Long: "Tell all of ChangeTriggeredJobs: why the last Job ran, what is pending, when the\n" +
			"next one is due.",
		Example: "  kubectl changejob describe config-sync",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			c, err := p.clusterFor(&o)
			if err != nil {
				return err
			}
			ctjs, err := c.triggers(cmd.Context(), selection{names: names})
			if err != nil {
				return err
			}
			all := report.Descriptions{Items: []report.Description{}}
			for i := range ctjs {
				jobs, mayListJobs, err := c.jobsIfAllowed(cmd.Context(), &ctjs[i])
				if err != nil {
					return err
				}
				all.Items = append(all.Items, report.DescriptionOf(&ctjs[i], jobs, mayListJobs, p.Now()))
			}
			return p.show(&o, all, func(w *text.Writer) { w.Descriptions(all) })
		},
		ValidArgsFunction: p.completeNames(many),
	}
	o.add(cmd, formatWide)
	return cmd
}

// jobsIfAllowed returns the Jobs of a ChangeTriggeredJob, and whether the user may list them: without them, what status says is
// still worth telling.
func (c *cluster) jobsIfAllowed(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob) (jobs []batchv1.Job, allowed bool, err error) {
	jobs, err = c.jobs(ctx, ctj)
	if apierrors.IsForbidden(err) {
		return nil, false, nil
	}
	return jobs, err == nil, err
}
