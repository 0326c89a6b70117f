// Package manifests tests what config/ renders to, and installs it on a real API server.
package manifests

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

const (
	config    = "../../config"
	system    = "kube-changejob-system"
	operator  = "kube-changejob-controller-manager"
	repo      = "github.com/nusnewob/kube-changejob"
	imageName = "ghcr.io/nusnewob/kube-changejob"
)

var server *apiserver.Server

func TestMain(m *testing.M) { os.Exit(apiserver.Main(m, &server)) }

// kubectl runs a command that must succeed, and returns what it printed.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	cmd := server.Kubectl(args...)
	stderr := &bytes.Buffer{}
	cmd.Stderr = stderr
	out, err := cmd.Output()
	require.NoError(t, err, "kubectl %s\n%s", strings.Join(args, " "), stderr)
	return string(out)
}

// rendered holds what render has built: no test changes it.
var rendered = map[string][]*unstructured.Unstructured{}

// render builds a kustomization as kubectl does.
func render(t *testing.T, dir string) []*unstructured.Unstructured {
	t.Helper()
	if objects := rendered[dir]; objects != nil {
		return objects
	}
	var objects []*unstructured.Unstructured
	for document := range strings.SplitSeq(kubectl(t, "kustomize", dir), "\n---\n") {
		object := &unstructured.Unstructured{}
		require.NoError(t, yaml.Unmarshal([]byte(document), &object.Object))
		objects = append(objects, object)
	}
	rendered[dir] = objects
	return objects
}

// find returns the one object of this kind and name, or nil.
func find(objects []*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	for _, object := range objects {
		if object.GetKind() == kind && object.GetName() == name {
			return object
		}
	}
	return nil
}

// get converts the object of this kind and name to its type.
func get[T any](t *testing.T, objects []*unstructured.Unstructured, kind, name string) *T {
	t.Helper()
	object := find(objects, kind, name)
	require.NotNil(t, object, "%s %s", kind, name)
	into := new(T)
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, into, true))
	return into
}

func kustomizations(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(config + "/*/kustomization.yaml")
	require.NoError(t, err)
	dirs := make([]string, len(files))
	for i, file := range files {
		dirs[i] = filepath.Dir(file)
	}
	require.Contains(t, dirs, filepath.Join(config, "default"))
	return dirs
}

func TestEveryImageHasTheVersionOfTheMakefile(t *testing.T) {
	want := "v" + version(t)
	image := regexp.MustCompile(`image: (\S+)`)
	for _, dir := range kustomizations(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			out := kubectl(t, "kustomize", dir)
			require.NotEmpty(t, out)
			for _, match := range image.FindAllStringSubmatch(out, -1) {
				assert.NotRegexp(t, `:latest$|^[^:]+$`, match[1], "an image names a version")
				if strings.HasPrefix(match[1], imageName) {
					_, tag, _ := strings.Cut(match[1], ":")
					assert.Equal(t, want, tag, match[1])
				}
			}
		})
	}
}

func TestTheDefaultHasTheNamesOfTheUserGuide(t *testing.T) {
	objects := render(t, config+"/default")
	for _, want := range []struct{ kind, name string }{
		{"Namespace", system},
		{"CustomResourceDefinition", "changetriggeredjobs.triggers.changejob.dev"},
		{"Deployment", operator},
		{"ServiceAccount", operator},
		{"ClusterRole", "kube-changejob-manager-role"},
		{"ClusterRole", "kube-changejob-metrics-reader"},
		{"Secret", "kube-changejob-webhook-cert"},
		{"ValidatingWebhookConfiguration", "kube-changejob-validating-webhook-configuration"},
	} {
		assert.NotNil(t, find(objects, want.kind, want.name), "%s %s", want.kind, want.name)
	}
}

func TestWhatIsNamespacedIsInTheOperatorsNamespace(t *testing.T) {
	clusterScoped := map[string]bool{
		"Namespace": true, "CustomResourceDefinition": true, "ClusterRole": true, "ClusterRoleBinding": true,
		"ValidatingWebhookConfiguration": true,
	}
	for _, dir := range []string{"default", "certmanager", "prometheus", "grafana", "network-policy"} {
		for _, object := range render(t, filepath.Join(config, dir)) {
			want := system
			if clusterScoped[object.GetKind()] {
				want = ""
			}
			assert.Equal(t, want, object.GetNamespace(), "%s: %s %s", dir, object.GetKind(), object.GetName())
			assert.Equal(t, "kube-changejob", object.GetLabels()["app.kubernetes.io/name"])
		}
	}
}

