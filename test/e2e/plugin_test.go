package e2e

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// changejob runs the plugin of kubectl, which must succeed, and returns what it says.
func changejob(t *testing.T, args ...string) string {
	t.Helper()
	output, err := run(t.Context(), root(t), "", filepath.Join(root(t), "bin", "kubectl-changejob"), args...)
	require.NoError(t, err)
	return output
}

// thePluginTells asks the plugin, after the first change, what has come of it, and has it run the second Job.
func thePluginTells(t *testing.T, namespace string) {
	t.Helper()
	in := "--namespace=" + namespace
	assert.Regexp(t, `(?m)^my-first-trigger +\S+ +0/1 +\S+ +Succeeded `, changejob(t, "list", in))
	assert.Regexp(t, `(?m)^1 +\S+ +my-first-trigger-\w{10} +Succeeded +\S+ +ConfigMap `+namespace+`/my-config \(data\) +Change`,
		changejob(t, "history", "my-first-trigger", "--output=wide", in))

	said := regexp.MustCompile(`^job\.batch/(my-first-trigger-\w{10}) succeeded\n$`).
		FindStringSubmatch(changejob(t, "run", "my-first-trigger", "--wait", "--timeout="+patience.String(), in))
	require.NotNil(t, said)
	log := kubectl(t, "logs", in, "job/"+said[1])
	assert.True(t, strings.HasPrefix(log, "trigger 2: "), log)
	require.Equal(t, said[1], succeeded(t, namespace, "my-first-trigger", 2))
}
