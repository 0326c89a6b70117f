// Command localcluster builds and runs a Kubernetes control plane on this machine: no root, no containers, nothing but loopback
// addresses and one folder of its own. It needs Go and nothing else.
//
//	localcluster preflight                is everything here that the build needs?
//	localcluster build [component...]     compile what is missing or out of date
//	localcluster start [flags]            run a control plane in the foreground
//	localcluster up [flags]               run one in the background; return when it is ready
//	localcluster down --data-dir DIR      stop the one that runs in DIR and remove DIR
//
// The user's kubeconfig is neither read nor written: each control plane has one of its own, in its data folder.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: localcluster preflight|build|start|up|down [flags]
       localcluster COMMAND -h tells a command's flags
`

func main() {
	// A second signal while we stop changes nothing: stopping is bounded in time.
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	cancel()
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "localcluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return flag.ErrHelp
	}
	switch command, rest := args[0], args[1:]; command {
	case "preflight":
		return preflightCommand(ctx, rest)
	case "build":
		return buildCommand(ctx, rest)
	case "start":
		return startCommand(ctx, rest)
	case "up":
		return upCommand(ctx, rest)
	case "down":
		return downCommand(ctx, rest)
	default:
		fmt.Fprint(os.Stderr, usage)
		return fmt.Errorf("unknown command %q", command)
	}
}
