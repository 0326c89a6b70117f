package admission

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func TestTheWebhookRefuses(t *testing.T) {
	namespace := server.Namespace(t)
	container := func(change func(*corev1.Container)) func(*v1alpha.ChangeTriggeredJob) {
		return template(func(t *batchv1.JobTemplateSpec) { change(&t.Spec.Template.Spec.Containers[0]) })
	}
	rawTemplate := func(raw string) func(*v1alpha.ChangeTriggeredJob) {
		return func(ctj *v1alpha.ChangeTriggeredJob) { ctj.Spec.JobTemplate.Raw = []byte(raw) }
	}
	cases := map[string]struct {
		change func(*v1alpha.ChangeTriggeredJob)
		name   string
		want   []string
	}{
		"a kind in lower case, in the user guide's words": {
			change: references(v1alpha.ResourceReference{APIVersion: "v1", Kind: "configmap", Name: "my-config", Namespace: "default"}),
			want:   []string{`spec.resources[0].kind: Invalid value: "configmap": resource kind does not exist`},
		},
		"a namespaced kind without a namespace, in the user guide's words": {
			change: references(v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Name: "my-config"}),
			want:   []string{"spec.resources[0].namespace: Required value: namespace is required for namespaced resources"},
		},
		"a cluster-scoped kind with a namespace, in the user guide's words": {
			change: references(v1alpha.ResourceReference{APIVersion: "v1", Kind: "Node", Name: "worker-1", Namespace: "default"}),
			want:   []string{"spec.resources[0].namespace: Forbidden: namespace must not be set for cluster-scoped resources"},
		},
		"a kind whose objects are not kept": {
			change: references(v1alpha.ResourceReference{APIVersion: "authentication.k8s.io/v1", Kind: "TokenReview", Name: "x"}),
			want: []string{`spec.resources[0].kind: Invalid value: "TokenReview": ` +
				"objects of this kind cannot be listed, so that their changes cannot be seen"},
		},
		"a group that is not served": {
			change: references(v1alpha.ResourceReference{APIVersion: "nobody.example/v1", Kind: "Thing", Name: "x"}),
			want:   []string{`spec.resources[0].kind: Invalid value: "Thing": resource kind does not exist`},
		},
		"a kind that is a subresource's only": {
			change: references(v1alpha.ResourceReference{APIVersion: "v1", Kind: "Eviction", Name: "x", Namespace: "default"}),
			want:   []string{`spec.resources[0].kind: Invalid value: "Eviction": resource kind does not exist`},
		},
		"a path that cannot be compiled, with its place and the position in it": {
			change: references(
				v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Name: "a", Namespace: "default"},
				v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Name: "b", Namespace: "default",
					Fields: []string{"data", "spec..image"}},
			),
			want: []string{"spec.resources[1].fields[1]: Invalid value: ", "position 5"},
		},
		"a name that is no segment of a path": {
			change: references(v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Name: "a/b", Namespace: "default"}),
			want:   []string{`spec.resources[0].name: Invalid value: "a/b": may not contain '/'`},
		},
		"a name of 53 characters": {
			name:   "a12345678901234567890123456789012345678901234567890bc",
			change: func(*v1alpha.ChangeTriggeredJob) {},
			want:   []string{"metadata.name: Invalid value: ", "must be no more than 52 characters"},
		},
		"a restart policy that Jobs may not have": {
			change: template(func(t *batchv1.JobTemplateSpec) { t.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyAlways }),
			want:   []string{`spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"`},
		},
		"a container whose volume does not exist": {
			change: container(func(c *corev1.Container) {
				c.VolumeMounts = []corev1.VolumeMount{{Name: "nowhere", MountPath: "/nowhere"}}
			}),
			want: []string{`spec.jobTemplate.spec.template.spec.containers[0].volumeMounts[0].name: Not found`},
		},
		"a quantity that passes the schema and no typed decoder": {
			change: rawTemplate(`{"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[` +
				`{"name":"a","image":"b","resources":{"limits":{"cpu":"1e1.5"}}}]}}}}`),
			want: []string{"spec.jobTemplate: Invalid value: quantities must match"},
		},
		"an Indexed Job whose Pods could have no host name": {
			name: "name.with.dots",
			change: template(func(t *batchv1.JobTemplateSpec) {
				t.Spec.CompletionMode = new(batchv1.IndexedCompletion)
				t.Spec.Completions = new(int32(3))
				t.Spec.Parallelism = new(int32(1))
			}),
			want: []string{"metadata.name: Invalid value"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.name == "" {
				c.name = "refused"
			}
			err := server.Client.Create(t.Context(), makeCTJ(namespace, c.name, c.change))
			require.Error(t, err)
			assert.True(t, apierrors.IsInvalid(err), "%v", err)
			for _, want := range c.want {
				assert.Contains(t, err.Error(), want)
			}
		})
	}
}

