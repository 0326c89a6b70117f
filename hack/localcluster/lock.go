package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// lockName is the file in a data folder that a running control plane holds locked; its process id is the content. The
// operating system drops the lock with the process, however that ends, so that a lock that is held means: it runs.
const lockName = "lock"

// errLocked is returned for a data folder in which a control plane runs.
var errLocked = errors.New("a control plane runs in this folder")

// lock takes the lock of a data folder and returns the file that holds it, or errLocked.
func lock(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	// Somebody who only looks (holder) has it for an instant.
	for attempt := 0; errors.Is(err, syscall.EWOULDBLOCK) && attempt < 5; attempt++ {
		time.Sleep(20 * time.Millisecond)
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", dir, errLocked)
		}
		return nil, err
	}
	if err := file.Truncate(0); err != nil {
		_ = file.Close()
		return nil, err
	}
	if _, err := file.WriteString(strconv.Itoa(os.Getpid())); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// holder returns the process id of the control plane that runs in a data folder, 0 when none does. The error is
// fs.ErrNotExist for a folder in which none has ever run.
func holder(dir string) (int, error) {
	file, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	// A shared lock: two who look do not take each other for a control plane.
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err == nil {
		return 0, nil
	}
	content, err := os.ReadFile(file.Name())
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return 0, fmt.Errorf("%s is locked and names no process", file.Name())
	}
	return pid, nil
}
