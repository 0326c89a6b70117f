package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAFolderOfOtherFilesIsNeitherUsedNorRemoved(t *testing.T) {
	project := t.TempDir()
	file := filepath.Join(project, "main.go")
	if err := os.WriteFile(file, []byte("package main\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// A file that happens to have the name of our lock.
	if err := os.WriteFile(filepath.Join(project, lockName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := dataFolder(project); err == nil || !strings.Contains(err.Error(), "holds other files") {
		t.Errorf("used: %v", err)
	}
	if err := downCommand(t.Context(), []string{"--data-dir", project}); err == nil || !strings.Contains(err.Error(), "nothing is removed") {
		t.Errorf("removed: %v", err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

func TestAFolderIsUsedAgainAndRemoved(t *testing.T) {
	for name, dir := range map[string]string{
		"a new folder":    filepath.Join(t.TempDir(), "a", "b"),
		"an empty folder": t.TempDir(),
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				if _, _, err := dataFolder(dir); err != nil {
					t.Fatal(err)
				}
				held, err := lock(dir)
				if err != nil {
					t.Fatal(err)
				}
				if err := held.Close(); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // the second time there is nothing, which is no error
				if err := downCommand(t.Context(), []string{"--data-dir", dir}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Errorf("it is still there: %v", err)
			}
		})
	}
}
