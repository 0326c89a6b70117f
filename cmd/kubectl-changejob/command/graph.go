package command

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/text"
)

func (p *plugin) graph() *cobra.Command {
	var o output
	var s selection
	cmd := &cobra.Command{
		Use:   "graph [NAME…]",
		Short: "Show which objects trigger which ChangeTriggeredJobs",
		Long: "Show which objects trigger which ChangeTriggeredJobs, as a tree or, with -o dot, for Graphviz.\n\n" +
			"It knows what the specs say. What a Job changes stands in no spec.",
		Example: "  kubectl changejob graph -A\n  kubectl changejob graph -o dot | dot -Tsvg > graph.svg",
		RunE: p.reading(&o, &s, func(ctjs []v1alpha.ChangeTriggeredJob) error {
			graph := report.GraphOf(ctjs)
			if o.format == formatDOT {
				_, err := io.WriteString(p.Streams.Out, text.DOT(graph))
				return err
			}
			return p.show(&o, graph, func(w *text.Writer) { w.Graph(graph) })
		}),
		ValidArgsFunction: p.completeNames(many),
	}
	o.add(cmd, formatDOT)
	s.add(cmd)
	return cmd
}
