package command

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// TestTheOperatorIsWithoutThePlugin: what commands are made of stays out of a program that has the rights of the operator.
func TestTheOperatorIsWithoutThePlugin(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	list := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
		cmd.Dir = root
		output, err := cmd.Output()
		require.NoError(t, err)
		return string(output)
	}
	// Libraries of Kubernetes bring cobra along; ours import it nowhere.
	imported := list("-f", `{{join .Imports "\n"}}`, ".", "./apis/...", "./controllers/...", "./pkg/...")
	assert.NotContains(t, imported, "github.com/spf13/cobra")
	linked := list("-deps", ".")
	require.Contains(t, linked, "/pkg/trigger")
	for _, left := range []string{"k8s.io/cli-runtime", "sigs.k8s.io/kustomize", "/cmd/kubectl-changejob"} {
		assert.False(t, strings.Contains(linked, left), left)
	}
}
