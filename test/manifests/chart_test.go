package manifests

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

const (
	chart      = config + "/helm/chart"
	release    = "kube-changejob"
	keepPolicy = "helm.sh/resource-policy"
)

// helmCommand is the command `helm args…`, which knows no cluster and keeps its own files in a folder that goes with the test.
func helmCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	root, err := apiserver.Root()
	require.NoError(t, err)
	program := filepath.Join(root, "bin", "helm")
	require.FileExists(t, program, "make bin/helm")
	home := t.TempDir()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "HOME="+home, "KUBECONFIG="+filepath.Join(home, "kubeconfig"), "HELM_CACHE_HOME="+home+"/cache",
		"HELM_CONFIG_HOME="+home+"/config", "HELM_DATA_HOME="+home+"/data")
	return cmd
}

// outputOf runs a command and returns what it printed.
func outputOf(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s%s", err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// given writes values into a file.
func given(t *testing.T, values string) string {
	t.Helper()
	// A test's own folder may have a comma in its name, at which Helm would part it.
	file, err := os.CreateTemp("", "values-*.yaml")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.Remove(file.Name()) })
	_, err = file.WriteString(values)
	require.NoError(t, errors.Join(err, file.Close()))
	return file.Name()
}

// template renders the chart with these values.
func template(t *testing.T, values string) ([]*unstructured.Unstructured, error) {
	t.Helper()
	out, err := outputOf(helmCommand(t, "template", release, chart, "--namespace="+system, "--values="+given(t, values)))
	if err != nil {
		return nil, err
	}
	return parseAll(t, out), nil
}

// parseAll reads what Helm has rendered.
func parseAll(t *testing.T, manifests string) (objects []*unstructured.Unstructured) {
	t.Helper()
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(manifests)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}
		require.NoError(t, err)
		object := &unstructured.Unstructured{}
		require.NoError(t, yaml.Unmarshal(document, &object.Object))
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

func rendersTo(t *testing.T, values string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := template(t, values)
	require.NoError(t, err)
	return objects
}

// without drops from objects what Helm adds to them and what kustomize does, and leaves the order of flags open: what remains must be the
// same.
func without(objects []*unstructured.Unstructured) map[string]map[string]any {
	plain := map[string]map[string]any{}
	for _, object := range objects {
		object = object.DeepCopy()
		for _, label := range []string{"helm.sh/chart", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by"} {
			unstructured.RemoveNestedField(object.Object, "metadata", "labels", label)
		}
		if annotations := object.GetAnnotations(); annotations[keepPolicy] != "" {
			delete(annotations, keepPolicy)
			object.SetAnnotations(annotations)
		}
		if containers, found, _ := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers"); found {
			for _, container := range containers {
				args := container.(map[string]any)["args"].([]any)
				slices.SortFunc(args, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
			}
			_ = unstructured.SetNestedSlice(object.Object, containers, "spec", "template", "spec", "containers")
		}
		plain[strings.Join([]string{object.GetKind(), object.GetNamespace(), object.GetName()}, "/")] = object.Object
	}
	return plain
}

// values that each make the chart what a folder of config/ is, or several.
var sameAs = map[string]struct {
	values  string
	folders []string
}{
	"as it is": {folders: []string{"default"}},
	"with cert-manager": {
		values:  `{certManager: {enabled: true}}`,
		folders: []string{"certmanager"},
	},
	"with a ServiceMonitor and alerts": {
		values:  `{prometheus: {enabled: true}}`,
		folders: []string{"default", "prometheus"},
	},
	"with the dashboard": {
		values:  `{grafana: {enabled: true}}`,
		folders: []string{"default", "grafana"},
	},
	"with network policies": {
		values:  `{networkPolicy: {enabled: true}}`,
		folders: []string{"default", "network-policy"},
	},
	"with all of them": {
		values:  `{certManager: {enabled: true}, prometheus: {enabled: true}, grafana: {enabled: true}, networkPolicy: {enabled: true}}`,
		folders: []string{"certmanager", "prometheus", "grafana", "network-policy"},
	},
}

