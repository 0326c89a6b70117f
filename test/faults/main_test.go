package faults

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// FAULTS=all, which `make faults` sets, runs every test at its full length.
func full() bool { return os.Getenv("FAULTS") == "all" }

// shared is the API server of the tests that do it no harm, and sharedAudit its audit log.
var (
	shared      *apiserver.Shared
	sharedAudit string
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	log.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard()) // connections are cut off on purpose
	dir, err := os.MkdirTemp("", "faults")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	sharedAudit = filepath.Join(dir, "audit.log")
	shared = apiserver.OnDemand(apiserver.CRDs(), auditLog(sharedAudit))
	// Most of the time is spent waiting: for leases to run out, for back-offs, for what is paused.
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := apiserver.MainOnDemand(m, shared)
	if text := reported.String(); len(reported.rows) > 0 {
		fmt.Print(text)
	}
	return code
}

// inShared makes a world of the shared API server, for a test that runs beside others.
func inShared(t *testing.T, invariant string) *world {
	t.Helper()
	t.Parallel()
	return newWorld(t, shared.Server(t), sharedAudit, reported.begin(t, invariant))
}
