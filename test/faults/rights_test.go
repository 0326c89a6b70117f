package faults

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// right is a role that can be granted to the operator and revoked.
type right struct {
	w    *world
	user string
	name string
	rule rbacv1.PolicyRule
}

func (r *right) binding() *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.w.namespace, Name: r.name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: r.name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: r.user}},
	}
}

func (w *world) right(user, name string, rule rbacv1.PolicyRule) *right {
	w.t.Helper()
	require.NoError(w.t, w.Client.Create(w.t.Context(), &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, Rules: []rbacv1.PolicyRule{rule},
	}))
	r := &right{w, user, name, rule}
	r.grant()
	return r
}

func (r *right) grant() {
	r.w.t.Helper()
	require.NoError(r.w.t, r.w.Client.Create(r.w.t.Context(), r.binding()))
	r.is(true)
}

// revoke takes the right away, and cuts what runs by it: a watch that is open is asked for its rights no more.
func (r *right) revoke() {
	r.w.t.Helper()
	require.NoError(r.w.t, r.w.Client.Delete(r.w.t.Context(), r.binding()))
	r.is(false)
	r.w.report.injected("a right is revoked: "+r.name, 1)
	r.w.proxy.cut(func(c *call) bool { return c.Resource == r.rule.Resources[0] })
}

// is waits until the API server has noticed.
func (r *right) is(allowed bool) {
	r.w.t.Helper()
	r.w.eventually(func() error {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: r.user,
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: r.w.namespace, Group: r.rule.APIGroups[0], Resource: r.rule.Resources[0], Verb: r.rule.Verbs[0],
			}}}
		if err := r.w.Client.Create(r.w.t.Context(), review); err != nil {
			return err
		}
		if review.Status.Allowed != allowed {
			return fmt.Errorf("%s: allowed is %t", r.name, review.Status.Allowed)
		}
		return nil
	})
}

// asSomebody has operators that are started from now on run as a user with the rights that are needed in this
// namespace, and returns those that can be revoked, by their names.
func (w *world) asSomebody() map[string]*right {
	w.t.Helper()
	user := "operator-of-" + w.namespace
	w.through(w.User(w.t, user))
	rights := map[string]*right{}
	for name, rule := range map[string]rbacv1.PolicyRule{
		"secrets":             allows("", "secrets", "get", "create", "list", "watch"),
		"leases":              allows("coordination.k8s.io", "leases", "get", "create", "update"),
		"events":              allows("events.k8s.io", "events", "create", "patch"),
		"changetriggeredjobs": allows("triggers.changejob.dev", "changetriggeredjobs", "list", "get", "watch"),
		"status":              allows("triggers.changejob.dev", "changetriggeredjobs/status", "update"),
		"finalizers":          allows("triggers.changejob.dev", "changetriggeredjobs/finalizers", "update"),
		"jobs":                allows("batch", "jobs", "list", "get", "watch", "delete"),
		"creates":             allows("batch", "jobs", "create"),
		"configmaps":          allows("", "configmaps", "list", "watch"),
		"widgets":             allows("faults.example.com", "widgets", "list", "watch"),
	} {
		rights[name] = w.right(user, name, rule)
	}
	w.seesTheCluster(user)
	return rights
}

// seesTheCluster grants what is the cluster's: to ask who may do what, as the webhook does, and to see which kinds there are.
func (w *world) seesTheCluster(user string) {
	w.t.Helper()
	require.NoError(w.t, w.Client.Create(w.t.Context(), &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: user}, Rules: []rbacv1.PolicyRule{
			allows("authorization.k8s.io", "subjectaccessreviews", "create"),
			allows("apiextensions.k8s.io", "customresourcedefinitions", "list", "watch"),
			allows("apiregistration.k8s.io", "apiservices", "list", "watch"),
		},
	}))
	require.NoError(w.t, w.Client.Create(w.t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}))
}

func allows(group, resource string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}
}

func TestARightThatIsRevokedIsNeverADeletion(t *testing.T) {
	w := inShared(t, "what may not be read is no change, and what may not be written is written later; both are shown; one Job for what changed meanwhile")
	rights := w.asSomebody()
	configMaps, creates := rights["configmaps"], rights["creates"]

	w.start()
	for _, name := range []string{"changes", "stays", "absent"} {
		if name != "absent" {
			w.configMap(name)
		}
		w.ctj(name, []string{name})
	}
	w.watching("changes", "stays", "absent")
	w.change("changes")
	w.triggered("changes", 1)

	configMaps.revoke()
	for _, name := range []string{"changes", "stays", "absent"} {
		w.condition(name, trigger.ConditionAvailable, trigger.ReasonForbidden)
	}
	w.change("changes")
	configMaps.grant()
	w.triggered("changes", 2)
	w.watching("changes", "stays", "absent")

	creates.revoke()
	w.change("changes")
	w.condition("changes", trigger.ConditionDegraded, trigger.ReasonJobNotCreated)
	creates.grant()
	w.triggered("changes", 3)

	several := []*right{rights["jobs"], rights["status"], rights["changetriggeredjobs"], configMaps}
	for _, r := range several {
		r.revoke()
	}
	w.change("changes")
	for _, r := range slices.Backward(several) {
		r.grant()
	}
	w.triggered("changes", 4)
	w.triggered("stays", 0)
	w.triggered("absent", 0)
	assert.Equal(t, 4, w.rests().created)
}