func TestTheWebhookAcceptsWhatIsRight(t *testing.T) {
	namespace := server.Namespace(t)
	cases := map[string]func(*v1alpha.ChangeTriggeredJob){
		"the least that can be said": func(*v1alpha.ChangeTriggeredJob) {},
		"a name to be generated":     func(ctj *v1alpha.ChangeTriggeredJob) { ctj.Name, ctj.GenerateName = "", "made-" },
		"the longest name": func(ctj *v1alpha.ChangeTriggeredJob) {
			ctj.Name = "a12345678901234567890123456789012345678901234567890b"
		},
		"a cluster-scoped kind": references(v1alpha.ResourceReference{APIVersion: "v1", Kind: "Node", Name: "worker-1"}),
		"its own kind": references(v1alpha.ResourceReference{
			APIVersion: "triggers.changejob.dev/v1alpha", Kind: "ChangeTriggeredJob", Name: "other", Namespace: namespace}),
		"64 references and 256 fields": func(ctj *v1alpha.ChangeTriggeredJob) {
			ref := ctj.Spec.Resources[0]
			ref.Fields = []string{"data", "data.a", "data.b", "data.c"}
			ctj.Spec.Resources = nil
			for range 64 {
				ctj.Spec.Resources = append(ctj.Spec.Resources, ref)
			}
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			ctj := makeCTJ(namespace, "accepted", change)
			require.NoError(t, server.Client.Create(t.Context(), ctj))
			require.NoError(t, server.Client.Delete(t.Context(), ctj))
		})
	}
}

func TestNoTrialJobIsLeftBehind(t *testing.T) {
	namespace := server.Namespace(t)
	require.NoError(t, server.Client.Create(t.Context(), makeCTJ(namespace, "watcher")))
	var jobs batchv1.JobList
	require.NoError(t, server.Client.List(t.Context(), &jobs, client.InNamespace(namespace)))
	assert.Empty(t, jobs.Items)
}

func TestAnUpdateIsRefusedForWhatItChanges(t *testing.T) {
	namespace := server.Namespace(t)
	ctj := makeCTJ(namespace, "watcher")
	require.NoError(t, server.Client.Create(t.Context(), ctj))

	broken := ctj.DeepCopy()
	broken.Spec.Resources[0].Kind = "configmap"
	assert.ErrorContains(t, server.Client.Update(t.Context(), broken), "resource kind does not exist")

	broken = ctj.DeepCopy()
	template(func(t *batchv1.JobTemplateSpec) { t.Spec.Template.Spec.RestartPolicy = "" })(broken)
	assert.ErrorContains(t, server.Client.Update(t.Context(), broken), "spec.jobTemplate.spec.template.spec.restartPolicy: ")
}

// withoutWebhook stores an object that the webhook would refuse: as if it were from before there was one.
func withoutWebhook(t *testing.T, ctj *v1alpha.ChangeTriggeredJob) {
	t.Helper()
	var config admissionregistrationv1.ValidatingWebhookConfiguration
	setOperations := func(ops ...admissionregistrationv1.OperationType) {
		require.NoError(t, server.Client.Get(t.Context(), client.ObjectKey{Name: "validating-webhook-configuration"}, &config))
		config.Webhooks[0].Rules[0].Operations = ops
		require.NoError(t, server.Client.Update(t.Context(), &config))
	}
	probe := makeCTJ(ctj.Namespace, "probe")
	probe.Spec.Resources[0].Kind = "nonsense"
	refused := func() bool {
		return server.Client.Create(t.Context(), probe.DeepCopy(), client.DryRunAll) != nil
	}
	setOperations(admissionregistrationv1.Update)
	require.Eventually(t, func() bool { return !refused() }, 10*time.Second, 10*time.Millisecond)
	err := server.Client.Create(t.Context(), ctj)
	setOperations(admissionregistrationv1.Create, admissionregistrationv1.Update)
	require.Eventually(t, refused, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, err)
}

