package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/text"
)

func (p *plugin) list() *cobra.Command {
	var o output
	var s selection
	cmd := &cobra.Command{
		Use:     "list [NAME…]",
		Aliases: []string{"ls"},
		Short:   "List ChangeTriggeredJobs, what is pending, and when a Job is due",
		Example: "  kubectl changejob list\n  kubectl changejob list -A -o wide",
		RunE: p.reading(&o, &s, func(_ context.Context, _ *cluster, ctjs []v1alpha.ChangeTriggeredJob) error {
			list := report.ListOf(ctjs, p.Now())
			return p.show(&o, list, func(w *text.Writer) { w.List(list, s.allNamespaces, o.format == formatWide) })
		}),
		ValidArgsFunction: p.completeNames(many),
	}
	o.add(cmd, formatWide)
	s.add(cmd)
	return cmd
}
