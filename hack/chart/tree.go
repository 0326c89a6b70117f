package main

import (
	"io/fs"
	"os"
	"path/filepath"
)

// tree holds the files of a folder by path, with slashes.
type tree map[string][]byte

func read(dir string) (tree, error) {
	files := tree{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files[path], err = os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
		return err
	})
	return files, err
}

// replace makes the folder consist of these files and no others.
func replace(dir string, files tree) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for path, content := range files {
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
