// Package docs runs what the documentation shows: every YAML, and the commands around them, against a real
// API server with the operator and its webhook.
package docs

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/jobs"
	"github.com/nusnewob/kube-changejob/test/operator"
)

const (
	patience = 30 * time.Second
	tick     = 20 * time.Millisecond
)

// cluster is an API server with the operator and its webhook.
type cluster struct {
	*apiserver.Server
}

func start(t *testing.T) *cluster {
	root, err := apiserver.Root()
	require.NoError(t, err)
	server := apiserver.Start(t, apiserver.CRDs(), apiserver.CRD(databases()), apiserver.Webhooks(envtest.WebhookInstallOptions{
		Paths: []string{filepath.Join(root, "config", "webhook", "manifests.yaml")},
	}))
	hook := server.Env.WebhookInstallOptions
	operator.Start(t, operator.Options{
		KubeConfig: server.KubeConfig, WebhookCertDir: hook.LocalServingCertDir, WebhookPort: hook.LocalServingPort,
	})
	return &cluster{server}
}

func TestEveryYAMLOfTheDocumentation(t *testing.T) {
	c := start(t)
	all := documents(t)
	require.Greater(t, len(all), 60)
	first := all[len(all)-1].fields
	for _, d := range all {
		if d.origin == "01.yaml" { // the guide's first example
			first = d.fields
		}
	}
	for i, d := range all {
		if kind, ok := d.fields["kind"]; ok && kind != v1alpha.Kind && has(d.fields, "metadata") {
			if path.Dir(d.origin) == "docs/migration" {
				c.migrate(t, d)
			}
			continue // another object
		}
		t.Run(fmt.Sprintf("%s #%d", d.origin, i), func(t *testing.T) {
			ctj := c.decode(t, d.complete(first))
			c.prepare(t, ctj)
			if d.wrong {
				assert.Error(t, c.Client.Create(t.Context(), ctj))
				return
			}
			c.exercise(t, ctj)
		})
	}
}

func (c *cluster) decode(t *testing.T, fields map[string]any) *v1alpha.ChangeTriggeredJob {
	ctj := &v1alpha.ChangeTriggeredJob{}
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(fields, ctj))
	if ctj.Namespace == "" {
		ctj.Namespace = "default"
	}
	return ctj
}

// prepare creates the namespaces and objects that a ChangeTriggeredJob names.
func (c *cluster) prepare(t *testing.T, ctj *v1alpha.ChangeTriggeredJob) {
	ensure := func(object client.Object) {
		if err := c.Client.Create(t.Context(), object); !apierrors.IsAlreadyExists(err) {
			require.NoError(t, err)
		}
	}
	ensure(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ctj.Namespace}})
	for _, reference := range ctj.Spec.Resources {
		for _, namespace := range append(reference.EffectiveNamespaces(), one(reference).Namespace) {
			if namespace != "" {
				ensure(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: labelsFor(reference.NamespaceSelector)}})
			}
		}
		object := newObject(reference)
		if object == nil {
			continue
		}
		mutate(object, 0)
		ensure(object)
	}
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// one is the reference to one of the objects that a reference means.
func one(reference v1alpha.ResourceReference) v1alpha.ResourceReference {
	if reference.Selector == nil {
		return reference
	}
	reference.Name = "selected" // by these labels, and no others
	labels := labelsFor(reference.Selector)
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		reference.Name += notInNames.ReplaceAllString(strings.ToLower("-"+key+"-"+labels[key]), "-")
	}
	switch namespaces := reference.EffectiveNamespaces(); {
	case len(namespaces) > 0:
		reference.Namespace = namespaces[0]
	case reference.NamespaceSelector != nil:
		reference.Namespace = "selected"
		for _, value := range labelsFor(reference.NamespaceSelector) {
			reference.Namespace += "-" + value
		}
	}
	return reference
}

// labelsFor are labels that a selector selects.
func labelsFor(selector *v1alpha.LabelSelector) map[string]string {
	labels := map[string]string{}
	if selector == nil {
		return labels
	}
	for key, value := range selector.MatchLabels {
		labels[key] = string(value)
	}
	for _, requirement := range selector.MatchExpressions {
		if len(requirement.Values) > 0 {
			labels[requirement.Key] = string(requirement.Values[0])
		}
	}
	return labels
}

// databases is the custom kind of an example.
func databases() *apiextensionsv1.CustomResourceDefinition {
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "databases.example.com"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "example.com", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "databases", Singular: "database", Kind: "Database", ListKind: "DatabaseList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", XPreserveUnknownFields: new(true),
				}},
			}},
		},
	}
}

