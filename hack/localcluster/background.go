package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// upCommand starts a control plane in the background, unless one runs in the folder already, and returns when it is ready.
func upCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("localcluster up", flag.ContinueOnError)
	o, dataDir := clusterFlags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *dataDir == "" {
		return errors.New("up needs --data-dir")
	}
	if err := o.complete(); err != nil {
		return err
	}
	dir, _, err := dataFolder(*dataDir)
	if err != nil {
		return err
	}
	pid, err := holder(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if pid != 0 {
		return report(ctx, dir, pid, "runs already", func() error { return nil })
	}

	self, err := os.Executable()
	if err != nil {
		return err
	}
	logName := filepath.Join(dir, "localcluster.log")
	log, err := os.Create(logName)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(self, append([]string{"start"}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	// A session of its own: it outlives this terminal.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	err = report(ctx, dir, cmd.Process.Pid, "is ready", func() error {
		select {
		case <-ended:
			return fmt.Errorf("the control plane ended: %s", tail(logName))
		default:
			return nil
		}
	})
	if err != nil {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}
	return err
}

// report waits until the control plane in dir is ready, as long as alive does not object, and says so. Its process id tells its
// description from one that an earlier control plane, killed, could not take away.
func report(ctx context.Context, dir string, pid int, what string, alive func() error) error {
	var d description
	err := await(ctx, 5*time.Minute, "the control plane in "+dir, alive, func() bool {
		content, err := os.ReadFile(filepath.Join(dir, stateName))
		return err == nil && json.Unmarshal(content, &d) == nil && d.PID == pid
	})
	if err == nil {
		fmt.Printf("The control plane %s: %s\n\n    export KUBECONFIG=%s\n\n", what, d.URL, d.KubeConfig)
	}
	return err
}

// await waits until what is named is ready, as long as alive does not object.
func await(ctx context.Context, patience time.Duration, what string, alive func() error, ready func() bool) error {
	deadline := time.Now().Add(patience)
	for !ready() {
		if err := alive(); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready after %s", what, patience)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// downCommand stops the control plane that runs in a data folder, if one does, and removes the folder. Any other folder is left alone.
func downCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("localcluster down", flag.ContinueOnError)
	dir := flags.String("data-dir", "", "the control plane's folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *dir == "" {
		return errors.New("down needs --data-dir")
	}
	if _, err := os.Stat(*dir); err == nil && !claimed(*dir) {
		return fmt.Errorf("%s is no control plane's folder: nothing is removed", *dir)
	}
	pid, err := holder(*dir)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Printf("No control plane in %s.\n", *dir)
		return nil
	}
	if err != nil {
		return err
	}
	if pid != 0 {
		if err := end(ctx, *dir, pid); err != nil {
			return err
		}
	}
	if err := removeAll(*dir); err != nil {
		return err
	}
	fmt.Printf("The control plane in %s is stopped and removed.\n", *dir)
	return nil
}

// end stops the process that holds the folder's lock, by force if it does not stop in time: its programs end with it in any case.
func end(ctx context.Context, dir string, pid int) error {
	started := time.Now()
	signal := syscall.SIGTERM
	if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	for {
		current, err := holder(dir)
		if err != nil || current != pid {
			return err
		}
		if time.Since(started) > 20*time.Second && signal != syscall.SIGKILL {
			signal = syscall.SIGKILL
			if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// removeAll removes a data folder. Programs of a control plane that was killed may still write there for an instant.
func removeAll(dir string) error {
	err := os.RemoveAll(dir)
	for attempt := 0; err != nil && attempt < 10; attempt++ {
		time.Sleep(100 * time.Millisecond)
		err = os.RemoveAll(dir)
	}
	return err
}
