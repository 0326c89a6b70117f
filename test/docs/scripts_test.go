package docs

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// The scripts in the documentation's Jobs name images that do not exist, so that no cluster runs them. Here each is run by a shell,
// with what pkg/job tells it, and with stand-ins for what it calls.

// Stand-ins, in shell. What they note down is what the script would have done.
const (
	notes      = `printf '%s\n' "${0##*/} $*" >> "$NOTES"`
	notesAll   = `input=$(cat); printf '%s\n' "${0##*/} $*: $input" >> "$NOTES"`
	fails      = notes + `; exit 1`
	readsFails = `cat > /dev/null; ` + fails
	publishes  = `case "$*" in --*) ` + notes + ` ;; *) ` + notesAll + ` ;; esac`
	gets       = `case "$1" in get) ` + notes + `; echo "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"$3\",\"uid\":\"1\"},\"data\":{}}" ;; *) ` +
		notesAll + ` ;; esac`
	today = `echo today`
)

// What a Job is told, where a script hands it on as it is.
const (
	wholeAccount = "<changed>"
	itsReason    = "<reason>"
)

// happening is what a Job is created for, and what its script does then.
type happening struct {
	// reason is trigger.ReasonChange unless it is set.
	reason trigger.Reason
	// changed are the numbers of the references that changed; all of them where it is nil.
	changed []int
	// fields stand for those of the references, where they are set.
	fields []string
	// objects are those that changed of what is selected, and unnamed how many may have besides.
	objects []trigger.ObjectChange
	unnamed int
	// programs take the place of the script's own stand-ins.
	programs map[string]string
	// want is what is called, and what the script itself writes.
	want []string
	// fails is true where the script must fail.
	fails bool
}

var (
	created = trigger.ObjectChange{Namespace: "a", Name: "one", Change: trigger.ObjectAdded}
	updated = trigger.ObjectChange{Namespace: "a", Name: "two", Change: trigger.ObjectUpdated, Fields: []string{"data"}}
	deleted = trigger.ObjectChange{Namespace: "b", Name: "three", Change: trigger.ObjectRemoved}
	every   = []trigger.ObjectChange{created, updated, deleted}
	first   = []trigger.ObjectChange{created, {Namespace: "b", Name: "two", Change: trigger.ObjectAdded}}
	// awkward is a path that is full of what shells and JSON care about.
	awkward = []string{`data['a\.b"$(c)*']`, `data['\c \n']`}
)

// saysAll is the script of an example that does no more than to show the account.
func saysAll(want string) map[string]happening {
	return map[string]happening{
		"a change":               {want: []string{want}},
		"asked for, for nothing": {reason: trigger.ReasonRunNow, changed: []int{}, want: []string{want}},
	}
}

