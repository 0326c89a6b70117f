package admission

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// heard collects the warnings that a client is sent.
type heard struct {
	mutex    sync.Mutex
	warnings []string
}

func (h *heard) HandleWarningHeader(_ int, _ string, text string) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.warnings = append(h.warnings, text)
}

// tryToCreate creates the object in a dry run, and returns the warnings that the client heard.
func tryToCreate(t *testing.T, ctj *v1alpha.ChangeTriggeredJob) []string {
	t.Helper()
	config := rest.CopyConfig(server.Config)
	listener := &heard{}
	config.WarningHandler = listener
	c, err := client.New(config, client.Options{Scheme: server.Scheme})
	require.NoError(t, err)
	require.NoError(t, c.Create(t.Context(), ctj, client.DryRunAll))
	listener.mutex.Lock()
	defer listener.mutex.Unlock()
	return listener.warnings
}

const secretValue = "hunter2-the-content-of-an-object"

// watched creates a ConfigMap, a Deployment and a user who may do just what may is a rule for.
func watched(t *testing.T, user string, may ...rbacv1.PolicyRule) (namespace string, config *rest.Config) {
	t.Helper()
	namespace = server.Namespace(t)
	meta := metav1.ObjectMeta{Namespace: namespace, Name: "existing"}
	pod := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web:1"}}},
	}
	role := &rbacv1.Role{ObjectMeta: meta, Rules: may}
	for _, object := range []client.Object{
		&corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"key": secretValue}},
		&appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, Template: pod,
		}},
		role,
		&rbacv1.RoleBinding{
			ObjectMeta: meta,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		},
	} {
		require.NoError(t, server.Client.Create(t.Context(), object))
	}
	return namespace, server.User(t, user)
}

func everything(namespace string) func(*v1alpha.ChangeTriggeredJob) {
	return references(
		v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: "existing",
			Fields: []string{"data", "data.nothing", "data.key"}},
		v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: "missing"},
		v1alpha.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: namespace, Name: "existing"},
		v1alpha.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: namespace, Name: "existing",
			Fields: []string{"spec.template.spec.containers[*].image", "spec.template.spec.containers[*].resources.limits"}},
	)
}

const (
	warnNothing  = "spec.resources[0].fields[1] selects nothing in the ConfigMap as it is now"
	warnMissing  = "spec.resources[1]: the ConfigMap does not exist yet; its creation will be a change"
	warnStatus   = `spec.resources[2].fields[0] is "*": every change of the Deployment's status counts; name fields such as spec to leave status out`
	warnNoLimits = "spec.resources[3].fields[1] selects nothing in the Deployment as it is now"
)

func TestAUserIsWarned(t *testing.T) {
	readAll := rbacv1.PolicyRule{Verbs: []string{"get"}, APIGroups: []string{"", "apps"}, Resources: []string{"configmaps", "deployments"}}
	readOne := rbacv1.PolicyRule{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"existing"}}
	cases := map[string]struct {
		user string
		may  []rbacv1.PolicyRule
		want []string
	}{
		"of all that selects nothing, who may read all": {
			user: "reader", may: []rbacv1.PolicyRule{readAll},
			want: []string{warnNothing, warnMissing, warnStatus, warnNoLimits},
		},
		"of the one object that they may read": {
			user: "reader-of-one", may: []rbacv1.PolicyRule{readOne},
			want: []string{warnNothing, warnStatus},
		},
		"of nothing that only reading would tell, who may read nothing": {
			user: "stranger",
			want: []string{warnStatus},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			namespace, _ := watched(t, c.user, c.may...)
			v := validatorOn(t, server.Config, nil)
			v.AuthorizeReferences = false // with it, who may read nothing is refused
			user := authenticationv1.UserInfo{Username: c.user}
			warnings, err := v.ValidateCreate(requestBy(t, user), makeCTJ(namespace, "watcher", everything(namespace)))
			require.NoError(t, err)
			assert.Equal(t, c.want, []string(warnings))
			assert.NotContains(t, strings.Join(warnings, "\n"), secretValue)
		})
	}
}

