package admission

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// allow makes a rule.
func allow(group, resource string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}
}

// named limits a rule to these objects.
func named(rule rbacv1.PolicyRule, names ...string) rbacv1.PolicyRule {
	rule.ResourceNames = names
	return rule
}

var (
	writesCTJs    = allow(v1alpha.GroupVersion.Group, "changetriggeredjobs", "get", "create", "update", "patch", "delete")
	makesJobs     = allow("batch", "jobs", "create")
	getsMaps      = allow("", "configmaps", "get")
	getsSecrets   = allow("", "secrets", "get")
	getsNodes     = allow("", "nodes", "get")
	getsOfAnother = allow("other.example", "configmaps", "get")
)

// grant binds rules to somebody, in one namespace or, where that is empty, everywhere.
func grant(t *testing.T, to rbacv1.Subject, namespace string, rules ...rbacv1.PolicyRule) {
	t.Helper()
	meta := metav1.ObjectMeta{Namespace: namespace, GenerateName: "granted-"}
	role, binding := client.Object(&rbacv1.Role{ObjectMeta: meta, Rules: rules}), client.Object(nil)
	if namespace == "" {
		role = &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}
	}
	require.NoError(t, server.Client.Create(t.Context(), role))
	ref, subjects := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Name: role.GetName()}, []rbacv1.Subject{to}
	if namespace == "" {
		ref.Kind = "ClusterRole"
		binding = &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects}
	} else {
		ref.Kind = "Role"
		binding = &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects}
	}
	require.NoError(t, server.Client.Create(t.Context(), binding))
}

func person(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
}

// clientOf returns a client of a user who may do this in the namespace, once the API server knows of it.
func clientOf(t *testing.T, user, namespace string, rules ...rbacv1.PolicyRule) client.Client {
	t.Helper()
	grant(t, person(user), namespace, append(rules, writesCTJs)...)
	return settled(t, server.User(t, user), namespace)
}

// settled returns a client once RBAC lets it write ChangeTriggeredJobs; what was granted before is in force then, too.
func settled(t *testing.T, config *rest.Config, namespace string) client.Client {
	t.Helper()
	c := server.ClientFor(t, config)
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: "update", Group: v1alpha.GroupVersion.Group, Resource: "changetriggeredjobs", Namespace: namespace,
			},
		}}
		require.NoError(collect, c.Create(t.Context(), review))
		require.True(collect, review.Status.Allowed)
	}, 10*time.Second, 10*time.Millisecond)
	return c
}

// serviceAccount makes one, and returns the configuration of whoever holds its token.
func serviceAccount(t *testing.T, namespace, name string) *rest.Config {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	require.NoError(t, server.Client.Create(t.Context(), account))
	request := &authenticationv1.TokenRequest{}
	require.NoError(t, server.Client.SubResource("token").Create(t.Context(), account, request))
	config := rest.AnonymousClientConfig(server.Config)
	config.BearerToken = request.Status.Token
	return config
}

func configMap(namespace, name string, fields ...string) v1alpha.ResourceReference {
	return v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: name, Fields: fields}
}

func secret(namespace, name string, fields ...string) v1alpha.ResourceReference {
	ref := configMap(namespace, name, fields...)
	ref.Kind = "Secret"
	return ref
}

func deniedJobs(user, namespace string) string {
	return fmt.Sprintf("spec.jobTemplate: Forbidden: user %q may not create jobs.batch in the namespace %q", user, namespace)
}

