// Package bench measures the operator against the least that any operator could do on the same API server, and against what
// another engineer would have written.
package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/bench/figures"
)

// rounds is how often each figure is taken: fewer show no noise.
const rounds = 5

// measured is what this process has measured.
var measured = struct {
	mu  sync.Mutex
	run figures.Run
}{}

// record adds the value of one round to a figure.
func record(f figures.Figure, value float64) {
	measured.mu.Lock()
	defer measured.mu.Unlock()
	measured.run.Add(f, value)
}

// short says whether sizes are to be small, with -short: that shows that the benchmarks work, and nothing else.
func short() bool { return testing.Short() }

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run keeps the figures free of what controller-runtime's clients log, and saves them to the file BENCH_RESULTS. Figures that are
// there already stay where this process has not taken them: each benchmark can be repeated by itself.
func run(m *testing.M) int {
	ctrl.SetLogger(logr.Discard())
	code := m.Run()
	file := os.Getenv("BENCH_RESULTS")
	if file == "" || len(measured.run.Figures) == 0 {
		return code
	}
	if err := save(file); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func save(file string) error {
	all := figures.Run{Machine: machine(), Figures: measured.run.Figures}
	before, err := figures.Load(file)
	if err != nil {
		return err
	}
	for _, f := range before.Figures {
		if _, again := all.Find(f.Measure, f.Arm, f.Statistic, f.N); !again {
			all.Figures = append(all.Figures, f)
		}
	}
	return all.Save(file)
}

var (
	modelName   = regexp.MustCompile(`(?m)^model name\s*: (.+)$`)
	memoryTotal = regexp.MustCompile(`(?m)^MemTotal:\s+(\d+) kB$`)
	required    = regexp.MustCompile(`(?m)^\s*k8s\.io/kubernetes (v\S+)$`)
)

// machine says where this runs, as far as that is told.
func machine() figures.Machine {
	first := func(file string, pattern *regexp.Regexp) string {
		content, _ := os.ReadFile(file)
		if found := pattern.FindSubmatch(content); found != nil {
			return string(bytes.TrimSpace(found[1]))
		}
		return ""
	}
	m := figures.Machine{CPU: first("/proc/cpuinfo", modelName), CPUs: runtime.NumCPU(), Go: strings.TrimPrefix(runtime.Version(), "go")}
	if kib, err := strconv.Atoi(first("/proc/meminfo", memoryTotal)); err == nil {
		m.MemoryGiB = (kib + 1<<19) >> 20
	}
	if root, err := apiserver.Root(); err == nil {
		m.Kubernetes = first(filepath.Join(root, "hack", "localcluster", "kubernetes", "go.mod"), required)
	}
	return m
}
