package faults

import (
	"fmt"
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

func TestARightThatIsRevokedIsNeverADeletion(t *testing.T) {
	w := inShared(t, "what may not be read is no change, and what may not be written is written later; both are shown; one Job for what changed meanwhile")
	user := "operator-of-" + w.namespace
	w.through(w.User(t, user))
	rule := func(group, resource string, verbs ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}
	}
	w.right(user, "secrets", rule("", "secrets", "get", "create", "list", "watch"))
	w.right(user, "events", rule("events.k8s.io", "events", "create", "patch"))
	ctjs := w.right(user, "changetriggeredjobs", rule("triggers.changejob.dev", "changetriggeredjobs", "list", "get", "watch"))
	status := w.right(user, "status", rule("triggers.changejob.dev", "changetriggeredjobs/status", "patch"))
	w.right(user, "finalizers", rule("triggers.changejob.dev", "changetriggeredjobs/finalizers", "update"))
	jobs := w.right(user, "jobs", rule("batch", "jobs", "list", "get", "watch", "delete"))
	creates := w.right(user, "creates", rule("batch", "jobs", "create"))
	configMaps := w.right(user, "configmaps", rule("", "configmaps", "list", "watch"))

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

	jobs.revoke()
	status.revoke()
	ctjs.revoke()
	configMaps.revoke()
	w.change("changes")
	for _, r := range []*right{configMaps, ctjs, status, jobs} {
		r.grant()
	}
	w.triggered("changes", 4)
	w.triggered("stays", 0)
	w.triggered("absent", 0)
	assert.Equal(t, 4, w.rests().created)
}
