// Package secrecy checks that nothing which a watched object contains leaves the operator: neither by its log, however
// verbose, nor by events, status, metrics, traces, Jobs or the webhook's answers.
package secrecy

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/collector"
	"github.com/nusnewob/kube-changejob/test/jobs"
	"github.com/nusnewob/kube-changejob/test/operator"
)

const (
	patience = 30 * time.Second
	tick     = 20 * time.Millisecond
)

// secrets are what the watched object holds, one after the other. No two have a part in common, nor has anything else.
var secrets = []string{"xylograph-of-quartz", "jabberwock-in-vexing", "pyknic-fjord-bank"}

// traces are the forms in which a secret may show: as it is, as the API server stores it, and as a plain hash.
func traces() map[string]string {
	all := map[string]string{}
	for _, secret := range secrets {
		stored := base64.StdEncoding.EncodeToString([]byte(secret))
		all[secret+" as it is"] = secret
		all[secret+" in base64"] = stored
		for form, text := range map[string]string{"itself": secret, "its base64": stored, "its JSON": `"` + stored + `"`} {
			sum := sha256.Sum256([]byte(text))
			all[secret+": a plain hash of "+form] = hex.EncodeToString(sum[:16])
			all[secret+": a plain hash in base64 of "+form] = base64.StdEncoding.EncodeToString(sum[:])[:20]
		}
	}
	return all
}

func TestP4NothingThatAWatchedObjectContainsLeaves(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	server := apiserver.Start(t, apiserver.CRDs(), apiserver.Webhooks(envtest.WebhookInstallOptions{
		Paths: []string{filepath.Join(root, "config", "webhook", "manifests.yaml")},
	}))
	warnings := &warnings{}
	config := rest.CopyConfig(server.Config)
	config.WarningHandler = warnings
	author, err := client.New(config, client.Options{Scheme: server.Scheme})
	require.NoError(t, err)

	hook := server.Env.WebhookInstallOptions
	traced := collector.Start(t)
	process := operator.Start(t, operator.Options{
		KubeConfig: server.KubeConfig, WebhookCertDir: hook.LocalServingCertDir, WebhookPort: hook.LocalServingPort,
		Args: []string{"--log-level=10", "--metrics-secure=false", "--metrics-bind-address=127.0.0.1:" + metricsPort,
			"--otlp-endpoint=" + traced.Endpoint},
		Env: []string{"OTEL_BSP_SCHEDULE_DELAY=100"},
	})
	ctx, namespace := t.Context(), server.Namespace(t)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "credentials"},
		StringData: map[string]string{"password": secrets[0]},
	}
	require.NoError(t, server.Client.Create(ctx, secret.DeepCopy()))
	for name, fields := range map[string][]string{
		"whole": {"*"}, "one-key": {"data.password"}, "nothing-yet": {"data.absent", "data['tls.crt']"},
		"annotations": {"metadata.annotations"},
	} {
		require.NoError(t, author.Create(ctx, &v1alpha.ChangeTriggeredJob{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec: v1alpha.ChangeTriggeredJobSpec{
				JobTemplate: jobs.Template(), Cooldown: &metav1.Duration{}, OnLoop: v1alpha.IgnoreLoop,
				Resources: []v1alpha.ResourceReference{{APIVersion: "v1", Kind: "Secret", Namespace: namespace, Name: secret.Name, Fields: fields}},
			},
		}))
	}
	for name, when := range map[string]string{
		"when-true": "object != null", "when-false": `object.data.password == "eA=="`, "when-failed": `duration(object.data.password) > duration("1s")`,
	} {
		require.NoError(t, author.Create(ctx, &v1alpha.ChangeTriggeredJob{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec: v1alpha.ChangeTriggeredJobSpec{
				JobTemplate: jobs.Template(), Cooldown: &metav1.Duration{}, OnLoop: v1alpha.IgnoreLoop,
				Resources: []v1alpha.ResourceReference{{APIVersion: "v1", Kind: "Secret", Namespace: namespace, Name: secret.Name, When: when}},
			},
		}))
	}
	triggered := func(name string, count int64) {
		t.Helper()
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			got := &v1alpha.ChangeTriggeredJob{}
			require.NoError(c, server.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, got))
			require.Equal(c, count, got.Status.TriggerCount)
			require.NotEmpty(c, got.Status.ResourceHashes)
			require.NotEmpty(c, got.Status.ResourceHashes[0].Fields[0].Hash)
		}, patience, tick)
	}
	for _, name := range []string{"whole", "one-key", "nothing-yet", "annotations", "when-true", "when-false", "when-failed"} {
		triggered(name, 0)
	}

	// Changed, with a secret in an annotation too, deleted, made anew.
	changed := secret.DeepCopy()
	changed.StringData = map[string]string{"password": secrets[1]}
	changed.Annotations = map[string]string{"note": secrets[2]}
	require.NoError(t, server.Client.Update(ctx, changed))
	triggered("whole", 1)
	triggered("one-key", 1)
	triggered("annotations", 1)
	triggered("when-true", 1)
	waiting := func(name string, result v1alpha.WhenResult) {
		t.Helper()
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			got := &v1alpha.ChangeTriggeredJob{}
			require.NoError(c, server.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, got))
			require.Equal(c, result, got.Status.ResourceHashes[0].WaitingForWhen)
		}, patience, tick)
	}
	waiting("when-false", v1alpha.WhenFalse)
	waiting("when-failed", v1alpha.WhenFailed)
	require.NoError(t, server.Client.Delete(ctx, secret.DeepCopy()))
	triggered("whole", 2)
	again := secret.DeepCopy()
	again.StringData = map[string]string{"password": secrets[2]}
	require.NoError(t, server.Client.Create(ctx, again))
	triggered("whole", 3)
	triggered("one-key", 3)

	require.Eventually(t, func() bool { return strings.Count(traced.Text(), `"create Job"`) >= 3 }, patience, tick, "Jobs have traces")

	said := map[string]string{
		"the log":                process.Log(),
		"traces":                 traced.Text(),
		"metrics":                metrics(t, metricsPort),
		"the webhook's warnings": warnings.String(),
		"events":                 list(t, server, namespace, &eventsv1.EventList{}),
		"status":                 list(t, server, namespace, &v1alpha.ChangeTriggeredJobList{}),
		"Jobs":                   list(t, server, namespace, &batchv1.JobList{}),
	}
	for where, text := range said {
		require.NotEmpty(t, text, where)
		for what, trace := range traces() {
			assert.False(t, strings.Contains(text, trace), "%s: %s", where, what)
		}
	}
	assert.Contains(t, said["the webhook's warnings"], "selects nothing", "there were warnings to look at")
	assert.Contains(t, said["Jobs"], "credentials", "what changed is named")
}

// metricsPort is one that nothing else of this project's listens on.
const metricsPort = "18417"

func metrics(t *testing.T, port string) string {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+port+"/metrics", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body)
}

func list(t *testing.T, server *apiserver.Server, namespace string, objects client.ObjectList) string {
	require.NoError(t, server.Client.List(t.Context(), objects, client.InNamespace(namespace)))
	text, err := json.Marshal(objects)
	require.NoError(t, err)
	return string(text)
}

// warnings are those that came with answers of the API server.
type warnings struct {
	mu   sync.Mutex
	text strings.Builder
}

// HandleWarningHeader implements rest.WarningHandler.
func (w *warnings) HandleWarningHeader(_ int, _ string, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = fmt.Fprintln(&w.text, text)
}

func (w *warnings) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}
