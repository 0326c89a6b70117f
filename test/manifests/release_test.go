package manifests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// helm runs Helm on this server, where it must succeed, and returns what it printed.
func (i *installation) helm(t *testing.T, args ...string) string {
	t.Helper()
	out, err := i.tryHelm(t, args...)
	require.NoError(t, err, "helm %s", strings.Join(args, " "))
	return out
}

func (i *installation) tryHelm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(kubeconfig, i.KubeConfig, 0o600))
	return outputOf(helmCommand(t, append(args, "--kubeconfig="+kubeconfig, "--namespace="+system)...))
}

// olderChart is the chart as it might have been once: of another version, with another definition.
func olderChart(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "chart")
	require.NoError(t, os.CopyFS(dir, os.DirFS(chart)))
	for file, change := range map[string]struct{ from, to string }{
		"Chart.yaml": {"\nversion: " + version(t) + "\n", "\nversion: 0.1.99\n"},
		"templates/crd/changetriggeredjobs.triggers.changejob.dev.yaml": {"name: " + newColumn + "\n", "name: Older\n"},
	} {
		content, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(content), change.from), file)
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(strings.Replace(string(content), change.from, change.to, 1)), 0o600))
	}
	return dir
}

// newColumn is a printer column that the older definition calls something else.
const newColumn = "Last Triggered"

// columns are the printer columns that the server knows of.
func (i *installation) columns(t *testing.T) (names []string) {
	t.Helper()
	crd := &apiextensionsv1.CustomResourceDefinition{}
	require.NoError(t, i.Client.Get(t.Context(), types.NamespacedName{Name: "changetriggeredjobs.triggers.changejob.dev"}, crd))
	require.True(t, crd.DeletionTimestamp.IsZero())
	for _, column := range crd.Spec.Versions[0].AdditionalPrinterColumns {
		names = append(names, column.Name)
	}
	return names
}

// named reads an object of the operator's namespace.
func named[T client.Object](t *testing.T, i *installation, name string, into T) T {
	t.Helper()
	require.NoError(t, i.Client.Get(t.Context(), types.NamespacedName{Namespace: system, Name: name}, into))
	return into
}

// TestARelease goes the way of a cluster into which the chart is installed; its steps build on each other. The operator's processes have what the
// chart gives them, and no more.
func TestARelease(t *testing.T) {
	i := &installation{apiserver.Start(t)}
	namespace := i.Namespace(t)
	var ctj *v1alpha.ChangeTriggeredJob
	var running *replica
	step := func(name string, run func(t *testing.T)) {
		t.Helper()
		require.True(t, t.Run(name, run), name)
	}
	restart := func() {
		if running != nil {
			running.Stop(t)
		}
		running = i.start(t)
		i.route(t, running)
	}

	step("the chart is installed", func(t *testing.T) {
		notes := i.helm(t, "install", release, olderChart(t), "--create-namespace")
		assert.Contains(t, notes, "kubectl rollout status -n "+system)
		assert.Contains(t, i.columns(t), "Older")
	})
	restart()
	step("a change gets a Job", func(t *testing.T) {
		ctj = i.watch(t, namespace)
		i.await(t, ctj, 0, waitFor)
		i.change(t, namespace, "one")
		i.await(t, ctj, 1, waitFor)
	})

	secret := named(t, i, "kube-changejob-webhook-cert", &corev1.Secret{})
	ca := i.caBundle(t)
	theirs := func(t *testing.T) {
		t.Helper()
		assert.NotEmpty(t, secret.Data)
		assert.Equal(t, secret.Data, named(t, i, secret.Name, &corev1.Secret{}).Data, "the certificate is the operator's to write")
		assert.Equal(t, ca, i.caBundle(t), "and so is its CA")
	}

	step("an upgrade brings the definition and the values, and leaves what the operator has written", func(t *testing.T) {
		i.helm(t, "upgrade", release, chart, "--set=manager.replicas=2")
		assert.Contains(t, i.columns(t), newColumn)
		assert.EqualValues(t, 2, *named(t, i, operator, &appsv1.Deployment{}).Spec.Replicas)
		theirs(t)
	})
	restart()
	step("no Job runs for it, and the next change gets one", func(t *testing.T) {
		i.await(t, ctj, 1, waitFor)
		i.change(t, namespace, "two")
		i.await(t, ctj, 2, waitFor)
	})

	step("a rollback goes back, and leaves the rest", func(t *testing.T) {
		i.helm(t, "rollback", release, "1")
		assert.Contains(t, i.columns(t), "Older")
		assert.EqualValues(t, 1, *named(t, i, operator, &appsv1.Deployment{}).Spec.Replicas)
		theirs(t)
		i.change(t, namespace, "three")
		i.await(t, ctj, 3, waitFor)
	})

	step("without crd.enabled, the definition stays as it is", func(t *testing.T) {
		i.helm(t, "upgrade", release, chart, "--set=crd.enabled=false")
		assert.Contains(t, i.columns(t), "Older")
		i.helm(t, "upgrade", release, chart, "--reset-values")
		assert.Contains(t, i.columns(t), newColumn)
	})

	step("what is installed already is not installed again by another name", func(t *testing.T) {
		_, err := i.tryHelm(t, "install", "another", chart)
		assert.ErrorContains(t, err, "cannot be imported into the current release")
	})

	step("what is uninstalled leaves the definition, every ChangeTriggeredJob, and what was seen", func(t *testing.T) {
		running.Stop(t)
		out := i.helm(t, "uninstall", release)
		assert.Contains(t, out, "changetriggeredjobs.triggers.changejob.dev")
		assert.Contains(t, i.columns(t), newColumn)
		require.NoError(t, i.Client.Get(t.Context(), client.ObjectKeyFromObject(ctj), ctj))
		assert.EqualValues(t, 3, ctj.Status.TriggerCount)
		named(t, i, "kube-changejob-hash-key", &corev1.Secret{})
		for _, object := range rendersTo(t, "") {
			err := i.Client.Get(t.Context(), client.ObjectKeyFromObject(object), object)
			if object.GetKind() != "CustomResourceDefinition" {
				assert.True(t, apierrors.IsNotFound(err), "%s %s: %v", object.GetKind(), object.GetName(), err)
			}
		}
	})

	i.change(t, namespace, "four")
	step("what is installed again goes on where it was", func(t *testing.T) {
		i.helm(t, "install", release, chart)
	})
	running = nil
	restart()
	step("and a change in between gets its Job", func(t *testing.T) {
		i.await(t, ctj, 4, failover)
		assert.NotContains(t, running.Log(), "forbidden")
	})
}