func TestAnAuthorMustBeAllowedWhatTheOperatorWillDo(t *testing.T) {
	elsewhere := server.Namespace(t)
	cases := map[string]struct {
		// may is granted in the author's namespace, further everywhere.
		may, further []rbacv1.PolicyRule
		refs         func(namespace string) []v1alpha.ResourceReference
		// denied are the messages, with USER and NAMESPACE for the author's.
		denied []string
	}{
		"Jobs and what is watched": {
			may: []rbacv1.PolicyRule{makesJobs, getsMaps},
		},
		"no Jobs": {
			may:    []rbacv1.PolicyRule{getsMaps},
			denied: []string{`spec.jobTemplate: Forbidden: user "USER" may not create jobs.batch in the namespace "NAMESPACE"`},
		},
		"nothing at all, each of which is said": {
			denied: []string{
				`spec.jobTemplate: Forbidden: user "USER" may not create jobs.batch in the namespace "NAMESPACE"`,
				`spec.resources[0]: Forbidden: user "USER" may not get configmaps "my-config" in the namespace "NAMESPACE"`,
			},
		},
		"another namespace's Secret": {
			may: []rbacv1.PolicyRule{makesJobs, getsMaps, getsSecrets},
			refs: func(namespace string) []v1alpha.ResourceReference {
				return []v1alpha.ResourceReference{secret(namespace, "db"), configMap(namespace, "my-config"), secret(elsewhere, "db")}
			},
			denied: []string{`spec.resources[2]: Forbidden: user "USER" may not get secrets "db" in the namespace "` + elsewhere + `"`},
		},
		"the one Secret that a resourceNames rule is for": {
			may: []rbacv1.PolicyRule{makesJobs, named(getsSecrets, "db")},
			refs: func(namespace string) []v1alpha.ResourceReference {
				return []v1alpha.ResourceReference{secret(namespace, "db")}
			},
		},
		"another than the one Secret that a resourceNames rule is for": {
			may: []rbacv1.PolicyRule{makesJobs, named(getsSecrets, "db")},
			refs: func(namespace string) []v1alpha.ResourceReference {
				return []v1alpha.ResourceReference{secret(namespace, "db2")}
			},
			denied: []string{`spec.resources[0]: Forbidden: user "USER" may not get secrets "db2" in the namespace "NAMESPACE"`},
		},
		"the right to list is not the right to get": {
			may:    []rbacv1.PolicyRule{makesJobs, allow("", "configmaps", "list", "watch")},
			denied: []string{`spec.resources[0]: Forbidden: user "USER" may not get configmaps "my-config" in the namespace "NAMESPACE"`},
		},
		"the same resource of another group": {
			may:    []rbacv1.PolicyRule{makesJobs, getsOfAnother},
			denied: []string{`spec.resources[0]: Forbidden: user "USER" may not get configmaps "my-config" in the namespace "NAMESPACE"`},
		},
		"a cluster-scoped object": {
			may: []rbacv1.PolicyRule{makesJobs}, further: []rbacv1.PolicyRule{getsNodes},
			refs: func(string) []v1alpha.ResourceReference {
				return []v1alpha.ResourceReference{{APIVersion: "v1", Kind: "Node", Name: "worker-1"}}
			},
		},
		"a cluster-scoped object by a rule of the namespace": {
			may: []rbacv1.PolicyRule{makesJobs, getsNodes},
			refs: func(string) []v1alpha.ResourceReference {
				return []v1alpha.ResourceReference{{APIVersion: "v1", Kind: "Node", Name: "worker-1"}}
			},
			denied: []string{`spec.resources[0]: Forbidden: user "USER" may not get nodes "worker-1" at the cluster scope`},
		},
		"a namespace, by a rule of that namespace": {
			may: []rbacv1.PolicyRule{makesJobs, allow("", "namespaces", "get")},
			refs: func(namespace string) []v1alpha.ResourceReference {
				return []v1alpha.ResourceReference{{APIVersion: "v1", Kind: "Namespace", Name: namespace}}
			},
		},
		"another namespace than that of the rule": {
			may: []rbacv1.PolicyRule{makesJobs, allow("", "namespaces", "get")},
			refs: func(string) []v1alpha.ResourceReference {
				return []v1alpha.ResourceReference{{APIVersion: "v1", Kind: "Namespace", Name: elsewhere}}
			},
			denied: []string{`spec.resources[0]: Forbidden: user "USER" may not get namespaces "` + elsewhere + `" in the namespace "` + elsewhere + `"`},
		},
		"the resource is that of the kind, with its group": {
			may: []rbacv1.PolicyRule{makesJobs, allow("", "deployments", "get")},
			refs: func(namespace string) []v1alpha.ResourceReference {
				return []v1alpha.ResourceReference{{APIVersion: "apps/v1", Kind: "Deployment", Namespace: namespace, Name: "web"}}
			},
			denied: []string{`spec.resources[0]: Forbidden: user "USER" may not get deployments.apps "web" in the namespace "NAMESPACE"`},
		},
	}
	i := 0
	for name, c := range cases {
		i++
		user := fmt.Sprintf("author-%d", i)
		t.Run(name, func(t *testing.T) {
			namespace := server.Namespace(t)
			if c.further != nil {
				grant(t, person(user), "", c.further...)
			}
			author := clientOf(t, user, namespace, c.may...)
			ctj := makeCTJ(namespace, "watcher")
			if c.refs != nil {
				references(c.refs(namespace)...)(ctj)
			}
			for _, options := range [][]client.CreateOption{{client.DryRunAll}, nil} {
				err := author.Create(t.Context(), ctj.DeepCopy(), options...)
				requireDenied(t, err, user, namespace, c.denied)
			}
		})
	}
}

