package main

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/operator-framework/api/pkg/apis/scorecard/v1alpha3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/operator"
)

// bundle is a folder with the CRD where a bundle has it.
func bundle(t *testing.T) string {
	root, err := apiserver.Root()
	require.NoError(t, err)
	crd, err := os.ReadFile(filepath.Join(root, "config", "crd", "bases", "triggers.changejob.dev_changetriggeredjobs.yaml"))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "manifests"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "manifests", "crd.yaml"), crd, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "manifests", "another.yaml"), []byte("kind: Service\n"), 0o600))
	return dir
}

func start(t *testing.T) *apiserver.Server {
	root, err := apiserver.Root()
	require.NoError(t, err)
	server := apiserver.Start(t, apiserver.CRDs(), apiserver.Webhooks(envtest.WebhookInstallOptions{
		Paths: []string{filepath.Join(root, "config", "webhook", "manifests.yaml")},
	}))
	server.StartControllerManager(t, "job-controller")
	return server
}

// account is whom the tests run as in a cluster: the service account of config/scorecard/rbac, with its rights.
func account(t *testing.T, server *apiserver.Server, namespace string) *rest.Config {
	root, err := apiserver.Root()
	require.NoError(t, err)
	output, err := server.Kubectl("apply", "--namespace="+namespace, "-k", filepath.Join(root, "config", "scorecard", "rbac")).CombinedOutput()
	require.NoError(t, err, string(output))
	request := &authenticationv1.TokenRequest{}
	require.NoError(t, server.Client.SubResource("token").Create(t.Context(),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "kube-changejob-scorecard"}}, request))
	config := rest.AnonymousClientConfig(server.Config)
	config.BearerToken = request.Status.Token
	return config
}

func TestTheScorecardPassesWithTheOperatorAndLeavesNothing(t *testing.T) {
	t.Parallel()
	server := start(t)
	hook := server.Env.WebhookInstallOptions
	operator.Start(t, operator.Options{
		KubeConfig: server.KubeConfig, WebhookCertDir: hook.LocalServingCertDir, WebhookPort: hook.LocalServingPort,
	})
	namespace, dir := server.Namespace(t), bundle(t)
	config := account(t, server, namespace)
	t.Run("tests", func(t *testing.T) {
		for _, name := range slices.Sorted(maps.Keys(tests)) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				result := perform(t.Context(), config, name, namespace, dir)
				assert.Equal(t, v1alpha3.PassState, result.State, result.Errors)
				assert.Equal(t, name, result.Name)
				assert.NotEmpty(t, result.Log)
				assert.NotContains(t, result.Log, "left behind")
			})
		}
	})
	var left v1alpha.ChangeTriggeredJobList
	require.NoError(t, server.Client.List(t.Context(), &left, client.InNamespace(namespace)))
	assert.Empty(t, left.Items)
	var configMaps corev1.ConfigMapList
	require.NoError(t, server.Client.List(t.Context(), &configMaps, client.InNamespace(namespace)))
	for _, configMap := range configMaps.Items {
		assert.Equal(t, "kube-root-ca.crt", configMap.Name)
	}
}

func TestTheScorecardFailsWithoutTheOperator(t *testing.T) {
	t.Parallel()
	server := start(t) // the webhook's configuration is there, and nobody answers for it
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		result := perform(t.Context(), server.Config, name, server.Namespace(t), bundle(t))
		assert.Equal(t, v1alpha3.FailState, result.State, name)
		assert.NotEmpty(t, result.Errors, name)
	}
}

func TestEachFailsForItsOwnReasonWhereNobodyActs(t *testing.T) {
	t.Parallel()
	server := apiserver.Start(t, apiserver.CRDs()) // no webhook and no operator
	namespace, dir := server.Namespace(t), bundle(t)
	reasons := map[string]string{
		"change-triggers-one-job":   "waited for trigger 1 in vain",
		"all-waits-for-all":         "waited for Progressing to be WaitingForAll in vain",
		"cooldown-loses-nothing":    "no Job begins the cooldown",
		"history-is-kept":           "of four Jobs, of which two are to be kept, number 1 does not run",
		"webhook-refuses":           "a kind in lower case is accepted",
		"status-is-as-documented":   "waited for the status of one that is idle in vain",
		"columns-are-as-documented": "column Last Triggered is empty",
		"selector-names-changes":    "waited for trigger 1 in vain",
		"run-now-runs-one-job":      "waited for trigger 1 in vain",
	}
	t.Run("tests", func(t *testing.T) {
		for _, name := range slices.Sorted(maps.Keys(tests)) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				result := perform(t.Context(), server.Config, name, namespace, dir)
				assert.Equal(t, v1alpha3.FailState, result.State)
				said := strings.Join(result.Errors, "\n")
				assert.Contains(t, said, "not seen that "+tests[name].claim+": "+reasons[name])
			})
		}
	})
	var jobs batchv1.JobList
	require.NoError(t, server.Client.List(t.Context(), &jobs, client.InNamespace(namespace)))
	assert.Empty(t, jobs.Items)
}

func TestOneTestIsNamed(t *testing.T) {
	for _, args := range [][]string{nil, {"no-such-test"}, {"webhook-refuses", "history-is-kept"}} {
		assert.ErrorContains(t, run(t.Context(), args, "default", "/bundle", &bytes.Buffer{}), "change-triggers-one-job", args)
	}
}

func TestLibrariesSayNothing(t *testing.T) {
	quiet()
	t.Cleanup(klog.ClearLogger)
	said, stderr, err := os.Pipe()
	require.NoError(t, err)
	klog.LogToStderr(false)
	klog.SetOutput(stderr)
	klog.ErrorS(errors.New("cut off"), "A request")
	klog.Errorf("a request was cut off")
	klog.Flush()
	klog.LogToStderr(true)
	require.NoError(t, stderr.Close())
	content, err := io.ReadAll(said)
	require.NoError(t, err)
	assert.Empty(t, string(content))
}

func TestTheNamespaceIsNeeded(t *testing.T) {
	_, err := newTrial(nil, "webhook-refuses", "", "/bundle")
	assert.ErrorContains(t, err, "SCORECARD_NAMESPACE")
}