func TestTheChartIsWhatIsAppliedWithoutIt(t *testing.T) {
	for name, test := range sameAs {
		t.Run(name, func(t *testing.T) {
			want := map[string]map[string]any{}
			for _, folder := range test.folders {
				maps.Copy(want, without(render(t, filepath.Join(config, folder))))
			}
			// Helm makes the namespace, or finds it.
			delete(want, "Namespace//"+system)
			got := without(rendersTo(t, test.values))
			assert.ElementsMatch(t, slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(got)))
			for id, object := range want {
				assert.Equal(t, object, got[id], id)
			}
		})
	}
}

func TestTheChartLabelsWhatIsItsOwn(t *testing.T) {
	for _, object := range rendersTo(t, sameAs["with all of them"].values) {
		id := object.GetKind() + " " + object.GetName()
		labels := object.GetLabels()
		assert.Equal(t, "kube-changejob", labels["app.kubernetes.io/name"], id)
		assert.Equal(t, "Helm", labels["app.kubernetes.io/managed-by"], id)
		assert.Equal(t, release, labels["app.kubernetes.io/instance"], id)
		assert.Equal(t, "kube-changejob-"+version(t), labels["helm.sh/chart"], id)
	}
}

// A new version of the chart that changes nothing else restarts nothing.
func TestPodsDoNotDifferByTheVersionOfTheChart(t *testing.T) {
	pod := get[appsv1.Deployment](t, rendersTo(t, ""), "Deployment", operator).Spec.Template
	for key, value := range pod.Labels {
		assert.NotContains(t, value, version(t), key)
	}
}

func TestTheDefinitionOutlivesTheChart(t *testing.T) {
	for _, values := range []string{"", `{crd: {enabled: true}}`} {
		crd := find(rendersTo(t, values), "CustomResourceDefinition", "changetriggeredjobs.triggers.changejob.dev")
		require.NotNil(t, crd)
		assert.Equal(t, "keep", crd.GetAnnotations()[keepPolicy])
	}
}

// Whatever the release is called, and wherever it is: the operator knows its own objects by name.
func TestNamesDoNotDependOnTheRelease(t *testing.T) {
	names := func(args ...string) (names []string) {
		out, err := outputOf(helmCommand(t, append([]string{"template", "--values=" + given(t, sameAs["with all of them"].values)}, args...)...))
		require.NoError(t, err)
		for _, object := range parseAll(t, out) {
			names = append(names, object.GetKind()+" "+object.GetName())
		}
		return names
	}
	want := names(release, chart, "--namespace="+system)
	assert.Equal(t, want, names("another", chart, "--namespace="+system))
	assert.Equal(t, want, names(release, chart, "--namespace=elsewhere"))
}

func TestTheChartFollowsItsNamespace(t *testing.T) {
	out, err := outputOf(helmCommand(t, "template", release, chart, "--namespace=elsewhere", "--values="+given(t, sameAs["with all of them"].values)))
	require.NoError(t, err)
	assert.NotContains(t, out, system)
	for _, object := range parseAll(t, out) {
		if object.GetNamespace() != "" {
			assert.Equal(t, "elsewhere", object.GetNamespace(), object.GetName())
		}
	}
	assert.Contains(t, out, "kube-changejob-webhook-service.elsewhere.svc\n")
	assert.Contains(t, out, "cert-manager.io/inject-ca-from: elsewhere/kube-changejob-webhook-cert\n")
}

// version is the Makefile's.
func version(t *testing.T) string {
	t.Helper()
	makefile, err := os.ReadFile("../../Makefile")
	require.NoError(t, err)
	found := regexp.MustCompile(`(?m)^VERSION \?= (\S+)$`).FindSubmatch(makefile)
	require.NotNil(t, found)
	return string(found[1])
}

// rendering is what the chart makes of some values.
type rendering struct {
	objects    []*unstructured.Unstructured
	deployment *appsv1.Deployment
	pod        corev1.PodSpec
	container  corev1.Container
}

func (r rendering) env(name string) (values []string) {
	for _, variable := range r.container.Env {
		if variable.Name == name {
			values = append(values, variable.Value)
		}
	}
	return values
}

