package main

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

func TestAFolderIsLockedByOneAtATime(t *testing.T) {
	dir := t.TempDir()
	if _, err := holder(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a folder that was never locked: %v", err)
	}
	held, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(dir); !errors.Is(err, errLocked) {
		t.Errorf("a second lock: %v", err)
	}
	if pid, err := holder(dir); pid != os.Getpid() || err != nil {
		t.Errorf("holder %d, %v", pid, err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	if pid, err := holder(dir); pid != 0 || err != nil {
		t.Errorf("holder after the end %d, %v", pid, err)
	}
	again, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}
