// Command localcluster builds and runs a Kubernetes control plane on this machine: no root, no containers, nothing but loopback
// addresses and one folder of its own. It needs Go and nothing else.
//
// On Linux, and as root, it also runs a real node, whose pods are containers.
//
//	localcluster preflight                is everything here that the build needs?
//	localcluster build [component...]     compile what is missing or out of date
//	localcluster start [flags]            run a control plane in the foreground
//	localcluster up [flags]               run one in the background; return when it is ready
//	localcluster down --data-dir DIR      stop the one that runs in DIR and remove DIR
//
//	localcluster node-preflight           is everything here that a real node needs?
//	localcluster node-up [flags]          run a control plane with a real node in the background
//	localcluster node-down                end it, and leave nothing of it
//	localcluster node-exec -- COMMAND     run a command in its network, with its kubeconfig
//	localcluster node-push ARCHIVE NAME   put an image into its registry
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
	"strings"
	"syscall"
)

const usage = `usage: localcluster preflight|build|start|up|down [flags]
       localcluster node-preflight|node-up|node-down|node-exec|node-push [flags]
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
		if strings.HasPrefix(command, "node-") {
			return nodeCommand(ctx, command, rest)
		}
		fmt.Fprint(os.Stderr, usage)
		return fmt.Errorf("unknown command %q", command)
	}
}