// TestAReleaseTakesOverWhatWasApplied installs the chart over config/default, without the operator.
func TestAReleaseTakesOverWhatWasApplied(t *testing.T) {
	i := install(t, "default")
	require.NoError(t, i.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-a"}}))
	// Nobody answers for the webhook.
	kept := watching("kept", v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "team-a", Name: "c"})
	require.NoError(t, i.Client.Delete(t.Context(), &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: webhookConfig}}))
	require.EventuallyWithT(t, func(c *assert.CollectT) { require.NoError(c, i.Client.Create(t.Context(), kept)) }, waitFor, tick)
	_, err := i.tryHelm(t, "install", release, chart)
	require.ErrorContains(t, err, "cannot be imported into the current release")

	// kubectl stays an owner of what it has applied, and Helm takes away nothing that another owns: of the Deployment, which values take
	// something from, nothing may stay.
	require.NoError(t, i.Client.Delete(t.Context(), named(t, i, operator, &appsv1.Deployment{})))
	i.helm(t, "install", release, chart, "--take-ownership", "--force-conflicts")
	require.NoError(t, i.Client.Get(t.Context(), client.ObjectKeyFromObject(kept), kept))
	for _, object := range rendersTo(t, "") {
		live := object.DeepCopy()
		require.NoError(t, i.Client.Get(t.Context(), client.ObjectKeyFromObject(object), live), object.GetName())
		assert.Equal(t, "Helm", live.GetLabels()["app.kubernetes.io/managed-by"], "%s %s", object.GetKind(), object.GetName())
	}
	limits := func() corev1.ResourceList {
		return named(t, i, operator, &appsv1.Deployment{}).Spec.Template.Spec.Containers[0].Resources.Limits
	}
	assert.Contains(t, limits(), corev1.ResourceCPU)
	i.helm(t, "upgrade", release, chart, "--set=manager.replicas=2", "--set=manager.resources.limits.cpu=null", "--force-conflicts")
	assert.NotContains(t, limits(), corev1.ResourceCPU, "what a value takes away is gone")
	i.helm(t, "uninstall", release)
	require.NoError(t, i.Client.Get(t.Context(), client.ObjectKeyFromObject(kept), kept))
}

