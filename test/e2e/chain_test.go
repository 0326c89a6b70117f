package e2e

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var chained = regexp.MustCompile("(?s)\n## One after another\n.*?\n```yaml\n(.*?)\n```")

// workIsChained runs the documentation's example of three ChangeTriggeredJobs, each of which watches the Jobs of the one before: one
// change is built, tested and told of.
func workIsChained(t *testing.T) {
	t.Helper()
	found := chained.FindStringSubmatch(testdata(t, "docs", "examples.md"))
	require.NotNil(t, found)
	manifest := strings.ReplaceAll(found[1], "busybox:1.37", "busybox:latest")
	mine := namespace(t, "ci")
	require.Contains(t, manifest, "namespace: "+mine)
	onFailure(t, "describe", "ctj,jobs,pods", "--namespace="+mine)
	kubectl(t, "create", "configmap", "sources", "--namespace="+mine, "--from-literal=revision=1")
	apply(t, manifest)
	chain := []string{"build", "test", "notify"}
	for _, name := range chain {
		available(t, mine, name)
	}
	kubectl(t, "patch", "configmap", "sources", "--namespace="+mine, `--patch={"data":{"revision":"2"}}`)
	before := "build 1"
	for _, name := range chain {
		job := succeeded(t, mine, name, 1)
		assert.Contains(t, kubectl(t, "logs", "--namespace="+mine, "job/"+job), before, name)
		before = `"name":"` + job + `"`
	}
}
