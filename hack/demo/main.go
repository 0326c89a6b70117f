// Command demo shows the operator at work: it applies the user guide's first example, changes the ConfigMap
// that it watches, and tells how long it took until the Job was there.
//
// It brings a control plane of its own, or works in a namespace of its own on the cluster of --kubeconfig.
// Whatever it started it ends, and whatever it created on a cluster that is not its own it deletes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

type options struct {
	root       string
	kubeconfig string
	timeout    time.Duration
}

// exitInterrupted is what a shell reports for a program that was ended by Ctrl-C.
const exitInterrupted = 130

func main() {
	var o options
	flag.StringVar(&o.root, "root", ".", "the repository, with bin/manager, bin/localcluster and bin/k8s built")
	flag.StringVar(&o.kubeconfig, "kubeconfig", "", "work on this cluster instead of a local control plane")
	flag.DurationVar(&o.timeout, "timeout", 3*time.Minute, "how long it may take, apart from cleaning up")
	flag.Parse()

	// Where nobody reads the story any more, as in `make demo | head`, it still cleans up.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, o)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	case interrupted:
		say("Interrupted. What was started has ended.")
		os.Exit(exitInterrupted)
	}
}

// run gives the demo a folder for its files. Where it fails, the folder stays, with the logs.
func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "kube-changejob-demo-")
	if err != nil {
		return err
	}
	if err := demonstrate(ctx, o, dir); err != nil {
		return fmt.Errorf("%w (logs are in %s)", err, dir)
	}
	return os.RemoveAll(dir)
}

// demonstrate is the demo, from beginning to end. An interruption is no error, unless cleaning up fails.
func demonstrate(interrupted context.Context, o options, dir string) (err error) {
	root, err := filepath.Abs(o.root)
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeoutCause(interrupted, o.timeout, fmt.Errorf("it took longer than %s", o.timeout))
	defer cancel()
	ctx, fail := context.WithCancelCause(bounded)
	defer fail(nil)

	c := &cluster{root: root, dir: dir, kubeconfig: o.kubeconfig, namespace: "default", fail: fail}
	defer func() {
		switch cause := context.Cause(ctx); {
		case interrupted.Err() != nil:
			err = nil
		case err != nil && cause != nil && !errors.Is(err, cause):
			err = fmt.Errorf("%w: %w", cause, err)
		}
		err = errors.Join(err, c.close())
	}()
	if err := c.find(ctx); err != nil {
		return err
	}
	if err := c.install(ctx); err != nil {
		return err
	}
	if err := c.startOperator(ctx); err != nil {
		return err
	}
	return (&story{cluster: c}).tell(ctx)
}

// say prints one line of the story.
func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }
