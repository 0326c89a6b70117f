// Package operator runs the operator's real program for tests: its own process, with its own flags, against
// a real API server.
package operator

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nusnewob/kube-changejob/hack/orphan"
	"github.com/nusnewob/kube-changejob/hack/port"
	"github.com/nusnewob/kube-changejob/test/apiserver"
)

const (
	startTimeout = time.Minute
	stopTimeout  = 30 * time.Second
)

// Program returns the path of the operator's program, built from the sources as they are. It is built once
// in a test process.
func Program(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var build = sync.OnceValues(func() (string, error) {
	root, err := apiserver.Root()
	if err != nil {
		return "", err
	}
	// Each test process has a program of its own: another one may run beside it whose program lacks a guard. Those of
	// processes that have ended are removed.
	path := filepath.Join(root, "bin", "test", "manager-")
	left, err := filepath.Glob(path + "*")
	if err != nil {
		return "", err
	}
	for _, file := range left {
		if pid, err := strconv.Atoi(strings.TrimPrefix(file, path)); err == nil && syscall.Kill(pid, 0) != nil {
			_ = os.Remove(file)
		}
	}
	path += strconv.Itoa(os.Getpid())
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Dir = root
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the operator: %w\n%s", err, output)
	}
	return path, nil
})

// Options say how the operator is run.
type Options struct {
	// KubeConfig is the content of the kubeconfig file it uses. Required.
	KubeConfig []byte
	// Namespace is where it keeps its Secrets and Lease; default, where it is empty.
	Namespace string
	// WebhookCertDir and WebhookPort turn the webhook on, with the certificate in that folder.
	WebhookCertDir string
	WebhookPort    int
	// Metrics turns the metrics endpoint on.
	Metrics bool
	// Program is the path of the program; that of Program, where it is empty.
	Program string
	// Args are further flags.
	Args []string
	// Env is added to the environment.
	Env []string
}

