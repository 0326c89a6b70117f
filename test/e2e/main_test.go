// Package e2e installs the operator as users do, on a cluster whose nodes run containers: each part begins with a
// cluster that has nothing of ours, and ends with a Job whose container ran, and with nothing left.
//
// `make e2e` runs it on the local real node; with KUBECONFIG and IMG it runs on a cluster of yours, see CONTRIBUTING.md.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// withoutACluster is what the names of tests begin with that need none.
const withoutACluster = "TestWithoutACluster"

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv("E2E") == "" {
		fmt.Println("SKIPPED: the end-to-end tests need a cluster whose nodes run containers: make e2e")
		if err := flag.Set("test.run", "^"+withoutACluster); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}