func TestThereIsNothingToWarnOf(t *testing.T) {
	namespace, _ := watched(t, "anybody")
	warnings := tryToCreate(t, makeCTJ(namespace, "watcher", references(
		v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: "existing"},
		v1alpha.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: namespace, Name: "existing",
			Fields: []string{"spec.template.spec.containers[*].image"}},
		v1alpha.ResourceReference{APIVersion: "v1", Kind: "Namespace", Name: namespace, Fields: []string{"metadata.labels"}},
	)))
	assert.Empty(t, warnings)
}

func TestAnUpdateWarnsOfWhatIsNewAlone(t *testing.T) {
	namespace, _ := watched(t, "nobody")
	v := validatorOn(t, server.Config, nil)
	old := makeCTJ(namespace, "watcher", everything(namespace))
	changed := old.DeepCopy()
	changed.Spec.Resources[0].Fields = append(changed.Spec.Resources[0].Fields, "data.other")
	warnings, err := v.ValidateUpdate(requestBy(t, admin), old, changed)
	require.NoError(t, err)
	assert.Equal(t, []string{"spec.resources[0].fields[3] selects nothing in the ConfigMap as it is now"}, []string(warnings))
}

func TestAnObjectThatTheOperatorMayNotReadIsAWarning(t *testing.T) {
	namespace, operator := watched(t, "narrow-operator")
	v := validatorOn(t, operator, server.Client)
	warnings, err := v.ValidateCreate(requestBy(t, admin), makeCTJ(namespace, "watcher"))
	require.NoError(t, err)
	assert.Equal(t, []string{"spec.resources[0]: the operator may not read the ConfigMap, and will not see its changes"}, []string(warnings))
}

func TestTheRightToListOneObjectIsEnoughToWarnOfIt(t *testing.T) {
	namespace, operator := watched(t, "list-operator",
		rbacv1.PolicyRule{Verbs: []string{"list"}, APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"existing", "missing"}},
		rbacv1.PolicyRule{Verbs: []string{"list"}, APIGroups: []string{"apps"}, Resources: []string{"deployments"}})
	v := validatorOn(t, operator, server.Client)
	warnings, err := v.ValidateCreate(requestBy(t, admin), makeCTJ(namespace, "watcher", everything(namespace)))
	require.NoError(t, err)
	assert.Equal(t, []string{warnNothing, warnMissing, warnStatus, warnNoLimits}, []string(warnings))
}

func TestOfAListThatWasNotSelectedTheOneObjectIsTaken(t *testing.T) {
	v := validatorOn(t, fakeAPI(t, func(path string) (int, string) {
		if path == "/api/v1" {
			return http.StatusOK, onlyConfigMaps
		}
		return http.StatusOK, `{"items":[{"metadata":{"name":"other"}},{"metadata":{"name":"my-config"},"data":{"key":"value"}}]}`
	}), server.Client)
	warnings, err := v.ValidateCreate(requestBy(t, admin), makeCTJ("default", "watcher"))
	require.NoError(t, err)
	assert.Empty(t, warnings)
}

func TestManyWarningsAreCounted(t *testing.T) {
	namespace, _ := watched(t, "user-of-many")
	var refs []v1alpha.ResourceReference
	for range 64 {
		refs = append(refs, v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: "missing"})
	}
	warnings := tryToCreate(t, makeCTJ(namespace, "watcher", references(refs...)))
	require.Len(t, warnings, maxWarnings+1)
	assert.Equal(t, "spec.resources[0]: the ConfigMap does not exist yet; its creation will be a change", warnings[0])
	assert.Equal(t, "there are 52 more warnings", warnings[maxWarnings])
}

func TestNoWarningIsLongerThanTheAPIServerPassesOn(t *testing.T) {
	longest := v1alpha.ResourceReference{Kind: strings.Repeat("K", 63), Fields: []string{"*"}}
	v := validatorOn(t, fakeAPI(t, func(string) (int, string) {
		return http.StatusOK, `{"resources":[{"name":"k","kind":"` + longest.Kind + `"},{"name":"k/status","kind":"` + longest.Kind + `"}]}`
	}), server.Client)
	longest.APIVersion, longest.Name = "v1", strings.Repeat("n", 253)
	warnings := v.foreseeOne(t.Context(), &longest, addition{index: 63, fields: []int{0}}, v.rightsOfUser(t.Context()))
	require.Len(t, warnings, 1)
	assert.LessOrEqual(t, len(warnings[0]), 256)
}