func TestTheNamespaceEnforcesBaselineAndWarnsRestricted(t *testing.T) {
	labels := find(render(t, config+"/default"), "Namespace", system).GetLabels()
	assert.Equal(t, "baseline", labels["pod-security.kubernetes.io/enforce"])
	assert.Equal(t, "restricted", labels["pod-security.kubernetes.io/warn"])
}

func TestTheOperatorRunsWithLeastPrivilege(t *testing.T) {
	for _, dir := range []string{"default", "certmanager"} {
		t.Run(dir, func(t *testing.T) {
			deployment := get[appsv1.Deployment](t, render(t, filepath.Join(config, dir)), "Deployment", operator)
			assert.EqualValues(t, 1, *deployment.Spec.Replicas)
			pod := deployment.Spec.Template.Spec
			require.Len(t, pod.Containers, 1)
			container := pod.Containers[0]
			assert.True(t, *pod.SecurityContext.RunAsNonRoot)
			assert.EqualValues(t, 65532, *pod.SecurityContext.RunAsUser)
			assert.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, pod.SecurityContext.SeccompProfile.Type)
			assert.True(t, *container.SecurityContext.ReadOnlyRootFilesystem)
			assert.False(t, *container.SecurityContext.AllowPrivilegeEscalation)
			assert.Equal(t, []corev1.Capability{"ALL"}, container.SecurityContext.Capabilities.Drop)
			for _, resource := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
				assert.Contains(t, container.Resources.Requests, resource)
				assert.Contains(t, container.Resources.Limits, resource)
			}
			assert.Equal(t, "/healthz", container.LivenessProbe.HTTPGet.Path)
			assert.Equal(t, "/readyz", container.ReadinessProbe.HTTPGet.Path)
		})
	}
}

func TestTheGarbageCollectorKnowsTheMemoryLimit(t *testing.T) {
	deployment := get[appsv1.Deployment](t, render(t, config+"/default"), "Deployment", operator)
	container := deployment.Spec.Template.Spec.Containers[0]
	i := slices.IndexFunc(container.Env, func(e corev1.EnvVar) bool { return e.Name == "GOMEMLIMIT" })
	require.GreaterOrEqual(t, i, 0)
	soft, err := resource.ParseQuantity(strings.TrimSuffix(container.Env[i].Value, "B")) // Go's MiB is Kubernetes' Mi
	require.NoError(t, err)
	assert.InDelta(t, 0.9, soft.AsApproximateFloat64()/container.Resources.Limits.Memory().AsApproximateFloat64(), 0.01)
}

func TestTheWebhookIsReachedAndAskedOnlyWhereItMatters(t *testing.T) {
	objects := render(t, config+"/default")
	hooks := get[admissionv1.ValidatingWebhookConfiguration](t, objects,
		"ValidatingWebhookConfiguration", "kube-changejob-validating-webhook-configuration").Webhooks
	require.Len(t, hooks, 1)
	hook := hooks[0]
	assert.Equal(t, admissionv1.Fail, *hook.FailurePolicy)
	assert.Equal(t, admissionv1.SideEffectClassNone, *hook.SideEffects)
	assert.EqualValues(t, 10, *hook.TimeoutSeconds)
	assert.Len(t, hook.MatchConditions, 2)
	require.Len(t, hook.Rules, 1)
	assert.Equal(t, []string{"changetriggeredjobs"}, hook.Rules[0].Resources, "status writes are not checked")

	reference := hook.ClientConfig.Service
	require.NotNil(t, reference)
	assert.Equal(t, system, reference.Namespace)
	service := get[corev1.Service](t, objects, "Service", reference.Name)
	deployment := get[appsv1.Deployment](t, objects, "Deployment", operator)
	assert.Subset(t, deployment.Spec.Template.Labels, service.Spec.Selector)
	assert.Equal(t, "webhook", service.Spec.Ports[0].TargetPort.String())
	assert.Contains(t, deployment.Spec.Template.Spec.Containers[0].Ports, corev1.ContainerPort{Name: "webhook", ContainerPort: 9443})
}

