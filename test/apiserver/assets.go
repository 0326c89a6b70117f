package apiserver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// AssetsVariable is the environment variable that names the folder with etcd, kube-apiserver and kubectl. It is the one
// that controller-runtime's envtest reads, so a folder that a user has set for all of their projects serves this one too.
// A relative folder is relative to the repository's root.
const AssetsVariable = "KUBEBUILDER_ASSETS"

// Root returns the repository's root: the nearest folder at or above the working directory that holds a go.mod.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod in %s or above it", start)
		}
	}
}

// Assets returns the folder that AssetsVariable names, bin/k8s under the repository's root when it is unset. The error says
// which programs are missing there and how to get them.
func Assets() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	dir := os.Getenv(AssetsVariable)
	switch {
	case dir == "":
		dir = filepath.Join(root, "bin", "k8s")
	case !filepath.IsAbs(dir):
		dir = filepath.Join(root, dir)
	}
	var missing []string
	for _, program := range []string{"etcd", "kube-apiserver", "kubectl"} {
		if info, err := os.Stat(filepath.Join(dir, program)); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			missing = append(missing, program)
		}
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("%s has no %s: run `make control-plane`, or set %s to a folder that has them",
			dir, strings.Join(missing, ", "), AssetsVariable)
	}
	return dir, nil
}