// newObject returns an object of the referenced kind; nil for a kind that is wrong.
func newObject(reference v1alpha.ResourceReference) client.Object {
	reference = one(reference)
	meta := metav1.ObjectMeta{Namespace: reference.Namespace, Name: reference.Name, Labels: labelsFor(reference.Selector)}
	switch reference.Kind {
	case "ConfigMap":
		return &corev1.ConfigMap{ObjectMeta: meta}
	case "Secret":
		return &corev1.Secret{ObjectMeta: meta}
	case "Node":
		return &corev1.Node{ObjectMeta: meta}
	case "Database":
		database := &unstructured.Unstructured{}
		database.SetAPIVersion(reference.APIVersion)
		database.SetKind(reference.Kind)
		database.SetNamespace(reference.Namespace)
		database.SetName(reference.Name)
		return database
	case "Job":
		return &batchv1.Job{ObjectMeta: meta, Spec: jobs.Spec()}
	case "Deployment":
		labels := map[string]string{"app": reference.Name}
		return &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy"}}},
			},
		}}
	default:
		return nil
	}
}

// mutate changes everything of an object that some document selects.
func mutate(object client.Object, n int) {
	value := fmt.Sprint(n)
	switch object := object.(type) {
	case *corev1.ConfigMap:
		object.Data = map[string]string{"key": value, "important-key": value, "revision": value}
	case *corev1.Secret:
		object.Data = map[string][]byte{"key": []byte(value), "tls.crt": []byte(value)}
	case *corev1.Node:
		if object.Labels == nil {
			object.Labels = map[string]string{}
		}
		object.Labels["pool"] = "pool-" + value
		object.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "Reason" + value}}
	case *batchv1.Job:
		jobs.End(object, batchv1.JobComplete)
	case *unstructured.Unstructured:
		object.Object["spec"] = map[string]any{"size": value}
	case *appsv1.Deployment:
		replicas := int32(n)
		object.Spec.Replicas = &replicas
		object.Spec.Template.Spec.Containers[0].Image = "image:" + value
		object.Status.ObservedGeneration, object.Status.UpdatedReplicas = object.Generation, replicas
		object.Status.Replicas, object.Status.ReadyReplicas, object.Status.AvailableReplicas = replicas, replicas, replicas
		object.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "Reason" + value}}
	}
}

