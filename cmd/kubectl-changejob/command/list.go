package command

import (
	"github.com/spf13/cobra"

	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/text"
)

func (p *plugin) list() *cobra.Command {
	var o output
	var s selection
	cmd := &cobra.Command{
		Use:     "list [NAME…]",
		Aliases: []string{"ls"},
		Short:   "List ChangeTriggeredJobs: how they are, what is pending, when the next Job is due",
		Example: "  kubectl changejob list\n  kubectl changejob list -A -o wide",
		RunE: func(cmd *cobra.Command, names []string) error {
			s.names = names
			if err := o.check(); err != nil {
				return err
			}
			c, err := p.cluster(quiet)
			if err != nil {
				return err
			}
			ctjs, err := c.triggers(cmd.Context(), s)
			if err != nil {
				return err
			}
			if len(ctjs) == 0 && o.format != formatJSON && o.format != formatYAML {
				return p.nothing(c, s)
			}
			return p.show(&o, report.ListOf(ctjs, p.Now()), func(w *text.Writer) {
				w.List(report.ListOf(ctjs, p.Now()), s.allNamespaces, o.format == formatWide)
			})
		},
		ValidArgsFunction: p.completeNames(many),
	}
	o.add(cmd, formatWide)
	s.add(cmd)
	return cmd
}
