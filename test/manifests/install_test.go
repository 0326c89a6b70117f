package manifests

import (
	"context"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

const (
	waitFor = 30 * time.Second
	tick    = 100 * time.Millisecond
)

// origin makes a git repository that holds config/ as it is in the work tree, and returns the environment in
// which git takes it for the project's own on GitHub.
func origin(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(dir, "config"), os.DirFS(config)))
	for _, args := range [][]string{
		{"init", "-q"},
		{"add", "config"},
		{"-c", "user.name=test", "-c", "user.email=test@changejob.dev", "-c", "commit.gpgsign=false", "commit", "-qm", "config"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	return []string{
		"GIT_CONFIG_COUNT=1",
		"GIT_CONFIG_KEY_0=url.file://" + dir + "/.git.insteadOf",
		"GIT_CONFIG_VALUE_0=https://" + repo,
		"GIT_TERMINAL_PROMPT=0",
	}
}

// TestAnInstallation goes the way of a cluster into which the project is installed; its steps build on each
// other. There are no nodes, so that the operator itself never runs.
func TestAnInstallation(t *testing.T) {
	ctx := context.Background()
	namespace := server.Namespace(t)
	changetriggeredjob := func(name string) *v1alpha.ChangeTriggeredJob {
		return &v1alpha.ChangeTriggeredJob{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
			Spec: v1alpha.ChangeTriggeredJobSpec{
				JobTemplate: v1alpha.JobTemplate{Raw: []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"busybox:1.37"}]}}}}`)},
				Resources:   []v1alpha.ResourceReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "c", Namespace: namespace}},
			},
		}
	}

	step := func(name string, run func(t *testing.T)) {
		t.Helper()
		require.True(t, t.Run(name, run), name)
	}

	step("the CRD alone makes the samples acceptable", func(t *testing.T) {
		kubectl(t, "apply", "-k", config+"/crd")
		require.Eventually(t, func() bool {
			return server.Kubectl("apply", "-k", config+"/samples").Run() == nil
		}, waitFor, tick)
		// Later steps need ChangeTriggeredJobs that the webhook has never seen.
		require.NoError(t, server.Client.Create(ctx, changetriggeredjob("labelled")))
		deleted := changetriggeredjob("deleted")
		deleted.Finalizers = []string{"changejob.dev/test"}
		require.NoError(t, server.Client.Create(ctx, deleted))
		require.NoError(t, server.Client.Delete(ctx, deleted))
	})

	step("the guide's command installs from GitHub", func(t *testing.T) {
		cmd := server.Kubectl("apply", "-k", repo+"/config/default")
		cmd.Env = append(cmd.Env, origin(t)...)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		assert.NotContains(t, string(out), "Warning", "the pod meets what the namespace warns of")

		kubectl(t, "get", "pods", "-n", system)
		kubectl(t, "get", "crd", "changetriggeredjobs.triggers.changejob.dev")
		kubectl(t, "get", "-n", system, "deployment/kube-changejob-controller-manager")
		kubectl(t, "get", "clusterrole", "kube-changejob-manager-role", "-o", "yaml")
	})

	step("the work tree's is the same, and leaves alone what the operator has written", func(t *testing.T) {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "kube-changejob-webhook-cert"}}
		written := client.RawPatch(types.MergePatchType, []byte(`{"data":{"tls.crt":"Y2VydA=="}}`))
		require.NoError(t, server.Client.Patch(ctx, secret, written))
		caBundle := base64.StdEncoding.EncodeToString(server.Config.CAData)
		ca := `[{"op":"add","path":"/webhooks/0/clientConfig/caBundle","value":"` + caBundle + `"}]`
		kubectl(t, "patch", "validatingwebhookconfiguration", "kube-changejob-validating-webhook-configuration", "--type=json", "-p", ca)

		for line := range strings.SplitSeq(strings.TrimSpace(kubectl(t, "apply", "-k", config+"/default")), "\n") {
			assert.Regexp(t, ` unchanged$|^deployment.* configured$|^validatingwebhook.* configured$`, line)
		}
		require.NoError(t, server.Client.Get(ctx, client.ObjectKeyFromObject(secret), secret))
		assert.Equal(t, "cert", string(secret.Data["tls.crt"]))
		assert.Equal(t, caBundle, kubectl(t, "get", "validatingwebhookconfiguration",
			"kube-changejob-validating-webhook-configuration", "-o", "jsonpath={.webhooks[0].clientConfig.caBundle}"))
	})

	step("the operator's pod is let into a namespace that enforces restricted", func(t *testing.T) {
		strict := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: "strict", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
		}}
		require.NoError(t, server.Client.Create(ctx, strict))
		deployment := &appsv1.Deployment{}
		require.NoError(t, server.Client.Get(ctx, types.NamespacedName{Namespace: system, Name: operator}, deployment))
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: strict.Name, Name: "operator"}, Spec: deployment.Spec.Template.Spec}
		loose := pod.DeepCopy()
		loose.Spec.Containers[0].SecurityContext = nil
		require.ErrorContains(t, server.Client.Create(ctx, loose, client.DryRunAll), "violates PodSecurity")
		assert.NoError(t, server.Client.Create(ctx, pod, client.DryRunAll))
	})

	step("without the operator, a new or changed spec is refused, and nothing else", func(t *testing.T) {
		// A service's name means nothing to an API server outside of a cluster, and might to a resolver: the
		// webhook is looked for, in vain, on this machine.
		kubectl(t, "patch", "validatingwebhookconfiguration", "kube-changejob-validating-webhook-configuration", "--type=json",
			"-p", `[{"op":"replace","path":"/webhooks/0/clientConfig","value":{"url":"https://127.0.0.1:1/"}}]`)
		require.Eventually(t, func() bool {
			err := server.Client.Create(ctx, changetriggeredjob("refused"), client.DryRunAll)
			return err != nil && strings.Contains(err.Error(), "127.0.0.1:1")
		}, waitFor, tick, "the API server has noticed the webhook")
		assert.ErrorContains(t, server.Client.Create(ctx, changetriggeredjob("refused")), "failed calling webhook")

		patch := func(name, patch string) error {
			return server.Client.Patch(ctx, changetriggeredjob(name), client.RawPatch(types.MergePatchType, []byte(patch)))
		}
		assert.ErrorContains(t, patch("labelled", `{"spec":{"suspend":true}}`), "failed calling webhook")
		assert.NoError(t, patch("labelled", `{"metadata":{"labels":{"a":"b"}}}`), "a label")
		status := client.RawPatch(types.MergePatchType, []byte(`{"status":{"observedGeneration":1}}`))
		assert.NoError(t, server.Client.Status().Patch(ctx, changetriggeredjob("labelled"), status), "a status")
		assert.NoError(t, patch("deleted", `{"metadata":{"finalizers":null},"spec":{"suspend":true}}`),
			"a finalizer of what is being deleted, even with another spec")
		assert.NoError(t, server.Client.Delete(ctx, changetriggeredjob("labelled")), "a deletion")
	})

	step("the operator may do what it needs, and no more", func(t *testing.T) {
		for _, rule := range []struct {
			may                                      bool
			verb, group, resource, sub, name, within string
		}{
			{may: true, verb: "list", resource: "secrets", within: "default"},
			{may: true, verb: "watch", resource: "secrets", name: "one", within: "default"},
			{may: true, verb: "list", resource: "nodes"},
			{may: true, verb: "watch", group: "apps", resource: "deployments"},
			{may: false, verb: "create", resource: "pods", within: "default"},

			// A get of these runs commands, or talks to whatever listens.
			{may: false, verb: "get", resource: "pods", sub: "exec", within: "default"},
			{may: false, verb: "get", resource: "pods", sub: "attach", within: "default"},
			{may: false, verb: "get", resource: "pods", sub: "portforward", within: "default"},
			{may: false, verb: "get", resource: "pods", sub: "proxy", within: "default"},
			{may: false, verb: "get", resource: "services", sub: "proxy", within: "default"},
			{may: false, verb: "get", resource: "nodes", sub: "proxy"},
			{may: false, verb: "create", resource: "pods", sub: "exec", within: "default"},
			{may: false, verb: "get", resource: "secrets", within: "default"},
			{may: false, verb: "update", group: "rbac.authorization.k8s.io", resource: "roles", within: "default"},

			{may: true, verb: "get", group: "batch", resource: "jobs", within: "default"},
			{may: true, verb: "create", group: "batch", resource: "jobs", within: "default"},
			{may: true, verb: "delete", group: "batch", resource: "jobs", within: "default"},
			{may: false, verb: "update", group: "batch", resource: "jobs", within: "default"},
			{may: true, verb: "create", group: "events.k8s.io", resource: "events", within: "default"},

			{may: true, verb: "get", group: "triggers.changejob.dev", resource: "changetriggeredjobs", within: "default"},
			{may: true, verb: "update", group: "triggers.changejob.dev", resource: "changetriggeredjobs", sub: "status", within: "default"},
			{may: true, verb: "update", group: "triggers.changejob.dev", resource: "changetriggeredjobs", sub: "finalizers", within: "default"},
			{may: false, verb: "update", group: "triggers.changejob.dev", resource: "changetriggeredjobs", within: "default"},
			{may: false, verb: "delete", group: "triggers.changejob.dev", resource: "changetriggeredjobs", within: "default"},

			{may: true, verb: "create", group: "coordination.k8s.io", resource: "leases", within: system},
			{may: true, verb: "update", group: "coordination.k8s.io", resource: "leases", name: "kube-changejob-leader", within: system},
			{may: false, verb: "update", group: "coordination.k8s.io", resource: "leases", name: "another", within: system},
			{may: false, verb: "update", group: "coordination.k8s.io", resource: "leases", name: "kube-changejob-leader", within: "default"},

			{may: true, verb: "create", resource: "secrets", within: system},
			{may: false, verb: "create", resource: "secrets", within: "default"},
			{may: false, verb: "update", resource: "secrets", name: "kube-changejob-hash-key", within: system},
			{may: false, verb: "delete", resource: "secrets", name: "kube-changejob-hash-key", within: system},
			{may: true, verb: "update", resource: "secrets", name: "kube-changejob-webhook-cert", within: system},
			{may: true, verb: "update", group: "admissionregistration.k8s.io", resource: "validatingwebhookconfigurations",
				name: "kube-changejob-validating-webhook-configuration"},
			{may: false, verb: "update", group: "admissionregistration.k8s.io", resource: "validatingwebhookconfigurations", name: "another"},

			{may: true, verb: "create", group: "authentication.k8s.io", resource: "tokenreviews"},
			{may: true, verb: "create", group: "authorization.k8s.io", resource: "subjectaccessreviews"},
		} {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: "system:serviceaccount:" + system + ":" + operator,
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Verb: rule.verb, Group: rule.group, Resource: rule.resource, Subresource: rule.sub, Name: rule.name, Namespace: rule.within,
				},
			}}
			require.NoError(t, server.Client.Create(ctx, review))
			assert.Equal(t, rule.may, review.Status.Allowed, "%+v", rule)
		}
	})

	step("undeploying leaves nothing behind", func(t *testing.T) {
		kubectl(t, "delete", "-k", config+"/default", "--wait=false")
		require.Eventually(t, func() bool {
			return !strings.Contains(kubectl(t, "get", "clusterroles,clusterrolebindings,validatingwebhookconfigurations,crds", "-o", "name"), "changejob")
		}, waitFor, tick)
	})
}