// requireDenied requires that a request was refused for all of these reasons, in which USER and NAMESPACE stand for those of the
// request, and for no other; without any, that it was not refused.
func requireDenied(t *testing.T, err error, user, namespace string, reasons []string) {
	t.Helper()
	if reasons == nil {
		require.NoError(t, err)
		return
	}
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	for _, reason := range reasons {
		assert.ErrorContains(t, err, strings.NewReplacer("USER", user, "NAMESPACE", namespace).Replace(reason))
	}
	var status apierrors.APIStatus
	require.ErrorAs(t, err, &status)
	assert.Len(t, status.Status().Details.Causes, len(reasons), "%v", err)
}

func TestWhoeverTheRightsAreGrantedTo(t *testing.T) {
	namespace := server.Namespace(t)
	rules := []rbacv1.PolicyRule{writesCTJs, makesJobs, getsMaps}
	creates := func(t *testing.T, c client.Client, name string) error {
		return c.Create(t.Context(), makeCTJ(namespace, name))
	}
	impersonating := func(change func(*rest.ImpersonationConfig)) *rest.Config {
		config := rest.CopyConfig(server.Config)
		change(&config.Impersonate)
		return config
	}

	t.Run("a group", func(t *testing.T) {
		grant(t, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "team"}, namespace, rules...)
		require.NoError(t, creates(t, settled(t, server.User(t, "member", "team"), namespace), "by-member"))
	})
	t.Run("a service account", func(t *testing.T) {
		config := serviceAccount(t, namespace, "deployer")
		grant(t, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "deployer"}, namespace, writesCTJs, getsMaps)
		deployer := settled(t, config, namespace)
		require.ErrorContains(t, creates(t, deployer, "by-account"),
			deniedJobs("system:serviceaccount:"+namespace+":deployer", namespace))
		grant(t, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "deployer"}, namespace, makesJobs)
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			require.NoError(c, creates(t, deployer, "by-account"))
		}, 10*time.Second, 10*time.Millisecond)
	})
	t.Run("all service accounts of a namespace, which are a group", func(t *testing.T) {
		within := server.Namespace(t)
		grant(t, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:serviceaccounts:" + within}, namespace, rules...)
		require.NoError(t, creates(t, settled(t, serviceAccount(t, within, "any"), namespace), "by-any"))
	})
	t.Run("who is impersonated, not who impersonates", func(t *testing.T) {
		grant(t, person("weak"), namespace, writesCTJs)
		weak := settled(t, impersonating(func(i *rest.ImpersonationConfig) { i.UserName = "weak" }), namespace)
		require.ErrorContains(t, creates(t, weak, "by-weak"), deniedJobs("weak", namespace))
	})
	t.Run("system:masters, who are asked about like all", func(t *testing.T) {
		require.NoError(t, creates(t, server.Client, "by-master"))
	})
}

