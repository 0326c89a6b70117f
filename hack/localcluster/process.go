package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nusnewob/kube-changejob/hack/localcluster/lifeline"
)

// process is one program of the control plane. It ends with this process, however that ends (see package lifeline).
type process struct {
	name string
	log  string // the file that its output goes to
	cmd  *exec.Cmd
	done chan struct{} // closed once it has ended
}

// spawn starts a program in dir, with its output in dir/NAME.log.
func spawn(dir, name, path string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	p.cmd = exec.Command(path, args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Dir = dir
	p.cmd.Env = cleanEnvironment(dir)
	// A process group of its own: a Ctrl-C at the terminal reaches this process alone, which then stops the others in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// cleanEnvironment is what a program of the control plane gets to see: nothing through which a kubeconfig of the user, or a
// proxy between us and the loopback address, could come in.
func cleanEnvironment(home string) []string {
	env := []string{"HOME=" + home, lifeline.ForChildren()}
	for _, name := range []string{"PATH", "TMPDIR", "GOMAXPROCS", "GOMEMLIMIT"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// stop ends the process: with SIGTERM and, once patience is over, with SIGKILL; with SIGKILL at once when there is none.
func (p *process) stop(patience time.Duration) {
	if patience > 0 {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
			return
		case <-time.After(patience):
		}
	}
	_ = p.cmd.Process.Kill()
	<-p.done
}

// failure explains why the process ended by itself.
func (p *process) failure() error {
	return fmt.Errorf("%s ended: %v; the end of its log:\n%s", p.name, p.cmd.ProcessState, tail(p.log))
}

// tail returns the last lines of a file, as far as it can be read.
func tail(file string) string {
	const lines = 20
	content, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// await polls until ready tells so. It gives up when the process ends, the context does, or two minutes have passed.
func (p *process) await(ctx context.Context, what string, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return p.failure()
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return fmt.Errorf("no %s after two minutes (%w); the end of %s's log:\n%s", what, err, p.name, tail(p.log))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// freePort returns a TCP port of the loopback address that nobody listens on at this moment.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// portTaken tells from its log whether the process ended because another took its port in the moment between our finding it
// free and its listening there.
func (p *process) portTaken() bool {
	select {
	case <-p.done:
		return strings.Contains(tail(p.log), "address already in use")
	default:
		return false
	}
}
