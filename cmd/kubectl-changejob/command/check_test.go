package command

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
)

// manifest is a ChangeTriggeredJob with these resources, in YAML.
func manifest(name, resources string) string {
	return fmt.Sprintf(`apiVersion: triggers.changejob.dev/v1alpha
kind: ChangeTriggeredJob
metadata:
  name: %s
spec:
  jobTemplate:
    spec:
      template:
        spec:
          containers: [{name: a, image: busybox}]
          restartPolicy: Never
  resources:
%s`, name, resources)
}

func (w *world) resource(kind, name string, fields ...string) string {
	encoded, err := json.Marshal(fields)
	require.NoError(w.t, err)
	return fmt.Sprintf("  - {apiVersion: v1, kind: %s, namespace: %s, name: %s, fields: %s}\n", kind, w.namespace, name, encoded)
}

// checked checks a file, and returns the report and what was said beside it.
func (w *world) checked(content string, args ...string) (report.Checks, result) {
	w.t.Helper()
	w.stdin = content
	r := w.run(append([]string{"check", "-", "-o", "json"}, args...)...)
	var checks report.Checks
	if r.out != "" {
		require.NoError(w.t, json.Unmarshal([]byte(r.out), &checks))
	}
	return checks, r
}

const secretValue = "c2VjcmV0LXZhbHVl" // of a Secret, as the API server tells it

func objects(w *world) {
	w.create(
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "app-config"}, Data: map[string]string{"a": "value-of-a", "b": "bb"}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "db"}, Data: map[string][]byte{"password": []byte("secret-value")}},
	)
}

func TestCheckShowsWhatEachPathSelects(t *testing.T) {
	w := newWorld(t)
	objects(w)
	file := filepath.Join(t.TempDir(), "ctj.yaml")
	content := manifest("config-sync", w.resource("ConfigMap", "app-config", "data", "data.a", "data[*]", "data.gone")+
		w.resource("Secret", "db", "data", "data.password", "type")+w.resource("ConfigMap", "none", "*"))
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))

	two, ten := 2, 10
	one := 1
	checks, r := w.checked(content)
	require.Equal(t, 0, r.code, r.err)
	assert.Equal(t, report.Checks{Skipped: []string{}, Items: []report.Check{{
		Namespace: w.namespace, Name: "config-sync", Valid: true, Action: report.ActionCreate, Problems: []report.Problem{}, Warnings: []string{},
		Looks: []report.CheckReference{
			{ObjectReference: checks.Items[0].Looks[0].ObjectReference, Exists: report.ExistsYes, Fields: []report.CheckField{
				{Field: "data", Values: 1, Selected: []report.Selected{{Type: "object", Size: &two}}},
				{Field: "data.a", Values: 1, Selected: []report.Selected{{Type: "string", Size: &ten}}},
				{Field: "data[*]", Values: 2, Selected: []report.Selected{{Type: "string", Size: &ten}, {Type: "string", Size: &two}}},
				{Field: "data.gone", Selected: []report.Selected{}},
			}},
			{ObjectReference: checks.Items[0].Looks[1].ObjectReference, Exists: report.ExistsYes, Fields: []report.CheckField{
				{Field: "data", Values: 1, Selected: []report.Selected{{Type: "object", Size: &one}}},
				{Field: "data.password", Values: 1, Selected: []report.Selected{{Type: "string"}}},
				{Field: "type", Values: 1, Selected: []report.Selected{{Type: "string"}}},
			}},
			{ObjectReference: checks.Items[0].Looks[2].ObjectReference, Exists: report.ExistsNo, Fields: []report.CheckField{{Field: "*", Selected: []report.Selected{}}}},
		},
	}}}, checks)

	out := w.done("check", file)
	assert.NotContains(t, out, "value-of-a", "values are shown only where that is asked for")
	assert.Contains(t, out, "    data[*]: 2 values (string of 10 characters, string of 2 characters)\n")
	shown := w.done("check", file, "--show-values")
	assert.Contains(t, shown, "value-of-a")

	ctj := &v1alpha.ChangeTriggeredJob{}
	assert.Error(t, server.Client.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "config-sync"}, ctj), "check creates nothing")
}