func TestAnObjectFromBeforeTheWebhook(t *testing.T) {
	namespace := server.Namespace(t)
	old := makeCTJ(namespace, "a-name-that-is-longer-than-the-webhook-would-allow-today",
		references(
			v1alpha.ResourceReference{APIVersion: "gone.example/v1", Kind: "Thing", Name: "x"},
			v1alpha.ResourceReference{APIVersion: "v1", Kind: "configmap", Name: "x"},
		),
		template(func(t *batchv1.JobTemplateSpec) { t.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyAlways }),
		func(ctj *v1alpha.ChangeTriggeredJob) { ctj.Finalizers = []string{"changejob.dev/test"} })
	withoutWebhook(t, old)

	t.Run("its metadata can be changed", func(t *testing.T) {
		old.Labels = map[string]string{"a": "b"}
		require.NoError(t, server.Client.Update(t.Context(), old))
	})
	t.Run("its status can be written", func(t *testing.T) {
		old.Status.TriggerCount = 1
		require.NoError(t, server.Client.Status().Update(t.Context(), old))
	})
	t.Run("its spec can be changed, its old kinds, template and name standing", func(t *testing.T) {
		old.Spec.Cooldown = &metav1.Duration{Duration: time.Minute * 7}
		require.NoError(t, server.Client.Update(t.Context(), old))
	})
	t.Run("a kind that is not served cannot be added", func(t *testing.T) {
		changed := old.DeepCopy()
		changed.Spec.Resources = append(changed.Spec.Resources,
			v1alpha.ResourceReference{APIVersion: "gone.example/v1", Kind: "Other", Name: "x"})
		assert.ErrorContains(t, server.Client.Update(t.Context(), changed),
			`spec.resources[2].kind: Invalid value: "Other": resource kind does not exist`)
	})
	t.Run("once it is being deleted, anything passes", func(t *testing.T) {
		require.NoError(t, server.Client.Delete(t.Context(), old))
		require.NoError(t, server.Client.Get(t.Context(), client.ObjectKeyFromObject(old), old))
		old.Spec.Resources[0].Kind = "AnotherThingThatIsNotServed"
		require.NoError(t, server.Client.Update(t.Context(), old))
		controllerutil.RemoveFinalizer(old, "changejob.dev/test")
		require.NoError(t, server.Client.Update(t.Context(), old))
		err := server.Client.Get(t.Context(), client.ObjectKeyFromObject(old), old)
		assert.True(t, apierrors.IsNotFound(err), "%v", err)
	})
}

// gadgets is a kind of its own, with a status subresource.
func gadgets(group string) *apiextensionsv1.CustomResourceDefinition {
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "gadgets." + group},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: group,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "gadgets", Kind: "Gadget"},
			Scope: apiextensionsv1.NamespaceScoped,
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", XPreserveUnknownFields: new(true),
				}},
				Subresources: &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}},
			}},
		},
	}
}

func TestAKindMayComeAndGo(t *testing.T) {
	namespace := server.Namespace(t)
	group := namespace + ".example" // which no run before this one has served
	gadget := references(v1alpha.ResourceReference{
		APIVersion: group + "/v1", Kind: "Gadget", Name: "x", Namespace: namespace, Fields: []string{"spec"}})
	ctj := makeCTJ(namespace, "watcher", gadget)
	require.ErrorContains(t, server.Client.Create(t.Context(), ctj.DeepCopy()), "resource kind does not exist")

	// It is accepted as soon as the API server serves it: that it did not is not remembered.
	crd := gadgets(group)
	require.NoError(t, server.Client.Create(t.Context(), crd))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, err := kindOf(t.Context(), validatorOn(t, server.Config, nil), group+"/v1", "Gadget")
		assert.NoError(c, err)
	}, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, server.Client.Create(t.Context(), ctj))

	require.NoError(t, server.Client.Delete(t.Context(), crd))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, err := kindOf(t.Context(), validatorOn(t, server.Config, nil), group+"/v1", "Gadget")
		assert.Error(c, err)
	}, 10*time.Second, 10*time.Millisecond)

	old := ctj.DeepCopy()
	ctj.Spec.Cooldown = &metav1.Duration{Duration: time.Hour}
	require.NoError(t, server.Client.Update(t.Context(), ctj))

	// The same where nothing is remembered.
	fresh := validatorOn(t, server.Config, nil)
	_, err := fresh.ValidateUpdate(requestBy(t, admin), old, ctj)
	require.NoError(t, err)
	_, err = fresh.ValidateCreate(requestBy(t, admin), ctj)
	assert.ErrorContains(t, err, "resource kind does not exist")
}

// nowhere is a port that nobody listens on.
const nowhere = "https://127.0.0.1:1/"

