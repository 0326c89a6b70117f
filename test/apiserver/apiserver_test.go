package apiserver_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

func TestAServerOfOnesOwn(t *testing.T) {
	ctx := context.Background()
	log := filepath.Join(t.TempDir(), "audit.log")
	server := apiserver.Start(t, apiserver.AuditLog(log, apiserver.AuditRequestResponse), apiserver.WatchList(false))

	t.Run("namespaces are distinct and usable", func(t *testing.T) {
		one, two := server.Namespace(t), server.Namespace(t)
		assert.NotEqual(t, one, two)
		require.NoError(t, server.Client.Create(ctx, configMap(one)))
	})

	t.Run("a user may do nothing until RBAC says so", func(t *testing.T) {
		namespace := server.Namespace(t)
		c := server.ClientFor(t, server.User(t, "mallory"))
		err := c.Create(ctx, configMap(namespace))
		assert.True(t, apierrors.IsForbidden(err), "%v", err)
	})

	t.Run("the audit log tells who wrote what", func(t *testing.T) {
		namespace := server.Namespace(t)
		c := server.ClientFor(t, server.User(t, "alice", "system:masters"))
		require.NoError(t, c.Create(ctx, configMap(namespace)))
		events, err := apiserver.ReadAuditLog(log)
		require.NoError(t, err)
		var found int
		for _, event := range events {
			if event.Verb == "create" && event.User.Username == "alice" {
				found++
				assert.Equal(t, namespace, event.ObjectRef.Namespace)
				assert.Contains(t, string(event.RequestObject.Raw), "bar")
			}
		}
		assert.Equal(t, 1, found)
	})

	t.Run("the Job controller runs where a test asks for it", func(t *testing.T) {
		needControllerManager(t)
		namespace := server.Namespace(t)
		server.StartControllerManager(t, "job-controller")
		job := &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "pi"},
			Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever,
				Containers:    []corev1.Container{{Name: "pi", Image: "perl"}},
			}}},
		}
		require.NoError(t, server.Client.Create(ctx, job))
		require.Eventually(t, func() bool {
			var pods corev1.PodList
			return server.Client.List(ctx, &pods, client.InNamespace(namespace)) == nil && len(pods.Items) == 1
		}, time.Minute, 50*time.Millisecond)
	})
}

// needControllerManager skips a test where KUBEBUILDER_ASSETS names a folder as envtest has it, with etcd,
// kube-apiserver and kubectl alone.
func needControllerManager(t *testing.T) {
	t.Helper()
	assets, err := apiserver.Assets()
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(assets, "kube-controller-manager")); err != nil {
		t.Skipf("SKIPPED: %s has no kube-controller-manager; `make control-plane` makes a folder that has one", assets)
	}
}

func TestAssetsThatAreMissingAreNamed(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "etcd"), nil, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "kubectl"), nil, 0o600))
	t.Setenv(apiserver.AssetsVariable, dir)
	_, err := apiserver.Assets()
	assert.EqualError(t, err, dir+" has no kube-apiserver, kubectl: run `make control-plane`, or set KUBEBUILDER_ASSETS to a folder that has them")
}

func TestARelativeAssetsFolderIsRelativeToTheRoot(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	t.Setenv(apiserver.AssetsVariable, "no-such-folder")
	_, err = apiserver.Assets()
	assert.ErrorContains(t, err, filepath.Join(root, "no-such-folder")+" has no etcd")
}

func TestTheAuditLogIsReadUpToItsLastCompleteLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.log")
	events, err := apiserver.ReadAuditLog(file)
	require.NoError(t, err, "a log that is not there yet")
	assert.Empty(t, events)

	require.NoError(t, os.WriteFile(file, []byte(`{"verb":"get"}`+"\n"+`{"verb":"li`), 0o600))
	events, err = apiserver.ReadAuditLog(file)
	require.NoError(t, err)
	require.Len(t, events, 1)
	assert.Equal(t, "get", events[0].Verb)

	require.NoError(t, os.WriteFile(file, []byte("nonsense\n"), 0o600))
	_, err = apiserver.ReadAuditLog(file)
	assert.ErrorContains(t, err, "line 1")
}

func configMap(namespace string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "test-"},
		Data:       map[string]string{"foo": "bar"},
	}
}
