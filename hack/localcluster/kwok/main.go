// Command kwok simulates nodes: what is scheduled to one of them starts at once, and a Job's pods complete.
//
// It is kwok's own command with its stock stages for nodes and pods built in, so that it runs without configuration files.
package main

import (
	"io"
	"log"
	"os"
	"strings"

	"github.com/spf13/pflag"
	nodestages "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	heartbeatstages "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	podstages "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/kwok/pkg/config"
	"sigs.k8s.io/kwok/pkg/kwok/cmd"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/signals"

	"github.com/nusnewob/kube-changejob/hack/localcluster/lifeline"
)

// stages are what happens to a simulated node and its pods.
var stages = strings.Join([]string{
	nodestages.DefaultNodeInit,
	heartbeatstages.DefaultNodeHeartbeatWithLease,
	podstages.DefaultPodReady,
	podstages.DefaultPodComplete,
	podstages.DefaultPodDelete,
}, "\n---\n")

func main() {
	lifeline.Watch()
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	if err := feedStages(); err != nil {
		return err
	}
	flags := pflag.NewFlagSet("kwok", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}
	ctx, _ := kwoklog.InitFlags(signals.SetupSignalContext(), flags)
	ctx, err := config.InitFlags(ctx, flags)
	if err != nil {
		return err
	}
	command := cmd.NewCommand(ctx)
	command.PersistentFlags().AddFlagSet(flags)
	return command.ExecuteContext(ctx)
}

// feedStages makes the built-in stages the configuration that kwok reads, through its standard input: it takes its
// configuration from files only.
func feedStages() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	os.Stdin = r
	os.Args = append(os.Args, "--config=-")
	go func() {
		// kwok reads to the end; were it to stop early, the rest would stand in the pipe and harm nothing.
		_, _ = io.WriteString(w, stages)
		_ = w.Close()
	}()
	return nil
}