func TestWithCertManagerTheOperatorHasNoRightToTheCertificate(t *testing.T) {
	objects := render(t, config+"/certmanager")
	for _, kind := range []string{"Role", "ClusterRole"} {
		for _, object := range objects {
			if object.GetKind() == kind {
				assert.NotContains(t, object.GetName(), "webhook-cert")
			}
		}
	}
	assert.Nil(t, find(objects, "Secret", "kube-changejob-webhook-cert"), "cert-manager makes it")
	pod := get[appsv1.Deployment](t, objects, "Deployment", operator).Spec.Template.Spec
	assert.Contains(t, pod.Containers[0].Args, "--webhook-cert=files")
	assert.NotContains(t, pod.Containers[0].Args, "--webhook-cert=self")

	certificate := find(objects, "Certificate", "kube-changejob-webhook-cert")
	require.NotNil(t, certificate)
	secret, _, _ := unstructured.NestedString(certificate.Object, "spec", "secretName")
	assert.Equal(t, secret, pod.Volumes[0].Secret.SecretName)
	names, _, _ := unstructured.NestedStringSlice(certificate.Object, "spec", "dnsNames")
	assert.Contains(t, names, "kube-changejob-webhook-service.kube-changejob-system.svc")
	hook := find(objects, "ValidatingWebhookConfiguration", "kube-changejob-validating-webhook-configuration")
	assert.Equal(t, system+"/"+certificate.GetName(), hook.GetAnnotations()["cert-manager.io/inject-ca-from"])
}

// Whoever goes from one way to a certificate to the other leaves behind what kubectl does not prune: it must be nobody else's.
func TestTheCertificateOfCertManagerIsInNoSecretOfTheOperators(t *testing.T) {
	own, issued := render(t, config+"/default"), render(t, config+"/certmanager")
	kept := get[corev1.Secret](t, own, "Secret", "kube-changejob-webhook-cert").Name
	for _, object := range issued {
		if object.GetKind() == "Certificate" {
			secret, _, _ := unstructured.NestedString(object.Object, "spec", "secretName")
			require.NotEmpty(t, secret)
			assert.NotEqual(t, kept, secret, "%s: the operator and cert-manager would write it in turn, without an end", object.GetName())
		}
	}
	// A volume that two have applied, each with one kind of source, has both, which is refused.
	volume := func(objects []*unstructured.Unstructured) corev1.Volume {
		pod := get[appsv1.Deployment](t, objects, "Deployment", operator).Spec.Template.Spec
		require.Len(t, pod.Volumes, 1)
		assert.Equal(t, pod.Volumes[0].Name, pod.Containers[0].VolumeMounts[0].Name)
		return pod.Volumes[0]
	}
	assert.NotNil(t, volume(own).EmptyDir)
	assert.NotNil(t, volume(issued).Secret)
	assert.NotEqual(t, volume(own).Name, volume(issued).Name)
}

func TestWithCertManagerTheCAOutlivesTheServingCertificate(t *testing.T) {
	objects := render(t, config+"/certmanager")
	text := func(kind, name string, fields ...string) string {
		object := find(objects, kind, name)
		require.NotNil(t, object, "%s %s", kind, name)
		value, _, err := unstructured.NestedString(object.Object, fields...)
		require.NoError(t, err)
		return value
	}
	length := func(certificate string) time.Duration {
		duration, err := time.ParseDuration(text("Certificate", certificate, "spec", "duration"))
		require.NoError(t, err)
		return duration
	}
	issuer := text("Certificate", "kube-changejob-webhook-cert", "spec", "issuerRef", "name")
	ca := text("Issuer", issuer, "spec", "ca", "secretName")
	require.NotEmpty(t, ca, "the serving certificate is not signed by itself")
	assert.Equal(t, ca, text("Certificate", "kube-changejob-webhook-ca", "spec", "secretName"))
	isCA, _, _ := unstructured.NestedBool(find(objects, "Certificate", "kube-changejob-webhook-ca").Object, "spec", "isCA")
	assert.True(t, isCA)
	assert.GreaterOrEqual(t, length("kube-changejob-webhook-ca"), 10*365*24*time.Hour)
	assert.Less(t, length("kube-changejob-webhook-cert"), 365*24*time.Hour)
}

func TestRolesOfUsersAreAddedToTheClustersOwn(t *testing.T) {
	objects := render(t, config+"/default")
	for name, aggregate := range map[string]string{"admin": "admin", "editor": "edit", "viewer": "view"} {
		role := find(objects, "ClusterRole", "kube-changejob-changetriggeredjob-"+name+"-role")
		require.NotNil(t, role, name)
		assert.Equal(t, "true", role.GetLabels()["rbac.authorization.k8s.io/aggregate-to-"+aggregate])
	}
}
