package command

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/check"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/text"
)

func (p *plugin) check() *cobra.Command {
	var o output
	var values bool
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a file against the cluster, and show what its paths select",
		Long: "Check the ChangeTriggeredJobs of a file (- is the standard input), YAML or JSON,\n" +
			"against the cluster: the API server and the webhook judge in a dry run what\n" +
			"kubectl apply would do with them, which includes a look at what is stored. What\n" +
			"the operator calls InvalidSpec is not valid, even where it is stored already.\n" +
			"Then each path is followed in the object that it is for, or in the first five of\n" +
			"those that a selector selects. All of it is done with your own rights, and\n" +
			"nothing is changed.\n\n" +
			"Of what a path selects, kind and size are shown. --show-values shows the values,\n" +
			"but never those of Secrets.",
		Example: "  kubectl changejob check changetriggeredjob.yaml\n  kustomize build . | kubectl changejob check -",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			if err := o.check(); err != nil {
				return err
			}
			manifest, err := p.read(files[0])
			if err != nil {
				return err
			}
			warnings := &check.Warnings{}
			c, err := p.cluster(warnings)
			if err != nil {
				return err
			}
			checks, invalid, err := c.check(cmd.Context(), manifest, warnings, values)
			if err != nil {
				return err
			}
			if err := p.show(&o, checks, func(w *text.Writer) { w.Checks(checks) }); err != nil {
				return err
			}
			if invalid > 0 {
				return fmt.Errorf("%d of %d not valid", invalid, len(checks.Items))
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	o.add(cmd, formatWide)
	cmd.Flags().BoolVar(&values, "show-values", false, "Show the values that are selected, but for those of Secrets.")
	return cmd
}

// read reads a file, or the standard input.
func (p *plugin) read(file string) (*check.Manifest, error) {
	from := p.Streams.In
	if file != "-" {
		opened, err := os.Open(file) //nolint:gosec // the user's own
		if err != nil {
			return nil, err
		}
		defer func() { _ = opened.Close() }()
		from = opened
	}
	manifest, err := check.Read(from)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return manifest, nil
}

// check checks all of a file, and counts those that are not valid.
func (c *cluster) check(ctx context.Context, manifest *check.Manifest, warnings *check.Warnings, values bool) (checks report.Checks, invalid int, err error) {
	objects, err := check.NewObjects(c.config)
	if err != nil {
		return checks, 0, err
	}
	checker := &check.Checker{Client: c, Objects: objects, Warnings: warnings, Values: values}
	checks = report.Checks{Items: []report.Check{}, Skipped: append([]string{}, manifest.Skipped...)}
	for _, object := range manifest.Triggers {
		if err := c.place(object); err != nil {
			return checks, 0, err
		}
		found, err := checker.Check(ctx, object)
		if err != nil {
			return checks, 0, err
		}
		if !found.Valid {
			invalid++
		}
		checks.Items = append(checks.Items, found)
	}
	return checks, invalid, nil
}

// namespaced is an object that can be placed in a namespace.
type namespaced interface {
	GetNamespace() string
	SetNamespace(string)
	GetName() string
}

// place puts an object that names no namespace into the one that is meant.
func (c *cluster) place(object namespaced) error {
	switch object.GetNamespace() {
	case "":
		object.SetNamespace(c.namespace)
	case c.namespace:
	default:
		if c.namespaceGiven {
			return errors.New("the namespace of " + object.GetName() + " is " + object.GetNamespace() + ", and --namespace is " + c.namespace)
		}
	}
	return nil
}
