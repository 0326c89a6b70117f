// Command cert-manager is cert-manager with the issuers that need nothing outside the cluster: selfSigned and ca. Its own programs
// are modules that no proxy serves; they are mains around the packages that this one runs, too.
//
//	cert-manager controller|cainjector|webhook [--kubeconfig FILE] ...
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

// programs are what cert-manager consists of. Each adds its flags, and returns what is to be run when they are parsed.
var programs = map[string]func(flags *pflag.FlagSet) (func(ctx context.Context) error, error){
	"controller": controllerProgram, "cainjector": cainjectorProgram, "webhook": webhookProgram,
}

func main() {
	ctrl.SetLogger(klog.Background())
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cert-manager:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || programs[args[0]] == nil {
		return fmt.Errorf("usage: cert-manager controller|cainjector|webhook [FLAGS]")
	}
	flags := pflag.NewFlagSet(args[0], pflag.ContinueOnError)
	program, err := programs[args[0]](flags)
	if err != nil {
		return err
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	return program(ctx)
}
