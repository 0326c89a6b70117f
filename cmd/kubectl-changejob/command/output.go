package command

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/text"
)

// output is the flag -o.
type output struct {
	format  string
	formats []string
}

const (
	formatJSON = "json"
	formatYAML = "yaml"
	formatWide = "wide"
	formatDOT  = "dot"
)

// add adds the flag to a command; without it, the output is for people. JSON and YAML are always possible.
func (o *output) add(cmd *cobra.Command, more ...string) {
	o.formats = append([]string{formatJSON, formatYAML}, more...)
	cmd.Flags().StringVarP(&o.format, "output", "o", "", "Output format: "+strings.Join(o.formats, ", ")+".")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(o.formats, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}

// check refuses formats that the command does not have, before it does anything.
func (o *output) check() error {
	if o.format != "" && !slices.Contains(o.formats, o.format) {
		return fmt.Errorf("unknown output format %q: choose one of %s", o.format, strings.Join(o.formats, ", "))
	}
	return nil
}

// forPeople reports whether the output is for people, who are told beside it that there is nothing; programs get an empty report.
func (o *output) forPeople() bool { return o.format == "" || o.format == formatWide }

// show writes a report: encoded, or as people writes it.
func (p *plugin) show(o *output, report any, people func(*text.Writer)) error {
	var encoded []byte
	var err error
	switch o.format {
	case formatJSON:
		if encoded, err = json.MarshalIndent(report, "", "  "); err == nil {
			encoded = append(encoded, '\n')
		}
	case formatYAML:
		encoded, err = yaml.Marshal(report)
	default:
		w := p.writer()
		if o.format == formatWide {
			w.Width = text.Unlimited
		}
		people(w)
		encoded = []byte(w.String())
	}
	if err != nil {
		return err
	}
	_, err = p.Streams.Out.Write(encoded)
	return err
}