// TestAnUpdateNeedsRightsForWhatIsNewInIt goes through edits by users with the rights to write ChangeTriggeredJobs and
// those given.
func TestAnUpdateNeedsRightsForWhatIsNewInIt(t *testing.T) {
	edit := func(change func(*v1alpha.ChangeTriggeredJobSpec)) func(*v1alpha.ChangeTriggeredJob) {
		return func(ctj *v1alpha.ChangeTriggeredJob) { change(&ctj.Spec) }
	}
	cases := map[string]struct {
		may    []rbacv1.PolicyRule
		change func(*v1alpha.ChangeTriggeredJob)
		// denied are parts of the message; none where it passes.
		denied []string
	}{
		"labels and annotations": {
			change: func(ctj *v1alpha.ChangeTriggeredJob) {
				ctj.Labels, ctj.Annotations = map[string]string{"a": "b"}, map[string]string{"c": "d"}
			},
		},
		"when and how often, and what is kept": {
			change: edit(func(s *v1alpha.ChangeTriggeredJobSpec) {
				s.Suspend, s.History, s.Cooldown = new(true), new(int32(7)), &metav1.Duration{Duration: time.Hour}
				s.Condition, s.ConcurrencyPolicy = v1alpha.TriggerAll, v1alpha.ForbidConcurrent
			}),
		},
		"another order of the references, and of their fields": {
			change: edit(func(s *v1alpha.ChangeTriggeredJobSpec) {
				s.Resources[0], s.Resources[1] = s.Resources[1], s.Resources[0]
				s.Resources[0].Fields = []string{"type", "data.a"}
			}),
		},
		"a reference and a field less": {
			change: edit(func(s *v1alpha.ChangeTriggeredJobSpec) {
				s.Resources = s.Resources[1:]
				s.Resources[0].Fields = []string{"type"}
			}),
		},
		"the default of fields written out": {
			change: edit(func(s *v1alpha.ChangeTriggeredJobSpec) { s.Resources[0].Fields = []string{"*"} }),
		},
		"two references to one object in place of one": {
			change: edit(func(s *v1alpha.ChangeTriggeredJobSpec) {
				again := s.Resources[1]
				s.Resources[1].Fields, again.Fields = []string{"data.a"}, []string{"type"}
				s.Resources = append(s.Resources, again)
			}),
		},
		"a field more of an object that they may not read": {
			change: edit(func(s *v1alpha.ChangeTriggeredJobSpec) {
				s.Resources[1].Fields = append(s.Resources[1].Fields, "data.b")
			}),
			denied: []string{`spec.resources[1]: Forbidden: user `, `may not get secrets "db" in the namespace `},
		},
		"a wider path in place of a narrower": {
			change: edit(func(s *v1alpha.ChangeTriggeredJobSpec) { s.Resources[1].Fields = []string{"data"} }),
			denied: []string{`spec.resources[1]: Forbidden: `, `secrets "db"`},
		},
		"no fields, which are all": {
			change: edit(func(s *v1alpha.ChangeTriggeredJobSpec) { s.Resources[1].Fields = nil }),
			denied: []string{`spec.resources[1]: Forbidden: `, `secrets "db"`},
		},
		"the same path in other words, which is taken for another": {
			change: edit(func(s *v1alpha.ChangeTriggeredJobSpec) { s.Resources[1].Fields = []string{"type", ".data.a"} }),
			denied: []string{`spec.resources[1]: Forbidden: `, `secrets "db"`},
		},
		"another object of that kind": {
			change: edit(func(s *v1alpha.ChangeTriggeredJobSpec) { s.Resources[1].Name = "db2" }),
			denied: []string{`spec.resources[1]: Forbidden: `, `secrets "db2"`},
		},
		"a when of an object that they may not read": {
			change: edit(func(s *v1alpha.ChangeTriggeredJobSpec) { s.Resources[1].When = `object.data.a.startsWith('c')` }),
			denied: []string{`spec.resources[1]: Forbidden: `, `may not get secrets "db"`},
		},
		"a when, by who may read the object": {
			may:    []rbacv1.PolicyRule{named(getsSecrets, "db")},
			change: edit(func(s *v1alpha.ChangeTriggeredJobSpec) { s.Resources[1].When = `object.data.a.startsWith('c')` }),
		},
		"fewer changes that count": {
			change: edit(func(s *v1alpha.ChangeTriggeredJobSpec) {
				s.Resources[1].Changes = []v1alpha.ChangeType{v1alpha.ChangeCreated}
			}),
		},
		"a field more, by who may read the object": {
			may: []rbacv1.PolicyRule{named(getsSecrets, "db")},
			change: edit(func(s *v1alpha.ChangeTriggeredJobSpec) {
				s.Resources[1].Fields = append(s.Resources[1].Fields, "data.b")
			}),
		},
		"the template's containers": {
			change: template(func(t *batchv1.JobTemplateSpec) { t.Spec.Template.Spec.Containers[0].Image = "other" }),
			denied: []string{`spec.jobTemplate: Forbidden: `, `may not create jobs.batch in the namespace `},
		},
		"a label in the template": {
			change: template(func(t *batchv1.JobTemplateSpec) { t.Labels = map[string]string{"a": "b"} }),
			denied: []string{`spec.jobTemplate: Forbidden: `},
		},
		"the template, by who may make Jobs": {
			may:    []rbacv1.PolicyRule{makesJobs},
			change: template(func(t *batchv1.JobTemplateSpec) { t.Labels = map[string]string{"a": "b"} }),
		},
		"mistakes are said together with what is denied": {
			change: func(ctj *v1alpha.ChangeTriggeredJob) {
				template(func(t *batchv1.JobTemplateSpec) { t.Spec.BackoffLimit = new(int32(3)) })(ctj)
				ctj.Spec.Resources[1].Fields = []string{"data..b"}
				ctj.Spec.Resources = append(ctj.Spec.Resources, v1alpha.ResourceReference{APIVersion: "v1", Kind: "configmap", Name: "x"},
					v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Name: "y"})
			},
			denied: []string{
				"spec.jobTemplate: Forbidden: ",
				"spec.resources[1].fields[0]: Invalid value", `spec.resources[1]: Forbidden: `,
				"spec.resources[2].kind: Invalid value", "resource kind does not exist",
				"spec.resources[3].namespace: Required value: namespace is required for namespaced resources",
			},
		},
	}
	i := 0
	for name, c := range cases {
		i++
		user := fmt.Sprintf("editor-%d", i)
		t.Run(name, func(t *testing.T) {
			namespace := server.Namespace(t)
			ctj := makeCTJ(namespace, "watcher", references(configMap(namespace, "my-config"), secret(namespace, "db", "data.a", "type")))
			require.NoError(t, server.Client.Create(t.Context(), ctj))
			editor := clientOf(t, user, namespace, c.may...)
			c.change(ctj)
			err := editor.Update(t.Context(), ctj)
			if c.denied == nil {
				require.NoError(t, err)
				return
			}
			require.True(t, apierrors.IsInvalid(err), "%v", err)
			for _, denied := range c.denied {
				assert.ErrorContains(t, err, denied)
			}
		})
	}
}

