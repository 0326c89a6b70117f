package command

import (
	"fmt"

	"github.com/spf13/cobra"
)

// add adds the flags of a selection to a command.
func (s *selection) add(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&s.allNamespaces, "all-namespaces", "A", false, "Those of all namespaces.")
	cmd.Flags().StringVarP(&s.selector, "selector", "l", "", "Those with these labels, for example app=web,tier!=test.")
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