// exercise applies a ChangeTriggeredJob, changes what it does not watch, then what it watches, and sees one Job for
// it.
func (c *cluster) exercise(t *testing.T, ctj *v1alpha.ChangeTriggeredJob) {
	ctx := t.Context()
	require.NoError(t, c.Client.Create(ctx, ctj))
	defer func() { require.NoError(t, c.Client.Delete(context.WithoutCancel(ctx), ctj)) }()
	c.await(t, ctj, func(c *assert.CollectT) {
		requireAvailable(c, ctj)
		require.Equal(c, ctj.Generation, ctj.Status.ObservedGeneration)
	})

	if ctj.Spec.RunsOnCreate() {
		c.openWindows(t, ctj)
		c.await(t, ctj, func(collect *assert.CollectT) { require.EqualValues(collect, 1, ctj.Status.TriggerCount) })
		c.goOn(t, ctj)
		return
	}
	c.changeWhatIsNotWatched(t, ctj)
	require.NoError(t, c.Client.Get(ctx, client.ObjectKeyFromObject(ctj), ctj))
	require.Zero(t, ctj.Status.TriggerCount)
	n := int(time.Now().UnixNano() % 1_000_000)
	changed := ctj.Spec.Resources
	if ctj.Spec.EffectiveCondition() == v1alpha.TriggerAny {
		changed = changed[:1]
	}
	for _, reference := range changed {
		c.change(t, ctj, reference, n)
	}
	if ctj.Spec.Suspended() {
		c.await(t, ctj, func(c *assert.CollectT) {
			requireProgressing(c, ctj, trigger.ReasonSuspended)
		})
		require.NoError(t, c.Client.Patch(ctx, ctj, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"suspend":false}}`))))
	}
	c.openWindows(t, ctj)
	c.await(t, ctj, func(collect *assert.CollectT) {
		require.EqualValues(collect, 1, ctj.Status.TriggerCount)
		for _, resource := range ctj.Status.ResourceHashes {
			for _, field := range resource.Fields {
				require.Empty(collect, field.LastTriggeredHash, field.Field)
			}
		}
	})
	var all batchv1.JobList
	require.NoError(t, c.Client.List(ctx, &all, client.InNamespace(ctj.Namespace), client.MatchingLabels{job.OwnerLabel: ctj.Name}))
	ours := 0
	for i := range all.Items {
		if job.Owned(&all.Items[i], ctj.UID) {
			ours++
		}
	}
	assert.Equal(t, 1, ours)
}

// shortened are a cooldown and a settle that a test can wait for.
const shortened = 3 * time.Second

// goOn is what comes after a first run, with shorter waits: a change that settles and triggers and, where the ChangeTriggeredJob says so, its
// Job that fails and is tried again.
func (c *cluster) goOn(t *testing.T, ctj *v1alpha.ChangeTriggeredJob) {
	ctx := t.Context()
	patch := fmt.Sprintf(`{"spec":{"cooldown":"%v"}}`, shortened)
	if ctj.Spec.Settle != nil {
		patch = fmt.Sprintf(`{"spec":{"cooldown":"%v","settle":"%v"}}`, shortened, shortened)
	}
	require.NoError(t, c.Client.Patch(ctx, ctj, client.RawPatch("application/merge-patch+json", []byte(patch))))
	c.await(t, ctj, func(collect *assert.CollectT) { // what waits now does so to settle
		require.Greater(collect, time.Since(ctj.Status.LastTriggeredTime.Time), shortened+time.Second)
	})
	changed := time.Now()
	for _, reference := range ctj.Spec.Resources {
		c.change(t, ctj, reference, int(changed.UnixNano()%1_000_000))
	}
	assert.Equal(t, trigger.ReasonChange, c.reasonOf(t, ctj, 2))
	if ctj.Spec.Settle != nil { // status counts in whole seconds
		assert.Greater(t, ctj.Status.LastTriggeredTime.Sub(changed), shortened-time.Second)
	}
	if ctj.Spec.OnFailure == v1alpha.RetriggerOnFailure {
		var failed batchv1.Job
		require.NoError(t, c.Client.Get(ctx, client.ObjectKey{Namespace: ctj.Namespace, Name: ctj.Status.LastJobName}, &failed))
		jobs.End(&failed, batchv1.JobFailed)
		require.NoError(t, c.Client.Status().Update(ctx, &failed))
		assert.Equal(t, trigger.ReasonRetry, c.reasonOf(t, ctj, 3))
	}
}

// reasonOf awaits a trigger, and returns why its Job says that it runs.
func (c *cluster) reasonOf(t *testing.T, ctj *v1alpha.ChangeTriggeredJob, number int64) trigger.Reason {
	c.await(t, ctj, func(collect *assert.CollectT) { require.Equal(collect, number, ctj.Status.TriggerCount) })
	var last batchv1.Job
	require.NoError(t, c.Client.Get(t.Context(), client.ObjectKey{Namespace: ctj.Namespace, Name: ctj.Status.LastJobName}, &last))
	return trigger.Reason(last.Annotations[job.ReasonAnnotation])
}

// openWindows waits until what is pending waits for a window, and takes the windows away; where one is open now, it has triggered.
func (c *cluster) openWindows(t *testing.T, ctj *v1alpha.ChangeTriggeredJob) {
	if len(ctj.Spec.Windows) == 0 {
		return
	}
	c.await(t, ctj, func(c *assert.CollectT) {
		if ctj.Status.TriggerCount == 0 {
			requireProgressing(c, ctj, trigger.ReasonOutsideWindow)
		}
	})
	require.NoError(t, c.Client.Patch(t.Context(), ctj, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"windows":null}}`))))
}

// changeWhatIsNotWatched changes an annotation of each object: kubectl's own where the whole object counts. A
// witness that watches nothing but these annotations tells when the operator has seen them all.
func (c *cluster) changeWhatIsNotWatched(t *testing.T, ctj *v1alpha.ChangeTriggeredJob) {
	ctx := t.Context()
	witness := ctj.DeepCopy()
	witness.ObjectMeta = metav1.ObjectMeta{Namespace: ctj.Namespace, Name: "witness"}
	witness.Status = v1alpha.ChangeTriggeredJobStatus{}
	witness.Spec.Condition, witness.Spec.Suspend = v1alpha.TriggerAll, nil
	witness.Spec.Windows, witness.Spec.Settle = nil, nil
	watched := []string{"metadata.annotations.note", "metadata.annotations['" + corev1.LastAppliedConfigAnnotation + "']"}
	for i := range witness.Spec.Resources {
		ref := &witness.Spec.Resources[i]
		ref.Fields, ref.Changes, ref.When = watched, nil, ""
	}
	require.NoError(t, c.Client.Create(ctx, witness))
	defer func() { require.NoError(t, c.Client.Delete(context.WithoutCancel(ctx), witness)) }()
	c.await(t, witness, func(collect *assert.CollectT) { requireAvailable(collect, witness) })

	for _, reference := range ctj.Spec.Resources {
		annotation := "note"
		if slices.Contains(reference.EffectiveFields(), v1alpha.AllFields) {
			annotation = corev1.LastAppliedConfigAnnotation
		}
		now := fmt.Sprint(time.Now().UnixNano())
		c.edit(t, reference, func(object client.Object) {
			annotations := map[string]string{annotation: now}
			for key, value := range object.GetAnnotations() {
				if key != annotation {
					annotations[key] = value
				}
			}
			object.SetAnnotations(annotations)
		})
	}
	c.await(t, witness, func(collect *assert.CollectT) { require.EqualValues(collect, 1, witness.Status.TriggerCount) })
}