func TestCheckLooksIntoTheFirstThatASelectorSelects(t *testing.T) {
	w := newWorld(t)
	for name, data := range map[string]map[string]string{
		"web-1": {"size": "large"}, "web-2": {"size": "small"}, "web-3": nil,
		"web-4": {"size": "large"}, "web-5": {"size": "large"}, "web-6": {"size": "large"}, "web-7": {"size": "large"},
	} {
		w.create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name, Labels: map[string]string{"app": "web"}}, Data: data})
	}
	w.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "db", Labels: map[string]string{"app": "web"}}, StringData: map[string]string{"password": "secret-value"}})
	selecting := func(kind, more string) string {
		return fmt.Sprintf("  - {apiVersion: v1, kind: %s, selector: {matchLabels: {app: web}}, namespace: %s, %s}\n", kind, w.namespace, more)
	}
	content := manifest("config-sync", selecting("ConfigMap", `fields: [data, data.size], when: 'object.data.size == "large"'`)+selecting("Secret", "fields: [data.password]"))

	// To list objects is to read them, without the right to get one.
	author := w.user("author", may(v1alpha.GroupVersion.Group, triggers, "create", "get"), may("", "configmaps", "list"), may("", "secrets", "list"))
	checks, r := author.checked(content)
	require.Equal(t, 0, r.code, r.err)
	require.Len(t, checks.Items[0].Looks, 2)
	look := checks.Items[0].Looks[0]
	seven, five, one := 7, 5, 1
	assert.Equal(t, &seven, look.Matched)
	require.Len(t, look.Objects, report.MaxObjects)
	assert.Empty(t, look.Fields)
	var names, whens []string
	for _, object := range look.Objects {
		assert.Equal(t, []string{"v1", "ConfigMap", w.namespace, ""}, []string{object.APIVersion, object.Kind, object.Namespace, object.Selection})
		names, whens = append(names, object.Name), append(whens, object.When)
	}
	assert.Equal(t, []string{"web-1", "web-2", "web-3", "web-4", "web-5"}, names)
	assert.Equal(t, []string{"True", "False", "Failed", "True", "True"}, whens)
	assert.Equal(t, []report.CheckField{
		{Field: "data", Values: 1, Selected: []report.Selected{{Type: "object", Size: &one}}},
		{Field: "data.size", Values: 1, Selected: []report.Selected{{Type: "string", Size: &five}}},
	}, look.Objects[0].Fields)
	assert.Equal(t, []report.CheckField{{Field: "data", Selected: []report.Selected{}}, {Field: "data.size", Selected: []report.Selected{}}}, look.Objects[2].Fields)
	assert.Equal(t, []report.CheckField{{Field: "data.password", Values: 1, Selected: []report.Selected{{Type: "string"}}}}, checks.Items[0].Looks[1].Objects[0].Fields)

	shown := author.done("check", "-", "--show-values")
	for _, line := range []string{
		"    ConfigMap " + w.namespace + "/web-1\n      when: true now, so that it is selected\n      data: object with 1 entry {\"size\":\"large\"}\n",
		"    ConfigMap " + w.namespace + "/web-2\n      when: false now, so that it is left out\n",
		"    ConfigMap " + w.namespace + "/web-3\n      when: cannot be evaluated now, so that it is left out\n      data: nothing\n",
		"    and 2 more\n",
		"    Secret " + w.namespace + "/db\n      data.password: string\n",
	} {
		assert.Contains(t, shown, line)
	}
	assert.NotContains(t, shown, "web-6", "more are told by number")
	assert.NotContains(t, shown, secretValue, "nor what a Secret holds")
	assert.NotContains(t, author.done("check", "-"), `{"size"`, "values are shown only where that is asked for")
}

