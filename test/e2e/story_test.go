package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// watcher is a ChangeTriggeredJob on the data of ConfigMap my-config, whose container says what it was told.
func watcher(namespace string) string {
	return fmt.Sprintf(`
apiVersion: triggers.changejob.dev/v1alpha
kind: ChangeTriggeredJob
metadata:
  name: my-first-trigger
  namespace: %[1]s
spec:
  cooldown: 0s
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: hello
              image: busybox:latest
              command: ["sh", "-c", "echo trigger $CHANGEJOB_TRIGGER: $CHANGEJOB_CHANGED"]
  resources:
    - apiVersion: v1
      kind: ConfigMap
      name: my-config
      namespace: %[1]s
      fields: [data]
`, namespace)
}

// aChangeRunsAContainer goes through the guide's first example: a change, a Job, a container that ran and whose log says
// what changed.
func aChangeRunsAContainer(t *testing.T, namespace string) {
	t.Helper()
	onFailure(t, "describe", "ctj,jobs,pods", "--namespace="+namespace)
	kubectl(t, "create", "configmap", "my-config", "--namespace="+namespace, "--from-literal=key=value")
	apply(t, watcher(namespace))
	available(t, namespace, "my-first-trigger")
	require.Empty(t, jobsOf(t, namespace, "my-first-trigger"), "the first look triggers nothing")
	anotherChangeRunsAContainer(t, namespace, 1)
}

// anotherChangeRunsAContainer changes the ConfigMap and waits for the trigger of that number, and for its container.
func anotherChangeRunsAContainer(t *testing.T, namespace string, number int64) {
	t.Helper()
	kubectl(t, "patch", "configmap", "my-config", "--namespace="+namespace, "--patch", fmt.Sprintf(`{"data":{"key":"value-%d"}}`, number))
	job := succeeded(t, namespace, "my-first-trigger", number)
	log := kubectl(t, "logs", "--namespace="+namespace, "job/"+job)
	prefix := fmt.Sprintf("trigger %d: ", number)
	require.True(t, strings.HasPrefix(log, prefix), log)
	var told struct {
		Resources []struct {
			Kind, Name string
			Fields     []string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(strings.TrimPrefix(log, prefix)), &told), log)
	require.Len(t, told.Resources, 1)
	assert.Equal(t, "my-config", told.Resources[0].Name)
	assert.Equal(t, []string{"data"}, told.Resources[0].Fields)
	t.Logf("the container of %s said: %s", job, log)
}

// available waits for a ChangeTriggeredJob's baseline.
func available(t *testing.T, namespace, name string) {
	t.Helper()
	kubectl(t, "wait", "--namespace="+namespace, "--for=condition=Available", "--timeout=2m", "changetriggeredjob/"+name)
}

// succeeded waits until the Job of the trigger of this number has succeeded, and returns its name.
func succeeded(t *testing.T, namespace, name string, number int64) string {
	t.Helper()
	var ctj v1alpha.ChangeTriggeredJob
	eventually(t, func(c *assert.CollectT) {
		ctj = v1alpha.ChangeTriggeredJob{}
		get(t.Context(), c, &ctj, "changetriggeredjob/"+name, "--namespace="+namespace)
		require.Equal(c, number, ctj.Status.TriggerCount)
		require.Equal(c, v1alpha.JobSucceeded, ctj.Status.LastJobStatus)
	})
	return ctj.Status.LastJobName
}

// jobsOf are the names of a ChangeTriggeredJob's Jobs.
func jobsOf(t *testing.T, namespace, name string) []string {
	t.Helper()
	return strings.Fields(kubectl(t, "get", "jobs", "--namespace="+namespace, "--selector=changejob.dev/owner="+name, "--output=name"))
}

// theWebhookRefuses makes the user guide's mistakes: the API server calls the webhook, and passes on its very words.
func theWebhookRefuses(t *testing.T, namespace string) {
	t.Helper()
	for _, mistake := range []struct{ from, to, words string }{
		{"kind: ConfigMap", "kind: configmap", "resource kind does not exist"},
		{"      namespace: " + namespace + "\n      fields", "      fields", "namespace is required for namespaced resources"},
		{"kind: ConfigMap", "kind: Node", "namespace must not be set for cluster-scoped resources"},
	} {
		manifest := strings.Replace(watcher(namespace), mistake.from, mistake.to, 1)
		require.NotEqual(t, watcher(namespace), manifest)
		manifest = strings.Replace(manifest, "name: my-first-trigger", "name: mistake", 1)
		assert.Contains(t, refused(t, manifest), mistake.words)
	}
}
