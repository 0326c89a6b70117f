package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// operator-sdk reads images itself, and by https alone: from the registry of the node, whose authority SSL_CERT_FILE names.
	secureRegistry = "localhost:5443"
	bundleImage    = secureRegistry + "/nusnewob/kube-changejob-bundle:v"
	// emptyIndex is a catalog of nothing, which a bundle is added to.
	emptyIndex = secureRegistry + "/operator-framework/opm-empty:v1.73.0"
)

// operatorSDK runs operator-sdk, which must succeed.
func operatorSDK(t *testing.T, args ...string) string {
	t.Helper()
	output, err := run(t.Context(), root(t), "", filepath.Join(root(t), "bin", "operator-sdk"), args...)
	require.NoError(t, err)
	return output
}

// onTheNode skips the test, loudly, where the node of make e2e is not: what it needs is in that node's registry.
func onTheNode(t *testing.T) {
	t.Helper()
	if os.Getenv("E2E_NODE") == "" {
		t.Skip("SKIPPED: this needs images that only the node of make e2e has")
	}
	olm(t)
}

// TestOperatorSDKRunsTheBundle installs the operator as its developers do.
func TestOperatorSDKRunsTheBundle(t *testing.T) {
	onTheNode(t)
	namespace(t, operatorNamespace)
	mine := namespace(t, "e2e-bundle")
	onFailure(t, "get", "all,subscriptions,installplans,clusterserviceversions", "--namespace="+operatorNamespace)
	operatorSDK(t, "run", "bundle", bundleImage+"0.2.0-alpha.1", "--namespace="+operatorNamespace, "--timeout=3m",
		"--index-image="+emptyIndex, "--security-context-config=restricted")
	csvPhase(t, olderCSV, v1alpha1.CSVPhaseSucceeded)
	aChangeRunsAContainer(t, mine)

	operatorSDK(t, "run", "bundle-upgrade", bundleImage+"0.2.0", "--namespace="+operatorNamespace, "--timeout=3m",
		"--security-context-config=restricted")
	csvPhase(t, newerCSV, v1alpha1.CSVPhaseSucceeded)
	calledWithOLMsCertificate(t)
	assert.Len(t, jobsOf(t, mine, "my-first-trigger"), 1)
	anotherChangeRunsAContainer(t, mine, 2)
	theWebhookRefuses(t, mine)

	// It removes the definition, too, and with it every ChangeTriggeredJob.
	operatorSDK(t, "cleanup", packageName, "--namespace="+operatorNamespace, "--timeout=3m")
	eventually(t, func(c *assert.CollectT) {
		require.ElementsMatch(c, append([]string{"namespace/" + operatorNamespace}, bundleRoles...), ours(t.Context(), c))
	})
	assert.Empty(t, strings.TrimSpace(kubectl(t, "get", "catalogsources,operatorgroups,subscriptions,clusterserviceversions",
		"--namespace="+operatorNamespace, "--output=name")))
	removeBundleRoles(t)
}