func TestCheckLooksIntoWhatIsSelectedInSeveralNamespaces(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	for _, in := range []*world{w, other} {
		for _, name := range []string{"web-1", "web-2", "web-3"} {
			w.create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: in.namespace, Name: name, Labels: map[string]string{"app": "web"}}})
		}
	}
	checks, r := w.checked(manifest("config-sync", fmt.Sprintf("  - {apiVersion: v1, kind: ConfigMap, selector: {matchLabels: {app: web}}, namespaces: [%s, %s], fields: [data]}\n",
		w.namespace, other.namespace)))
	require.Equal(t, 0, r.code, r.err)
	look := checks.Items[0].Looks[0]
	six := 6
	assert.Equal(t, &six, look.Matched)
	require.Len(t, look.Objects, report.MaxObjects)
	within := map[string]int{}
	for _, object := range look.Objects {
		within[object.Namespace]++
	}
	assert.Len(t, within, 2, "those of the second namespace take the room that the first has left")
}

func TestCheckCountsWhatASelectorSelects(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"web-1", "web-2", "db-1"} {
		app, _, _ := strings.Cut(name, "-")
		w.create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name, Labels: map[string]string{"app": app}}})
	}
	selecting := func(app, where string) string {
		return fmt.Sprintf("  - {apiVersion: v1, kind: ConfigMap, selector: {matchLabels: {app: %s}}, %s, fields: [data]}\n", app, where)
	}
	in := "namespace: " + w.namespace
	inOurs := "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: " + w.namespace + "}}"

	checks, r := w.checked(manifest("config-sync", selecting("web", in)+selecting("cache", in)+selecting("web", inOurs)))
	require.Equal(t, 0, r.code, r.err)
	two, none := 2, 0
	looks := checks.Items[0].Looks
	require.Len(t, looks, 3)
	assert.Equal(t, []any{report.ExistsYes, &two, []report.CheckField{}}, []any{looks[0].Exists, looks[0].Matched, looks[0].Fields})
	assert.Len(t, looks[0].Objects, 2)
	assert.Equal(t, report.CheckReference{ObjectReference: looks[1].ObjectReference, Exists: report.ExistsNo, Matched: &none, Fields: []report.CheckField{}}, looks[1])
	assert.Equal(t, &two, looks[2].Matched)

	out := w.done("check", "-")
	assert.Contains(t, out, "[app=web]: selects 2 objects\n")
	assert.Contains(t, out, "[app=cache]: selects nothing\n")

	checks, r = w.checked(manifest("config-sync", selecting("web", "name: ''")))
	assert.Equal(t, 1, r.code)
	assert.Equal(t, report.CheckReference{ObjectReference: checks.Items[0].Looks[0].ObjectReference, Exists: report.ExistsUnknown,
		Message: "the reference is not valid", Fields: []report.CheckField{}}, checks.Items[0].Looks[0], "which says nowhere where it selects")
	w.stdin = manifest("config-sync", selecting("web", in)+selecting("cache", in)+selecting("web", inOurs))

	author := w.user("author", may(v1alpha.GroupVersion.Group, triggers, "create", "get"), may("", "configmaps", "get"))
	author.stdin = w.stdin
	assert.Contains(t, strings.Join(strings.Fields(author.done("check", "-")), " "), "[app=web]: not known what it selects (you may not list configmaps in namespace "+w.namespace+")")
}

func TestCheckNeverShowsWhatASecretHolds(t *testing.T) {
	w := newWorld(t)
	objects(w)
	w.stdin = manifest("config-sync", w.resource("Secret", "db", "*", "data", "data.password", "data[*]"))
	for _, format := range [][]string{nil, {"-o", "json"}, {"-o", "yaml"}} {
		out := w.done(append([]string{"check", "-", "--show-values"}, format...)...)
		assert.NotContains(t, out, secretValue)
		assert.NotContains(t, out, "secret-value")
		assert.NotRegexp(t, `16 characters|"?size"?: 16\b`, out, "nor how long it is")
		assert.Regexp(t, `object with 1 entry|"?size"?: 1\b`, out, "but how many there are")
	}
}

