package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

const (
	chartFolder = "config/helm/chart"
	// chartRegistry is where the node's registry keeps charts. It speaks http.
	chartRegistry = "oci://localhost:5000/nusnewob/charts"
	releaseName   = "kube-changejob"
	// A version that might have been before the present one.
	olderChart = "0.2.0-alpha.1"
)

// helm runs Helm, which must succeed, on the cluster of the tests.
func helm(t *testing.T, args ...string) string {
	t.Helper()
	output, err := run(t.Context(), root(t), "", filepath.Join(root(t), "bin", "helm"), append(args, "--namespace="+operatorNamespace)...)
	require.NoError(t, err)
	return output
}

// chart packages the chart as this version, and returns how Helm is told to install it: on the node of make e2e it comes from the registry, as users
// have it.
func chart(t *testing.T, version string) []string {
	t.Helper()
	dir := t.TempDir()
	helm(t, "package", chartFolder, "--version="+version, "--destination="+dir)
	archive := filepath.Join(dir, "kube-changejob-"+version+".tgz")
	require.FileExists(t, archive)
	source := []string{archive}
	if os.Getenv("E2E_NODE") != "" {
		helm(t, "push", archive, chartRegistry, "--plain-http")
		source = []string{chartRegistry + "/kube-changejob", "--version=" + version, "--plain-http"}
	}
	if image := os.Getenv("IMG"); image != "" {
		source = append(source, imageValues(image)...)
	}
	return append(source, "--wait", "--timeout=5m")
}

// imageValues say which image the chart is to run. A registry may have a port, which is no tag; an image by its digest has none.
func imageValues(image string) []string {
	repository, tag := image, ""
	if at := strings.LastIndex(image, ":"); at > strings.LastIndex(image, "/") && !strings.Contains(image, "@") {
		repository, tag = image[:at], image[at+1:]
	}
	return []string{"--set=manager.image.repository=" + repository, "--set=manager.image.tag=" + tag}
}

// TestHelm installs, upgrades, takes back and removes the chart.
func TestHelm(t *testing.T) {
	emptyCluster(t)
	onFailure(t, "logs", "--namespace="+operatorNamespace, "deployment/"+operatorName, "--tail=50")
	onFailure(t, "describe", "pods", "--namespace="+operatorNamespace)
	older, newer := chart(t, olderChart), chart(t, "0.2.0")
	mine := namespace(t, "e2e-helm")

	helm(t, append([]string{"install", releaseName, "--create-namespace"}, older...)...)
	aChangeRunsAContainer(t, mine)
	theWebhookRefuses(t, mine)
	metricsAreForThoseWhoMayReadThem(t, mine)
	first := pods(t)

	// Another pod, with another memory limit, beside another that does not act.
	helm(t, append([]string{"upgrade", releaseName, "--set=manager.replicas=2", "--set=manager.resources.limits.memory=256Mi"}, newer...)...)
	assert.Regexp(t, `\bkube-changejob-0\.2\.0\s`, helm(t, "history", releaseName))
	assert.Equal(t, "230MiB", kubectl(t, "get", "deployment/"+operatorName, "--namespace="+operatorNamespace,
		`--output=jsonpath={.spec.template.spec.containers[0].env[?(@.name=="GOMEMLIMIT")].value}`))
	replacedBy(t, first, 2)
	assert.Len(t, jobsOf(t, mine, "my-first-trigger"), 1, "an upgrade triggers nothing")
	anotherChangeRunsAContainer(t, mine, 2)
	theWebhookRefuses(t, mine)

	second := pods(t)
	helm(t, "rollback", releaseName, "1", "--wait", "--timeout=5m")
	replacedBy(t, second, 1)
	assert.Len(t, jobsOf(t, mine, "my-first-trigger"), 2, "nor does a rollback")
	anotherChangeRunsAContainer(t, mine, 3)

	helm(t, "uninstall", releaseName, "--wait", "--timeout=3m")
	eventually(t, func(c *assert.CollectT) {
		require.Equal(c, []string{
			"namespace/" + operatorNamespace, "customresourcedefinition.apiextensions.k8s.io/changetriggeredjobs.triggers.changejob.dev",
			"apiservice.apiregistration.k8s.io/v1alpha.triggers.changejob.dev", // which the API server makes for a definition
		}, ours(t.Context(), c))
	})
	var ctj v1alpha.ChangeTriggeredJob
	get(t.Context(), t, &ctj, "changetriggeredjob/my-first-trigger", "--namespace="+mine)
	assert.EqualValues(t, 3, ctj.Status.TriggerCount, "the definition stays, and what was seen")
	kubectl(t, "get", "secret/kube-changejob-hash-key", "--namespace="+operatorNamespace)

	// A release of that name goes on, with what changed in between.
	kubectl(t, "patch", "configmap", "my-config", "--namespace="+mine, "--patch", `{"data":{"key":"in between"}}`)
	helm(t, append([]string{"install", releaseName}, newer...)...)
	succeeded(t, mine, "my-first-trigger", 4)
	assert.Len(t, jobsOf(t, mine, "my-first-trigger"), 4)

	helm(t, "uninstall", releaseName, "--wait", "--timeout=3m")
	for _, command := range toBeRidOfAll(t) {
		kubectl(t, append(strings.Fields(command)[1:], "--timeout=3m")...)
	}
	emptyCluster(t)
}

