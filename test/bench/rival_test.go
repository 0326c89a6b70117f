package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/hack/orphan"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/operator"
)

// rivalProgram builds the rivals, once.
var rivalProgram = sync.OnceValues(func() (string, error) {
	root, err := apiserver.Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "bin", "test", "rival")
	cmd := exec.Command("go", "build", "-o", path, "./test/bench/rival")
	cmd.Dir = root
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the rivals: %w\n%s", err, output)
	}
	return path, nil
})

// rivalProcess is a rival that runs.
type rivalProcess struct {
	cmd    *exec.Cmd
	stderr *bytes.Buffer
	ready  chan struct{}
	ended  chan struct{}
	output []byte // what it printed after "ready"; to be read once it has ended
	err    error
}

// launchRival runs a mode of the rivals. It is stopped when the benchmark ends, which fails where it ended with an error.
func launchRival(b *testing.B, kubeConfig []byte, mode string, args ...string) *rivalProcess {
	b.Helper()
	program, err := rivalProgram()
	require.NoError(b, err)
	file := filepath.Join(b.TempDir(), "kubeconfig")
	require.NoError(b, os.WriteFile(file, kubeConfig, 0o600))
	p := &rivalProcess{
		cmd:    exec.Command(program, append([]string{mode, "--kubeconfig=" + file}, args...)...),
		stderr: &bytes.Buffer{}, ready: make(chan struct{}), ended: make(chan struct{}),
	}
	p.cmd.Stderr = p.stderr
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(b, err)
	orphan.Prevent(p.cmd)
	require.NoError(b, p.cmd.Start())
	go func() {
		defer close(p.ended)
		lines := bufio.NewReader(stdout)
		if line, _ := lines.ReadString('\n'); line == "ready\n" {
			close(p.ready)
		}
		p.output, _ = io.ReadAll(lines)
		p.err = p.cmd.Wait()
	}()
	b.Cleanup(func() { p.stop(b) })
	return p
}

// startRival runs a mode of the rivals until it is ready.
func startRival(b *testing.B, kubeConfig []byte, mode string, args ...string) *rivalProcess {
	b.Helper()
	p := launchRival(b, kubeConfig, mode, args...)
	select {
	case <-p.ready:
	case <-p.ended:
		b.Fatalf("the rival %s ended: %v\n%s", mode, p.err, p.stderr)
	case <-time.After(patience):
		b.Fatalf("the rival %s is not ready after %s", mode, patience)
	}
	return p
}

func (p *rivalProcess) Pid() int { return p.cmd.Process.Pid }

// Pause stops the rival where it is, until Resume.
func (p *rivalProcess) Pause(t testing.TB) {
	t.Helper()
	operator.Pause(t, p.cmd.Process)
}

// Resume lets the rival go on.
func (p *rivalProcess) Resume(t testing.TB) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGCONT))
}

// stop ends the rival, and fails the benchmark if it failed.
func (p *rivalProcess) stop(b *testing.B) {
	b.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(timeout):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	if p.err != nil {
		b.Errorf("the rival ended with an error: %v\n%s", p.err, p.stderr)
	}
}
