// Package command holds the plugin's commands, one a file: each reads flags, asks the cluster with the user's own rights, and
// has package text or an encoder write what package report made of the answers.
//
// A command writes all of its output at its end, or none of it: what fails on the way leaves nothing half told.
package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/text"
)

// Environment is what the process gives to the commands.
type Environment struct {
	Streams genericiooptions.IOStreams
	// Getenv reads the environment; by default, it is empty.
	Getenv func(string) string
	// Version is the plugin's.
	Version string
	// Now tells the time; by default, time.Now.
	Now func() time.Time
	// Terminal tells whether what is written goes to a terminal, and how wide that is; by default, it is found out.
	Terminal func() (columns int, ok bool)
	// LookInterval is how often run --wait looks at what it waits for; by default, twice a second.
	LookInterval time.Duration
	// Wrap changes the client that the commands use; by default, it does not.
	Wrap func(client.WithWatch) client.WithWatch
}

// plugin is what the commands share.
type plugin struct {
	Environment
	flags *genericclioptions.ConfigFlags
}

// interrupted is the exit code of a command that was interrupted, as a shell tells of it, and grace how long one has to end by itself.
const (
	interrupted = 130
	grace       = time.Second
)

// Run runs the command that args name, and returns the exit code: 0, 1 after an error, and 130 where ctx ended before the command.
//
// Not everything hears of ctx: reading the standard input does not, nor does the client's discovery, and a server that never answers
// would hold them for ever. Such a command is left behind, for the end of the process to end.
func Run(ctx context.Context, args []string, environment Environment) int {
	root := newRoot(environment)
	root.SetArgs(args)
	ended := make(chan error, 1)
	go func() { ended <- root.ExecuteContext(ctx) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		select {
		case err = <-ended:
		case <-time.After(grace):
			return interrupted
		}
	}
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return interrupted
	default:
		_, _ = fmt.Fprintln(environment.Streams.ErrOut, "error:", text.Line(explain(err)))
		return 1
	}
}

func newRoot(environment Environment) *cobra.Command {
	p := &plugin{Environment: environment, flags: genericclioptions.NewConfigFlags(true)}
	p.setDefaults()
	root := &cobra.Command{
		Use:   "kubectl-changejob",
		Short: "Show and steer ChangeTriggeredJobs",
		Long: "Show and steer ChangeTriggeredJobs: why a Job ran, what is pending, when the\n" +
			"next one is due.\n\n" +
			"Everything is done with the rights of your own kubeconfig.",
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl changejob"},
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              cobra.NoArgs,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(p.Streams.In)
	root.SetOut(p.Streams.Out)
	root.SetErr(p.Streams.ErrOut)
	p.flags.AddFlags(root.PersistentFlags())
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages ", fmt.Sprintf(".FlagUsagesWrapped %d ", text.DefaultWidth)))
	_ = root.RegisterFlagCompletionFunc("namespace", p.completeNamespaces) // the flag is there
	root.AddCommand(
		p.list(), p.describe(), p.history(), p.diff(), p.graph(), p.check(),
		p.run(), p.suspend(), p.resume(), p.version(), completion(root),
	)
	return root
}

func (p *plugin) setDefaults() {
	if p.Getenv == nil {
		p.Getenv = func(string) string { return "" }
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.LookInterval == 0 {
		p.LookInterval = 500 * time.Millisecond
	}
	if p.Terminal == nil {
		p.Terminal = terminalOf(p.Streams.Out)
	}
}