// toBeRidOfAll are the commands at the end of the page about Helm.
func toBeRidOfAll(t *testing.T) []string {
	t.Helper()
	blocks := regexp.MustCompile("(?ms)^```bash\n(.*?)^```").FindAllStringSubmatch(testdata(t, "docs", "helm.md"), -1)
	require.NotEmpty(t, blocks)
	commands := strings.Split(strings.TrimSpace(blocks[len(blocks)-1][1]), "\n")
	for _, command := range commands {
		require.True(t, strings.HasPrefix(command, "kubectl delete "), command)
	}
	return commands
}

// pods are the names of the operator's pods.
func pods(t *testing.T) []string {
	t.Helper()
	return strings.Fields(kubectl(t, "get", "pods", "--namespace="+operatorNamespace, "--selector=control-plane=controller-manager", "--output=name"))
}

// replacedBy waits until none of these pods is there, and so many others are.
func replacedBy(t *testing.T, before []string, count int) {
	t.Helper()
	eventually(t, func(c *assert.CollectT) {
		now := pods(t)
		require.Len(c, now, count)
		for _, pod := range before {
			require.NotContains(c, now, pod)
		}
	})
	kubectl(t, "wait", "--namespace="+operatorNamespace, "--for=condition=Available", "--timeout=5m", "deployment/"+operatorName)
}

func TestWithoutAClusterAnImageIsSaidInValues(t *testing.T) {
	const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for image, want := range map[string]struct{ repository, tag string }{
		"ghcr.io/nusnewob/kube-changejob:v1":                  {"ghcr.io/nusnewob/kube-changejob", "v1"},
		"registry:5000/kube-changejob:v1":                     {"registry:5000/kube-changejob", "v1"},
		"registry:5000/kube-changejob":                        {"registry:5000/kube-changejob", ""},
		"kube-changejob:v1":                                   {"kube-changejob", "v1"},
		"registry:5000/kube-changejob@" + digest:              {"registry:5000/kube-changejob@" + digest, ""},
		"ghcr.io/nusnewob/kube-changejob:v1@" + digest:        {"ghcr.io/nusnewob/kube-changejob:v1@" + digest, ""},
		"registry.example.com:443/a/b/kube-changejob:v1-rc.1": {"registry.example.com:443/a/b/kube-changejob", "v1-rc.1"},
	} {
		assert.Equal(t, []string{"--set=manager.image.repository=" + want.repository, "--set=manager.image.tag=" + want.tag}, imageValues(image), image)
	}
}
