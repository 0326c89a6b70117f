package command

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
)

// completionPatience is how long a shell waits for names.
const completionPatience = 3 * time.Second

// kubectlScript is what kubectl runs when an argument of the plugin is to be completed: a program of this name beside it.
const kubectlScript = `#!/bin/sh
# kubectl runs this as kubectl_complete-changejob, from anywhere in PATH.
exec kubectl-changejob __complete "$@"
`

func completion(root *cobra.Command) *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell", "kubectl"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print what completes names and flags in a shell, or with kubectl",
		Long: "Print what completes names and flags in a shell: bash, zsh, fish, powershell, or\n" +
			"kubectl.\n\n" +
			"With kubectl, it is the program kubectl_complete-changejob, by which kubectl's\n" +
			"own completion completes the plugin's arguments; with a shell's name, it is a\n" +
			"script for those who call kubectl-changejob itself.",
		Example: "  kubectl changejob completion kubectl > ~/bin/kubectl_complete-changejob\n" +
			"  chmod +x ~/bin/kubectl_complete-changejob",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			var script bytes.Buffer
			var err error
			switch args[0] {
			case "bash":
				err = root.GenBashCompletionV2(&script, true)
			case "zsh":
				err = root.GenZshCompletion(&script)
			case "fish":
				err = root.GenFishCompletion(&script, true)
			case "powershell":
				err = root.GenPowerShellCompletionWithDesc(&script)
			default:
				_, err = script.WriteString(kubectlScript)
			}
			if err != nil {
				return fmt.Errorf("make the script: %w", err)
			}
			_, err = cmd.OutOrStdout().Write(script.Bytes())
			return err
		},
	}
}

// howMany is how many names a command takes.
type howMany int

const (
	one howMany = iota
	many
)

// completeNames completes names of ChangeTriggeredJobs; where the cluster does not answer, there are none.
func (p *plugin) completeNames(number howMany) cobra.CompletionFunc {
	return func(cmd *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
		if number == one && len(given) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := p.completing(cmd)
		defer cancel()
		c, err := p.cluster(quiet)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctjs, err := c.triggers(ctx, selection{})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for i := range ctjs {
			if name := ctjs[i].Name; !slices.Contains(given, name) {
				names = append(names, name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeNamespaces completes names of namespaces.
func (p *plugin) completeNamespaces(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := p.completing(cmd)
	defer cancel()
	c, err := p.cluster(quiet)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var list corev1.NamespaceList
	if err := c.List(ctx, &list); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := make([]string, 0, len(list.Items))
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completing bounds what a completion asks of the cluster. The client's discovery does not hear of the context, so that requests have
// the bound, too.
func (p *plugin) completing(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	bound := completionPatience.String()
	p.flags.Timeout = &bound
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	return context.WithTimeout(ctx, completionPatience)
}
