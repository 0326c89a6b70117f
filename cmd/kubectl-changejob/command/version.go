package command

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// versions is what `version` tells.
type versions struct {
	Version    string `json:"version"`
	APIVersion string `json:"apiVersion"`
	Go         string `json:"go"`
	Platform   string `json:"platform"`
}

func (p *plugin) version() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show the version of this plugin, and that of the API it knows",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := o.check(); err != nil {
				return err
			}
			v := versions{p.Version, v1alpha.GroupVersion.String(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			if o.format == "" {
				_, err := fmt.Fprintf(p.Streams.Out, "kubectl-changejob %s, %s, %s %s\n", v.Version, v.APIVersion, v.Go, v.Platform)
				return err
			}
			return p.show(&o, v, nil)
		},
	}
	o.add(cmd)
	return cmd
}