func TestCheckTellsWhatIsWrong(t *testing.T) {
	for does, test := range map[string]struct {
		content func(*world) string
		want    string
	}{
		"a kind that does not exist": {
			func(w *world) string { return manifest("a", w.resource("ConfgMap", "app-config", "data")) },
			"spec.resources[0].kind: Invalid value: \"ConfgMap\": resource kind does not exist",
		},
		"a namespace that is missing": {
			func(*world) string { return manifest("a", "  - {apiVersion: v1, kind: ConfigMap, name: x}\n") },
			"spec.resources[0].namespace: Required value: namespace is required for namespaced resources",
		},
		"a namespace too many": {
			func(w *world) string { return manifest("a", w.resource("Node", "x", "*")) },
			"spec.resources[0].namespace: Forbidden: namespace must not be set for cluster-scoped resources",
		},
		"a path that cannot be read": {
			func(w *world) string { return manifest("a", w.resource("ConfigMap", "app-config", "data..a")) },
			`spec.resources[0].fields[0]: Invalid value: invalid field path "data..a"`,
		},
		"a bound of the schema": {
			func(w *world) string {
				return manifest("a", w.resource("ConfigMap", "app-config", "data")) + "  cooldown: 721h\n"
			},
			"spec.cooldown: Invalid value: ",
		},
		"a field that does not exist": {
			func(w *world) string {
				return manifest("a", w.resource("ConfigMap", "app-config", "data")) + "  coldown: 1h\n"
			},
			`unknown field "spec.coldown"`,
		},
		"a name that is too long": {
			func(w *world) string {
				return manifest(strings.Repeat("a", 53), w.resource("ConfigMap", "app-config", "data"))
			},
			"metadata.name: Invalid value: ",
		},
		"a namespace that does not exist": {
			func(w *world) string {
				return strings.Replace(manifest("a", w.resource("ConfigMap", "app-config", "data")), "  name: a\n", "  name: a\n  namespace: no-such\n", 1)
			},
			`namespaces "no-such" not found`,
		},
	} {
		t.Run(does, func(t *testing.T) {
			w := newWorld(t)
			objects(w)
			checks, r := w.checked(test.content(w))
			assert.Equal(t, 1, r.code)
			assert.Equal(t, "error: 1 of 1 not valid\n", r.err)
			require.Len(t, checks.Items, 1)
			assert.False(t, checks.Items[0].Valid)
			var told []string
			for _, problem := range checks.Items[0].Problems {
				told = append(told, problem.String())
			}
			assert.Contains(t, strings.Join(told, "\n"), test.want)
			assert.Len(t, told, 1, "nothing is told twice: %q", told)
			w.stdin = test.content(w)
			assert.Contains(t, w.run("check", "-").out, ": invalid\n")
		})
	}
}

func TestCheckOfFilesWithMore(t *testing.T) {
	w := newWorld(t)
	objects(w)
	w.trigger("there")
	one := manifest("there", w.resource("ConfigMap", "app-config", "data"))
	other := manifest("other", w.resource("ConfgMap", "app-config", "data"))
	configMap := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app-config}\n"

	checks, r := w.checked("# a comment\n---\n" + one + "---\n" + configMap + "---\n---\n" + other)
	assert.Equal(t, "error: 1 of 2 not valid\n", r.err)
	assert.Equal(t, []string{"ConfigMap app-config"}, checks.Skipped)
	require.Len(t, checks.Items, 2)
	assert.Equal(t, []any{true, report.ActionUpdate}, []any{checks.Items[0].Valid, checks.Items[0].Action})
	assert.False(t, checks.Items[1].Valid)

	inJSON := `{"apiVersion":"triggers.changejob.dev/v1alpha","kind":"ChangeTriggeredJob","metadata":{"name":"%s"},"spec":{"jobTemplate":{"spec":{"template":` +
		`{"spec":{"restartPolicy":"Never","containers":[{"name":"a","image":"b"}]}}}},"resources":[{"apiVersion":"v1","kind":"Namespace","name":"default"}]}}`
	checks, r = w.checked(fmt.Sprintf(`{"apiVersion":"v1","kind":"List","items":[`+inJSON+`]}`+"\n"+inJSON, "a", "b"))
	require.Equal(t, 0, r.code, r.err)
	assert.Len(t, checks.Items, 2)

	for does, test := range map[string]struct{ content, want string }{
		"nothing":                 {"", "-: holds no ChangeTriggeredJob"},
		"nothing of ours":         {configMap, "-: holds no ChangeTriggeredJob"},
		"no YAML":                 {"a: [", "-: document 1: "},
		"no object":               {"- a\n", "-: document 1: is no object"},
		"no kind":                 {"a: b\n", "-: document 1: has no apiVersion or no kind"},
		"a key twice":             {one + "  cooldown: 1m\n  cooldown: 2m\n", `key "cooldown" already set`},
		"no name":                 {strings.Replace(one, "name: there", "labels: {}", 1), "has no metadata.name"},
		"a version of the future": {strings.Replace(one, "v1alpha", "v2", 1), "this plugin knows v1alpha"},
	} {
		t.Run(does, func(t *testing.T) {
			_, r := w.checked(test.content)
			assert.Equal(t, 1, r.code)
			assert.Empty(t, r.out)
			assert.Contains(t, r.err, test.want)
		})
	}
	_, r = w.checked(strings.Replace(one, "  name: there\n", "  name: there\n  namespace: elsewhere\n", 1), "-n", w.namespace)
	assert.Contains(t, r.err, "the namespace of there is elsewhere, and --namespace is "+w.namespace)
}

