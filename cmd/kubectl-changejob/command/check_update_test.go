package command

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/yaml"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/pkg/admission"
	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// webhookWorld is the world of an API server that asks the webhook, which this process serves as the operator does.
func webhookWorld(t *testing.T) *world {
	root, err := apiserver.Root()
	require.NoError(t, err)
	s := apiserver.Start(t, apiserver.CRDs(), apiserver.Webhooks(envtest.WebhookInstallOptions{
		Paths: []string{filepath.Join(root, "config", "webhook", "manifests.yaml")},
	}))
	options := s.Env.WebhookInstallOptions
	hooks := webhook.NewServer(webhook.Options{Host: options.LocalServingHost, Port: options.LocalServingPort, CertDir: options.LocalServingCertDir})
	mgr, err := ctrl.NewManager(s.Config, ctrl.Options{
		Scheme: s.Scheme, WebhookServer: hooks, Logger: logr.Discard(), Metrics: metricsserver.Options{BindAddress: "0"},
	})
	require.NoError(t, err)
	require.NoError(t, admission.Register(mgr, admission.Options{AuthorizeReferences: true}))
	ctx, end := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		end()
		assert.NoError(t, <-stopped)
	})
	require.Eventually(t, func() bool { return hooks.StartedChecker()(&http.Request{}) == nil }, 30*time.Second, 10*time.Millisecond)
	w := &world{t: t, server: s, namespace: s.Namespace(t), now: time.Now(), env: map[string]string{}}
	return w.as(s.Config)
}

// apply stores a ChangeTriggeredJob as `kubectl apply` does.
func (w *world) apply(content string) {
	w.t.Helper()
	object := &unstructured.Unstructured{}
	require.NoError(w.t, yaml.Unmarshal([]byte(content), &object.Object))
	object.SetNamespace(w.namespace)
	applied, err := object.MarshalJSON()
	require.NoError(w.t, err)
	object.SetAnnotations(map[string]string{corev1.LastAppliedConfigAnnotation: string(applied)})
	w.create(object)
}

func TestWhoChangesALittleIsCheckedForThatAlone(t *testing.T) {
	w := webhookWorld(t)
	objects(w)
	content := manifest("config-sync", w.resource("Secret", "db", "data"))
	w.apply(content)
	group := v1alpha.GroupVersion.Group
	author := w.user("author", may(group, triggers, "get", "create", "patch"))

	checks, r := author.checked(content + "  cooldown: 2m\n")
	require.Equal(t, 0, r.code, r.out)
	assert.Equal(t, report.ActionUpdate, checks.Items[0].Action)
	assert.Empty(t, checks.Items[0].Warnings, "the webhook warns of what is new")

	checks, r = author.checked(manifest("config-sync", w.resource("Secret", "db", "data", "type")))
	assert.Equal(t, 1, r.code)
	require.Len(t, checks.Items[0].Problems, 1)
	assert.Contains(t, checks.Items[0].Problems[0].String(), "spec.resources[0]", "but it is asked, and refuses what the author may not get")

	_, r = author.checked(strings.Replace(content, "name: config-sync", "name: other", 1))
	assert.Equal(t, 1, r.code, "and a new one is judged as a whole")
}

