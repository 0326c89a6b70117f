package apiserver

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// Program is one of the programs of a Server, for tests of what happens while it is stopped or gone. It is found
// through /proc: where there is none, the test is skipped.
type Program struct {
	args  []string
	pid   int
	cmd   *exec.Cmd // nil as long as it is envtest's
	log   *tail
	ready func() bool
}

// Etcd returns the server's etcd.
func (s *Server) Etcd(t testing.TB) *Program {
	t.Helper()
	url := s.Env.ControlPlane.Etcd.URL.String()
	return s.program(t, "--data-dir="+s.Env.ControlPlane.Etcd.DataDir, func() bool {
		response, err := (&http.Client{Timeout: time.Second}).Get(url + "/health")
		if err == nil {
			_ = response.Body.Close()
		}
		return err == nil && response.StatusCode == http.StatusOK
	})
}

// APIServer returns the server's kube-apiserver.
func (s *Server) APIServer(t testing.TB) *Program {
	t.Helper()
	config := rest.CopyConfig(s.Config)
	config.Timeout = 5 * time.Second
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return s.program(t, "--cert-dir="+s.Env.ControlPlane.APIServer.CertDir, func() bool {
		response, err := client.Get(strings.TrimSuffix(config.Host, "/") + "/readyz")
		if err == nil {
			_ = response.Body.Close()
		}
		return err == nil && response.StatusCode == http.StatusOK
	})
}

// program finds the child of this process that has the argument.
func (s *Server) program(t testing.TB, argument string, ready func() bool) *Program {
	t.Helper()
	if _, err := os.Stat("/proc/self/cmdline"); err != nil {
		t.Skip("the server's programs are looked for in /proc")
	}
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		args := strings.Split(string(bytes.TrimRight(content, "\x00")), "\x00")
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && slices.Contains(args, argument) && parent(pid) == os.Getpid() {
			return &Program{args: args, pid: pid, ready: ready}
		}
	}
	t.Fatalf("no process with %s among the children of this one", argument)
	return nil
}

// parent is the id of the process that started this one; 0 where it has ended.
func parent(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if id, found := strings.CutPrefix(line, "PPid:"); found {
			pid, _ = strconv.Atoi(strings.TrimSpace(id))
			return pid
		}
	}
	return 0
}

// Pause stops the program where it is; Resume lets it go on. It is resumed when the test ends.
func (p *Program) Pause(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGSTOP)
	t.Cleanup(func() { _ = syscall.Kill(p.pid, syscall.SIGCONT) })
}

// Resume lets a program that was paused go on.
func (p *Program) Resume(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGCONT)
}

// Kill ends the program at once, as a crash would, and waits until it is gone.
func (p *Program) Kill(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGKILL)
	if p.cmd != nil {
		_ = p.cmd.Wait()
		return
	}
	for deadline := time.Now().Add(stopTimeout); syscall.Kill(p.pid, 0) == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d does not end", p.pid)
		}
	}
}

// Start starts a program that was killed once more, with the same arguments, and does not wait until it is ready.
func (p *Program) Start(t testing.TB) {
	t.Helper()
	p.cmd, p.log = exec.Command(p.args[0], p.args[1:]...), &tail{}
	p.cmd.Stderr = attached(p.log)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.pid = p.cmd.Process.Pid
	cmd := p.cmd
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // an error where Kill has waited before
	})
}

// Await waits until the program answers.
func (p *Program) Await(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(startTimeout); !p.ready(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d does not answer\n%s", p.pid, p.log)
		}
	}
}

func (p *Program) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(p.pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
}