// edit changes the referenced object, and its status where it has one that matters.
func (c *cluster) edit(t *testing.T, reference v1alpha.ResourceReference, change func(client.Object)) {
	object := newObject(reference)
	_, err := controllerutil.CreateOrUpdate(t.Context(), c.Client, object, func() error { change(object); return nil })
	require.NoError(t, err)
	statusMatters := false
	switch object.(type) {
	case *appsv1.Deployment:
		statusMatters = true
	case *corev1.Node, *batchv1.Job:
		statusMatters = reference.When != ""
	}
	if statusMatters {
		change(object)
		require.NoError(t, c.Client.Status().Update(t.Context(), object))
	}
}

// change changes the referenced object in a way that counts.
func (c *cluster) change(t *testing.T, ctj *v1alpha.ChangeTriggeredJob, reference v1alpha.ResourceReference, n int) {
	if !reference.Counts(v1alpha.ChangeUpdated) {
		require.NoError(t, client.IgnoreNotFound(c.Client.Delete(t.Context(), newObject(reference), client.PropagationPolicy(metav1.DeletePropagationBackground))))
		if !reference.Counts(v1alpha.ChangeCreated) {
			return
		}
		c.await(t, ctj, func(collect *assert.CollectT) {
			for _, entry := range ctj.Status.ResourceHashes {
				gone := entry.Matched != nil && *entry.Matched == 0 || entry.Exists != nil && !*entry.Exists
				require.True(collect, gone || trigger.ReferenceOf(&reference).Selection != entry.Selection)
			}
		})
	}
	c.edit(t, reference, func(object client.Object) { mutate(object, n) })
}

func (c *cluster) await(t *testing.T, ctj *v1alpha.ChangeTriggeredJob, check func(*assert.CollectT)) {
	t.Helper()
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		require.NoError(collect, c.Client.Get(t.Context(), client.ObjectKeyFromObject(ctj), ctj))
		check(collect)
	}, patience, tick)
}

func requireAvailable(t require.TestingT, ctj *v1alpha.ChangeTriggeredJob) {
	condition := meta.FindStatusCondition(ctj.Status.Conditions, trigger.ConditionAvailable)
	require.NotNil(t, condition)
	require.Equal(t, metav1.ConditionTrue, condition.Status, condition.Message)
}

func requireProgressing(t require.TestingT, ctj *v1alpha.ChangeTriggeredJob, reason string) {
	condition := meta.FindStatusCondition(ctj.Status.Conditions, trigger.ConditionProgressing)
	require.NotNil(t, condition)
	require.Equal(t, reason, condition.Reason, condition.Message)
}

// sh runs a command line of the guide.
func (c *cluster) sh(t *testing.T, line string) (string, error) {
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	kubectl := c.Kubectl()
	require.NoError(t, kubectl.Err)
	cmd.Env = slices.Concat(kubectl.Env, []string{
		"PATH=" + filepath.Dir(kubectl.Path) + ":" + os.Getenv("PATH"),
		"LOCALCLUSTER_PARENT=", // a shell stands between us and it
	})
	output, err := cmd.CombinedOutput()
	return string(output), err
}

