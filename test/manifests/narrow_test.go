package manifests

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

const managerRole = "kube-changejob-manager-role"

func TestTheNarrowOverlayDiffersInWhatMayBeReadAlone(t *testing.T) {
	wide, narrow := render(t, config+"/default"), render(t, config+"/narrow")
	for _, object := range wide {
		same := find(narrow, object.GetKind(), object.GetName())
		require.NotNil(t, same, "%s %s", object.GetKind(), object.GetName())
		if object.GetName() != managerRole || object.GetKind() != "ClusterRole" {
			assert.Equal(t, object, same)
		}
	}
	before, after := get[rbacv1.ClusterRole](t, wide, "ClusterRole", managerRole), get[rbacv1.ClusterRole](t, narrow, "ClusterRole", managerRole)
	everything := slices.IndexFunc(before.Rules, func(rule rbacv1.PolicyRule) bool { return slices.Contains(rule.Resources, "*") })
	require.GreaterOrEqual(t, everything, 0)
	for _, rule := range slices.Delete(before.Rules, everything, everything+1) {
		assert.Contains(t, after.Rules, rule)
	}
	for _, object := range narrow {
		if kind := object.GetKind(); kind != "Role" && kind != "ClusterRole" {
			continue
		}
		rules, _, err := unstructured.NestedSlice(object.Object, "rules")
		require.NoError(t, err)
		for _, rule := range rules {
			for _, field := range []string{"apiGroups", "resources", "verbs"} {
				values, _, err := unstructured.NestedStringSlice(rule.(map[string]any), field)
				require.NoError(t, err)
				assert.False(t, slices.Contains(values, "*") && object.GetLabels()["rbac.authorization.k8s.io/aggregate-to-admin"] == "",
					"%s %s: %v", object.GetKind(), object.GetName(), rule)
			}
		}
	}
}

func TestTheNarrowOverlayGoesWithCertManagerToo(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(config)))
	file := filepath.Join(dir, "narrow", "kustomization.yaml")
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(content), "  - ../default # or ../certmanager\n")
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(content), "../default #", "../certmanager #", 1)), 0o600))

	objects := render(t, filepath.Dir(file))
	assert.NotNil(t, find(objects, "Certificate", "kube-changejob-webhook-cert"))
	assert.NotNil(t, find(objects, "ClusterRole", "kube-changejob-reads-nodes"))
	for _, object := range objects {
		if kind := object.GetKind(); kind != "Role" && kind != "ClusterRole" {
			continue
		}
		role := get[rbacv1.ClusterRole](t, objects, object.GetKind(), object.GetName())
		for _, rule := range role.Rules {
			if slices.Contains(rule.Resources, "secrets") && slices.Contains(rule.Verbs, "list") {
				assert.NotEmpty(t, rule.ResourceNames, "%s %s", object.GetKind(), object.GetName())
			}
		}
	}
}

// watching is a ChangeTriggeredJob of team-a.
func watching(name string, references ...v1alpha.ResourceReference) *v1alpha.ChangeTriggeredJob {
	return &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: name},
		Spec: v1alpha.ChangeTriggeredJobSpec{
			JobTemplate: v1alpha.JobTemplate{Raw: []byte(`{"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"busybox:1.37"}]}}}}`)},
			Resources:   references,
			Cooldown:    &metav1.Duration{},
		},
	}
}

