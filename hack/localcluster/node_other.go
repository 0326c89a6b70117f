//go:build !linux

package main

import (
	"context"
	"fmt"
	"runtime"
)

// nodeCommand is for Linux only: what makes containers is the kernel.
func nodeCommand(_ context.Context, command string, _ []string) error {
	return fmt.Errorf("%s: a real node needs Linux, this is %s; with a cluster of your own, set KUBECONFIG", command, runtime.GOOS)
}