func TestTheCommandsOfTheGuide(t *testing.T) {
	c := start(t)
	run := func(line string) string {
		t.Helper()
		output, err := c.sh(t, line)
		require.NoError(t, err, "%s\n%s", line, output)
		return output
	}
	root, err := apiserver.Root()
	require.NoError(t, err)
	first := filepath.Join(root, "test", "docs", "testdata", "guide", "01.yaml")

	run("kubectl get crd changetriggeredjobs.triggers.changejob.dev")
	run("kubectl create configmap my-config --from-literal=key=value")
	run("kubectl apply -f " + first)
	run("kubectl wait --for=condition=Available --timeout=30s changetriggeredjob/my-first-trigger")
	run(`kubectl patch configmap my-config -p '{"data":{"key":"newvalue"}}'`)
	run("kubectl wait --for=jsonpath='{.status.lastJobStatus}'=Active --timeout=30s ctj/my-first-trigger")

	jobName := strings.TrimSpace(run("kubectl get ctj my-first-trigger -o jsonpath='{.status.lastJobName}'"))
	assert.Contains(t, run("kubectl get jobs -l changejob.dev/owner=my-first-trigger"), jobName)
	assert.Contains(t, run("kubectl get jobs -l changejob.dev/owner=my-first-trigger --field-selector status.successful=0"), jobName)
	assert.Contains(t, run("kubectl describe job "+jobName), "changejob.dev/trigger: 1")
	assert.Contains(t, run("kubectl get changetriggeredjobs"), "LAST TRIGGERED")
	assert.Contains(t, run("kubectl get ctj -A"), "my-first-trigger")
	assert.Contains(t, run("kubectl get ctjs"), "Active")
	described := run("kubectl describe changetriggeredjob my-first-trigger")
	assert.Contains(t, described, "Trigger Count:")
	assert.Contains(t, described, trigger.EventJobCreated)
	assert.Contains(t, run("kubectl get changetriggeredjob my-first-trigger -o yaml"), "lastJobStatus: Active")
	assert.Contains(t, run("kubectl get ctj my-first-trigger -o jsonpath='{.status}'"), `"triggerCount":1`)
	assert.Contains(t, run("kubectl get ctj my-first-trigger -o jsonpath='{.status.resourceHashes}'"), `"name":"my-config"`)
	assert.Contains(t, run("kubectl get ctj my-first-trigger -o jsonpath='{.status.conditions}'"), `"type":"Available"`)
	_, err = time.Parse(time.RFC3339, run("kubectl get ctj my-first-trigger -o jsonpath='{.status.lastTriggeredTime}'"))
	assert.NoError(t, err)
	assert.Equal(t, "Active", run("kubectl get ctj my-first-trigger -o jsonpath='{.status.lastJobStatus}'"))
	run("kubectl annotate configmap my-config test=value-$(date +%s)")
	run("kubectl wait --for=jsonpath='{.status.conditions[?(@.type==\"Progressing\")].reason}'=Cooldown --timeout=30s ctj/my-first-trigger")
	assert.Contains(t, run("kubectl auth can-i create changetriggeredjobs"), "yes")
	run(`kubectl patch ctj my-first-trigger --type=merge -p '{"spec":{"suspend":true}}'`)
}

func TestTheWebhooksErrorsAreThoseOfTheGuide(t *testing.T) {
	c := start(t)
	cases := map[string]struct {
		reference string
		want      string
	}{
		"a kind in lower case":                {`{"apiVersion":"v1","kind":"configmap","name":"a","namespace":"default"}`, "resource kind does not exist"},
		"no namespace for a ConfigMap":        {`{"apiVersion":"v1","kind":"ConfigMap","name":"a"}`, "namespace is required for namespaced resources"},
		"a namespace for a Node":              {`{"apiVersion":"v1","kind":"Node","name":"a","namespace":"default"}`, "namespace must not be set for cluster-scoped resources"},
		"a path that cannot be":               {`{"apiVersion":"v1","kind":"ConfigMap","name":"a","namespace":"default","fields":["data..key"]}`, "spec.resources[0].fields[0]"},
		"a field path that is far too clever": {`{"apiVersion":"v1","kind":"ConfigMap","name":"a","namespace":"default","fields":["data|@this"]}`, "spec.resources[0].fields[0]"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			object := &unstructured.Unstructured{}
			require.NoError(t, object.UnmarshalJSON(fmt.Appendf(nil, `{"apiVersion":"triggers.changejob.dev/v1alpha","kind":"ChangeTriggeredJob",
				"metadata":{"name":"ctj","namespace":"default"},"spec":{"resources":[%s],"jobTemplate":{"spec":{"template":{"spec":{
				"restartPolicy":"Never","containers":[{"name":"c","image":"busybox:1.37"}]}}}}}}`, test.reference)))
			file := filepath.Join(t.TempDir(), "ctj.json")
			data, err := object.MarshalJSON()
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(file, data, 0o600))
			output, err := c.sh(t, "kubectl apply -f "+file)
			require.Error(t, err)
			assert.Contains(t, output, test.want)
		})
	}
}
