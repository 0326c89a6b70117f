package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/text"
)

func (p *plugin) history() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "history NAME",
		Short: "List triggers: when, what had changed, which Job, how it ended",
		Long: "List the triggers of a ChangeTriggeredJob: when, what had changed, which Job,\n" +
			"how it ended.\n\n" +
			"The Jobs tell of them, so that those are listed whose Jobs are still there:\n" +
			"spec.history says how many are kept.",
		Example: "  kubectl changejob history config-sync",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			c, err := p.clusterFor(&o)
			if err != nil {
				return err
			}
			ctj, err := c.trigger(cmd.Context(), names[0])
			if err != nil {
				return err
			}
			jobs, err := c.jobs(cmd.Context(), ctj)
			if err != nil {
				return err
			}
			history := report.HistoryOf(ctj, jobs, p.Now())
			if len(history.Triggers) == 0 && o.forPeople() {
				_, err := fmt.Fprintf(p.Streams.ErrOut, "No Jobs of %s/%s.\n", ctj.Namespace, ctj.Name)
				return err
			}
			return p.show(&o, history, func(w *text.Writer) { w.History(history, o.format == formatWide) })
		},
		ValidArgsFunction: p.completeNames(one),
	}
	o.add(cmd, formatWide)
	return cmd
}