// KubeConfigOfProxy leads to the URL of a proxy, which asks for no credentials and has its own.
func KubeConfigOfProxy(url string) []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: proxy
clusters: [{name: proxy, cluster: {server: %q}}]
contexts: [{name: proxy, context: {cluster: proxy, user: proxy}}]
users: [{name: proxy, user: {}}]
`, url)
}

// Process is a running operator.
type Process struct {
	// ProbeURL is the address of its /healthz and /readyz.
	ProbeURL string
	// MetricsURL is the address of its metrics, which it serves to anybody; empty without Options.Metrics.
	MetricsURL string

	cmd   *exec.Cmd
	log   *bytes.Buffer
	mu    *sync.Mutex
	ended chan struct{}
	err   error
}

// Start runs the operator and waits until it is ready. It is stopped when the test ends; the test fails
// where it ended by itself before, and then shows its log.
func Start(t testing.TB, options Options) *Process {
	t.Helper()
	p := Launch(t, options)
	deadline := time.Now().Add(startTimeout)
	for !p.ready() {
		select {
		case <-p.ended:
			t.Fatalf("the operator ended before it was ready: %v\n%s", p.err, p.Log())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("the operator is not ready after %s\n%s", startTimeout, p.Log())
		}
	}
	return p
}

// Launch runs the operator and does not wait for it. It is stopped when the test ends.
func Launch(t testing.TB, options Options) *Process {
	t.Helper()
	probe := FreePort(t)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, options.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	namespace := options.Namespace
	if namespace == "" {
		namespace = "default"
	}
	args := []string{
		"--kubeconfig=" + kubeconfig,
		"--namespace=" + namespace,
		"--health-probe-bind-address=127.0.0.1:" + strconv.Itoa(probe),
	}
	webhooks := "ENABLE_WEBHOOKS=false"
	if options.WebhookCertDir != "" {
		webhooks = "ENABLE_WEBHOOKS=true"
		args = append(args, "--webhook-cert=files", "--webhook-cert-dir="+options.WebhookCertDir, "--webhook-port="+strconv.Itoa(options.WebhookPort))
	}
	metrics := ""
	if options.Metrics {
		address := "127.0.0.1:" + strconv.Itoa(FreePort(t))
		metrics = "http://" + address + "/metrics"
		args = append(args, "--metrics-secure=false", "--metrics-bind-address="+address)
	}
	// More flags for whatever is started, such as --pprof-bind-address=localhost:6060 to profile what a benchmark does.
	args = append(args, strings.Fields(os.Getenv("OPERATOR_FLAGS"))...)
	program := options.Program
	if program == "" {
		program = Program(t)
	}
	p := &Process{
		ProbeURL:   "http://127.0.0.1:" + strconv.Itoa(probe),
		MetricsURL: metrics,
		cmd:        exec.Command(program, append(args, options.Args...)...),
		log:        &bytes.Buffer{}, mu: &sync.Mutex{}, ended: make(chan struct{}),
	}
	p.cmd.Env = append(append(os.Environ(), webhooks, "POD_NAMESPACE=", "WATCH_NAMESPACE=", "POLL_INTERVAL="), options.Env...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	orphan.Prevent(p.cmd)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.Stop(t)
		if t.Failed() {
			t.Logf("the end of the operator's log:\n%s", tail(p.Log(), loggedBytes))
		}
	})
	return p
}

// loggedBytes is how much of the operator's log a failed test shows.
const loggedBytes = 20 << 10

func tail(text string, length int) string { return text[max(len(text)-length, 0):] }

// Write takes the process' output.
func (p *Process) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(data)
}

// Log is what the process has printed.
func (p *Process) Log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// Pid is the id of the process.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Kill ends the process at once, as a crash would.
func (p *Process) Kill(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	<-p.ended
}

// Ended says whether the process has ended, whatever ended it.
func (p *Process) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Wait waits until the process has ended, whatever ended it; the test fails where it does not.
func (p *Process) Wait(t testing.TB) {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(2 * stopTimeout):
		t.Fatalf("the operator does not end\n%s", p.Log())
	}
}

// Pause stops the process where it is, until Resume.
func (p *Process) Pause(t testing.TB) {
	t.Helper()
	Pause(t, p.cmd.Process)
}

// Pause stops a process where it is, until it gets a SIGCONT, at the end of the test at the latest. It returns when every thread
// has stopped: the kernel tells one of them, which has to be run to pass it on, and until then the others go on.
func Pause(t testing.TB, process *os.Process) {
	t.Helper()
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(stopTimeout); !paused(process.Pid); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d goes on after SIGSTOP", process.Pid)
		}
	}
	t.Cleanup(func() { _ = process.Signal(syscall.SIGCONT) })
}

// paused says whether every thread has stopped, by /proc; where there is none, it is taken to be so.
func paused(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, thread := range threads {
		content, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		_, state, _ := strings.Cut(string(content), ") ") // behind the name of the program
		if !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return true
}

// Resume lets the process go on.
func (p *Process) Resume(t testing.TB) {
	t.Helper()
	p.Signal(t, syscall.SIGCONT)
}

// Signal sends the process a signal.
func (p *Process) Signal(t testing.TB, signal os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// Stop asks the process to end, waits for it, and fails the test where it ended with an error.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	select {
	case <-p.ended:
		return
	default:
	}
	p.Signal(t, syscall.SIGTERM)
	select {
	case <-p.ended:
		if p.err != nil {
			t.Errorf("the operator ended with %v\n%s", p.err, p.Log())
		}
	case <-time.After(stopTimeout):
		p.Kill(t)
		t.Errorf("the operator did not end within %s\n%s", stopTimeout, p.Log())
	}
}

func (p *Process) ready() bool {
	client := http.Client{Timeout: time.Second}
	response, err := client.Get(p.ProbeURL + "/readyz")
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// FreePort returns a port of the loopback address on which a program that the test starts can listen.
func FreePort(t testing.TB) int {
	t.Helper()
	free, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	return free
}
