package docs

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// The pages of docs/migration show what others have beside what we have. Theirs stands in fences that say whose it is, such as
// "```yaml argo-events", and is not applied; ours is run as every YAML of the documentation is.

// marked are the YAMLs that say whose they are.
var marked = regexp.MustCompile("(?ms)^ *```yaml ([^\n]*)\n(.*?)^ *```")

// peers have, by the word that marks their YAML, what a document of theirs must be: an error says what it lacks.
var peers = map[string]func(map[string]any) error{
	"argo-events": kinds(map[string]func(map[string]any) error{
		"argoproj.io/v1alpha1 EventSource": func(d map[string]any) error {
			_, err := find[map[string]any](d, "spec", "resource")
			return err
		},
		"argoproj.io/v1alpha1 Sensor": func(d map[string]any) error {
			if _, err := find[[]any](d, "spec", "dependencies"); err != nil {
				return err
			}
			triggers, err := find[[]any](d, "spec", "triggers")
			for _, trigger := range triggers {
				job, err := find[map[string]any](trigger, "template", "k8s", "source", "resource")
				if err != nil {
					return err
				}
				if err := strictly(job, &batchv1.Job{}); err != nil {
					return err
				}
			}
			return err
		},
	}),
	"knative": kinds(map[string]func(map[string]any) error{
		"sources.knative.dev/v1 ApiServerSource": func(d map[string]any) error {
			if _, err := find[map[string]any](d, "spec", "sink", "ref"); err != nil {
				return err
			}
			_, err := find[[]any](d, "spec", "resources")
			return err
		},
		"eventing.knative.dev/v1 Trigger": func(d map[string]any) error {
			_, err := find[map[string]any](d, "spec", "subscriber", "ref")
			return err
		},
		"sinks.knative.dev/v1alpha1 JobSink": func(d map[string]any) error {
			job, err := find[map[string]any](d, "spec", "job")
			if err != nil {
				return err
			}
			return strictly(job, &batchv1.Job{})
		},
	}),
	"reloader": kinds(map[string]func(map[string]any) error{
		"apps/v1 Deployment": func(d map[string]any) error {
			deployment := &appsv1.Deployment{}
			if err := strictly(d, deployment); err != nil {
				return err
			}
			for annotation := range deployment.Annotations {
				if domain, _, _ := strings.Cut(annotation, "/"); !strings.HasSuffix("."+domain, ".reloader.stakater.com") {
					return fmt.Errorf("annotation %s is not of Reloader", annotation)
				}
			}
			if len(deployment.Annotations) == 0 {
				return fmt.Errorf("no annotation of Reloader")
			}
			return nil
		},
	}),
	"shell-operator": func(d map[string]any) error { // what a hook prints for --config is no object
		if d["configVersion"] != "v1" {
			return fmt.Errorf("configVersion is %v", d["configVersion"])
		}
		bindings, err := find[[]any](d, "kubernetes")
		for _, binding := range bindings {
			if _, err := find[string](binding, "kind"); err != nil {
				return err
			}
		}
		return err
	},
}

// kinds are those that a peer's documents may be of, with what each must be.
func kinds(known map[string]func(map[string]any) error) func(map[string]any) error {
	return func(d map[string]any) error {
		kind := fmt.Sprint(d["apiVersion"], " ", d["kind"])
		check, ok := known[kind]
		if !ok {
			return fmt.Errorf("%s is none of its kinds", kind)
		}
		if _, err := find[string](d, "metadata", "name"); err != nil {
			return err
		}
		return check(d)
	}
}

// find is what stands at a path in a document.
func find[T any](value any, keys ...string) (T, error) {
	for _, key := range keys {
		fields, _ := value.(map[string]any)
		value = fields[key]
	}
	found, ok := value.(T)
	if !ok {
		return found, fmt.Errorf("%s is %v", strings.Join(keys, "."), value)
	}
	return found, nil
}

func strictly(fields map[string]any, into any) error {
	text, err := yaml.Marshal(fields)
	if err != nil {
		return err
	}
	return yaml.UnmarshalStrict(text, into)
}

func TestWhatPeersHaveIsRecognised(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	found := map[string]bool{}
	for _, page := range append(pages(t), "README.md") {
		text := read(t, filepath.Join(root, page))
		assert.NotContains(t, text, "```yml", "%s: a YAML that no test finds", page)
		for _, block := range marked.FindAllStringSubmatch(text, -1) {
			check, known := peers[block[1]]
			if !assert.True(t, known, "%s: nobody knows whose YAML %q is", page, block[1]) {
				continue
			}
			documents := parse(t, page, block[2])
			assert.NotEmpty(t, documents)
			for _, d := range documents {
				assert.NoError(t, check(d.fields), "%s: is no YAML of %s", page, block[1])
			}
			found[block[1]+" in "+page] = true
		}
	}
	for peer := range peers {
		assert.True(t, found[peer+" in docs/migration/"+peer+".md"], "there is no YAML of %s to come from", peer)
	}
}