func TestTheMatchConditionsLetPassWhileTheWebhookIsDown(t *testing.T) {
	namespace := server.Namespace(t)
	ctj := makeCTJ(namespace, "watcher", func(ctj *v1alpha.ChangeTriggeredJob) {
		ctj.Finalizers = []string{"changejob.dev/test"}
		refs := ctj.Spec.Resources[0]
		for len(ctj.Spec.Resources) < 64 {
			ctj.Spec.Resources = append(ctj.Spec.Resources, refs)
		}
		template(func(t *batchv1.JobTemplateSpec) {
			for range 1000 {
				t.Spec.Template.Spec.Containers[0].Args = append(t.Spec.Template.Spec.Containers[0].Args, "an argument among many")
			}
		})(ctj)
	})
	require.NoError(t, server.Client.Create(t.Context(), ctj))

	config, err := registration(true)
	require.NoError(t, err)
	require.Len(t, config.Webhooks, 1)
	require.NotEmpty(t, config.Webhooks[0].MatchConditions)
	config.Name = "down-" + namespace
	config.Webhooks[0].NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}}
	config.Webhooks[0].ClientConfig = admissionregistrationv1.WebhookClientConfig{URL: new(nowhere)}
	require.NoError(t, server.Client.Create(t.Context(), config))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		err := server.Client.Create(t.Context(), makeCTJ(namespace, "new"), client.DryRunAll)
		assert.ErrorContains(c, err, "failed calling webhook")
	}, 10*time.Second, 10*time.Millisecond, "a new object needs the webhook")

	changed := ctj.DeepCopy()
	changed.Spec.Suspend = new(true)
	assert.ErrorContains(t, server.Client.Update(t.Context(), changed), "failed calling webhook", "a changed spec needs the webhook")
	changed = ctj.DeepCopy()
	template(func(t *batchv1.JobTemplateSpec) { t.Spec.BackoffLimit = new(int32(2)) })(changed)
	assert.ErrorContains(t, server.Client.Update(t.Context(), changed), "failed calling webhook", "a changed template needs the webhook")

	for _, never := range []string{`null`, `"0001-01-01T00:00:00Z"`} {
		for _, spec := range []string{`{"suspend":true}`, `{"resources":[{"apiVersion":"v1","kind":"Secret","name":"of-another","namespace":"kube-system"}]}`} {
			patch := []byte(`{"metadata":{"deletionTimestamp":` + never + `},"spec":` + spec + `}`)
			err := server.Client.Patch(t.Context(), ctj.DeepCopy(), client.RawPatch(types.MergePatchType, patch))
			assert.ErrorContains(t, err, "failed calling webhook", "a user who says that it is being deleted: %s", patch)
		}
		applied := fmt.Sprintf(`{"apiVersion":"triggers.changejob.dev/v1alpha","kind":"ChangeTriggeredJob","metadata":{"name":"applied","namespace":%q,`+
			`"deletionTimestamp":%s},"spec":{"jobTemplate":{"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i"}]}}}},`+
			`"resources":[{"apiVersion":"v1","kind":"Secret","name":"of-another","namespace":"kube-system"}]}}`, namespace, never)
		object := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "applied"}}
		err := server.Client.Patch(t.Context(), object, client.RawPatch(types.ApplyPatchType, []byte(applied)), client.FieldOwner("author"))
		assert.ErrorContains(t, err, "failed calling webhook", "nor on create: %s", applied)
	}

	for _, name := range []string{runNow, runForce} {
		err := annotate(t, server.Client, namespace, ctj.Name, map[string]any{name: "1"})
		assert.ErrorContains(t, err, "failed calling webhook", "a Job that is asked for needs the webhook")
		err = annotate(t, server.Client, namespace, ctj.Name, map[string]any{name: "2", "other": "1"})
		assert.ErrorContains(t, err, "failed calling webhook", "again, with another annotation")
	}

	before := ctj.DeepCopy()
	ctj.Labels = map[string]string{"a": "b"}
	ctj.Annotations = map[string]string{"other": "1"}
	require.NoError(t, server.Client.Patch(t.Context(), ctj, client.MergeFrom(before)), "metadata does not")
	ctj.Status.TriggerCount = 1
	require.NoError(t, server.Client.Status().Update(t.Context(), ctj), "status does not")
	require.NoError(t, annotate(t, server.Client, namespace, ctj.Name, map[string]any{"other": nil}), "nor do annotations that go")

	require.NoError(t, server.Client.Delete(t.Context(), ctj))
	require.NoError(t, server.Client.Get(t.Context(), client.ObjectKeyFromObject(ctj), ctj))
	ctj.Spec.Suspend = new(true)
	controllerutil.RemoveFinalizer(ctj, "changejob.dev/test")
	require.NoError(t, server.Client.Update(t.Context(), ctj), "the end of an object does not")
	err = server.Client.Get(t.Context(), client.ObjectKeyFromObject(ctj), ctj)
	assert.True(t, apierrors.IsNotFound(err), "%v", err)
}

func kindOf(ctx context.Context, v *validator, apiVersion, kind string) (servedKind, error) {
	return v.discovery.find(ctx, gvk(apiVersion, kind))
}