// Every value that is not one of sameAs, and what it does.
var does = map[string]struct {
	values string
	check  func(t *testing.T, r rendering)
}{
	"replicas": {`{manager: {replicas: 3}}`, func(t *testing.T, r rendering) {
		assert.EqualValues(t, 3, *r.deployment.Spec.Replicas)
	}},
	"no replicas, for a while": {`{manager: {replicas: 0}}`, func(t *testing.T, r rendering) {
		assert.Zero(t, *r.deployment.Spec.Replicas)
	}},
	"another image": {`{manager: {image: {repository: registry.example.com/kube-changejob, tag: v9, pullPolicy: Always}}}`, func(t *testing.T, r rendering) {
		assert.Equal(t, "registry.example.com/kube-changejob:v9", r.container.Image)
		assert.Equal(t, corev1.PullAlways, r.container.ImagePullPolicy)
	}},
	"an image by its digest": {`{manager: {image: {repository: "ghcr.io/nusnewob/kube-changejob@sha256:` + digest + `"}}}`, func(t *testing.T, r rendering) {
		assert.Equal(t, "ghcr.io/nusnewob/kube-changejob@sha256:"+digest, r.container.Image)
	}},
	"secrets for the registry": {`{manager: {imagePullSecrets: [{name: registry}]}}`, func(t *testing.T, r rendering) {
		assert.Equal(t, []corev1.LocalObjectReference{{Name: "registry"}}, r.pod.ImagePullSecrets)
	}},
	"more memory, of which the garbage collector knows": {`{manager: {resources: {requests: {cpu: 100m, memory: 1Gi}, limits: {cpu: 2, memory: 3Gi}}}}`,
		func(t *testing.T, r rendering) {
			assert.Equal(t, "3Gi", r.container.Resources.Limits.Memory().String())
			assert.Equal(t, "100m", r.container.Resources.Requests.Cpu().String())
			assert.Equal(t, []string{"2764MiB"}, r.env("GOMEMLIMIT"))
		}},
	"no limit of memory": {`{manager: {resources: {limits: null}}}`, func(t *testing.T, r rendering) {
		assert.Empty(t, r.container.Resources.Limits)
		assert.NotEmpty(t, r.container.Resources.Requests)
		assert.Empty(t, r.env("GOMEMLIMIT"))
	}},
	"more flags": {`{manager: {args: [--log-level=debug, "--otlp-endpoint=http://collector:4317"]}}`, func(t *testing.T, r rendering) {
		assert.Subset(t, r.container.Args, []string{"--log-level=debug", "--otlp-endpoint=http://collector:4317", "--leader-elect", "--webhook-cert=self"})
	}},
	"a flag is no template": {`{manager: {args: ["--otlp-endpoint={{ .Values }}"]}}`, func(t *testing.T, r rendering) {
		assert.Contains(t, r.container.Args, "--otlp-endpoint={{ .Values }}")
	}},
	"more of the environment": {`{manager: {env: [{name: A, value: "1"}, {name: B, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]}}`,
		func(t *testing.T, r rendering) {
			assert.Equal(t, []string{"1"}, r.env("A"))
			assert.Len(t, r.env("POD_NAMESPACE"), 1)
			assert.Len(t, r.env("GOMEMLIMIT"), 1)
			assert.Equal(t, "spec.nodeName", r.container.Env[len(r.container.Env)-1].ValueFrom.FieldRef.FieldPath)
		}},
	"what the chart sets of the environment is set once": {`{manager: {env: [{name: GOMEMLIMIT, value: 100MiB}]}}`, func(t *testing.T, r rendering) {
		assert.Equal(t, []string{"100MiB"}, r.env("GOMEMLIMIT"))
	}},
	"certificates of the authorities that vouch for a collector of traces": {`{manager: {
    volumes: [{name: authorities, configMap: {name: authorities}}], volumeMounts: [{name: authorities, mountPath: /etc/authorities, readOnly: true}],
    env: [{name: OTEL_EXPORTER_OTLP_CERTIFICATE, value: /etc/authorities/ca.crt}]}}`, func(t *testing.T, r rendering) {
		require.Len(t, r.pod.Volumes, 2)
		assert.Equal(t, "authorities", r.pod.Volumes[1].ConfigMap.Name)
		require.Len(t, r.container.VolumeMounts, 2, "beside that of the webhook's certificate")
		assert.Equal(t, corev1.VolumeMount{Name: "authorities", MountPath: "/etc/authorities", ReadOnly: true}, r.container.VolumeMounts[1])
	}},
	"a volume beside cert-manager's": {`{certManager: {enabled: true}, manager: {
    volumes: [{name: more, emptyDir: {}}], volumeMounts: [{name: more, mountPath: /more}]}}`, func(t *testing.T, r rendering) {
		require.Len(t, r.pod.Volumes, 2)
		assert.Equal(t, "kube-changejob-webhook-tls", r.pod.Volumes[0].Secret.SecretName)
		assert.Equal(t, "more", r.container.VolumeMounts[1].Name)
	}},
	"security contexts, as OpenShift wants them": {`{manager: {podSecurityContext: {runAsUser: null, runAsGroup: null, fsGroup: null},
    securityContext: {runAsNonRoot: true}}}`, func(t *testing.T, r rendering) {
		assert.Nil(t, r.pod.SecurityContext.RunAsUser)
		assert.True(t, *r.pod.SecurityContext.RunAsNonRoot, "what is not named stays")
		assert.True(t, *r.container.SecurityContext.RunAsNonRoot)
		assert.True(t, *r.container.SecurityContext.ReadOnlyRootFilesystem)
	}},
	"where it runs": {`{manager: {nodeSelector: {disk: ssd}, tolerations: [{key: infra, operator: Exists}], priorityClassName: system-cluster-critical,
    affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: kubernetes.io/hostname}}]}},
    topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]}}`, func(t *testing.T, r rendering) {
		assert.Equal(t, map[string]string{"disk": "ssd", "kubernetes.io/os": "linux"}, r.pod.NodeSelector)
		assert.Equal(t, []corev1.Toleration{{Key: "infra", Operator: corev1.TolerationOpExists}}, r.pod.Tolerations)
		assert.Equal(t, "system-cluster-critical", r.pod.PriorityClassName)
		assert.Len(t, r.pod.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution, 1)
		assert.Equal(t, "zone", r.pod.TopologySpreadConstraints[0].TopologyKey)
	}},
	"how long it has to end": {`{manager: {terminationGracePeriodSeconds: 60}}`, func(t *testing.T, r rendering) {
		assert.EqualValues(t, 60, *r.pod.TerminationGracePeriodSeconds)
	}},
	"labels and annotations of its pods": {`{manager: {pod: {labels: {team: platform}, annotations: {"sidecar.istio.io/inject": "false"}}}}`,
		func(t *testing.T, r rendering) {
			template := r.deployment.Spec.Template
			assert.Equal(t, "platform", template.Labels["team"])
			assert.Equal(t, "kube-changejob", template.Labels["app.kubernetes.io/name"])
			assert.Equal(t, "false", template.Annotations["sidecar.istio.io/inject"])
			assert.Equal(t, "manager", template.Annotations["kubectl.kubernetes.io/default-container"])
		}},
	"labels that lead to its pods are not another's": {`{manager: {pod: {labels: {control-plane: mine, app.kubernetes.io/name: mine}}}}`,
		func(t *testing.T, r rendering) {
			assert.Subset(t, r.deployment.Spec.Template.Labels, r.deployment.Spec.Selector.MatchLabels)
		}},
	"namespaces": {`{watchNamespaces: [team-a, team-b]}`, func(t *testing.T, r rendering) {
		assert.Contains(t, r.container.Args, "--watch-namespaces=team-a,team-b")
	}},
	"no definition": {`{crd: {enabled: false}}`, func(t *testing.T, r rendering) {
		assert.Nil(t, find(r.objects, "CustomResourceDefinition", "changetriggeredjobs.triggers.changejob.dev"))
		assert.Len(t, r.objects, len(rendersTo(t, ""))-1)
	}},
	"no metrics": {`{metrics: {enabled: false}}`, func(t *testing.T, r rendering) {
		assert.Contains(t, r.container.Args, "--metrics-bind-address=0")
		assert.NotContains(t, r.container.Args, "--metrics-bind-address=:8443")
		for _, object := range r.objects {
			assert.NotContains(t, object.GetName(), "metrics")
		}
	}},
	"no metrics, and policies": {`{metrics: {enabled: false}, networkPolicy: {enabled: true}}`, func(t *testing.T, r rendering) {
		assert.Nil(t, find(r.objects, "NetworkPolicy", "kube-changejob-allow-metrics-traffic"))
		assert.NotNil(t, find(r.objects, "NetworkPolicy", "kube-changejob-allow-webhook-traffic"))
	}},
	"labels by which the Prometheus operator selects": {`{prometheus: {enabled: true, labels: {release: kube-prometheus-stack}}}`, func(t *testing.T, r rendering) {
		for kind, name := range map[string]string{"ServiceMonitor": "kube-changejob-controller-manager-metrics-monitor", "PrometheusRule": "kube-changejob-alerts"} {
			object := find(r.objects, kind, name)
			require.NotNil(t, object, kind)
			assert.Equal(t, "kube-prometheus-stack", object.GetLabels()["release"], kind)
			assert.Equal(t, "kube-changejob", object.GetLabels()["app.kubernetes.io/name"], kind)
		}
	}},
	"less to read": {`{reading: {everything: false, cluster: [{apiGroups: [""], resources: [nodes]}], namespaces: {
    team-a: [{apiGroups: [""], resources: [configmaps]}],
    team-b: [{apiGroups: [""], resources: [configmaps]}, {apiGroups: [""], resources: [secrets], resourceNames: [database-credentials]}]}}}`,
		func(t *testing.T, r rendering) {
			narrow := without(render(t, config+"/narrow"))
			assert.Equal(t, narrow["ClusterRole//"+managerRole], without(r.objects)["ClusterRole//"+managerRole])
			verbs := []string{"list", "watch"}
			rule := func(kind string, names ...string) rbacv1.PolicyRule {
				return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{kind}, ResourceNames: names, Verbs: verbs}
			}
			assert.Equal(t, []rbacv1.PolicyRule{rule("nodes")}, get[rbacv1.ClusterRole](t, r.objects, "ClusterRole", reads).Rules)
			account := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: system, Name: operator}}
			binding := get[rbacv1.ClusterRoleBinding](t, r.objects, "ClusterRoleBinding", reads)
			assert.Equal(t, account, binding.Subjects)
			assert.Equal(t, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: reads}, binding.RoleRef)
			want := map[string][]rbacv1.PolicyRule{
				"team-a": {rule("configmaps")}, "team-b": {rule("configmaps"), rule("secrets", "database-credentials")},
			}
			for _, object := range r.objects {
				if object.GetName() != reads || object.GetNamespace() == "" {
					continue
				}
				one := []*unstructured.Unstructured{object}
				if object.GetKind() == "RoleBinding" {
					binding := get[rbacv1.RoleBinding](t, one, "RoleBinding", reads)
					assert.Equal(t, account, binding.Subjects)
					assert.Equal(t, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: reads}, binding.RoleRef)
					continue
				}
				assert.Equal(t, want[object.GetNamespace()], get[rbacv1.Role](t, one, "Role", reads).Rules)
				delete(want, object.GetNamespace())
			}
			assert.Empty(t, want)
		}},
	"nothing to read": {`{reading: {everything: false}}`, func(t *testing.T, r rendering) {
		assert.Nil(t, find(r.objects, "ClusterRole", reads))
		assert.Nil(t, find(r.objects, "ClusterRoleBinding", reads))
	}},
}

