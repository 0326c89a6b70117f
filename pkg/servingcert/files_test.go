package servingcert

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// shared is the API server of this package's tests.
var shared = apiserver.OnDemand()

func TestMain(m *testing.M) { os.Exit(apiserver.MainOnDemand(m, shared)) }

// Every replica lays the files out, as a manager understands it.
var (
	_ manager.Runnable               = &Files{}
	_ manager.LeaderElectionRunnable = &Files{}
)

func pair(cert, key string) map[string][]byte {
	return map[string][]byte{corev1.TLSCertKey: []byte(cert), corev1.TLSPrivateKeyKey: []byte(key)}
}

// read is what the files hold: the certificate and the key.
func read(t assert.TestingT, dir string) (pair [2]string) {
	for i, name := range []string{"tls.crt", "tls.key"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		assert.NoError(t, err)
		pair[i] = string(content)
	}
	return pair
}

func TestThePairIsLaidOutAtOneStroke(t *testing.T) {
	files := &Files{dir: t.TempDir()}
	for _, step := range []struct{ name, cert, key string }{
		{"for the first time", "cert 1", "key 1"},
		{"again, with nothing new", "cert 1", "key 1"},
		{"another pair", "cert 2", "key 2"},
		{"a third", "cert 3", "key 3"},
	} {
		require.NoError(t, files.lay(pair(step.cert, step.key)), step.name)
		assert.Equal(t, [2]string{step.cert, step.key}, read(t, files.dir), step.name)
		entries, err := os.ReadDir(files.dir)
		require.NoError(t, err)
		assert.Len(t, entries, 4, "%s: the link, one pair's folder, and two files", step.name)
	}
	// A reader that has one file of a pair finds the other of the same beside it.
	first, err := filepath.EvalSymlinks(filepath.Join(files.dir, "tls.crt"))
	require.NoError(t, err)
	second, err := filepath.EvalSymlinks(filepath.Join(files.dir, "tls.key"))
	require.NoError(t, err)
	assert.Equal(t, filepath.Dir(first), filepath.Dir(second))
	info, err := os.Stat(filepath.Join(files.dir, "tls.key"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestAnUnfinishedLayoutIsFinishedTheNextTime(t *testing.T) {
	files := &Files{dir: t.TempDir()}
	require.NoError(t, files.lay(pair("cert 1", "key 1")))
	// It ended between the new link and the swap.
	require.NoError(t, os.Symlink("..pair-gone", filepath.Join(files.dir, "..data-new")))
	require.NoError(t, os.Mkdir(filepath.Join(files.dir, "..pair-unfinished"), 0o700))
	require.NoError(t, files.lay(pair("cert 2", "key 2")))
	assert.Equal(t, [2]string{"cert 2", "key 2"}, read(t, files.dir))
	assert.NoDirExists(t, filepath.Join(files.dir, "..pair-unfinished"), "it holds a key")
}

func TestAFolderThatIsNotThereIsAnError(t *testing.T) {
	files := &Files{dir: filepath.Join(t.TempDir(), "missing")}
	assert.ErrorContains(t, files.lay(pair("cert", "key")), "make a folder for the pair")
}

func TestASecretThatSomebodyDeletedIsMadeAgain(t *testing.T) {
	server := shared.Server(t)
	name := types.NamespacedName{Namespace: server.Namespace(t), Name: "cert"}
	files, err := NewFiles(server.Config, name, t.TempDir())
	require.NoError(t, err)
	secret := &corev1.Secret{}
	require.NoError(t, files.EnsureSecret(t.Context()))
	require.NoError(t, server.Client.Get(t.Context(), name, secret))
	assert.Empty(t, secret.Data)
	secret.Data = pair("cert", "key")
	require.NoError(t, server.Client.Update(t.Context(), secret))
	require.NoError(t, files.EnsureSecret(t.Context()))
	require.NoError(t, server.Client.Get(t.Context(), name, secret))
	assert.Equal(t, pair("cert", "key"), secret.Data, "one that exists stays as it is")
	nowhere, err := NewFiles(server.Config, types.NamespacedName{Namespace: "missing", Name: "cert"}, t.TempDir())
	require.NoError(t, err)
	assert.ErrorContains(t, nowhere.EnsureSecret(t.Context()), "make sure that there is a secret missing/cert")
}

// Admission goes on until there is another pair.
func TestASecretWithoutAPairLeavesTheFiles(t *testing.T) {
	secret := func(data map[string][]byte) *corev1.Secret { return &corev1.Secret{Data: data} }
	for sentence, happens := range map[string]func(h cache.ResourceEventHandler){
		"it is emptied": func(h cache.ResourceEventHandler) { h.OnUpdate(secret(pair("cert 1", "key 1")), secret(nil)) },
		"it loses its key": func(h cache.ResourceEventHandler) {
			h.OnUpdate(secret(pair("cert 1", "key 1")), secret(pair("cert 2", "")))
		},
		"it loses its certificate": func(h cache.ResourceEventHandler) {
			h.OnUpdate(secret(pair("cert 1", "key 1")), secret(pair("", "key 2")))
		},
		"it is deleted": func(h cache.ResourceEventHandler) { h.OnDelete(secret(pair("cert 1", "key 1"))) },
		"that it was deleted is learnt late": func(h cache.ResourceEventHandler) {
			h.OnDelete(cache.DeletedFinalStateUnknown{Key: "ns/cert", Obj: secret(pair("cert 1", "key 1"))})
		},
		"it comes again, empty": func(h cache.ResourceEventHandler) { h.OnAdd(secret(nil), false) },
	} {
		t.Run(sentence, func(t *testing.T) {
			files := &Files{dir: t.TempDir()}
			handler := files.handler(logr.Discard())
			handler.OnAdd(secret(pair("cert 1", "key 1")), true)
			assert.Equal(t, [2]string{"cert 1", "key 1"}, read(t, files.dir))
			happens(handler)
			assert.Equal(t, [2]string{"cert 1", "key 1"}, read(t, files.dir))
			handler.OnUpdate(secret(nil), secret(pair("cert 3", "key 3")))
			assert.Equal(t, [2]string{"cert 3", "key 3"}, read(t, files.dir))
		})
	}
}

func TestTheFilesFollowTheSecret(t *testing.T) {
	server := shared.Server(t)
	namespace, dir := server.Namespace(t), filepath.Join(t.TempDir(), "made")
	files, err := NewFiles(server.Config, types.NamespacedName{Namespace: namespace, Name: "cert"}, dir)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- files.Start(ctx) }()
	shows := func(cert, key string) {
		t.Helper()
		require.Eventually(t, func() bool { return files.laid(pair(cert, key)) }, 30*time.Second, 10*time.Millisecond)
	}

	other := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "other"}, Data: pair("not this", "one")}
	require.NoError(t, server.Client.Create(t.Context(), other))
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "cert"}}
	require.NoError(t, server.Client.Create(t.Context(), secret)) // empty, as it is installed
	secret.Data = pair("cert 1", "key 1")
	require.NoError(t, server.Client.Update(t.Context(), secret))
	shows("cert 1", "key 1")
	secret.Data = pair("cert 2", "key 2")
	require.NoError(t, server.Client.Update(t.Context(), secret))
	shows("cert 2", "key 2")

	// Emptied and deleted, it may come again.
	secret.Data = nil
	require.NoError(t, server.Client.Update(t.Context(), secret))
	require.NoError(t, server.Client.Delete(t.Context(), secret))
	again := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "cert"}, Data: pair("cert 3", "key 3")}
	require.NoError(t, server.Client.Create(t.Context(), again))
	shows("cert 3", "key 3")

	stop()
	require.NoError(t, <-done)
}