func TestWhoIsOnCallMaySuspend(t *testing.T) {
	namespace := server.Namespace(t)
	require.NoError(t, server.Client.Create(t.Context(), makeCTJ(namespace, "watcher")))
	grant(t, person("on-call"), namespace, named(allow(v1alpha.GroupVersion.Group, "changetriggeredjobs", "get", "patch"), "watcher"))
	onCall := server.ClientFor(t, server.User(t, "on-call"))
	patch := func(patch string) error {
		ctj := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "watcher"}}
		return onCall.Patch(t.Context(), ctj, client.RawPatch(types.MergePatchType, []byte(patch)))
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, patch(`{"spec":{"suspend":true}}`))
	}, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, patch(`{"spec":{"suspend":false}}`))
	require.ErrorContains(t, patch(`{"spec":{"jobTemplate":{"spec":{"suspend":true}}}}`), deniedJobs("on-call", namespace))
}

func TestWhatIsBeingDeletedIsLetGoByWhoMayDoNothingElse(t *testing.T) {
	const finalizer = "changejob.dev/test"
	finalized := func(ctj *v1alpha.ChangeTriggeredJob) { ctj.Finalizers = []string{finalizer} }
	gone := func(t *testing.T, c client.Client, ctj *v1alpha.ChangeTriggeredJob) {
		t.Helper()
		require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(ctj), ctj))
		template(func(t *batchv1.JobTemplateSpec) { t.Labels = map[string]string{"a": "b"} })(ctj) // it will never run
		controllerutil.RemoveFinalizer(ctj, finalizer)
		require.NoError(t, c.Update(t.Context(), ctj))
		err := server.Client.Get(t.Context(), client.ObjectKeyFromObject(ctj), ctj)
		assert.True(t, apierrors.IsNotFound(err), "%v", err)
	}

	t.Run("a namespace", func(t *testing.T) {
		namespace := server.Namespace(t)
		ctj := makeCTJ(namespace, "watcher", finalized)
		require.NoError(t, server.Client.Create(t.Context(), ctj))
		cleaner := clientOf(t, "namespace-cleaner", namespace)
		require.NoError(t, server.Client.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
		// The finalizers of what is not yet deleted can go, too.
		ctj.Labels = map[string]string{"a": "b"}
		require.NoError(t, cleaner.Update(t.Context(), ctj))
		require.NoError(t, cleaner.Delete(t.Context(), ctj))
		gone(t, cleaner, ctj)
	})
	t.Run("what it watches is of a kind that is uninstalled", func(t *testing.T) {
		namespace, crd := server.Namespace(t), gadgets("uninstalled.example")
		require.NoError(t, server.Client.Create(t.Context(), crd))
		served := func(want bool) {
			require.Eventually(t, func() bool {
				_, err := kindOf(t.Context(), validatorOn(t, server.Config, nil), "uninstalled.example/v1", "Gadget")
				return (err == nil) == want
			}, 10*time.Second, 10*time.Millisecond)
		}
		served(true)
		ctj := makeCTJ(namespace, "watcher", finalized, references(
			v1alpha.ResourceReference{APIVersion: "uninstalled.example/v1", Kind: "Gadget", Name: "x", Namespace: namespace, Fields: []string{"spec"}},
			configMap(namespace, "my-config")))
		require.NoError(t, server.Client.Create(t.Context(), ctj))
		require.NoError(t, server.Client.Delete(t.Context(), crd))
		served(false)

		cleaner := clientOf(t, "kind-cleaner", namespace)
		ctj.Spec.Suspend = new(true)
		require.NoError(t, cleaner.Update(t.Context(), ctj), "something else can be changed")
		require.NoError(t, cleaner.Delete(t.Context(), ctj))
		gone(t, cleaner, ctj)
	})
}

