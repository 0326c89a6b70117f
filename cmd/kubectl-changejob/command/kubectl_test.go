package command

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// TestKubectlFindsThePlugin runs the program as users do: by kubectl, from a folder of PATH.
func TestKubectlFindsThePlugin(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	assets, err := apiserver.Assets()
	require.NoError(t, err)
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(folder, "kubectl-changejob"), "./cmd/kubectl-changejob")
	build.Dir = root
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "kubectl_complete-changejob"), []byte(kubectlScript), 0o700))

	w := newWorld(t)
	w.trigger("config-sync")
	kubectl := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(assets, "kubectl"), args...)
		cmd.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "KUBECONFIG="+w.kubeconfig)
		output, err := cmd.CombinedOutput()
		return string(output), err
	}
	out, err := kubectl("changejob", "list")
	require.NoError(t, err, out)
	assert.Contains(t, out, "config-sync  NotObserved")
	out, err = kubectl("__complete", "changejob", "describe", "con")
	require.NoError(t, err, out)
	assert.Contains(t, out, "config-sync\n")
	out, err = kubectl("changejob", "describe", "none")
	require.Error(t, err)
	assert.Contains(t, out, `error: changetriggeredjobs.triggers.changejob.dev "none" not found`)
}
