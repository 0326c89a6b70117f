package e2e

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// deploy applies a folder of config, with the image IMG where one is given, and waits until the operator is ready.
func deploy(t *testing.T, folder string) {
	t.Helper()
	onFailure(t, "logs", "--namespace="+operatorNamespace, "deployment/"+operatorName, "--tail=50")
	onFailure(t, "describe", "pods", "--namespace="+operatorNamespace)
	if image := os.Getenv("IMG"); image == "" {
		kubectl(t, "apply", "-k", folder)
	} else {
		released := regexp.MustCompile(`image: ghcr\.io/nusnewob/kube-changejob:\S+`)
		apply(t, released.ReplaceAllString(kubectl(t, "kustomize", folder), "image: "+image))
	}
	kubectl(t, "rollout", "status", "--namespace="+operatorNamespace, "--timeout=5m", "deployment/"+operatorName)
}

// remove takes it away as the documentation says, whichever folder it came from.
func remove(t *testing.T) {
	t.Helper()
	kubectl(t, "delete", "--ignore-not-found", "-k", "config/default", "--timeout=3m")
	eventually(t, func(c *assert.CollectT) { require.Empty(c, ours(t.Context(), c)) })
}

func TestApplyKustomize(t *testing.T) {
	emptyCluster(t)
	deploy(t, "config/default")
	mine := namespace(t, "e2e-apply")
	aChangeRunsAContainer(t, mine)
	thePluginTells(t, mine)
	theWebhookRefuses(t, mine)
	anotherChangeRunsAContainer(t, mine, 3)
	theNodeWatcherRuns(t)
	workIsChained(t)
	thePodIsWithinItsLimits(t)
	remove(t)
	// Jobs go with their ChangeTriggeredJob, when the garbage collector comes to them.
	require.Eventually(t, func() bool { return len(jobsOf(t, mine, "my-first-trigger")) == 0 }, patience, tick, "Jobs are left")
}

// theNodeWatcherRuns applies the guide's watcher of a Node, in the operator's own namespace: its container runs under that
// namespace's pod security.
func theNodeWatcherRuns(t *testing.T) {
	t.Helper()
	var nodes corev1.NodeList
	get(t.Context(), t, &nodes, "nodes")
	node := nodes.Items[0].Name
	manifest := nodeWatcher(t)
	for from, to := range map[string]string{
		"worker-1": node, "alert-tool:latest": "busybox:latest", `["alert", "Node changed"]`: `["echo", "Node changed"]`,
	} {
		require.Contains(t, manifest, from)
		manifest = strings.ReplaceAll(manifest, from, to)
	}
	kubectl(t, "create", "serviceaccount", "cluster-reader", "--namespace="+operatorNamespace)
	// The status of a real node changes by itself; what is watched here is what the test changes.
	manifest = strings.Replace(manifest, "      name: "+node, "      name: "+node+"\n      fields: [metadata.labels]", 1)
	apply(t, manifest)
	available(t, operatorNamespace, "node-watcher")
	kubectl(t, "label", "node", node, "e2e=changed", "--overwrite")
	job := succeeded(t, operatorNamespace, "node-watcher", 1)
	assert.Equal(t, "Node changed", strings.TrimSpace(kubectl(t, "logs", "--namespace="+operatorNamespace, "job/"+job)))
	kubectl(t, "label", "node", node, "e2e-")
}

// nodeWatcher is the manifest of that name among those of the first user guide.
func nodeWatcher(t *testing.T) string {
	t.Helper()
	manifest := testdata(t, "test", "docs", "testdata", "guide", "07.yaml")
	require.Contains(t, manifest, "name: node-watcher")
	return manifest
}

func TestMovingOverFromThePollingRelease(t *testing.T) {
	emptyCluster(t)
	mine := namespace(t, "e2e-polling")
	// What 0.1 leaves: its definition, a ChangeTriggeredJob with plain hashes, and a webhook that nobody answers.
	apply(t, testdata(t, "test", "e2e", "testdata", "polling-0.1.yaml"))
	kubectl(t, "wait", "--for=condition=Established", "--timeout=1m", "crd/changetriggeredjobs.triggers.changejob.dev")
	kubectl(t, "create", "configmap", "my-config", "--namespace="+mine, "--from-literal=key=value")
	apply(t, watcher(mine))
	kubectl(t, "patch", "changetriggeredjob", "my-first-trigger", "--namespace="+mine, "--subresource=status", "--type=merge", "--patch", `
		{"status":{"lastTriggeredTime":"2026-01-01T00:00:00Z","lastJobName":"my-first-trigger-old","lastJobStatus":"Succeeded","resourceHashes":[
		{"apiVersion":"v1","kind":"ConfigMap","name":"my-config","namespace":"`+mine+`","fields":[
		{"field":"data","hash":"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"}]}]}}`)
	apply(t, testdata(t, "test", "e2e", "testdata", "polling-0.1-webhook.yaml"))

	// As the documentation says: first the webhook goes, then the new release comes.
	kubectl(t, "delete", "mutatingwebhookconfiguration", "kube-changejob-mutating-webhook-configuration")
	deploy(t, "config/default")
	available(t, mine, "my-first-trigger")
	eventually(t, func(c *assert.CollectT) {
		var ctj v1alpha.ChangeTriggeredJob
		get(t.Context(), c, &ctj, "changetriggeredjob/my-first-trigger", "--namespace="+mine)
		require.Len(c, ctj.Status.ResourceHashes, 1)
		field := ctj.Status.ResourceHashes[0].Fields[0]
		require.Contains(c, field.Hash, ":", "the present state has a hash of ours")
		require.Empty(c, field.LastTriggeredHash, "and is the baseline")
		require.Zero(c, ctj.Status.TriggerCount)
	})
	assert.Empty(t, jobsOf(t, mine, "my-first-trigger"), "taking over triggers nothing")
	assert.Contains(t, kubectl(t, "events", "--namespace="+mine), "UnknownHashes")
	anotherChangeRunsAContainer(t, mine, 1)
	remove(t)
}