// TestTheOperatorWatchesWhatTheNarrowOverlayNames runs the operator with what config/narrow gives it, and no more;
// its steps build on each other.
func TestTheOperatorWatchesWhatTheNarrowOverlayNames(t *testing.T) {
	i := install(t, "narrow", "team-a", "team-b", "team-c")
	step := func(name string, run func(t *testing.T)) {
		t.Helper()
		require.True(t, t.Run(name, run), name)
	}
	named := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name}
	}
	for _, object := range []client.Object{
		&corev1.ConfigMap{ObjectMeta: named("team-a", "config")},
		&corev1.ConfigMap{ObjectMeta: named("team-b", "config")},
		&corev1.ConfigMap{ObjectMeta: named("team-c", "config")},
		&corev1.Secret{ObjectMeta: named("team-b", "database-credentials")},
		&corev1.Secret{ObjectMeta: named("team-b", "other")},
		&corev1.Node{ObjectMeta: named("", "worker-1")},
	} {
		require.NoError(t, i.Client.Create(t.Context(), object))
	}
	reference := func(kind, namespace, name string) v1alpha.ResourceReference {
		return v1alpha.ResourceReference{APIVersion: "v1", Kind: kind, Namespace: namespace, Name: name}
	}
	seen := []*v1alpha.ChangeTriggeredJob{
		watching("config-maps", reference("ConfigMap", "team-a", "config"), reference("ConfigMap", "team-b", "config")),
		watching("one-secret", reference("Secret", "team-b", "database-credentials")),
		watching("a-node", reference("Node", "", "worker-1")),
	}
	denied := []*v1alpha.ChangeTriggeredJob{
		watching("another-secret", reference("Secret", "team-b", "other")),
		watching("another-namespace", reference("ConfigMap", "team-c", "config")),
		watching("another-kind", reference("ServiceAccount", "team-a", "default")),
	}
	mixed := watching("mixed", reference("ConfigMap", "team-c", "config"), reference("ConfigMap", "team-a", "config"))
	read := func(c require.TestingT, ctj *v1alpha.ChangeTriggeredJob) {
		require.NoError(c, i.Client.Get(t.Context(), client.ObjectKeyFromObject(ctj), ctj))
	}
	forbidden := func(c require.TestingT, ctj *v1alpha.ChangeTriggeredJob) {
		read(c, ctj)
		for kind, want := range map[string]metav1.ConditionStatus{
			trigger.ConditionAvailable: metav1.ConditionFalse, trigger.ConditionDegraded: metav1.ConditionTrue,
		} {
			condition := meta.FindStatusCondition(ctj.Status.Conditions, kind)
			require.NotNil(c, condition)
			require.Equal(c, want, condition.Status, "%s: %s", ctj.Name, kind)
			require.Equal(c, trigger.ReasonForbidden, condition.Reason)
			require.Contains(c, condition.Message, ctj.Spec.Resources[0].Name)
		}
	}
	change := func(t *testing.T, value string) {
		patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"changed":"`+value+`"}}}`))
		for _, object := range []client.Object{
			&corev1.ConfigMap{ObjectMeta: named("team-a", "config")},
			&corev1.ConfigMap{ObjectMeta: named("team-c", "config")},
			&corev1.Secret{ObjectMeta: named("team-b", "database-credentials")},
			&corev1.Secret{ObjectMeta: named("team-b", "other")},
			&corev1.Node{ObjectMeta: named("", "worker-1")},
		} {
			require.NoError(t, i.Client.Patch(t.Context(), object, patch))
		}
	}
	i.route(t, i.start(t, "--poll-interval=1s"))

	step("what is named is seen, a Secret by its name too, and the rest is Forbidden", func(t *testing.T) {
		for _, ctj := range append(slices.Concat(seen, denied), mixed) {
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				require.NoError(c, i.Client.Create(t.Context(), ctj))
			}, waitFor, tick, "the API server has noticed the webhook")
		}
		for _, ctj := range seen {
			i.await(t, ctj, 0, waitFor)
		}
		for _, ctj := range append(slices.Clone(denied), mixed) {
			require.EventuallyWithT(t, func(c *assert.CollectT) { forbidden(c, ctj) }, waitFor, tick)
		}
		// What changes before the first look would be part of it.
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			read(c, mixed)
			hashes := mixed.Status.ResourceHashes
			require.Len(c, hashes, 2)
			require.Len(c, hashes[1].Fields, 1)
			require.NotEmpty(c, hashes[1].Fields[0].Hash)
		}, waitFor, tick, "it has looked at what it may see")
	})

	step("changes trigger where they are seen, and a denial is the trouble of its own ChangeTriggeredJob", func(t *testing.T) {
		change(t, "once")
		for _, ctj := range seen {
			i.await(t, ctj, 1, waitFor)
			assert.True(t, meta.IsStatusConditionFalse(ctj.Status.Conditions, trigger.ConditionDegraded), ctj.Name)
		}
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			forbidden(c, mixed)
			require.EqualValues(c, 1, mixed.Status.TriggerCount, "its other reference goes on")
		}, waitFor, tick)
		for _, ctj := range denied {
			forbidden(t, ctj)
			assert.Zero(t, ctj.Status.TriggerCount, ctj.Name)
		}
	})

	step("what is named later is seen without a restart, and what was named goes on", func(t *testing.T) {
		require.NoError(t, i.Client.Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: named("team-c", "reads-configmaps"),
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "kube-changejob-reads-configmaps"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: system, Name: "kube-changejob-controller-manager"}},
		}))
		i.await(t, denied[1], 0, waitFor)
		i.await(t, mixed, 1, waitFor)
		change(t, "twice")
		i.await(t, denied[1], 1, waitFor)
		for _, ctj := range seen {
			i.await(t, ctj, 2, waitFor)
		}
		forbidden(t, denied[0])
	})
}
