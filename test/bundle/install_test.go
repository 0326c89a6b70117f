package bundle

import (
	"maps"
	"regexp"
	"slices"
	"testing"

	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// What kustomize puts before every name.
const prefix = "kube-changejob-"

// TestTheDeploymentIsTheOneInConfig states every difference between what OLM runs and what `kubectl apply -k` does.
func TestTheDeploymentIsTheOneInConfig(t *testing.T) {
	specs := load(t).CSV.Spec.InstallStrategy.StrategySpec.DeploymentSpecs
	require.Len(t, specs, 1)
	deployment := readYAML[appsv1.Deployment](t, "config/manager/manager.yaml")
	want := deployment.Spec
	pod := &want.Template.Spec
	manager := &pod.Containers[0]

	// kustomize names it as it does in config/default.
	pod.ServiceAccountName = prefix + pod.ServiceAccountName
	// The certificate is OLM's: it mounts it where this Secret was.
	require.Equal(t, "--webhook-cert=self", manager.Args[3])
	manager.Args[3] = "--webhook-cert=files"
	require.Len(t, pod.Volumes, 1)
	require.Equal(t, "/tmp/k8s-webhook-server/serving-certs", manager.VolumeMounts[0].MountPath)
	pod.Volumes, manager.VolumeMounts = nil, nil
	// The user is the image's, or the one that OpenShift gives.
	pod.SecurityContext.RunAsUser, pod.SecurityContext.RunAsGroup, pod.SecurityContext.FSGroup = nil, nil, nil
	// The namespaces are the OperatorGroup's.
	manager.Env = slices.Insert(manager.Env, 0, corev1.EnvVar{Name: "WATCH_NAMESPACE", ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['olm.targetNamespaces']"},
	}})
	// The nodes are those that the labels of the ClusterServiceVersion promise.
	pod.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: "kubernetes.io/arch", Operator: corev1.NodeSelectorOpIn, Values: []string{"amd64", "arm64"}},
				{Key: "kubernetes.io/os", Operator: corev1.NodeSelectorOpIn, Values: []string{"linux"}},
			},
		}}},
	}}

	assert.Equal(t, prefix+deployment.Name, specs[0].Name)
	assert.Equal(t, want, specs[0].Spec)
	assert.Contains(t, manager.Env, corev1.EnvVar{Name: "POD_NAMESPACE", ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.namespace"},
	}})
}

// TestOpenShiftSaysAsWhomTheOperatorRuns: its SecurityContextConstraint restricted-v2 refuses a pod that names a user or group which is not among
// those of the namespace. A kubelet elsewhere can tell that the image's user is not root, for it is a number.
func TestOpenShiftSaysAsWhomTheOperatorRuns(t *testing.T) {
	require.Contains(t, readText(t, "config/catalog/community/ci.yaml"), "catalog_names: [v4.16,", "it is submitted to OpenShift's catalogs")
	for _, deployment := range load(t).CSV.Spec.InstallStrategy.StrategySpec.DeploymentSpecs {
		pod := deployment.Spec.Template.Spec
		assert.True(t, *pod.SecurityContext.RunAsNonRoot)
		assert.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, pod.SecurityContext.SeccompProfile.Type)
		assert.Nil(t, pod.SecurityContext.RunAsUser)
		assert.Nil(t, pod.SecurityContext.RunAsGroup)
		assert.Nil(t, pod.SecurityContext.FSGroup)
		assert.Empty(t, pod.SecurityContext.SupplementalGroups)
		assert.Nil(t, pod.SecurityContext.SELinuxOptions)
		for _, container := range pod.Containers {
			assert.Nil(t, container.SecurityContext.RunAsUser, container.Name)
			assert.Nil(t, container.SecurityContext.RunAsGroup, container.Name)
			assert.False(t, *container.SecurityContext.AllowPrivilegeEscalation, container.Name)
			assert.Equal(t, []corev1.Capability{"ALL"}, container.SecurityContext.Capabilities.Drop, container.Name)
		}
	}
	user := regexp.MustCompile(`(?m)^USER (\d+):\d+$`).FindStringSubmatch(readText(t, "Dockerfile"))
	require.NotNil(t, user, "the image's user is a number")
	assert.NotEqual(t, "0", user[1])
}

func TestPermissionsAreThoseOfConfigWithoutTheCertificates(t *testing.T) {
	strategy := load(t).CSV.Spec.InstallStrategy.StrategySpec
	require.Len(t, strategy.ClusterPermissions, 1)
	require.Len(t, strategy.Permissions, 1)

	var cluster, namespaced []rbacv1.PolicyRule
	for _, name := range []string{"olm/cluster_role", "rbac/metrics_auth_role"} {
		cluster = append(cluster, readYAML[rbacv1.ClusterRole](t, "config/"+name+".yaml").Rules...)
	}
	namespaced = append(namespaced, managersRules(t)...)
	for _, name := range []string{"leader_election_role", "hash_key_role"} {
		namespaced = append(namespaced, readYAML[rbacv1.Role](t, "config/rbac/"+name+".yaml").Rules...)
	}
	assert.ElementsMatch(t, cluster, strategy.ClusterPermissions[0].Rules)
	assert.ElementsMatch(t, namespaced, strategy.Permissions[0].Rules)
	for _, permissions := range [][]v1alpha1.StrategyDeploymentPermissions{strategy.ClusterPermissions, strategy.Permissions} {
		assert.Equal(t, prefix+"controller-manager", permissions[0].ServiceAccountName)
		for _, rule := range permissions[0].Rules {
			assert.NotContains(t, rule.APIGroups, "admissionregistration.k8s.io", "OLM writes the webhook configuration")
		}
	}
}