// scripts are those of the documentation, by where they stand and the ChangeTriggeredJob's name.
var scripts = map[string]struct {
	programs   map[string]string
	happenings map[string]happening
}{
	"docs/user-guide.md my-first-trigger": {map[string]string{"date": today}, saysAll("ConfigMap changed at: today")},
	"docs/user-guide.md web-config-watcher": {nil, map[string]happening{
		"each object is told with its change":  {objects: every, want: []string{"Added a/one", "Updated a/two", "Removed b/three"}},
		"those that are not named are not":     {objects: every[:1], unnamed: 7, want: []string{"Added a/one"}},
		"no object is named":                   {unnamed: 51},
		"a first run is about all there are":   {reason: trigger.ReasonFirstRun, objects: first, want: []string{"Added a/one", "Added b/two"}},
		"asked for, for nothing":               {reason: trigger.ReasonRunNow, changed: []int{}},
		"paths may hold whatever a path holds": {fields: awkward, objects: every[:1], want: []string{"Added a/one"}},
	}},
	"docs/user-guide.md tenant-setup": {nil, map[string]happening{
		"names":                                {objects: first, want: []string{"one", "two"}},
		"all, where some are not named":        {objects: first, unnamed: 1, want: []string{"all"}},
		"all, where none is":                   {unnamed: 51, want: []string{"all"}},
		"a first run is about all there are":   {reason: trigger.ReasonFirstRun, objects: first, want: []string{"one", "two"}},
		"asked for, for nothing":               {reason: trigger.ReasonRunNow, changed: []int{}},
		"paths may hold whatever a path holds": {fields: awkward, objects: first, want: []string{"one", "two"}},
	}},
	"docs/examples.md tell-me": {nil, map[string]happening{
		"one of them":                          {changed: []int{1}, want: []string{"ConfigMap feature-flags"}},
		"both":                                 {want: []string{"ConfigMap app-config", "ConfigMap feature-flags"}},
		"a first run is about all there are":   {reason: trigger.ReasonFirstRun, want: []string{"ConfigMap app-config", "ConfigMap feature-flags"}},
		"asked for, for nothing":               {reason: trigger.ReasonRunNow, changed: []int{}},
		"paths may hold whatever a path holds": {fields: awkward, changed: []int{0}, want: []string{"ConfigMap app-config"}},
	}},
	"docs/examples.md sync-team-config": {map[string]string{"config-sync": notesAll}, map[string]happening{
		"each object as JSON, in a line": {objects: every, want: []string{
			`config-sync --objects -: {"change":"Added","name":"one","namespace":"a"}`,
			`{"change":"Updated","fields":["data"],"name":"two","namespace":"a"}`,
			`{"change":"Removed","name":"three","namespace":"b"}`,
		}},
		"all, where some are not named": {objects: every, unnamed: 1, want: []string{`config-sync --objects -: "all"`}},
		"all, where none is":            {unnamed: 51, want: []string{`config-sync --objects -: "all"`}},
		"a first run is about all there are": {reason: trigger.ReasonFirstRun, objects: first[:1], want: []string{
			`config-sync --objects -: {"change":"Added","name":"one","namespace":"a"}`,
		}},
		"asked for, for nothing":               {reason: trigger.ReasonRunNow, changed: []int{}, want: []string{`config-sync --objects -: `}},
		"paths may hold whatever a path holds": {fields: awkward, unnamed: 1, want: []string{`config-sync --objects -: "all"`}},
		"a failure is one of the Job":          {objects: every, programs: map[string]string{"config-sync": readsFails}, want: []string{"config-sync --objects -"}, fails: true},
	}},
	"docs/examples.md ca-bundle-copy": {map[string]string{"kubectl": gets}, map[string]happening{
		"what belongs to the original alone is left behind": {want: []string{
			"kubectl get configmap ca-bundle -n platform -o json",
			"kubectl apply -n production -f -: {",
			`  "apiVersion": "v1",`, `  "data": {},`, `  "kind": "ConfigMap",`, `  "metadata": {`, `    "name": "ca-bundle"`, `  }`, `}`,
		}},
	}},
	"docs/examples.md build":         {nil, saysAll("build 7")},
	"docs/examples.md test":          {nil, saysAll("test of " + wholeAccount)},
	"docs/examples.md notify":        {nil, saysAll("the end of " + wholeAccount)},
	"docs/kubectl-plugin.md palette": {nil, saysAll(wholeAccount)},
	"docs/migration/argo-events.md deploy-config": {map[string]string{"deploy-config": notes}, map[string]happening{
		"a change":                             {want: []string{"deploy-config --changed " + wholeAccount}},
		"paths may hold whatever a path holds": {fields: awkward, want: []string{"deploy-config --changed " + wholeAccount}},
		"a failure is one of the Job":          {programs: map[string]string{"deploy-config": fails}, want: []string{"deploy-config --changed " + wholeAccount}, fails: true},
	}},
	"docs/migration/knative.md smoke-test": {map[string]string{"smoke-test": notes}, map[string]happening{
		"a change":                             {want: []string{"smoke-test --changed " + wholeAccount}},
		"paths may hold whatever a path holds": {fields: awkward, want: []string{"smoke-test --changed " + wholeAccount}},
		"a failure is one of the Job":          {programs: map[string]string{"smoke-test": fails}, want: []string{"smoke-test --changed " + wholeAccount}, fails: true},
	}},
	"docs/migration/shell-operator.md publish-settings": {map[string]string{"kubectl": gets, "publish-settings": publishes}, map[string]happening{
		"what is there is published, and what is not is withdrawn": {objects: every, want: []string{
			"kubectl get configmap one -n a -o json",
			`publish-settings : {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"one","uid":"1"},"data":{}}`,
			"kubectl get configmap two -n a -o json",
			`publish-settings : {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"two","uid":"1"},"data":{}}`,
			"publish-settings --withdraw b/three",
		}},
		"all, where some are not named": {objects: every, unnamed: 1, want: []string{"publish-settings --all"}},
		"all, where none is":            {unnamed: 51, want: []string{"publish-settings --all"}},
		"a first run is about all there are": {reason: trigger.ReasonFirstRun, objects: first[:1], want: []string{
			"kubectl get configmap one -n a -o json",
			`publish-settings : {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"one","uid":"1"},"data":{}}`,
		}},
		"asked for, for nothing":               {reason: trigger.ReasonRunNow, changed: []int{}},
		"paths may hold whatever a path holds": {fields: awkward, objects: every[2:], want: []string{"publish-settings --withdraw b/three"}},
		"a read that fails is a failure of the Job": {objects: every, programs: map[string]string{"kubectl": fails}, fails: true,
			want: []string{"kubectl get configmap one -n a -o json"}},
		"so is a program that fails, though others would not": {objects: every, programs: map[string]string{"publish-settings": readsFails}, fails: true,
			want: []string{"kubectl get configmap one -n a -o json", "publish-settings "}},
		"and one that does all": {unnamed: 1, programs: map[string]string{"publish-settings": fails}, fails: true, want: []string{"publish-settings --all"}},
	}},
	"README.md config-sync":                            {nil, saysAll(wholeAccount)},
	"01.yaml my-first-trigger":                         {map[string]string{"date": today}, saysAll("ConfigMap changed at: today")},
	"chained_jobs.yaml chained-build":                  {nil, saysAll("build 7")},
	"chained_jobs.yaml chained-test":                   {nil, saysAll("test of " + wholeAccount)},
	"chained_jobs.yaml chained-notify":                 {nil, saysAll("the end of " + wholeAccount)},
	"configmap_any_change.yaml config-sync":            {nil, saysAll("trigger 7: " + wholeAccount)},
	"labelled_configmaps.yaml labelled-configmaps":     {nil, saysAll(wholeAccount)},
	"new_nodes.yaml new-nodes":                         {nil, saysAll(wholeAccount)},
	"nightly_window.yaml nightly-reindex":              {nil, saysAll(itsReason + ": " + wholeAccount)},
	"rolled_out_deployment.yaml rolled-out-deployment": {map[string]string{"wget": notes}, saysAll("wget -q -O - http://web-app/healthz")},
}