const (
	digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	reads  = "kube-changejob-reads"
)

func TestEachValueOfTheChartDoesWhatItSays(t *testing.T) {
	s := apiserver.Start(t) // on the one that the tests share, the namespace would be there before an installation
	for name, test := range does {
		t.Run(name, func(t *testing.T) {
			r := rendering{objects: rendersTo(t, test.values)}
			r.deployment = get[appsv1.Deployment](t, r.objects, "Deployment", operator)
			r.pod = r.deployment.Spec.Template.Spec
			require.Len(t, r.pod.Containers, 1)
			r.container = r.pod.Containers[0]
			test.check(t, r)
			isTaken(t, s, r.objects)
		})
	}
}

// isTaken applies the objects as Helm does, on trial: the API server refuses what is mistyped.
func isTaken(t *testing.T, s *apiserver.Server, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, namespace := range []string{system, "team-a", "team-b"} {
		err := s.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		require.True(t, err == nil || apierrors.IsAlreadyExists(err), err)
	}
	for _, object := range objects {
		if group, _, _ := strings.Cut(object.GetAPIVersion(), "/"); group == "monitoring.coreos.com" || group == "cert-manager.io" {
			continue // a kind that this server does not have
		}
		assert.NoError(t, s.Client.Patch(t.Context(), object.DeepCopy(), client.Apply, client.DryRunAll, client.FieldOwner("helm"), //nolint:staticcheck // of any kind
			client.FieldValidation("Strict")), "%s %s", object.GetKind(), object.GetName())
	}
}

