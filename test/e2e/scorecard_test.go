package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/operator-framework/api/pkg/apis/scorecard/v1alpha3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
)

// failures are our scorecard tests, by what each must say where no operator is: what it is that it does not see.
var failures = map[string]string{
	"change-triggers-one-job": "not seen that a change triggers one Job: waited for trigger 1",
	"all-waits-for-all":       "not seen that All waits for every reference: waited for Progressing to be WaitingForAll",
	"cooldown-loses-nothing":  "not seen that a change in the cooldown triggers when that ends: no Job begins the cooldown",
	"history-is-kept": "not seen that the newest Jobs are kept, and no others: " +
		"of four Jobs, of which two are to be kept, number 1 does not run",
	"webhook-refuses": "not seen that the mistakes that the user guide lists are refused: a kind in lower case is accepted",
	"status-is-as-documented": "not seen that status says what the documentation says: " +
		"waited for the status of one that is idle",
	"columns-are-as-documented": "not seen that kubectl get shows the columns of the bundle: column Last Triggered is empty",
	"selector-names-changes":    "not seen that a selector names what has changed: waited for trigger 1",
	"run-now-runs-one-job":      "not seen that run-now runs one Job: waited for trigger 1",
}

// standardTests are those of the suites basic and olm.
var standardTests = []string{
	"basic-check-spec-test", "olm-bundle-validation-test", "olm-crds-have-validation-test", "olm-crds-have-resources-test",
	"olm-spec-descriptors-test", "olm-status-descriptors-test",
}

// TestScorecard runs the standard suites and ours, with the operator installed by OLM, and ours once more without it.
func TestScorecard(t *testing.T) {
	onTheNode(t)
	namespace(t, operatorNamespace)
	mine := namespace(t, "e2e-scorecard")
	kubectl(t, "label", "namespace", mine, "pod-security.kubernetes.io/enforce=restricted")
	kubectl(t, "apply", "--namespace="+mine, "-k", "config/scorecard/rbac")
	subscribed(t, "{}")

	began := time.Now()
	results := scorecard(t, mine, "")
	for name, result := range results {
		assert.Equal(t, v1alpha3.PassState, result.State, "%s: %s", name, result.Errors)
		if _, ours := failures[name]; ours {
			t.Logf("%s: %s\n%s", name, result.State, result.Log)
		} else {
			t.Logf("%s: %s %.200s", name, result.State, result.Suggestions)
		}
	}
	for _, name := range standardTests {
		assert.Contains(t, results, name)
	}
	for name := range failures {
		assert.Contains(t, results, name)
	}
	t.Logf("%d tests of the scorecard took %.0f s", len(results), time.Since(began).Seconds())
	// Each cleans up after itself.
	assert.Empty(t, strings.TrimSpace(kubectl(t, "get", "changetriggeredjobs", "--namespace="+mine, "--output=name")))
	eventually(t, func(c *assert.CollectT) {
		output, err := run(t.Context(), ".", "", "kubectl", "get", "jobs,pods", "--namespace="+mine, "--output=name")
		require.NoError(c, err)
		require.Empty(c, output)
	})

	withoutOperator(t, func() {
		results := scorecard(t, mine, "suite=kube-changejob")
		require.Len(t, results, len(failures))
		for name, result := range results {
			assert.Equal(t, v1alpha3.FailState, result.State, name)
			assert.Contains(t, strings.Join(result.Errors, "\n"), failures[name])
			t.Logf("%s fails without the operator: %s", name, result.Errors)
		}
	})
	unsubscribe(t, newerCSV)
}

// scorecard runs the bundle's tests that a selector selects, and returns their results by the tests' names.
func scorecard(t *testing.T, namespace, selector string) map[string]v1alpha3.TestResult {
	t.Helper()
	// Where a test fails, so does operator-sdk: the results tell more.
	output, err := run(t.Context(), root(t), "", filepath.Join(root(t), "bin", "operator-sdk"), "scorecard", "./bundle", "--output=json",
		"--namespace="+namespace, "--service-account=kube-changejob-scorecard", "--pod-security=restricted", "--wait-time=120s",
		"--untar-image=quay.io/operator-framework/scorecard-untar:v1.42.2", "--selector="+selector)
	var list v1alpha3.TestList
	require.NoError(t, json.Unmarshal([]byte(output), &list), "%v", err)
	results := map[string]v1alpha3.TestResult{}
	for _, test := range list.Items {
		require.Len(t, test.Status.Results, 1, test.Spec.Labels)
		results[test.Spec.Labels["test"]] = test.Status.Results[0]
	}
	return results
}

// withoutOperator runs something while no operator does. Its webhook is made to let everything pass: nobody would answer it, and
// that would be all that is seen. OLM is stopped, which would bring both back.
func withoutOperator(t *testing.T, do func()) {
	t.Helper()
	const olmNamespace, olmOperator = "olm", "deployment/olm-operator"
	kubectl(t, "scale", olmOperator, "--namespace="+olmNamespace, "--replicas=0")
	kubectl(t, "wait", "--namespace="+olmNamespace, "--for=delete", "pod", "--selector=app=olm-operator", "--timeout=2m")
	kubectl(t, "scale", "deployment/"+operatorName, "--namespace="+operatorNamespace, "--replicas=0")
	eventually(t, func(c *assert.CollectT) {
		var pods corev1.PodList
		get(t.Context(), c, &pods, "pods", "--namespace="+operatorNamespace, "--selector=control-plane=controller-manager")
		require.Empty(c, pods.Items)
	})
	failurePolicy(t, admissionv1.Ignore)
	do()
	failurePolicy(t, admissionv1.Fail)
	kubectl(t, "scale", "deployment/"+operatorName, "--namespace="+operatorNamespace, "--replicas=1")
	kubectl(t, "scale", olmOperator, "--namespace="+olmNamespace, "--replicas=1")
	kubectl(t, "rollout", "status", olmOperator, "--namespace="+olmNamespace, "--timeout=2m")
	kubectl(t, "rollout", "status", "deployment/"+operatorName, "--namespace="+operatorNamespace, "--timeout=2m")
}

func failurePolicy(t *testing.T, policy admissionv1.FailurePolicyType) {
	t.Helper()
	names := strings.Fields(kubectl(t, "get", "validatingwebhookconfigurations", "--selector=olm.owner="+newerCSV, "--output=name"))
	require.Len(t, names, 1)
	kubectl(t, "patch", names[0], "--type=json",
		fmt.Sprintf(`--patch=[{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": %q}]`, policy))
}