func TestAFieldMoreOfAKindThatIsGoneIsRefused(t *testing.T) {
	v := validatorOn(t, server.Config, nil)
	old := makeCTJ("default", "watcher", references(
		v1alpha.ResourceReference{APIVersion: "gone.example/v1", Kind: "Thing", Name: "x", Fields: []string{"spec"}},
		v1alpha.ResourceReference{APIVersion: "gone.example/v1", Kind: "Thing", Name: "y", Fields: []string{"spec"}}))
	changed := old.DeepCopy()
	changed.Spec.Resources[1].Fields = []string{"*"}
	_, err := v.ValidateUpdate(requestBy(t, admin), old, changed)
	assert.True(t, apierrors.IsInvalid(err), "%v", err)
	assert.ErrorContains(t, err, `spec.resources[1].kind: Invalid value: "Thing": resource kind does not exist`)
	assert.NotContains(t, err.Error(), "spec.resources[0]", "what was there before is not judged")
}

// reviews counts and answers the questions about rights.
func reviews(t *testing.T, answer func(*authorizationv1.SubjectAccessReview) error) client.Client {
	return interceptor.NewClient(watchClient(t), interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if review, ok := o.(*authorizationv1.SubjectAccessReview); ok {
				return answer(review)
			}
			return c.Create(ctx, o, opts...)
		},
	})
}

