package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// add adds the flags of a selection to a command.
func (s *selection) add(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&s.allNamespaces, "all-namespaces", "A", false, "Those of all namespaces.")
	cmd.Flags().StringVarP(&s.selector, "selector", "l", "", "Those with these labels, for example app=web,tier!=test.")
}

// reading is what a command does that tells of the selected ChangeTriggeredJobs: it reads them, and has them told.
func (p *plugin) reading(o *output, s *selection, tell func(context.Context, *cluster, []v1alpha.ChangeTriggeredJob) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, names []string) error {
		s.names = names
		c, err := p.clusterFor(o)
		if err != nil {
			return err
		}
		ctjs, err := c.triggers(cmd.Context(), *s)
		if err != nil {
			return err
		}
		if len(ctjs) == 0 && o.forPeople() {
			return p.nothing(c, *s)
		}
		return tell(cmd.Context(), c, ctjs)
	}
}

// clusterFor returns the cluster that an output is to tell of. An output that there is not is a mistake before any cluster is looked for.
func (p *plugin) clusterFor(o *output) (*cluster, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return p.cluster(quiet)
}

// nothing says, beside the output, that nothing was found.
func (p *plugin) nothing(c *cluster, s selection) error {
	where := "in namespace " + c.namespace
	if s.allNamespaces {
		where = "in any namespace"
	}
	if s.selector != "" {
		where += " with these labels"
	}
	_, err := fmt.Fprintf(p.Streams.ErrOut, "No ChangeTriggeredJobs %s.\n", where)
	return err
}
