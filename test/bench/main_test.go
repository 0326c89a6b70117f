// Package bench measures the operator against the least that any operator could do on the same API server, and against what
// another engineer would have written.
package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/bench/figures"
)

// rounds is how often each figure is taken: fewer show no noise.
const rounds = 5

// measured is what this process has measured: what the benchmark that runs has, and what those have that have ended.
var measured = struct {
	mu            sync.Mutex
	current, done figures.Run
}{}

// record adds the value of one round to a figure.
func record(f figures.Figure, value float64) {
	measured.mu.Lock()
	defer measured.mu.Unlock()
	f.Commit, f.Date = commit(), time.Now().UTC().Format(time.DateOnly)
	measured.current.Add(f, value)
}

// measures is the first thing that each benchmark calls: when it ends, what it has recorded is saved to the file BENCH_RESULTS, or dropped
// where it failed. So one that fails costs no other its figures, and leaves none that half of the rounds are missing of.
func measures(b *testing.B) {
	b.Helper()
	b.Cleanup(func() {
		measured.mu.Lock()
		defer measured.mu.Unlock()
		taken := measured.current.Figures
		measured.current.Figures = nil
		if b.Failed() || len(taken) == 0 {
			return
		}
		measured.done.Figures = append(measured.done.Figures, taken...)
		if file := os.Getenv("BENCH_RESULTS"); file != "" {
			require.NoError(b, save(file, measured.done.Figures))
		}
	})
}

// short says whether sizes are to be small, with -short: that shows that the benchmarks work, and nothing else.
func short() bool { return testing.Short() }

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run keeps the figures free of what controller-runtime's clients log.
func run(m *testing.M) int {
	ctrl.SetLogger(logr.Discard())
	code := m.Run()
	if len(measured.current.Figures) > 0 {
		fmt.Fprintf(os.Stderr, "a benchmark of %q has not called measures: its figures are lost\n", measured.current.Figures[0].Measure)
		return 1
	}
	return code
}

// save writes figures to a file. Those that are there already stay where none of the same thing are among the new ones: each benchmark can be
// repeated by itself.
func save(file string, taken []figures.Figure) error {
	all := figures.Run{Machine: machine(), Figures: slices.Clone(taken)}
	before, err := figures.Load(file)
	if err != nil {
		return err
	}
	all.Keep(before.Figures)
	return all.Save(file)
}

// commit is what is measured, with "-dirty" where it was changed since; docs/ does not count, into which figures are written. It is empty where
// git does not tell.
var commit = sync.OnceValue(func() string {
	root, err := apiserver.Root()
	if err != nil {
		return ""
	}
	git := func(args ...string) (string, error) {
		output, err := exec.Command("git", append([]string{"-C", root}, args...)...).Output()
		return string(bytes.TrimSpace(output)), err
	}
	head, err := git("rev-parse", "--short=12", "HEAD")
	if err != nil {
		return ""
	}
	if changed, err := git("status", "--porcelain", "--", ".", ":(exclude)docs"); err != nil || changed != "" {
		head += "-dirty"
	}
	return head
})

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
