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

func main() {
	var o options
	flag.StringVar(&o.root, "root", ".", "the repository, with bin/manager, bin/localcluster and bin/k8s built")
	flag.StringVar(&o.kubeconfig, "kubeconfig", "", "work on this cluster instead of a local control plane")
	flag.DurationVar(&o.timeout, "timeout", 3*time.Minute, "how long it may take")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	err := run(ctx, o)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run is the story, from beginning to end.
func run(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "kube-changejob-demo-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w (logs are in %s)", err, dir)
			return
		}
		err = os.RemoveAll(dir)
	}()
	root, err := filepath.Abs(o.root)
	if err != nil {
		return err
	}

	c, err := findCluster(ctx, o.kubeconfig, root, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.install(ctx); err != nil {
		return err
	}
	operator, err := c.startOperator(ctx)
	if err != nil {
		return err
	}
	defer operator.stop()
	return (&story{cluster: c}).tell(ctx)
}

// say prints one line of the story.
func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }
