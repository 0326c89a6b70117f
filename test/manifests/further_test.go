package manifests

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/nusnewob/kube-changejob/pkg/keyedhash"
	operatorprocess "github.com/nusnewob/kube-changejob/test/operator"
)

// What the overlay is edited to, as it stands.
const (
	furtherNamespace = "kube-changejob-team-b"
	furtherOperator  = operator + "-team-b"
)

// An object of the cluster that two of them apply is the last one's, and what it held for the other is gone.
func TestAFurtherOperatorSharesNothingOfTheClustersWithTheFirst(t *testing.T) {
	further := render(t, config+"/further")
	for overlay, lists := range map[string][]string{
		"default": {"*.*"}, "certmanager": {"*.*"}, "narrow": listedByNarrow,
	} {
		first := render(t, filepath.Join(config, overlay))
		for _, object := range further {
			same := find(first, object.GetKind(), object.GetName())
			if object.GetNamespace() == "" {
				assert.Nil(t, same, "%s %s is %s's", object.GetKind(), object.GetName(), overlay)
			} else {
				assert.Equal(t, furtherNamespace, object.GetNamespace(), "%s %s", object.GetKind(), object.GetName())
			}
		}
		// What it is bound to is its own, or comes with the first.
		bindings, listed := 0, []string{}
		for _, object := range further {
			if kind := object.GetKind(); kind != "RoleBinding" && kind != "ClusterRoleBinding" {
				continue
			}
			bindings++
			binding := get[rbacv1.ClusterRoleBinding](t, []*unstructured.Unstructured{object}, object.GetKind(), object.GetName())
			assert.Equal(t, []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: furtherNamespace, Name: furtherOperator}}, binding.Subjects, binding.Name)
			role := find(further, binding.RoleRef.Kind, binding.RoleRef.Name)
			if binding.RoleRef.Kind == "ClusterRole" {
				role = find(first, binding.RoleRef.Kind, binding.RoleRef.Name)
			}
			require.NotNil(t, role, "%s: %s %s", binding.Name, binding.RoleRef.Kind, binding.RoleRef.Name)
			if object.GetNamespace() == "" {
				listed = append(listed, listedBy(get[rbacv1.ClusterRole](t, []*unstructured.Unstructured{role}, role.GetKind(), role.GetName()))...)
			}
		}
		assert.Equal(t, 4, bindings, "to watch and make Jobs, to ask about who reads metrics, for its lease and for its key")
		assert.ElementsMatch(t, lists, listed, "beside %s", overlay)
	}
	for _, kind := range []string{"CustomResourceDefinition", "ValidatingWebhookConfiguration", "ClusterRole", "Secret"} {
		for _, object := range further {
			assert.NotEqual(t, kind, object.GetKind(), object.GetName())
		}
	}
	assert.NotNil(t, find(further, "Namespace", furtherNamespace))
	deployment := get[appsv1.Deployment](t, further, "Deployment", furtherOperator)
	assert.Equal(t, furtherOperator, deployment.Spec.Template.Spec.ServiceAccountName)
	env := deployment.Spec.Template.Spec.Containers[0].Env
	assert.Contains(t, env, corev1.EnvVar{Name: "ENABLE_WEBHOOKS", Value: "false"})
	assert.Contains(t, env, corev1.EnvVar{Name: "WATCH_NAMESPACE", Value: "team-b"})
	assert.Len(t, env, 4, "and what the first one has")
}

// listedByNarrow is what config/narrow leaves the cluster role, as docs/scaling.md says, and so all that a further operator may list beside it until it is
// granted more.
var listedByNarrow = []string{
	"changetriggeredjobs.triggers.changejob.dev", "jobs.batch", "customresourcedefinitions.apiextensions.k8s.io", "apiservices.apiregistration.k8s.io",
}

// listedBy returns the resources whose objects a role lets be listed, with their groups.
func listedBy(role *rbacv1.ClusterRole) (listed []string) {
	for _, rule := range role.Rules {
		if !slices.Contains(rule.Verbs, "list") {
			continue
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				listed = append(listed, resource+"."+group)
			}
		}
	}
	return listed
}

// blockOfScaling returns the commands of docs/scaling.md whose last line ends like that.
func blockOfScaling(t *testing.T, end string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/scaling.md")
	require.NoError(t, err)
	for _, block := range regexp.MustCompile("(?ms)^```bash\n(.*?)\n```").FindAllStringSubmatch(string(page), -1) {
		if strings.HasSuffix(block[1], end) {
			return block[1]
		}
	}
	require.Fail(t, "no commands end like that", end)
	return ""
}

// runs runs commands of a page, in the repository's root, as the cluster's administrator.
func (i *installation) runs(t *testing.T, commands string) {
	t.Helper()
	programs, kubeconfig := t.TempDir(), filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(kubeconfig, i.KubeConfig, 0o600))
	kubectl, err := filepath.Abs(i.Kubectl().Path)
	require.NoError(t, err)
	require.NoError(t, os.Symlink(kubectl, filepath.Join(programs, "kubectl")))
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", commands)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "PATH="+programs+":"+os.Getenv("PATH"),
		"LOCALCLUSTER_PARENT=") // a shell stands between us and kubectl
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, string(output))
}

// allowed says whether an account, as namespace:name, may do that.
func (i *installation) allowed(t require.TestingT, account string, attributes authorizationv1.ResourceAttributes) bool {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "system:serviceaccount:" + account, ResourceAttributes: &attributes,
	}}
	require.NoError(t, i.Client.Create(context.Background(), review))
	return review.Status.Allowed
}

// TestSeveralOperatorsShareACluster runs the commands that docs/scaling.md shows over config/default, and then both operators.
func TestSeveralOperatorsShareACluster(t *testing.T) {
	i := install(t, "default", "team-a", "team-b")
	first := i.start(t, "--watch-namespaces=team-a") // it makes the key
	i.route(t, first)

	i.runs(t, blockOfScaling(t, "config/further"))

	env := named(t, i, operator, &appsv1.Deployment{}).Spec.Template.Spec.Containers[0].Env
	assert.Contains(t, env, corev1.EnvVar{Name: "WATCH_NAMESPACE", Value: "team-a"})
	key := named(t, i, keyedhash.SecretName, &corev1.Secret{}).Data
	copied := &corev1.Secret{}
	require.NoError(t, i.Client.Get(t.Context(), types.NamespacedName{Namespace: furtherNamespace, Name: keyedhash.SecretName}, copied))
	assert.NotEmpty(t, key[keyedhash.DataKey])
	assert.Equal(t, key, copied.Data)
	inUse, err := keyedhash.NewKey(key[keyedhash.DataKey])
	require.NoError(t, err)

	for account, may := range map[string]map[string]bool{
		system + ":" + operator:                  {system: true, furtherNamespace: false},
		furtherNamespace + ":" + furtherOperator: {system: false, furtherNamespace: true},
	} {
		assert.True(t, i.allowed(t, account, authorizationv1.ResourceAttributes{Verb: "watch", Resource: "configmaps"}), account)
		assert.True(t, i.allowed(t, account, authorizationv1.ResourceAttributes{Verb: "create", Group: "batch", Resource: "jobs", Namespace: "team-b"}), account)
		for namespace, want := range may {
			assert.Equal(t, want, i.allowed(t, account, authorizationv1.ResourceAttributes{
				Verb: "update", Group: "coordination.k8s.io", Resource: "leases", Name: "kube-changejob-leader", Namespace: namespace,
			}), "%s in %s", account, namespace)
		}
	}

	config, err := clientcmd.Write(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: i.Config.Host, CertificateAuthorityData: i.Config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"operator": {Token: i.token(t, furtherNamespace, furtherOperator)}},
		Contexts:       map[string]*clientcmdapi.Context{"c": {Cluster: "c", AuthInfo: "operator"}},
		CurrentContext: "c",
	})
	require.NoError(t, err)
	second := operatorprocess.Start(t, operatorprocess.Options{
		KubeConfig: config, Namespace: furtherNamespace, Args: []string{"--leader-elect"}, Env: []string{"WATCH_NAMESPACE=team-b"},
	})
	for _, namespace := range []string{"team-a", "team-b"} {
		ctj := i.watch(t, namespace)
		i.await(t, ctj, 0, waitFor)
		i.change(t, namespace, "one")
		i.await(t, ctj, 1, waitFor)
		id, _, _ := strings.Cut(ctj.Status.ResourceHashes[0].Fields[0].Hash, ":")
		assert.Equal(t, inUse.ID(), id, "made with the same key")
	}
	for _, log := range []string{first.Log(), second.Log()} {
		assert.NotContains(t, log, "forbidden")
	}
	assert.NotContains(t, first.Log(), `"namespace":"team-b"`)
	assert.NotContains(t, second.Log(), `"namespace":"team-a"`)
}

// TestAFurtherOperatorBesideANarrowedOneReadsWhatItIsGranted runs the commands that docs/scaling.md shows over config/narrow.
func TestAFurtherOperatorBesideANarrowedOneReadsWhatItIsGranted(t *testing.T) {
	page, err := os.ReadFile("../../docs/scaling.md")
	require.NoError(t, err)
	assert.Contains(t, string(page), "ChangeTriggeredJobs, Jobs, CustomResourceDefinitions and APIServices", "all that it may list before")

	i := install(t, "narrow", "team-a", "team-b")
	require.NoError(t, i.Client.Create(t.Context(), &corev1.Secret{ // as the first one makes it
		ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: keyedhash.SecretName},
		Data:       map[string][]byte{keyedhash.DataKey: make([]byte, 32)},
	}))
	i.runs(t, blockOfScaling(t, "config/further"))

	granted := []authorizationv1.ResourceAttributes{
		{Resource: "configmaps", Namespace: "team-b"},
		{Resource: "secrets", Namespace: "team-b", Name: "database-credentials"},
		{Resource: "nodes"},
	}
	reads := func(c require.TestingT, want bool, every ...authorizationv1.ResourceAttributes) {
		for _, verb := range []string{"list", "watch"} {
			for _, attributes := range every {
				attributes.Verb = verb
				require.Equal(c, want, i.allowed(c, furtherNamespace+":"+furtherOperator, attributes), "%+v", attributes)
			}
		}
	}
	var always []authorizationv1.ResourceAttributes
	for _, listed := range listedByNarrow {
		resource, group, _ := strings.Cut(listed, ".")
		always = append(always, authorizationv1.ResourceAttributes{Resource: resource, Group: group})
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) { reads(c, true, always...) }, waitFor, tick, "the API server has noticed the bindings")
	reads(t, false, granted...)

	i.runs(t, blockOfScaling(t, "kube-changejob-reads-nodes --serviceaccount="+furtherNamespace+":"+furtherOperator))
	require.EventuallyWithT(t, func(c *assert.CollectT) { reads(c, true, granted...) }, waitFor, tick, "the API server has noticed these, too")
	reads(t, false,
		authorizationv1.ResourceAttributes{Resource: "configmaps", Namespace: "team-a"},
		authorizationv1.ResourceAttributes{Resource: "secrets", Namespace: "team-b"},
		authorizationv1.ResourceAttributes{Resource: "pods", Namespace: "team-b"},
	)
}
