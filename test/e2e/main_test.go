// Package e2e installs the operator as users do, on a cluster whose nodes run containers: each part begins with a
// cluster that has nothing of ours, and ends with a Job whose container ran, and with nothing left.
//
// `make e2e` runs it on the local real node; with KUBECONFIG and IMG it runs on a cluster of yours, see CONTRIBUTING.md.
package e2e

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv("E2E") == "" {
		fmt.Println("SKIPPED: the end-to-end tests need a cluster whose nodes run containers: make e2e")
		return
	}
	os.Exit(m.Run())
}
