package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func module(t *testing.T) string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/operator-framework/operator-lifecycle-manager").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(dir))
}

func TestTheChartIsRenderedWithPinnedImagesAndWithoutTheInternetsCatalog(t *testing.T) {
	i := installation{version: "v1.2.3", opmVersion: "v4.5.6"}
	var out bytes.Buffer
	if err := render(&out, filepath.Join(module(t), "deploy/chart/templates"), values(i)); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, document := range strings.Split(out.String(), "\n---\n") {
		var object struct {
			Kind     string
			Metadata struct{ Name, Namespace string }
		}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Errorf("%v\n%s", err, document)
		}
		if object.Kind == "" {
			continue // a template for what is not wanted here
		}
		if object.Metadata.Name == "" {
			t.Errorf("no name: %s", document)
		}
		kinds[object.Kind]++
	}
	for kind, want := range map[string]int{"Deployment": 2, "ClusterServiceVersion": 1, "OperatorGroup": 2, "OLMConfig": 1, "CatalogSource": 0} {
		if kinds[kind] != want {
			t.Errorf("%d of kind %s, not %d", kinds[kind], kind, want)
		}
	}
	for _, floating := range []string{":latest", ":master", "<no value>"} {
		if strings.Contains(out.String(), floating) {
			t.Errorf("%s is in the manifests", floating)
		}
	}
	for _, pinned := range []string{olmImage + ":v1.2.3", "--opmImage=" + opmImage + ":v4.5.6", "olm.version: 1.2.3"} {
		if !strings.Contains(out.String(), pinned) {
			t.Errorf("%s is not in the manifests", pinned)
		}
	}
}

func TestAValueThatTheChartDoesNotHaveIsNotSet(t *testing.T) {
	for _, path := range []string{"olm.picture", "picture.ref", "picture"} {
		if err := set(map[string]any{"olm": map[string]any{"image": ""}}, path, "x"); err == nil {
			t.Errorf("%s was set", path)
		}
	}
}
