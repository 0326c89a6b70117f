package admission

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func gvk(apiVersion, kind string) schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(apiVersion, kind)
}

func TestWhatDiscoveryFinds(t *testing.T) {
	cases := map[string]struct {
		kind schema.GroupVersionKind
		want servedKind
	}{
		"a core kind": {
			kind: gvk("v1", "ConfigMap"),
			want: servedKind{resource: schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, namespaced: true, listable: true},
		},
		"a core kind of the cluster, with status": {
			kind: gvk("v1", "Node"),
			want: servedKind{resource: schema.GroupVersionResource{Version: "v1", Resource: "nodes"}, hasStatus: true, listable: true},
		},
		"a kind of a group, with status": {
			kind: gvk("apps/v1", "Deployment"),
			want: servedKind{
				resource:   schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"},
				namespaced: true, hasStatus: true, listable: true,
			},
		},
		"a kind that stands for a subresource first": {
			kind: gvk("v1", "Pod"),
			want: servedKind{
				resource:   schema.GroupVersionResource{Version: "v1", Resource: "pods"},
				namespaced: true, hasStatus: true, listable: true,
			},
		},
		"a kind whose objects are not kept": {
			kind: gvk("authentication.k8s.io/v1", "TokenReview"),
			want: servedKind{resource: schema.GroupVersionResource{Group: "authentication.k8s.io", Version: "v1", Resource: "tokenreviews"}},
		},
		"our own": {
			kind: gvk("triggers.changejob.dev/v1alpha", "ChangeTriggeredJob"),
			want: servedKind{
				resource:   v1alpha.GroupVersion.WithResource("changetriggeredjobs"),
				namespaced: true, hasStatus: true, listable: true,
			},
		},
	}
	d := validatorOn(t, server.Config, nil).discovery
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			found, err := d.find(t.Context(), c.kind)
			require.NoError(t, err)
			assert.Equal(t, c.want, found)
		})
	}
	for name, kind := range map[string]schema.GroupVersionKind{
		"no such kind":       gvk("v1", "configmap"),
		"no such version":    gvk("apps/v1beta1", "Deployment"),
		"no such group":      gvk("nobody.example/v1", "Thing"),
		"a subresource only": gvk("autoscaling/v1", "Scale"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := d.find(t.Context(), kind)
			assert.True(t, meta.IsNoMatchError(err), "%v", err)
		})
	}
}

// fakeAPI answers discovery with what serve says: a status and a body.
func fakeAPI(t *testing.T, serve func(path string) (int, string)) *rest.Config {
	t.Helper()
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, body := serve(r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(fake.Close)
	return &rest.Config{Host: fake.URL}
}

const onlyConfigMaps = `{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"configmaps","kind":"ConfigMap","namespaced":true,"verbs":["list"]}]}`

func TestAnAnswerIsUsedForTenSecondsAndAMissIsAskedAnew(t *testing.T) {
	asked := 0
	config := fakeAPI(t, func(string) (int, string) { asked++; return http.StatusOK, onlyConfigMaps })
	v := validatorOn(t, config, server.Client)
	now := time.Unix(0, 0)
	v.discovery.now = func() time.Time { return now }
	find := func(kind string) error {
		_, err := kindOf(t.Context(), v, "v1", kind)
		return err
	}

	require.NoError(t, find("ConfigMap"))
	require.NoError(t, find("ConfigMap"))
	assert.Equal(t, 1, asked)

	assert.Error(t, find("Secret"))
	assert.Equal(t, 2, asked, "that a kind is missing is asked anew")

	now = now.Add(discoveryAge)
	require.NoError(t, find("ConfigMap"))
	assert.Equal(t, 3, asked, "an old answer is not used")
}

func TestDiscoveryThatIsDownRefusesAndInvitesAnotherTry(t *testing.T) {
	cases := map[string]func(string) (int, string){
		"an extension API server that is down": func(string) (int, string) {
			return http.StatusServiceUnavailable, "service unavailable"
		},
		"discovery that is forbidden": func(string) (int, string) {
			return http.StatusForbidden, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`
		},
		"an answer that is none": func(string) (int, string) { return http.StatusOK, "<html>a proxy's page</html>" },
	}
	for name, serve := range cases {
		t.Run(name, func(t *testing.T) {
			v := validatorOn(t, fakeAPI(t, serve), server.Client)
			ctj := makeCTJ(server.Namespace(t), "watcher")

			_, err := v.ValidateCreate(requestBy(t, admin), ctj)
			require.Error(t, err)
			assert.True(t, apierrors.IsServiceUnavailable(err), "%v", err)
			assert.EqualError(t, err, "spec.resources[0].kind: Internal error: "+
				"could not be verified because the API server's discovery failed; try again")

			changed := ctj.DeepCopy()
			changed.Spec.Suspend = new(true)
			_, err = v.ValidateUpdate(requestBy(t, admin), ctj, changed)
			assert.NoError(t, err, "an update that names no new kind needs no discovery")

			changed.Spec.Resources = append(changed.Spec.Resources, v1alpha.ResourceReference{APIVersion: "v1", Kind: "Node", Name: "x"})
			_, err = v.ValidateUpdate(requestBy(t, admin), ctj, changed)
			assert.True(t, apierrors.IsServiceUnavailable(err), "%v", err)
		})
	}
}

func TestWhatIsKnownToBeWrongIsSaidThoughSomethingElseCouldNotBeVerified(t *testing.T) {
	v := validatorOn(t, fakeAPI(t, func(path string) (int, string) {
		if path == "/api/v1" {
			return http.StatusOK, onlyConfigMaps
		}
		return http.StatusServiceUnavailable, ""
	}), server.Client)
	_, err := v.ValidateCreate(requestBy(t, admin), makeCTJ("default", "watcher", references(
		v1alpha.ResourceReference{APIVersion: "metrics.k8s.io/v1beta1", Kind: "PodMetrics", Name: "x", Namespace: "default"},
		v1alpha.ResourceReference{APIVersion: "v1", Kind: "configmap", Name: "x", Namespace: "default"},
	)))
	assert.True(t, apierrors.IsInvalid(err), "%v", err)
	assert.ErrorContains(t, err, "spec.resources[0].kind: Internal error: could not be verified")
	assert.ErrorContains(t, err, "resource kind does not exist")
}

// The watches take the same one, and so the user is asked about what is watched.
func TestOfTwoResourcesOfAKindTheOneThatCanBeWatchedIsTaken(t *testing.T) {
	kept := `{"name":"templates","kind":"Template","namespaced":true,"verbs":["get","list","watch"]}`
	for _, other := range []string{
		`{"name":"processedtemplates","kind":"Template","namespaced":true,"verbs":["create"]}`,
		`{"name":"listedtemplates","kind":"Template","namespaced":true,"verbs":["get","list"]}`,
	} {
		for _, resources := range []string{other + "," + kept, kept + "," + other} {
			config := fakeAPI(t, func(string) (int, string) { return http.StatusOK, `{"resources":[` + resources + `]}` })
			found, err := kindOf(t.Context(), validatorOn(t, config, server.Client), "template.openshift.io/v1", "Template")
			require.NoError(t, err)
			assert.Equal(t, "templates", found.resource.Resource)
			assert.True(t, found.listable)
		}
	}
}