func TestWhatCannotBeAskedIsRefused(t *testing.T) {
	namespace := server.Namespace(t)
	t.Run("the API server does not answer", func(t *testing.T) {
		v := validatorOn(t, server.Config, reviews(t, func(*authorizationv1.SubjectAccessReview) error { return errors.New("the server's own words") }))
		_, err := v.ValidateCreate(requestBy(t, admin), makeCTJ(namespace, "watcher"))
		require.True(t, apierrors.IsServiceUnavailable(err), "another try may help: %v", err)
		assert.ErrorContains(t, err, fmt.Sprintf("spec.jobTemplate: Internal error: it could not be verified that you may create jobs.batch in the namespace %q; try again", namespace))
		assert.ErrorContains(t, err, fmt.Sprintf(`spec.resources[0]: Internal error: it could not be verified that you may get configmaps "my-config" in the namespace %q`, namespace))
		assert.NotContains(t, err.Error(), "own words")
	})
	t.Run("it does not answer one question", func(t *testing.T) {
		v := validatorOn(t, server.Config, reviews(t, func(r *authorizationv1.SubjectAccessReview) error {
			if r.Spec.ResourceAttributes.Verb == "get" {
				return context.DeadlineExceeded
			}
			r.Status.Allowed = true
			return nil
		}))
		_, err := v.ValidateCreate(requestBy(t, admin), makeCTJ(namespace, "watcher"))
		require.True(t, apierrors.IsServiceUnavailable(err), "%v", err)
	})
	t.Run("who asks is not known", func(t *testing.T) {
		_, err := validatorOn(t, server.Config, nil).ValidateCreate(t.Context(), makeCTJ(namespace, "watcher"))
		require.True(t, apierrors.IsServiceUnavailable(err), "%v", err)
	})
	t.Run("discovery is down, and the kind is not new", func(t *testing.T) {
		v := validatorOn(t, fakeAPI(t, func(string) (int, string) { return http.StatusServiceUnavailable, "" }), server.Client)
		old := makeCTJ(namespace, "watcher")
		changed := old.DeepCopy()
		changed.Spec.Resources[0].Fields = append(changed.Spec.Resources[0].Fields, "immutable")
		_, err := v.ValidateUpdate(requestBy(t, admin), old, changed)
		require.True(t, apierrors.IsServiceUnavailable(err), "%v", err)
	})
}

// What is denied is denied before the operator's own rights are used: it tries no Job and reads no object.
func TestWhoIsDeniedLearnsNothing(t *testing.T) {
	namespace := server.Namespace(t)
	v := validatorOn(t, fakeAPI(t, func(path string) (int, string) {
		assert.Equal(t, "/api/v1", path, "only discovery is asked")
		return http.StatusOK, onlyConfigMaps
	}), interceptor.NewClient(watchClient(t), interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			assert.IsType(t, &authorizationv1.SubjectAccessReview{}, o)
			return c.Create(ctx, o, opts...)
		},
	}))
	warnings, err := v.ValidateCreate(requestBy(t, authenticationv1.UserInfo{Username: "nobody"}), makeCTJ(namespace, "watcher"))
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	assert.Empty(t, warnings)
}

func TestNobodyIsAskedAboutWhereThatIsTurnedOff(t *testing.T) {
	v := validatorOn(t, server.Config, nil)
	v.AuthorizeReferences = false
	ctj := makeCTJ(server.Namespace(t), "watcher")
	_, err := v.ValidateCreate(requestBy(t, authenticationv1.UserInfo{Username: "nobody"}), ctj)
	require.NoError(t, err)
}