func TestEveryValueOfTheChartIsTested(t *testing.T) {
	tested := map[string]bool{}
	for _, test := range sameAs {
		set(t, tested, test.values)
	}
	for _, test := range does {
		set(t, tested, test.values)
	}
	leaves(t, func(path string, _ map[string]any, value any) {
		assert.True(t, tested[path], "%s is not tested", path)
		assert.NotNil(t, value, "%s has no default in values.yaml", path)
	})
}

// leaves goes through what the schema lets be set, with its default.
func leaves(t *testing.T, visit func(path string, schema map[string]any, value any)) {
	t.Helper()
	var schema, values map[string]any
	for file, into := range map[string]*map[string]any{"values.schema.json": &schema, "values.yaml": &values} {
		content, err := os.ReadFile(filepath.Join(chart, file))
		require.NoError(t, err)
		require.NoError(t, yaml.Unmarshal(content, into))
	}
	var walk func(path string, schema map[string]any, value any)
	walk = func(path string, schema map[string]any, value any) {
		properties, _ := schema["properties"].(map[string]any)
		if properties == nil || path == "manager.resources" {
			visit(path, schema, value)
			return
		}
		fields, _ := value.(map[string]any)
		for name := range fields {
			assert.Contains(t, properties, name, "%s.%s is in values.yaml and not in its schema", path, name)
		}
		for name, property := range properties {
			if path != "" || name != "global" {
				walk(strings.TrimPrefix(path+"."+name, "."), property.(map[string]any), fields[name])
			}
		}
	}
	walk("", schema, values)
}