// TestTheOtherWayToACertificateGoesOverWhatWasApplied: kubectl's part of the Deployment stays, and beside it Helm's, of which the volume is another.
func TestTheOtherWayToACertificateGoesOverWhatWasApplied(t *testing.T) {
	i := install(t, "default")
	deployment := find(rendersTo(t, `{certManager: {enabled: true}}`), "Deployment", operator)
	require.NotNil(t, deployment)
	require.NoError(t, i.Client.Patch(t.Context(), deployment, client.Apply, client.ForceOwnership, client.FieldOwner("helm"))) //nolint:staticcheck // of any kind
	pod := named(t, i, operator, &appsv1.Deployment{}).Spec.Template.Spec
	mount := pod.Containers[0].VolumeMounts[0]
	require.Len(t, pod.Containers[0].VolumeMounts, 1)
	assert.True(t, slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name && v.Secret != nil }))
}

// TestTheCommandsOfThePageAboutHelm runs what docs/helm.md shows, in its order, with the chart of the work tree in place of the registry's. There are no
// nodes to wait for.
func TestTheCommandsOfThePageAboutHelm(t *testing.T) {
	i := &installation{apiserver.Start(t)}
	require.NoError(t, i.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-a"}}))
	page, err := os.ReadFile("../../docs/helm.md")
	require.NoError(t, err)
	folder, err := filepath.Abs(chart)
	require.NoError(t, err)
	shortened := strings.NewReplacer("oci://ghcr.io/nusnewob/charts/kube-changejob --version "+version(t), folder, " --wait --timeout 5m", "")
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(kubeconfig, i.KubeConfig, 0o600))
	programs := t.TempDir()
	helm := helmCommand(t)
	for name, program := range map[string]string{"helm": helm.Path, "kubectl": i.Kubectl().Path} {
		absolute, err := filepath.Abs(program)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(absolute, filepath.Join(programs, name)))
	}
	bash := func(t *testing.T, script string) {
		t.Helper()
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
		cmd.Env = append(slices.Clone(helm.Env), "KUBECONFIG="+kubeconfig, "PATH="+programs+":"+os.Getenv("PATH"),
			"LOCALCLUSTER_PARENT=") // a shell stands between us and kubectl
		out, err := outputOf(cmd)
		require.NoError(t, err, script)
		t.Log(out)
	}
	blocks := regexp.MustCompile("(?ms)^```bash\n(.*?)^```").FindAllStringSubmatch(string(page), -1)
	require.Len(t, blocks, 8)
	for _, block := range blocks {
		if strings.Contains(block[1], "kubectl delete crd") {
			continue // it is the end of all, and of TestHelm in test/e2e
		}
		if strings.Contains(block[1], "--take-ownership") {
			bash(t, "helm uninstall kube-changejob --namespace "+system+"; kubectl apply --server-side --force-conflicts -k "+filepath.Join(folder, "../../default"))
		}
		bash(t, shortened.Replace(block[1]))
		switch {
		case strings.Contains(block[1], "runAsUser=null"):
			context := named(t, i, operator, &appsv1.Deployment{}).Spec.Template.Spec.SecurityContext
			assert.Nil(t, context.RunAsUser)
			assert.Nil(t, context.RunAsGroup)
			assert.Nil(t, context.FSGroup)
			assert.True(t, *context.RunAsNonRoot)
		case strings.Contains(block[1], "--take-ownership"):
			limits := func() corev1.ResourceList {
				return named(t, i, operator, &appsv1.Deployment{}).Spec.Template.Spec.Containers[0].Resources.Limits
			}
			require.Contains(t, limits(), corev1.ResourceCPU)
			i.helm(t, "upgrade", release, chart, "--reuse-values", "--set=manager.resources.limits.cpu=null", "--force-conflicts")
			require.NotContains(t, limits(), corev1.ResourceCPU, "what a value takes away is gone")
		case strings.Contains(block[1], "kubectl label"):
			namespace := &corev1.Namespace{}
			require.NoError(t, i.Client.Get(t.Context(), types.NamespacedName{Name: system}, namespace))
			labels := namespace.Labels
			for name, value := range find(render(t, config+"/default"), "Namespace", system).GetLabels() {
				if strings.HasPrefix(name, "pod-security") {
					assert.Equal(t, value, labels[name], name)
				}
			}
		case strings.Contains(block[1], "reading.everything=false"):
			require.NoError(t, i.Client.Get(t.Context(), types.NamespacedName{Namespace: "team-a", Name: reads}, &rbacv1.Role{}))
			require.NoError(t, i.Client.Get(t.Context(), types.NamespacedName{Name: reads}, &rbacv1.ClusterRole{}))
			assert.Contains(t, named(t, i, operator, &appsv1.Deployment{}).Spec.Template.Spec.Containers[0].Args, "--watch-namespaces=team-a")
		}
	}
}
