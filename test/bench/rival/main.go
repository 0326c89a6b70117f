// Command rival is what the operator is compared with: the least that any operator could do, and what another engineer would
// have written. Each mode is a program of its own kind, in a process of its own, as the operator is:
//
//	rival MODE --kubeconfig=FILE [flags of the mode]
//
// It prints the line "ready" once it sees changes, and ends with 0 when it is told to (SIGTERM), or when it is done.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// mode is one rival: it adds its flags, and returns what runs once they are parsed.
type mode func(fs *flag.FlagSet) func(ctx context.Context, config *rest.Config) error

var modes = map[string]mode{
	"bare":     bare(true),
	"create":   bare(false),
	"informer": informer,
	"list":     list,
	"metadata": metadata,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || modes[args[0]] == nil {
		return errors.New("usage: rival MODE --kubeconfig=FILE [flags]")
	}
	fs := flag.NewFlagSet(args[0], flag.ContinueOnError)
	kubeconfig := fs.String("kubeconfig", "", "kubeconfig file")
	act := modes[args[0]](fs)
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1 // as the operator: API priority and fairness throttles
	return act(ctx, config)
}

// ready tells whoever started this process that changes are seen from now on.
func ready() { fmt.Println("ready") }
