// Command kubectl-changejob is a plugin of kubectl: it shows and steers ChangeTriggeredJobs.
package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/go-logr/logr"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/command"
)

// version is set when the program is built for a release.
var version = "devel"

func main() {
	log.SetLogger(logr.Discard()) // the client's; what people are to know comes as an error
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := command.Run(ctx, os.Args[1:], command.Environment{
		Streams: genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr},
		Getenv:  os.Getenv,
		Version: version,
	})
	stop()
	os.Exit(code)
}
