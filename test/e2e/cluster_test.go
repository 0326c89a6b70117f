package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

const (
	patience = 3 * time.Minute
	tick     = 250 * time.Millisecond

	operatorNamespace = "kube-changejob-system"
	operatorName      = "kube-changejob-controller-manager"
)

// root is the repository's.
func root(t *testing.T) string {
	t.Helper()
	dir, err := apiserver.Root()
	require.NoError(t, err)
	return dir
}

// run runs a program from the repository's root and returns what it printed.
func run(ctx context.Context, dir, stdin, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	var output, errors bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &errors
	if err := cmd.Run(); err != nil {
		return output.String(), fmt.Errorf("%s %s: %w\n%s%s", program, strings.Join(args, " "), err, output.String(), errors.String())
	}
	return output.String(), nil
}

// kubectl runs kubectl, which must succeed.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	output, err := run(t.Context(), root(t), "", "kubectl", args...)
	require.NoError(t, err)
	return output
}

// refused runs kubectl on a manifest that must be refused, and returns the error.
func refused(t *testing.T, manifest string) string {
	t.Helper()
	_, err := run(t.Context(), root(t), manifest, "kubectl", "apply", "--filename=-")
	require.Error(t, err)
	return err.Error()
}

// apply applies a manifest.
func apply(t *testing.T, manifest string) {
	t.Helper()
	_, err := run(t.Context(), root(t), manifest, "kubectl", "apply", "--filename=-")
	require.NoError(t, err)
}

// get reads an object as JSON, without failing the test.
func get(ctx context.Context, t require.TestingT, into any, args ...string) {
	output, err := run(ctx, ".", "", "kubectl", append([]string{"get", "--output=json"}, args...)...)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal([]byte(output), into))
}

// eventually waits until check holds.
func eventually(t *testing.T, check func(c *assert.CollectT)) {
	t.Helper()
	require.EventuallyWithT(t, check, patience, tick)
}

// ours is every object of ours that the cluster has, in any namespace but those of tests.
func ours(ctx context.Context, t require.TestingT) []string {
	var left []string
	for _, kind := range []string{
		"namespaces", "customresourcedefinitions", "clusterroles", "clusterrolebindings",
		"validatingwebhookconfigurations", "mutatingwebhookconfigurations", "apiservices",
	} {
		output, err := run(ctx, ".", "", "kubectl", "get", kind, "--output=name")
		require.NoError(t, err)
		for name := range strings.Lines(output) {
			if name = strings.TrimSpace(name); strings.Contains(name, "changejob") {
				left = append(left, name)
			}
		}
	}
	return left
}

// emptyCluster checks that the part begins with nothing of ours.
func emptyCluster(t *testing.T) {
	t.Helper()
	eventually(t, func(c *assert.CollectT) { require.Empty(c, ours(t.Context(), c)) })
}

// namespace makes a namespace for the test, and removes it afterwards.
func namespace(t *testing.T, name string) string {
	t.Helper()
	kubectl(t, "create", "namespace", name)
	t.Cleanup(func() {
		_, err := run(context.Background(), ".", "", "kubectl", "delete", "namespace", name, "--wait=true", "--timeout=2m")
		assert.NoError(t, err)
	})
	return name
}

// onFailure shows what a user would look at.
func onFailure(t *testing.T, args ...string) {
	t.Cleanup(func() {
		if t.Failed() {
			output, err := run(context.Background(), ".", "", "kubectl", args...)
			t.Logf("kubectl %s: %v\n%s", strings.Join(args, " "), err, output)
		}
	})
}

// testdata reads a file beside the tests.
func testdata(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{root(t)}, path...)...))
	require.NoError(t, err)
	return string(data)
}