func TestCheckKnowsNoMoreThanItsUserMay(t *testing.T) {
	w := newWorld(t)
	objects(w)
	group := v1alpha.GroupVersion.Group
	content := manifest("config-sync", w.resource("ConfigMap", "app-config", "data")+w.resource("Secret", "db", "data"))

	author := w.user("author", may(group, triggers, "create", "get"), may("", "configmaps", "get"))
	checks, r := author.checked(content)
	require.Equal(t, 0, r.code, r.err)
	assert.Equal(t, report.ExistsYes, checks.Items[0].Looks[0].Exists)
	assert.Equal(t, report.ExistsUnknown, checks.Items[0].Looks[1].Exists)
	assert.Equal(t, "you may not get secrets", checks.Items[0].Looks[1].Message)
	assert.Zero(t, checks.Items[0].Looks[1].Fields[0].Values)

	nobody := w.user("nobody")
	checks, r = nobody.checked(content)
	assert.Equal(t, 1, r.code)
	assert.Contains(t, checks.Items[0].Problems[0].Message, "forbidden")
	assert.Equal(t, report.ExistsUnknown, checks.Items[0].Looks[0].Exists)
}

func TestCheckTellsWhoMayCreateAloneThatApplyReadsFirst(t *testing.T) {
	w := newWorld(t)
	objects(w)
	content := manifest("config-sync", w.resource("ConfigMap", "app-config", "data"))
	creator := w.user("creator", may(v1alpha.GroupVersion.Group, triggers, "create"), may("", "configmaps", "get"))

	checks, r := creator.checked(content)
	assert.Equal(t, 1, r.code)
	require.Len(t, checks.Items, 1, r.err)
	found := checks.Items[0]
	assert.False(t, found.Valid)
	assert.Empty(t, found.Action)
	require.Len(t, found.Problems, 1)
	assert.Contains(t, found.Problems[0].Message, "kubectl apply reads first what is stored: ")
	assert.Contains(t, found.Problems[0].Message, `cannot get resource "changetriggeredjobs"`)
	assert.Equal(t, report.ExistsYes, found.Looks[0].Exists, "the rest is told all the same")

	checks, _ = creator.checked(manifest("config-sync", w.resource("ConfigMap", "app-config", "data..a")))
	require.Len(t, checks.Items[0].Problems, 2)
	assert.Contains(t, checks.Items[0].Problems[1].Message, "invalid field path", "our own rules take no rights")

	file := filepath.Join(t.TempDir(), "ctj.yaml")
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	kubectl := w.server.Kubectl("--kubeconfig="+creator.kubeconfig, "apply", "--dry-run=server", "-f", file)
	output, err := kubectl.CombinedOutput()
	assert.Error(t, err, "as kubectl apply is")
	assert.Contains(t, string(output), `cannot get resource "changetriggeredjobs"`)
}
