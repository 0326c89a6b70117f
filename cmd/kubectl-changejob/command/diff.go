package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/text"
)

func (p *plugin) diff() *cobra.Command {
	var o output
	var s selection
	cmd := &cobra.Command{
		Use:   "diff [NAME…]",
		Short: "Show which fields differ from the state that the last Job ran for",
		Long: "Show which fields differ from the state that the last Job ran for, as status has\n" +
			"it.\n\n" +
			"Values are not shown: the operator keeps keyed hashes, and nobody can tell a\n" +
			"value from them.",
		Example: "  kubectl changejob diff config-sync\n  kubectl changejob diff -A",
		RunE: p.reading(&o, &s, func(_ context.Context, _ *cluster, ctjs []v1alpha.ChangeTriggeredJob) error {
			differences := report.DifferencesOf(ctjs)
			return p.show(&o, differences, func(w *text.Writer) { w.Differences(differences) })
		}),
		ValidArgsFunction: p.completeNames(many),
	}
	o.add(cmd, formatWide)
	s.add(cmd)
	return cmd
}
