package admission

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/validate"
)

// parallelReviews is how many questions about rights are asked at a time.
const parallelReviews = 16

// action is what a user may or may not do: a verb, and what it is done to.
type action struct {
	verb      string
	resource  schema.GroupVersionResource
	namespace string
	name      string
}

// getting is the action of reading a referenced object. To the API server, a Namespace lies within itself: who may view a
// namespace may read it.
func getting(ref *v1alpha.ResourceReference, kind servedKind) action {
	namespace := ref.Namespace
	if kind.resource.GroupResource() == (schema.GroupResource{Resource: "namespaces"}) {
		namespace = ref.Name
	}
	return action{verb: "get", resource: kind.resource, namespace: namespace, name: ref.Name}
}

// selectVerbs are what the operator does with objects that a selector selects: it lists and watches them, and what it
// tells of them is what one would get.
var selectVerbs = []string{"get", "list", "watch"}

// selecting are the actions of reading what a reference selects: in each of its namespaces, or in the whole cluster where
// the namespaces are selected, too. Who has namespaces selected by their labels must be allowed to read these.
func selecting(ref *v1alpha.ResourceReference, kind servedKind) []action {
	where := []string{""}
	if named := ref.EffectiveNamespaces(); len(named) > 0 {
		where = named
	}
	var actions []action
	for _, verb := range selectVerbs {
		for _, namespace := range where {
			actions = append(actions, action{verb: verb, resource: kind.resource, namespace: namespace})
		}
	}
	if ref.NamespaceSelector != nil && !ref.NamespaceSelector.Empty() {
		for _, verb := range []string{"list", "watch"} {
			actions = append(actions, action{verb: verb, resource: corev1.SchemeGroupVersion.WithResource("namespaces")})
		}
	}
	return actions
}

// reading are the actions of reading what a reference names or selects.
func reading(ref *v1alpha.ResourceReference, kind servedKind) []action {
	if ref.Selector != nil {
		return selecting(ref, kind)
	}
	return []action{getting(ref, kind)}
}

// String names the action as `kubectl auth can-i` would be asked about it.
func (a action) String() string {
	text := a.verb + " " + a.resource.GroupResource().String()
	if a.name != "" {
		text += fmt.Sprintf(" %q", a.name)
	}
	if a.namespace == "" {
		return text + " at the cluster scope"
	}
	return text + fmt.Sprintf(" in the namespace %q", a.namespace)
}

// claim is an action that the operator will do for whoever wrote a field, so that they must be allowed to do it.
type claim struct {
	path   *field.Path
	action action
}

// claims returns what the author of a change must be allowed to do: to create Jobs where the template is new or
// differs and where a Job is asked for, and to get each object that is new, or of which a field is, or to list and watch those
// that are selected. A reference whose kind is not known cannot be asked about: it is an error, unless unfit holds one of it already.
func claims(c *change, kinds foundKinds, unfit field.ErrorList) (all []claim, errs field.ErrorList) {
	spec := field.NewPath("spec")
	creating := action{verb: "create", resource: batchv1.SchemeGroupVersion.WithResource("jobs"), namespace: c.ctj.Namespace}
	if c.template {
		all = append(all, claim{spec.Child("jobTemplate"), creating})
	}
	for _, name := range c.requests {
		all = append(all, claim{validate.AnnotationPath(name), creating})
	}
	for _, added := range c.added {
		ref, path := &c.ctj.Spec.Resources[added.index], spec.Child("resources").Index(added.index)
		gvk, ok := validate.GroupVersionKind(ref)
		if !ok || hasErrorBelow(unfit, path) {
			continue // it is refused anyway, and says of no object that it is the one
		}
		kind, err := kinds.of(gvk)
		if err != nil {
			errs = append(errs, validate.KindError(path.Child("kind"), ref.Kind, err))
			continue
		}
		for _, action := range reading(ref, kind) {
			all = append(all, claim{path, action})
		}
	}
	return all, errs
}

func hasErrorBelow(errs field.ErrorList, path *field.Path) bool {
	return slices.ContainsFunc(errs, func(err *field.Error) bool {
		return strings.HasPrefix(err.Field, path.String()+".")
	})
}

// checkRights refuses what the user may not do without the operator's help: a ChangeTriggeredJob is no way around
// RBAC. Nobody is exempt, and what cannot be asked is refused.
func (v *validator) checkRights(ctx context.Context, c *change, user *rights, kinds foundKinds, unfit field.ErrorList) field.ErrorList {
	ctx, cancel := context.WithTimeout(ctx, rightsTimeout)
	defer cancel()
	all, errs := claims(c, kinds, unfit)
	denied := make([]*field.Error, len(all))
	var group errgroup.Group
	group.SetLimit(parallelReviews)
	for i, claimed := range all {
		group.Go(func() error {
			denied[i] = user.check(ctx, claimed)
			return nil
		})
	}
	_ = group.Wait() // none of them returns an error
	for _, err := range denied {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return validate.FirstFew(errs)
}

// rights are those of the user who makes a request. Each action is asked about once.
type rights struct {
	client client.Client
	user   authenticationv1.UserInfo
	// err is set where it is not known who makes the request.
	err error

	mutex   sync.Mutex
	answers map[action]func() (bool, error)
}

func (v *validator) rightsOfUser(ctx context.Context) *rights {
	request, err := admission.RequestFromContext(ctx)
	return &rights{client: v.client, user: request.UserInfo, err: err, answers: map[action]func() (bool, error){}}
}

// check returns an error where the user may not do what is claimed, or could not be asked about.
func (r *rights) check(ctx context.Context, c claim) *field.Error {
	allowed, err := r.allow(ctx, c.action)
	switch {
	case err != nil:
		logf.FromContext(ctx).Info("could not ask for the rights of a user", "action", c.action.String(), "error", err.Error())
		return &field.Error{Type: field.ErrorTypeInternal, Field: c.path.String(), BadValue: field.OmitValueType{},
			Detail: fmt.Sprintf("it could not be verified that you may %s; try again", c.action)}
	case !allowed:
		return field.Forbidden(c.path, fmt.Sprintf("user %q may not %s", validate.Shorten(r.user.Username), c.action))
	default:
		return nil
	}
}

// allow asks, unless it has been asked, whether the user may do it.
func (r *rights) allow(ctx context.Context, a action) (bool, error) {
	r.mutex.Lock()
	answer := r.answers[a]
	if answer == nil {
		answer = sync.OnceValues(func() (bool, error) { return r.ask(ctx, a) })
		r.answers[a] = answer
	}
	r.mutex.Unlock()
	return answer()
}

func (r *rights) ask(ctx context.Context, a action) (bool, error) {
	if r.err != nil {
		return false, fmt.Errorf("learn who asks: %w", r.err)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:   r.user.Username,
		UID:    r.user.UID,
		Groups: r.user.Groups,
		Extra:  extraOf(r.user),
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb:      a.verb,
			Group:     a.resource.Group,
			Version:   a.resource.Version,
			Resource:  a.resource.Resource,
			Namespace: a.namespace,
			Name:      a.name,
		},
	}}
	if err := r.client.Create(ctx, review); err != nil {
		return false, fmt.Errorf("review the access: %w", err)
	}
	return review.Status.Allowed, nil
}

func extraOf(user authenticationv1.UserInfo) map[string]authorizationv1.ExtraValue {
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for key, values := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	return extra
}