func TestCheckOfWhatIsStoredIsThatOfAnUpdate(t *testing.T) {
	group := v1alpha.GroupVersion.Group
	patcher := []rbacv1.PolicyRule{may(group, triggers, "get", "patch")}
	long := strings.Repeat("a", 53)
	for does, test := range map[string]struct {
		stored, file func(*world) string
		rules        []rbacv1.PolicyRule
		want         string
	}{
		"by the rights to apply it": {
			stored: func(w *world) string { return manifest("a", w.resource("ConfigMap", "app-config", "data")) },
			file: func(w *world) string {
				return manifest("a", w.resource("ConfigMap", "app-config", "data", "immutable"))
			},
			rules: patcher,
		},
		"which who may only create has not": {
			stored: func(w *world) string { return manifest("a", w.resource("ConfigMap", "app-config", "data")) },
			file: func(w *world) string {
				return manifest("a", w.resource("ConfigMap", "app-config", "data")) + "  cooldown: 2m\n"
			},
			rules: []rbacv1.PolicyRule{may(group, triggers, "get", "create")},
			want:  "cannot patch resource",
		},
		"with a kind that is not served any more": {
			stored: func(w *world) string { return manifest("a", w.resource("ConfgMap", "app-config", "data")) },
			file: func(w *world) string {
				return manifest("a", w.resource("ConfgMap", "app-config", "data")) + "  cooldown: 2m\n"
			},
			rules: patcher,
		},
		"with one more that is not served": {
			stored: func(w *world) string { return manifest("a", w.resource("ConfgMap", "app-config", "data")) },
			file: func(w *world) string {
				return manifest("a", w.resource("ConfgMap", "app-config", "data")+w.resource("Secert", "db", "data"))
			},
			rules: patcher,
			want:  "spec.resources[1].kind: Invalid value: \"Secert\": resource kind does not exist",
		},
		"with a name that no new one may have, and of which the operator runs no Job": {
			stored: func(w *world) string { return manifest(long, w.resource("ConfigMap", "app-config", "data")) },
			file: func(w *world) string {
				return manifest(long, w.resource("ConfigMap", "app-config", "data")) + "  cooldown: 2m\n"
			},
			rules: patcher,
			want:  "metadata.name: Invalid value: ",
		},
		"with nothing new, but what the operator refuses": {
			stored: func(w *world) string { return manifest("a", w.resource("ConfigMap", "app-config", "data..a")) },
			file:   func(w *world) string { return manifest("a", w.resource("ConfigMap", "app-config", "data..a")) },
			rules:  patcher,
			want:   `spec.resources[0].fields[0]: Invalid value: invalid field path "data..a"`,
		},
		"by the right to read it, too": {
			stored: func(w *world) string { return manifest("a", w.resource("ConfigMap", "app-config", "data")) },
			file: func(w *world) string {
				return manifest("a", w.resource("ConfigMap", "app-config", "data")) + "  cooldown: 2m\n"
			},
			rules: []rbacv1.PolicyRule{may(group, triggers, "create", "patch")},
			want:  "cannot get resource",
		},
		"with a field that does not exist": {
			stored: func(w *world) string { return manifest("a", w.resource("ConfigMap", "app-config", "data")) },
			file: func(w *world) string {
				return manifest("a", w.resource("ConfigMap", "app-config", "data")) + "  coldown: 2m\n"
			},
			rules: patcher,
			want:  "strict decoding error: unknown field \"spec.coldown\"",
		},
		"with a bound of the schema": {
			stored: func(w *world) string { return manifest("a", w.resource("ConfigMap", "app-config", "data")) },
			file: func(w *world) string {
				return manifest("a", w.resource("ConfigMap", "app-config", "data")) + "  cooldown: 721h\n"
			},
			rules: patcher,
			want:  "spec.cooldown: Invalid value: ",
		},
	} {
		t.Run(does, func(t *testing.T) {
			w := newWorld(t)
			w.apply(test.stored(w))
			checks, r := w.user("author", test.rules...).checked(test.file(w))
			require.Len(t, checks.Items, 1, r.err)
			found := checks.Items[0]
			assert.Equal(t, test.want == "", found.Valid)
			if test.want == "" {
				assert.Equal(t, []any{0, report.ActionUpdate, []report.Problem{}}, []any{r.code, found.Action, found.Problems})
			} else {
				require.Len(t, found.Problems, 1)
				assert.Contains(t, found.Problems[0].String(), test.want)
				assert.NotContains(t, found.Problems[0].String(), "jobTemplate", "not the object with it")
			}
			assert.Equal(t, time.Minute, stored(w, found.Name).Spec.EffectiveCooldown(), "nothing is changed")
			assert.Len(t, stored(w, found.Name).Spec.Resources[0].Fields, 1, "nothing is changed")
		})
	}
}
