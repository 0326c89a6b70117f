package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// What a bundle consists of, beside each other.
const (
	bundleDir    = "bundle"
	dockerfile   = "bundle.Dockerfile"
	manifestsDir = "bundle/manifests/"
	csvPath      = manifestsDir + "kube-changejob.clusterserviceversion.yaml"
)

// tree holds the files of a bundle by path, with slashes.
type tree map[string][]byte

// read returns the bundle below dir, empty where there is none.
func read(dir string) (tree, error) {
	files := tree{}
	for _, top := range []string{bundleDir, dockerfile} {
		err := fs.WalkDir(os.DirFS(dir), top, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			files[path], err = os.ReadFile(filepath.Join(dir, path))
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return files, nil
}

// replace makes the bundle below dir consist of these files and no others.
func replace(dir string, files tree) error {
	if err := os.RemoveAll(filepath.Join(dir, bundleDir)); err != nil {
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