// set notes which values are set.
func set(t *testing.T, paths map[string]bool, text string) {
	values := map[string]any{}
	require.NoError(t, yaml.Unmarshal([]byte(text), &values), text)
	var walk func(path string, value any)
	walk = func(path string, value any) {
		paths[path] = true
		if fields, ok := value.(map[string]any); ok {
			for name, field := range fields {
				walk(strings.TrimPrefix(path+"."+name, "."), field)
			}
		}
	}
	walk("", values)
}

func TestAMistakenValueIsRefusedWithItsName(t *testing.T) {
	for name, test := range map[string]struct {
		values string
		words  []string
	}{
		"a name that the chart does not know":    {`{replicaCount: 2}`, []string{"replicaCount"}},
		"one that it does not know further down": {`{manager: {replica: 2}}`, []string{"/manager", "'replica'"}},
		"a number that is a text":                {`{manager: {replicas: "2"}}`, []string{"/manager/replicas", "integer"}},
		"fewer than none":                        {`{manager: {replicas: -1}}`, []string{"/manager/replicas"}},
		"a list that is a text":                  {`{watchNamespaces: "team-a,team-b"}`, []string{"/watchNamespaces", "array"}},
		"a namespace that cannot be one":         {`{watchNamespaces: ["team-a,team-b"]}`, []string{"/watchNamespaces/0"}},
		"a memory limit that cannot be told":     {`{manager: {resources: {limits: {memory: 1e9}}}}`, []string{"/manager/resources/limits/memory"}},
		"a limit of what is none":                {`{manager: {resources: {limits: {ram: 1Gi}}}}`, []string{"/manager/resources/limits", "'ram'"}},
		"a tag that holds an image":              {`{manager: {image: {tag: "repo:v1"}}}`, []string{"/manager/image/tag"}},
		"a policy that is none":                  {`{manager: {image: {pullPolicy: Sometimes}}}`, []string{"/manager/image/pullPolicy", "IfNotPresent"}},
		"a flag that is none":                    {`{manager: {args: [log-level=debug]}}`, []string{"/manager/args/0"}},
		"an operator without its webhook":        {`{manager: {env: [{name: ENABLE_WEBHOOKS, value: "false"}]}}`, []string{"manager.env", "ENABLE_WEBHOOKS", "would be refused"}},
		"a volume that the chart has":            {`{manager: {volumes: [{name: webhook-cert, emptyDir: {}}]}}`, []string{"/manager/volumes/0/name"}},
		"a mount of nowhere":                     {`{manager: {volumeMounts: [{name: a, mountPath: etc}]}}`, []string{"/manager/volumeMounts/0/mountPath"}},
		"what the chart sets":                    {`{manager: {env: [{name: POD_NAMESPACE, value: a}]}}`, []string{"manager.env", "POD_NAMESPACE"}},
		"verbs, which are list and watch":        {`{reading: {everything: false, cluster: [{apiGroups: [""], resources: [nodes], verbs: [get]}]}}`, []string{"/reading/cluster/0", "'verbs'"}},
		"rules for a namespace that is none":     {`{reading: {everything: false, namespaces: {"*": []}}}`, []string{"/reading/namespaces"}},
		"rules beside everything":                {`{reading: {cluster: [{apiGroups: [""], resources: [nodes]}]}}`, []string{"reading.everything"}},
		"a ServiceMonitor of no metrics":         {`{metrics: {enabled: false}, prometheus: {enabled: true}}`, []string{"prometheus.enabled", "metrics.enabled"}},
		"a switch that is no truth":              {`{certManager: {enabled: "yes"}}`, []string{"/certManager/enabled", "boolean"}},
		"a label that is no text":                {`{manager: {pod: {labels: {a: 1}}}}`, []string{"/manager/pod/labels/a"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := template(t, test.values)
			require.Error(t, err)
			for _, word := range test.words {
				assert.ErrorContains(t, err, word)
			}
		})
	}
}

