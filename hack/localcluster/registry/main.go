// Command registry is the image registry of the real node, and what puts images into it: no engine and no daemon is needed.
//
//	registry serve --data DIR --http ADDRESS [--https ADDRESS --cert FILE --key FILE]
//	registry push ARCHIVE NAME        a docker-archive, an OCI archive, or a folder with an OCI layout
//	registry build NAME --root DIR    an image of one layer from a folder
//
// The names are those that manifests use: ghcr.io/nusnewob/kube-changejob:v1 is kept as nusnewob/kube-changejob:v1, and the node
// asks this registry for it, whatever registry the name begins with.
//
// Called by the name crane it is go-containerregistry's crane.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	crane "github.com/google/go-containerregistry/cmd/crane/cmd"
	"github.com/google/go-containerregistry/pkg/logs"
)

const usage = `usage: registry serve|push|build
       registry COMMAND -h tells a command's flags
`

// defaultAddress is where the registry of the node listens, within the node's network.
const defaultAddress = "127.0.0.1:5000"

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	logs.Warn.SetOutput(os.Stderr)
	isCrane := filepath.Base(os.Args[0]) == "crane"
	var err error
	if isCrane {
		logs.Progress.SetOutput(os.Stderr)
		err = crane.Root.ExecuteContext(ctx)
	} else {
		err = run(ctx, os.Args[1:])
	}
	cancel()
	switch {
	case err == nil:
	case isCrane: // which has said itself what is wrong
		os.Exit(1)
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return flag.ErrHelp
	}
	switch command, rest := args[0], args[1:]; command {
	case "serve":
		return serveCommand(ctx, rest)
	case "push":
		return pushCommand(ctx, rest)
	case "build":
		return buildCommand(ctx, rest)
	default:
		fmt.Fprint(os.Stderr, usage)
		return fmt.Errorf("unknown command %q", command)
	}
}

// list is a flag that may be given more than once.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}