// TestEveryScriptOfTheDocumentation runs what the Jobs of the documentation run, each for what can happen.
func TestEveryScriptOfTheDocumentation(t *testing.T) {
	programs := t.TempDir()
	buildJQ(t, filepath.Join(programs, "jq"))
	for _, name := range []string{"cat", "printenv"} {
		file, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(file, filepath.Join(programs, name)))
	}
	all := documents(t)
	covered := map[string]bool{}
	for _, d := range all {
		if d.fields["kind"] != v1alpha.Kind || d.wrong || !has(d.fields, "metadata") {
			continue
		}
		ctj := (&cluster{}).decode(t, d.fields)
		template, err := ctj.Spec.JobTemplate.Decode()
		require.NoError(t, err)
		containers := template.Spec.Template.Spec.Containers
		if !slices.ContainsFunc(containers, isScript) {
			continue
		}
		require.Len(t, containers, 1, "%s", d.origin)
		place := d.origin + " " + ctj.Name
		row, ok := scripts[place]
		if !assert.True(t, ok, "nothing runs the script of %s", place) {
			continue
		}
		covered[place] = true
		for sentence, h := range row.happenings {
			t.Run(place+": "+sentence, func(t *testing.T) { h.run(t, ctj, all, d.origin, programs, row.programs) })
		}
	}
	for place := range scripts {
		assert.True(t, covered[place], "there is no script of %s any more", place)
	}
}

// isScript reports whether a container runs a shell.
func isScript(c corev1.Container) bool {
	return len(c.Command) > 0 && slices.Contains([]string{"sh", "bash"}, path.Base(c.Command[0]))
}