func TestTheQuestionsAreAboutThisUserAndEachAskedOnce(t *testing.T) {
	asked := make(chan authorizationv1.SubjectAccessReviewSpec, 100)
	v := validatorOn(t, server.Config, reviews(t, func(r *authorizationv1.SubjectAccessReview) error {
		asked <- r.Spec
		r.Status.Allowed = true
		return nil
	}))
	user := authenticationv1.UserInfo{Username: "alice", UID: "1", Groups: []string{"staff"},
		Extra: map[string]authenticationv1.ExtraValue{"scopes": {"a", "b"}}}
	web := v1alpha.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "elsewhere", Name: "web", Fields: []string{"spec"}}
	again := web
	again.Fields = []string{"metadata.labels"}
	_, err := v.ValidateCreate(requestBy(t, user), makeCTJ("default", "watcher", references(web, again)))
	require.NoError(t, err)
	close(asked)
	var specs []authorizationv1.SubjectAccessReviewSpec
	for spec := range asked {
		specs = append(specs, spec)
	}
	question := func(attributes authorizationv1.ResourceAttributes) authorizationv1.SubjectAccessReviewSpec {
		return authorizationv1.SubjectAccessReviewSpec{
			User: "alice", UID: "1", Groups: []string{"staff"}, Extra: map[string]authorizationv1.ExtraValue{"scopes": {"a", "b"}},
			ResourceAttributes: &attributes,
		}
	}
	assert.ElementsMatch(t, []authorizationv1.SubjectAccessReviewSpec{
		question(authorizationv1.ResourceAttributes{Verb: "create", Group: "batch", Version: "v1", Resource: "jobs", Namespace: "default"}),
		question(authorizationv1.ResourceAttributes{Verb: "get", Group: "apps", Version: "v1", Resource: "deployments", Namespace: "elsewhere", Name: "web"}),
	}, specs)
}

func TestManyObjectsAreAskedAboutSideBySide(t *testing.T) {
	var now, most atomic.Int32
	all := make(chan struct{})
	v := validatorOn(t, server.Config, reviews(t, func(r *authorizationv1.SubjectAccessReview) error {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
			if n == parallelReviews {
				close(all)
			}
		}
		defer now.Add(-1)
		select {
		case <-all:
		case <-time.After(rightsTimeout):
		}
		r.Status.Allowed = true
		return nil
	}))
	namespace := server.Namespace(t)
	var refs []v1alpha.ResourceReference
	for i := range 64 {
		refs = append(refs, configMap(namespace, fmt.Sprintf("config-%d", i)))
	}
	_, err := v.ValidateCreate(requestBy(t, admin), makeCTJ(namespace, "watcher", references(refs...)))
	require.NoError(t, err)
	assert.EqualValues(t, parallelReviews, most.Load())
}

func TestTheTimesOfTheStepsAreWithinTheWebhooks(t *testing.T) {
	config, err := registration(false)
	require.NoError(t, err)
	limit := time.Duration(*config.Webhooks[0].TimeoutSeconds) * time.Second
	assert.LessOrEqual(t, discoveryTimeout+rightsTimeout+trialTimeout+warningsTimeout, limit-time.Second)
}

func TestAnActionIsNamedAsKubectlNamesIt(t *testing.T) {
	deployments := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	nodes := schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	for want, a := range map[string]action{
		`get deployments.apps "web" in the namespace "team-a"`: {verb: "get", resource: deployments, namespace: "team-a", name: "web"},
		`create deployments.apps in the namespace "team-a"`:    {verb: "create", resource: deployments, namespace: "team-a"},
		`get nodes "worker-1" at the cluster scope`:            {verb: "get", resource: nodes, name: "worker-1"},
	} {
		assert.Equal(t, want, a.String())
	}
}
