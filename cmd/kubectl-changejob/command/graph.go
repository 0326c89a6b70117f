package command

import (
	"context"
	"io"
	"slices"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

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
		Long: "Show which objects trigger which ChangeTriggeredJobs, as a tree or, with -o dot,\n" +
			"for Graphviz.\n\n" +
			"It knows what the specs say. What a Job changes stands in no spec.",
		Example: "  kubectl changejob graph -A\n  kubectl changejob graph -o dot | dot -Tsvg > graph.svg",
		RunE: p.reading(&o, &s, func(ctx context.Context, c *cluster, ctjs []v1alpha.ChangeTriggeredJob) error {
			sources, err := c.sources(ctx, s, ctjs)
			if err != nil {
				return err
			}
			graph := report.GraphOf(ctjs, sources)
			if o.format == formatDOT {
				_, err := io.WriteString(p.Streams.Out, text.DOT(graph))
				return err
			}
			return p.show(&o, graph, func(w *text.Writer) { w.Graph(graph) })
		}),
		ValidArgsFunction: p.completeNames(many),
	}
	o.add(cmd, formatWide, formatDOT)
	s.add(cmd)
	return cmd
}

// sources returns the ChangeTriggeredJobs whose Jobs may be what these select: all that the user may list, whichever the command is about. What it
// is about are these, by s.
func (c *cluster) sources(ctx context.Context, s selection, ctjs []v1alpha.ChangeTriggeredJob) ([]v1alpha.ChangeTriggeredJob, error) {
	selecting := slices.ContainsFunc(ctjs, func(ctj v1alpha.ChangeTriggeredJob) bool {
		return slices.ContainsFunc(ctj.Spec.Resources, func(r v1alpha.ResourceReference) bool { return r.Selector != nil })
	})
	if !selecting {
		return nil, nil
	}
	if s.allNamespaces && s.selector == "" && len(s.names) == 0 {
		return ctjs, nil // these are all
	}
	for _, where := range []selection{{allNamespaces: true}, {}} {
		if all, err := c.triggers(ctx, where); !apierrors.IsForbidden(err) {
			return all, err
		}
	}
	return ctjs, nil
}