// run makes the Job of a happening, runs its script, and compares what it does.
func (h happening) run(t *testing.T, ctj *v1alpha.ChangeTriggeredJob, all []document, page, programs string, standIns ...map[string]string) {
	built, err := job.Build(ctj, h.creation(ctj))
	require.NoError(t, err)
	pod := &built.Spec.Template
	container := pod.Spec.Containers[0]

	dir := t.TempDir()
	for _, given := range append(standIns, h.programs) {
		for name, body := range given {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o700))
		}
	}
	line := slices.Concat(container.Command, container.Args)
	for _, mount := range container.VolumeMounts {
		for i := range line {
			if file, ok := strings.CutPrefix(line[i], mount.MountPath+"/"); ok {
				line[i] = filepath.Join(dir, file)
				write(t, line[i], fileOf(t, all, page, pod.Spec.Volumes, mount.Name, file))
			}
		}
	}

	output := filepath.Join(dir, "notes")
	out, err := os.OpenFile(output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer out.Close() //nolint:errcheck // what was written is read
	shell, err := exec.LookPath(line[0])
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), shell, line[1:]...)
	cmd.Dir, cmd.Stdout = dir, out
	var complaints strings.Builder
	cmd.Stderr = &complaints
	cmd.Env = append(variables(t, built), "PATH="+dir+":"+programs, "NOTES="+output)
	err = cmd.Run()
	if h.fails {
		require.Error(t, err)
	} else {
		require.NoError(t, err, "%s", complaints.String())
	}
	assert.Empty(t, complaints.String())
	told := strings.NewReplacer(wholeAccount, built.Annotations[job.ChangedAnnotation], itsReason, built.Annotations[job.ReasonAnnotation])
	want := ""
	for _, line := range h.want {
		want += told.Replace(line) + "\n"
	}
	assert.Equal(t, want, read(t, output))
}

// creation is what pkg/trigger decides on in such a case.
func (h happening) creation(ctj *v1alpha.ChangeTriggeredJob) *trigger.Creation {
	c := &trigger.Creation{Name: ctj.Name + "-7", Number: 7, Reason: h.reason}
	if c.Reason == "" {
		c.Reason = trigger.ReasonChange
	}
	for i := range ctj.Spec.Resources {
		ref := &ctj.Spec.Resources[i]
		if h.changed != nil && !slices.Contains(h.changed, i) {
			continue
		}
		change := trigger.Change{ObjectReference: trigger.ReferenceOf(ref), Fields: ref.EffectiveFields()}
		if h.fields != nil {
			change.Fields = h.fields
		}
		c.Changed = append(c.Changed, change)
		if ref.Selector != nil {
			c.Selected = append(c.Selected, trigger.SelectedChange{Reference: change.ObjectReference, Objects: h.objects, Unnamed: h.unnamed})
		}
	}
	return c
}

// variables are those that the kubelet gives the first container.
func variables(t *testing.T, built *batchv1.Job) []string {
	var all []string
	for _, variable := range built.Spec.Template.Spec.Containers[0].Env {
		value := variable.Value
		if from := variable.ValueFrom; from != nil {
			require.NotNil(t, from.FieldRef, variable.Name)
			key, ok := strings.CutPrefix(from.FieldRef.FieldPath, "metadata.annotations['")
			require.True(t, ok, from.FieldRef.FieldPath)
			value = built.Spec.Template.Annotations[strings.TrimSuffix(key, "']")]
		}
		all = append(all, variable.Name+"="+value)
	}
	return all
}

// fileOf is a file of a volume, which a ConfigMap on the same page holds.
func fileOf(t *testing.T, all []document, page string, volumes []corev1.Volume, volume, file string) string {
	for _, v := range volumes {
		for _, d := range all {
			if v.Name != volume || v.ConfigMap == nil || d.origin != page || d.fields["kind"] != "ConfigMap" {
				continue
			}
			text, err := yaml.Marshal(d.fields)
			require.NoError(t, err)
			var held corev1.ConfigMap
			require.NoError(t, yaml.UnmarshalStrict(text, &held))
			if held.Name == v.ConfigMap.Name {
				require.Contains(t, held.Data, file)
				return held.Data[file]
			}
		}
	}
	require.Fail(t, "no ConfigMap", "of %s with %s", volume, file)
	return ""
}

// buildJQ builds gojq, which stands for the jq that an image would have.
func buildJQ(t *testing.T, file string) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "go", "-C", filepath.Join(root, "hack", "tools", "gojq"), "build", "-trimpath", "-o", file, "tool")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
}