func TestTheChartIsLinted(t *testing.T) {
	args := []string{"lint", "--strict", chart, "--namespace=" + system}
	out, err := outputOf(helmCommand(t, args...))
	require.NoError(t, err)
	assert.Contains(t, out, "0 chart(s) failed")
	for name, test := range sameAs {
		_, err := outputOf(helmCommand(t, append(args, "--values="+given(t, test.values))...))
		assert.NoError(t, err, name)
	}
}

func TestTheChartHasTheVersionOfTheMakefile(t *testing.T) {
	out, err := outputOf(helmCommand(t, "show", "chart", chart))
	require.NoError(t, err)
	assert.Contains(t, out, "\nversion: "+version(t)+"\n")
	assert.Contains(t, out, "appVersion: v"+version(t)+"\n")
	image := get[appsv1.Deployment](t, rendersTo(t, ""), "Deployment", operator).Spec.Template.Spec.Containers[0].Image
	assert.Equal(t, imageName+":v"+version(t), image)
}

// The page's table is what the schema and values.yaml say.
func TestTheTableOfValuesIsThatOfTheChart(t *testing.T) {
	page, err := os.ReadFile("../../docs/helm.md")
	require.NoError(t, err)
	rows := 0
	leaves(t, func(path string, schema map[string]any, value any) {
		standard, err := json.Marshal(value)
		require.NoError(t, err)
		shown := "`" + strings.NewReplacer(`,`, `, `, `:`, `: `).Replace(string(standard)) + "`"
		if text, ok := value.(string); ok {
			shown = "`" + strconv.Quote(text) + "`"
		}
		if fields, ok := value.(map[string]any); ok && len(fields) > 0 {
			shown = "as in `config/manager`"
		}
		rows++
		assert.Contains(t, string(page), "\n| `"+path+"` | "+shown+" | "+schema["description"].(string)+" |\n")
	})
	assert.Equal(t, rows, strings.Count(string(page), "\n| `"), "and no other")
}
