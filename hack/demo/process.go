package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// stopTimeout is how long a process may take to end when it is asked to.
const stopTimeout = 20 * time.Second

// process is a program that runs beside the demo.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// launch starts a program, with its output in a log; it is asked to end when ctx does. When it ends, fail is
// told: a demo that waits for it need not wait longer.
func launch(ctx context.Context, log string, cmd *exec.Cmd, fail context.CancelCauseFunc) (*process, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	cmd.Stderr = file
	if cmd.Stdout == nil {
		cmd.Stdout = file
	}
	if err := cmd.Start(); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is in its state
		_ = file.Close()
		fail(fmt.Errorf("%s ended: %s", filepath.Base(cmd.Path), cmd.ProcessState))
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