// managersRules are what the manager may do in the namespaces that it serves: all of its role but what is the cluster's.
func managersRules(t *testing.T) []rbacv1.PolicyRule {
	t.Helper()
	return slices.DeleteFunc(readYAML[rbacv1.ClusterRole](t, "config/rbac/role.yaml").Rules, func(rule rbacv1.PolicyRule) bool {
		return slices.Contains(rule.Resources, "subjectaccessreviews")
	})
}

// What the operator reads, and where it makes Jobs, is for the OperatorGroup to say.
func TestNothingButReviewsAndDefinitionsIsTheClusters(t *testing.T) {
	for _, rule := range load(t).CSV.Spec.InstallStrategy.StrategySpec.ClusterPermissions[0].Rules {
		for _, resource := range rule.Resources {
			assert.Contains(t, []string{"subjectaccessreviews", "tokenreviews", "customresourcedefinitions", "apiservices"}, resource)
		}
	}
}

// In AllNamespaces mode OLM lifts the namespaced permissions to the whole cluster.
func TestWhatOLMLiftsIsTheManagersRoleOrLimitedToNamesOrACreate(t *testing.T) {
	for _, rule := range load(t).CSV.Spec.InstallStrategy.StrategySpec.Permissions[0].Rules {
		if slices.ContainsFunc(managersRules(t), func(own rbacv1.PolicyRule) bool { return equality.Semantic.DeepEqual(own, rule) }) {
			continue
		}
		if len(rule.ResourceNames) == 0 {
			assert.Equal(t, []string{"create"}, rule.Verbs, "%v", rule)
			assert.Len(t, rule.Resources, 1)
			assert.Contains(t, []string{"secrets", "leases"}, rule.Resources[0], "config/olm says why these may be")
		}
	}
}

func TestEveryInstallModeIsSupported(t *testing.T) {
	supported := map[v1alpha1.InstallModeType]bool{}
	for _, mode := range load(t).CSV.Spec.InstallModes {
		supported[mode.Type] = mode.Supported
	}
	assert.Equal(t, map[v1alpha1.InstallModeType]bool{
		v1alpha1.InstallModeTypeOwnNamespace:    true,
		v1alpha1.InstallModeTypeSingleNamespace: true,
		v1alpha1.InstallModeTypeMultiNamespace:  true,
		v1alpha1.InstallModeTypeAllNamespaces:   true,
	}, supported)
}

// TestTheWebhookIsTheOneInConfig: all of it but the conditions in which it is not asked, which a
// ClusterServiceVersion cannot say; the webhook itself lets these pass.
func TestTheWebhookIsTheOneInConfig(t *testing.T) {
	csv := load(t).CSV
	require.Len(t, csv.Spec.WebhookDefinitions, 1)
	got := csv.Spec.WebhookDefinitions[0]
	want := readYAML[admissionv1.ValidatingWebhookConfiguration](t, "config/webhook/manifests.yaml").Webhooks[0]
	assert.Equal(t, v1alpha1.ValidatingAdmissionWebhook, got.Type)
	assert.Equal(t, want.Name, got.GenerateName)
	assert.Equal(t, want.Rules, got.Rules)
	assert.Equal(t, want.FailurePolicy, got.FailurePolicy)
	assert.Equal(t, want.MatchPolicy, got.MatchPolicy)
	assert.Equal(t, want.SideEffects, got.SideEffects)
	assert.Equal(t, want.TimeoutSeconds, got.TimeoutSeconds)
	assert.Equal(t, want.AdmissionReviewVersions, got.AdmissionReviewVersions)
	assert.Equal(t, want.ClientConfig.Service.Path, got.WebhookPath)

	assert.Equal(t, csv.Spec.InstallStrategy.StrategySpec.DeploymentSpecs[0].Name, got.DeploymentName)
	service := readYAML[corev1.Service](t, "config/webhook/service.yaml").Spec.Ports[0]
	assert.Equal(t, service.Port, got.ContainerPort)
	assert.Equal(t, service.TargetPort, *got.TargetPort)
}

func TestTheBundleHoldsNoMoreThanItNeeds(t *testing.T) {
	held := map[string][]string{}
	for _, object := range load(t).Objects {
		held[object.GetKind()] = append(held[object.GetKind()], object.GetName())
		if object.GetKind() != "ClusterServiceVersion" {
			assert.Empty(t, object.GetNamespace(), "OLM knows the namespace of %s", object.GetName())
		}
	}
	assert.ElementsMatch(t, []string{
		prefix + "changetriggeredjob-admin-role", prefix + "changetriggeredjob-editor-role",
		prefix + "changetriggeredjob-viewer-role", prefix + "metrics-reader",
	}, held["ClusterRole"])
	assert.Equal(t, []string{prefix + "controller-manager-metrics-service"}, held["Service"], "OLM makes that of the webhook")
	assert.ElementsMatch(t, []string{"ClusterServiceVersion", "CustomResourceDefinition", "ClusterRole", "Service"},
		slices.Collect(maps.Keys(held)))
}
