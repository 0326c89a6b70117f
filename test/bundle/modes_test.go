package bundle

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/test/operator"
)

const (
	waitFor = 30 * time.Second
	tick    = 50 * time.Millisecond
)

// TestTheOperatorWorksInEachInstallMode runs the operator under what the bundle permits, granted as OLM grants it in
// that mode, and with the flags that the bundle gives it.
func TestTheOperatorWorksInEachInstallMode(t *testing.T) {
	s := server.Server(t)
	for mode, targets := range map[v1alpha1.InstallModeType]func(own string) []string{
		v1alpha1.InstallModeTypeAllNamespaces:   func(string) []string { return nil },
		v1alpha1.InstallModeTypeOwnNamespace:    func(own string) []string { return []string{own} },
		v1alpha1.InstallModeTypeSingleNamespace: func(string) []string { return []string{s.Namespace(t)} },
		v1alpha1.InstallModeTypeMultiNamespace:  func(string) []string { return []string{s.Namespace(t), s.Namespace(t)} },
	} {
		t.Run(string(mode), func(t *testing.T) {
			own := s.Namespace(t)
			watched := targets(own)
			strategy := load(t).CSV.Spec.InstallStrategy.StrategySpec
			account := strategy.DeploymentSpecs[0].Spec.Template.Spec.ServiceAccountName
			subject := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: own, Name: account}

			grant(t, s.Client, "", subject, strategy.ClusterPermissions[0].Rules)
			grant(t, s.Client, own, subject, strategy.Permissions[0].Rules)
			if watched == nil {
				grant(t, s.Client, "", subject, strategy.Permissions[0].Rules)
			}
			for _, namespace := range watched {
				grant(t, s.Client, namespace, subject, strategy.Permissions[0].Rules)
			}

			user, err := s.Env.AddUser(envtest.User{Name: "system:serviceaccount:" + own + ":" + account}, &rest.Config{})
			require.NoError(t, err)
			kubeconfig, err := user.KubeConfig()
			require.NoError(t, err)
			operator.Start(t, operator.Options{
				KubeConfig: kubeconfig, Namespace: own,
				Args: []string{"--leader-elect", "--poll-interval=1s"},
				Env:  []string{"WATCH_NAMESPACE=" + strings.Join(watched, ",")},
			})

			if watched == nil {
				watched = []string{s.Namespace(t)}
			} else {
				other := s.Namespace(t)
				ctj := saysForbidden(t, s.Client, watched[0], other)
				// Beyond what OLM grants, an administrator may bind more.
				grant(t, s.Client, other, subject, []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list", "watch"}}})
				require.EventuallyWithT(t, func(c *assert.CollectT) {
					require.NoError(c, s.Client.Get(context.Background(), client.ObjectKeyFromObject(ctj), ctj))
					assert.True(c, meta.IsStatusConditionTrue(ctj.Status.Conditions, "Available"), "%+v", ctj.Status.Conditions)
				}, waitFor, tick)
			}
			for _, namespace := range watched {
				triggers(t, s.Client, namespace)
			}
		})
	}
}

// grant lets a subject do what the rules say: in a namespace, or in the whole cluster.
func grant(t *testing.T, api client.Client, namespace string, subject rbacv1.Subject, rules []rbacv1.PolicyRule) {
	t.Helper()
	named := metav1.ObjectMeta{GenerateName: subject.Name + "-"}
	if namespace == "" {
		role := &rbacv1.ClusterRole{ObjectMeta: named, Rules: rules}
		require.NoError(t, api.Create(t.Context(), role))
		require.NoError(t, api.Create(t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: named, Subjects: []rbacv1.Subject{subject},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		}))
		return
	}
	named.Namespace = namespace
	role := &rbacv1.Role{ObjectMeta: named, Rules: rules}
	require.NoError(t, api.Create(t.Context(), role))
	require.NoError(t, api.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: named, Subjects: []rbacv1.Subject{subject},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
	}))
}

// saysForbidden shows that what is watched in another namespace than the operator's is said to be Forbidden.
func saysForbidden(t *testing.T, api client.Client, namespace, other string) *v1alpha.ChangeTriggeredJob {
	t.Helper()
	ctj := watcher(namespace, "outside", v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: other, Name: "watched"})
	require.NoError(t, api.Create(t.Context(), ctj))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, api.Get(context.Background(), client.ObjectKeyFromObject(ctj), ctj))
		available := meta.FindStatusCondition(ctj.Status.Conditions, "Available")
		require.NotNil(c, available)
		assert.Equal(c, "Forbidden", available.Reason)
	}, waitFor, tick)
	return ctj
}

// watcher is a ChangeTriggeredJob that watches one object.
func watcher(namespace, name string, reference v1alpha.ResourceReference) *v1alpha.ChangeTriggeredJob {
	return &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha.ChangeTriggeredJobSpec{
			JobTemplate: v1alpha.NewJobTemplate(batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{
				Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "main", Image: "busybox:1.37"}}},
			}}}),
			Resources: []v1alpha.ResourceReference{reference},
		},
	}
}

// triggers shows that a change in a namespace becomes a Job there.
func triggers(t *testing.T, api client.Client, namespace string) {
	t.Helper()
	ctx := t.Context()
	watched := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "watched"}, Data: map[string]string{"key": "old"}}
	require.NoError(t, api.Create(ctx, watched))
	ctj := watcher(namespace, "watcher", v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: watched.Name})
	require.NoError(t, api.Create(ctx, ctj))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, api.Get(context.Background(), client.ObjectKeyFromObject(ctj), ctj))
		assert.True(c, meta.IsStatusConditionTrue(ctj.Status.Conditions, "Available"), "%+v", ctj.Status.Conditions)
	}, waitFor, tick)

	watched.Data["key"] = "new"
	require.NoError(t, api.Update(ctx, watched))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		jobs := &batchv1.JobList{}
		require.NoError(c, api.List(context.Background(), jobs, client.InNamespace(namespace)))
		assert.Len(c, jobs.Items, 1)
		require.NoError(c, api.Get(context.Background(), client.ObjectKeyFromObject(ctj), ctj))
		assert.EqualValues(c, 1, ctj.Status.TriggerCount)
	}, waitFor, tick)
}