func TestWhatCannotBeFoundOutIsNoWarningAndNoRefusal(t *testing.T) {
	namespace, _ := watched(t, "unlucky")
	ctj := makeCTJ(namespace, "watcher")

	t.Run("who asks is not known", func(t *testing.T) {
		v := validatorOn(t, server.Config, nil)
		v.AuthorizeReferences = false
		warnings, err := v.ValidateCreate(t.Context(), ctj)
		require.NoError(t, err)
		assert.Empty(t, warnings)
	})
	t.Run("the user's rights cannot be asked for", func(t *testing.T) {
		c := interceptor.NewClient(watchClient(t), interceptor.Funcs{
			Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
				if _, ok := o.(*authorizationv1.SubjectAccessReview); ok {
					return errors.New("no answer")
				}
				return c.Create(ctx, o, opts...)
			},
		})
		v := validatorOn(t, server.Config, c)
		v.AuthorizeReferences = false
		warnings, err := v.ValidateCreate(requestBy(t, admin), ctj)
		require.NoError(t, err)
		assert.Empty(t, warnings)
	})
	t.Run("the object cannot be read", func(t *testing.T) {
		v := validatorOn(t, fakeAPI(t, func(path string) (int, string) {
			if path == "/api/v1" {
				return http.StatusOK, onlyConfigMaps
			}
			return http.StatusInternalServerError, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":500}`
		}), server.Client)
		warnings, err := v.ValidateCreate(requestBy(t, admin), ctj)
		require.NoError(t, err)
		assert.Empty(t, warnings)
	})
	t.Run("a kind of the old spec is not served any more", func(t *testing.T) {
		old := makeCTJ(namespace, "watcher", references(
			v1alpha.ResourceReference{APIVersion: "gone.example/v1", Kind: "Thing", Name: "x", Fields: []string{"spec"}}))
		changed := old.DeepCopy()
		changed.Spec.Resources[0].Fields = []string{"*"}
		v := validatorOn(t, server.Config, nil)
		v.AuthorizeReferences = false
		warnings, err := v.ValidateUpdate(requestBy(t, admin), old, changed)
		require.NoError(t, err)
		assert.Empty(t, warnings)
	})
}

func TestAUserIsWarnedOfWhatASelectorSelects(t *testing.T) {
	namespace, operator := watched(t, "narrow-selecting-operator")
	existing := &corev1.ConfigMap{}
	require.NoError(t, server.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "existing"}, existing))
	existing.Labels = map[string]string{"app": "there"}
	require.NoError(t, server.Client.Update(t.Context(), existing))
	with := func(ref v1alpha.ResourceReference, change func(*v1alpha.ResourceReference)) v1alpha.ResourceReference {
		change(&ref)
		return ref
	}
	there := func(r *v1alpha.ResourceReference) { r.Selector.MatchLabels["app"] = "there" }
	updates := func(r *v1alpha.ResourceReference) { r.Changes = []v1alpha.ChangeType{v1alpha.ChangeUpdated} }
	withWhen := func(r *v1alpha.ResourceReference) { r.When = "object.data.key == 'x'" }
	failing := func(r *v1alpha.ResourceReference) { r.When = "object.data.nothing == 'x'" }
	byName := func(name string) v1alpha.ResourceReference {
		ref := selectedBy("kubernetes.io/metadata.name")
		ref.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] = v1alpha.LabelValue(name)
		return ref
	}
	const nothing = "spec.resources[0].selector: no ConfigMap matches the selector now; the first that does"
	for sentence, c := range map[string]struct {
		config *rest.Config
		ref    v1alpha.ResourceReference
		want   []string
	}{
		"the first will be a change":           {server.Config, selected(namespace), []string{nothing + " will be a change"}},
		"it will not where only updates count": {server.Config, with(selected(namespace), updates), []string{nothing + " will not count"}},
		"nor then, whatever its when says":     {server.Config, with(with(selected(namespace), updates), withWhen), []string{nothing + " will not count"}},
		"it will if its when is true":          {server.Config, with(selected(namespace), withWhen), []string{nothing + ", and of which its when is true, will be a change"}},
		"one that selects something":           {server.Config, with(selected(namespace), there), nil},
		"one whose when can be evaluated":      {server.Config, with(with(selected(namespace), there), withWhen), nil},
		"one whose when cannot be": {server.Config, with(with(selected(namespace), there), failing),
			[]string{"spec.resources[0].when cannot be evaluated for the first ConfigMap that matches as it is now: it would not be selected"}},
		"one that selects something in another namespace": {server.Config, with(selected("default", namespace), there), nil},
		"one that selects something somewhere":            {server.Config, with(selectedBy(""), there), nil},
		"no namespace": {server.Config, byName("nowhere"),
			[]string{"spec.resources[0].namespaceSelector: no namespace matches the selector now, and nothing is selected until one does"}},
		"a namespace, in which is not looked": {server.Config, byName(namespace), nil},
		"what the operator may not list": {operator, selected(namespace),
			[]string{"spec.resources[0]: the operator may not list every ConfigMap that may match, and will not see changes"}},
		"namespaces that the operator may not list": {operator, byName(namespace),
			[]string{"spec.resources[0]: the operator may not list namespaces, and will not see changes"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			v := validatorOn(t, c.config, server.Client)
			warnings, err := v.ValidateCreate(requestBy(t, admin), makeCTJ(namespace, "watcher", references(c.ref)))
			require.NoError(t, err)
			assert.ElementsMatch(t, c.want, warnings)

			v.AuthorizeReferences = false
			warnings, err = v.ValidateCreate(requestBy(t, authenticationv1.UserInfo{Username: "stranger"}), makeCTJ(namespace, "watcher", references(c.ref)))
			require.NoError(t, err)
			assert.Empty(t, warnings, "who may not look is told nothing")
		})
	}
}