func TestWhatIsNoYAMLOfAPeerIsRecognised(t *testing.T) {
	for name, text := range map[string]string{
		"argo-events: another kind":                   "{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: a}}",
		"argo-events: another group":                  "{apiVersion: v1, kind: EventSource, metadata: {name: a}, spec: {resource: {}}}",
		"argo-events: a source of something else":     "{apiVersion: argoproj.io/v1alpha1, kind: EventSource, metadata: {name: a}, spec: {webhook: {}}}",
		"argo-events: a trigger that makes no Job":    "{apiVersion: argoproj.io/v1alpha1, kind: Sensor, metadata: {name: a}, spec: {dependencies: [], triggers: [{template: {http: {}}}]}}",
		"argo-events: a Job with an unknown field":    "{apiVersion: argoproj.io/v1alpha1, kind: Sensor, metadata: {name: a}, spec: {dependencies: [], triggers: [{template: {k8s: {source: {resource: {spec: {tmplate: {}}}}}}}]}}",
		"knative: no name":                            "{apiVersion: eventing.knative.dev/v1, kind: Trigger, spec: {subscriber: {ref: {}}}}",
		"knative: a source without a sink":            "{apiVersion: sources.knative.dev/v1, kind: ApiServerSource, metadata: {name: a}, spec: {resources: []}}",
		"knative: a sink without a Job":               "{apiVersion: sinks.knative.dev/v1alpha1, kind: JobSink, metadata: {name: a}, spec: {}}",
		"reloader: no annotation":                     "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}",
		"reloader: somebody else's annotation":        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, annotations: {myreloader.stakater.com/auto: 'true'}}}",
		"shell-operator: another version of it":       "{configVersion: v0, kubernetes: [{kind: Pod}]}",
		"shell-operator: a binding without a kind":    "{configVersion: v1, kubernetes: [{apiVersion: v1}]}",
		"shell-operator: a hook that watches nothing": "{configVersion: v1, schedule: []}",
	} {
		t.Run(name, func(t *testing.T) {
			peer, _, _ := strings.Cut(name, ":")
			var fields map[string]any
			require.NoError(t, yaml.Unmarshal([]byte(text), &fields))
			assert.Error(t, peers[peer](fields))
		})
	}
}

// TestEveryMigrationLeadsToAChangeTriggeredJob, which TestEveryYAMLOfTheDocumentation runs: a change makes a Job.
func TestEveryMigrationLeadsToAChangeTriggeredJob(t *testing.T) {
	all := documents(t)
	migrations := 0
	for _, page := range pages(t) {
		if path.Dir(page) != "docs/migration" {
			continue
		}
		migrations++
		assert.True(t, slices.ContainsFunc(all, func(d document) bool {
			return d.origin == page && d.fields["kind"] == v1alpha.Kind && !d.wrong
		}), "%s shows no whole ChangeTriggeredJob", page)
	}
	assert.Equal(t, len(peers)+1, migrations, "one page for each peer, and one for releases 0.1")
}

// migrate applies what the pages of docs/migration have beside ChangeTriggeredJobs.
func (c *cluster) migrate(t *testing.T, d document) {
	object := &unstructured.Unstructured{Object: d.fields}
	if namespace := object.GetNamespace(); namespace != "" {
		err := c.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		if !apierrors.IsAlreadyExists(err) {
			require.NoError(t, err)
		}
	}
	require.NoError(t, c.Client.Create(t.Context(), object), "%s", d.origin)
}

// TestTheJobThatRestartsADeploymentMayDoSo runs the command of the page about Reloader as the Job's service account: it restarts the
// Deployment that the page is about, and no other.
func TestTheJobThatRestartsADeploymentMayDoSo(t *testing.T) {
	c := start(t)
	const page = "docs/migration/reloader.md"
	var ctj *v1alpha.ChangeTriggeredJob
	for _, d := range documents(t) {
		switch {
		case d.origin != page:
		case d.fields["kind"] == v1alpha.Kind:
			ctj = c.decode(t, d.fields)
		case has(d.fields, "kind") && has(d.fields, "metadata"):
			c.migrate(t, d)
		}
	}
	require.NotNil(t, ctj)
	var template batchv1.JobTemplateSpec
	require.NoError(t, yaml.Unmarshal(ctj.Spec.JobTemplate.Raw, &template))
	pod := template.Spec.Template.Spec

	restarted := func(name string) bool {
		deployment := &appsv1.Deployment{}
		require.NoError(t, c.Client.Get(t.Context(), client.ObjectKey{Namespace: ctj.Namespace, Name: name}, deployment))
		return deployment.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] != ""
	}
	for _, name := range []string{"web", "other"} {
		deployment := newObject(v1alpha.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: ctj.Namespace, Name: name})
		mutate(deployment, 1)
		require.NoError(t, c.Client.Create(t.Context(), deployment))
		require.False(t, restarted(name))
	}
	command := strings.Join(pod.Containers[0].Command, " ") + " --as=system:serviceaccount:" + ctj.Namespace + ":" + pod.ServiceAccountName
	output, err := c.sh(t, command)
	require.NoError(t, err, output)
	assert.True(t, restarted("web"))
	output, err = c.sh(t, strings.ReplaceAll(command, "deployment/web", "deployment/other"))
	require.Error(t, err)
	assert.Contains(t, output, "orbidden")
	assert.False(t, restarted("other"))
}
