package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

const (
	generatedCSV = `
apiVersion: operators.coreos.com/v1alpha1
kind: ClusterServiceVersion
metadata:
  name: kube-changejob.v1.2.3
  annotations:
    createdAt: "2026-01-02T00:00:00Z"
spec:
  version: 1.2.3
  install:
    spec:
      deployments:
        - name: manager
          spec:
            template:
              spec:
                containers:
                  - {name: manager, image: "example.org/manager:v1.2.3"}
                  - {name: helper, image: "example.org/helper:v7"}
`
	generatedCRD = `
kind: CustomResourceDefinition
metadata:
  creationTimestamp: null
  name: crds
spec: {group: example.org}
status: {storedVersions: null}
`
)

func generated() tree {
	return tree{
		csvPath:                    []byte(generatedCSV),
		manifestsDir + "crd.yaml":  []byte(generatedCRD),
		dockerfile:                 []byte("FROM scratch\n"),
		"bundle/metadata/any.yaml": []byte("a:   b\n"),
		manifestsDir + "kube-changejob-" + webhookService: []byte("kind: Service\n"),
	}
}

func TestWhatTheGeneratorDoesNotKnowIsFilledIn(t *testing.T) {
	files, err := finish(generated(), []byte("<svg/>"))
	require.NoError(t, err)

	csv := object(t, files[csvPath])
	annotations := csv["metadata"].(map[string]any)["annotations"].(map[string]any)
	assert.Equal(t, "example.org/manager:v1.2.3", annotations["containerImage"])
	assert.Equal(t, "<1.2.3", annotations["olm.skipRange"])
	spec := csv["spec"].(map[string]any)
	assert.Equal(t, []any{
		map[string]any{"name": "manager", "image": "example.org/manager:v1.2.3"},
		map[string]any{"name": "helper", "image": "example.org/helper:v7"},
	}, spec["relatedImages"])
	assert.Equal(t, []any{map[string]any{"base64data": "PHN2Zy8+", "mediatype": "image/svg+xml"}}, spec["icon"])

	assert.Equal(t, map[string]any{
		"kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "crds"}, "spec": map[string]any{"group": "example.org"},
	}, object(t, files[manifestsDir+"crd.yaml"]), "without an empty status")
	assert.Equal(t, generated()[dockerfile], files[dockerfile])
	assert.Equal(t, generated()["bundle/metadata/any.yaml"], files["bundle/metadata/any.yaml"])
	assert.Len(t, files, 4, "OLM makes the Service of the webhook")
}

func TestACSVWithoutContainersIsRefused(t *testing.T) {
	files := generated()
	files[csvPath] = []byte("spec: {version: 1.2.3}\n")
	_, err := finish(files, nil)
	assert.ErrorContains(t, err, "no container")
}

func TestPodsThatOpenShiftRefusesAreNoBundle(t *testing.T) {
	for name, test := range map[string]struct{ from, to, words string }{
		"a user of all containers": {"              spec:\n", "              spec:\n                securityContext: {runAsNonRoot: true, runAsUser: 65532}\n", "runAsUser 65532"},
		"a group of the volumes":   {"              spec:\n", "              spec:\n                securityContext: {fsGroup: 65532}\n", "fsGroup 65532"},
		"a group of one container": {`image: "example.org/helper:v7"`, `image: "example.org/helper:v7", securityContext: {runAsGroup: 0}`, "runAsGroup 0"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, generatedCSV, test.from)
			files := generated()
			files[csvPath] = []byte(strings.Replace(generatedCSV, test.from, test.to, 1))
			_, err := finish(files, nil)
			require.ErrorContains(t, err, test.words)
			assert.ErrorContains(t, err, "deployment manager")
		})
	}
}

func TestCreatedAtIsNewOnlyWhereSomethingElseIs(t *testing.T) {
	const then, now = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
	for _, test := range []struct {
		name   string
		change func(before tree)
		want   string
	}{
		{name: "nothing else differs", change: func(tree) {}, want: then},
		{name: "a manifest differs", change: func(before tree) { before[manifestsDir+"crd.yaml"] = []byte("kind: Other\n") }, want: now},
		{name: "a label differs", change: func(before tree) { before[dockerfile] = []byte("FROM other\n") }, want: now},
		{name: "a file is new", change: func(before tree) { delete(before, manifestsDir+"crd.yaml") }, want: now},
		{name: "a file is gone", change: func(before tree) { before[manifestsDir+"old.yaml"] = []byte("kind: Old\n") }, want: now},
		{name: "there was no bundle", change: func(before tree) { clear(before) }, want: now},
		{name: "the bundle before had none", change: func(before tree) { before[csvPath] = []byte("metadata: {}\n") }, want: now},
	} {
		t.Run(test.name, func(t *testing.T) {
			files, err := finish(generated(), nil)
			require.NoError(t, err)
			before := maps.Clone(files)
			csv := object(t, before[csvPath])
			require.NoError(t, setAnnotation(csv, "createdAt", then))
			before[csvPath], err = yaml.Marshal(csv)
			require.NoError(t, err)
			test.change(before)

			files, err = keepCreatedAt(before, files)
			require.NoError(t, err)
			metadata := object(t, files[csvPath])["metadata"].(map[string]any)
			assert.Equal(t, test.want, metadata["annotations"].(map[string]any)["createdAt"])
		})
	}
}

func TestABundleIsReplacedAsAWhole(t *testing.T) {
	from, into := t.TempDir(), t.TempDir()
	icon := filepath.Join(from, "icon.svg")
	require.NoError(t, os.WriteFile(icon, []byte("<svg/>"), 0o644))
	require.NoError(t, replace(from, generated()))
	require.NoError(t, replace(into, tree{manifestsDir + "stale.yaml": []byte("kind: Stale\n")}))

	require.NoError(t, run(from, icon, into))
	files, err := read(into)
	require.NoError(t, err)
	want, err := finish(generated(), []byte("<svg/>"))
	require.NoError(t, err)
	assert.Equal(t, want, files)

	require.NoError(t, os.RemoveAll(filepath.Join(from, bundleDir)))
	assert.ErrorContains(t, run(from, icon, into), "has not generated")
	files, err = read(into)
	require.NoError(t, err)
	assert.Equal(t, want, files, "and then nothing is touched")
}

func object(t *testing.T, content []byte) map[string]any {
	t.Helper()
	object := map[string]any{}
	require.NoError(t, yaml.Unmarshal(content, &object))
	return object
}