func TestOfAListThatWasNotSelectedTheFirstMatchIsTaken(t *testing.T) {
	for sentence, list := range map[string]string{
		"one of several matches":       `{"items":[{"metadata":{"name":"other"}},{"metadata":{"name":"one","labels":{"app":"web"}},"data":{"key":"x"}}]}`,
		"none does, and there is more": `{"metadata":{"continue":"next"},"items":[{"metadata":{"name":"other"}}]}`,
	} {
		t.Run(sentence, func(t *testing.T) {
			v := validatorOn(t, fakeAPI(t, func(path string) (int, string) {
				if path == "/api/v1" {
					return http.StatusOK, onlyConfigMaps
				}
				return http.StatusOK, list
			}), server.Client)
			ref := selected("default")
			ref.When = "object.data.key == 'x' && object.kind == 'ConfigMap'"
			warnings, err := v.ValidateCreate(requestBy(t, admin), makeCTJ("default", "watcher", references(ref)))
			require.NoError(t, err)
			assert.Empty(t, warnings)
		})
	}
}

func TestAWhenOfASelectorIsWarnedOfOnce(t *testing.T) {
	namespace, _ := watched(t, "nobody-else")
	ref := selected(namespace)
	ref.Selector, ref.When, ref.Fields = &v1alpha.LabelSelector{}, "object.data.nothing == 'x'", []string{"data"}
	old := makeCTJ(namespace, "watcher", references(ref))
	changed := old.DeepCopy()
	changed.Spec.Resources[0].Fields = append(changed.Spec.Resources[0].Fields, "metadata.labels")
	v := validatorOn(t, server.Config, nil)
	warnings, err := v.ValidateUpdate(requestBy(t, admin), old, changed)
	require.NoError(t, err)
	assert.Empty(t, warnings, "it was told of when it was written")
	changed.Spec.Resources[0].When += " "
	warnings, err = v.ValidateUpdate(requestBy(t, admin), old, changed)
	require.NoError(t, err)
	assert.Len(t, warnings, 1)
}

func TestOneExpressionIsEvaluatedAtATime(t *testing.T) {
	ref := &v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Name: "app", When: "object.data.missing == 'a'"}
	object := []byte(`{"data":{}}`)
	synctest.Test(t, func(t *testing.T) {
		v := &validator{evaluating: make(chan struct{}, 1)}
		v.evaluating <- struct{}{} // another one is being evaluated
		ctx, cancel := context.WithCancel(t.Context())
		found := make(chan bool, 1)
		go func() { found <- v.fails(ctx, ref, object) }()
		synctest.Wait()
		require.Empty(t, found, "it waits for the other one")
		cancel()
		assert.False(t, <-found, "what is not found out in time is left out")
		<-v.evaluating
		assert.True(t, v.fails(t.Context(), ref, object))
		assert.True(t, v.fails(t.Context(), ref, object), "and the next one can be")
	})
}
