package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/nusnewob/kube-changejob/hack/orphan"
)

// stopTimeout is how long a process may take to end when it is asked to.
const stopTimeout = 20 * time.Second

// process is a program that runs beside the demo.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// launch starts a program; it is asked to end when ctx does, and killed when the demo is.
func launch(ctx context.Context, log string, cmd *exec.Cmd) (*process, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	cmd.Stderr = file
	if cmd.Stdout == nil {
		cmd.Stdout = file
	}
	orphan.Prevent(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended shows in its log
		_ = file.Close()
		close(p.ended)
	}()
	context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	return p, nil
}

// stop ends the program and waits for that.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}
