package docs

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	operatorsv1 "github.com/operator-framework/api/pkg/operators/v1"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// document is one YAML of the documentation.
type document struct {
	// origin is where it stands.
	origin string
	// wrong is true where the documentation shows it as a mistake.
	wrong  bool
	fields map[string]any
}

var (
	fenced   = regexp.MustCompile("(?ms)^ *```yaml\n(.*?)^ *```")
	topLevel = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9]*):`)
)

// documents returns every YAML of the README, docs/, the samples, and the first user guide.
func documents(t *testing.T) []document {
	root, err := apiserver.Root()
	require.NoError(t, err)
	var all []document
	for _, page := range append(pages(t), "README.md") {
		for _, block := range fenced.FindAllStringSubmatch(read(t, filepath.Join(root, page)), -1) {
			all = append(all, parse(t, page, block[1])...)
		}
	}
	for _, pattern := range []string{"config/samples/*.yaml", "test/docs/testdata/guide/*.yaml"} {
		for _, file := range glob(t, filepath.Join(root, pattern)) {
			if filepath.Base(file) != "kustomization.yaml" {
				all = append(all, parse(t, filepath.Base(file), read(t, file))...)
			}
		}
	}
	return all
}

// parse reads a block. Where a top-level key comes again without a separator, as in "do this, not that", the
// block holds several documents.
func parse(t *testing.T, origin, block string) []document {
	var parts []string
	var seen []string
	var part strings.Builder
	flush := func() {
		parts = append(parts, part.String())
		part.Reset()
		seen = nil
	}
	for line := range strings.Lines(block) {
		key := topLevel.FindStringSubmatch(line)
		if strings.HasPrefix(line, "---") || key != nil && slices.Contains(seen, key[1]) {
			flush()
		}
		if key != nil {
			seen = append(seen, key[1])
		}
		if !strings.HasPrefix(line, "---") {
			part.WriteString(line)
		}
	}
	flush()

	var documents []document
	wrong := false
	for _, text := range parts {
		d := document{origin: origin, wrong: wrong}
		require.NoError(t, yaml.Unmarshal([]byte(text), &d.fields), "%s:\n%s", origin, text)
		if len(d.fields) > 0 {
			documents = append(documents, d)
		}
		wrong = strings.Contains(text, "# Incorrect")
	}
	return documents
}

// complete makes a whole ChangeTriggeredJob of a document: what it leaves out is taken from the first example.
func (d document) complete(first map[string]any) map[string]any {
	return merge(first, place(d.fields)).(map[string]any)
}

// place puts the keys of a fragment where they belong.
func place(fields map[string]any) map[string]any {
	spec := func(value map[string]any) map[string]any { return map[string]any{"spec": value} }
	container := func(value map[string]any) map[string]any {
		return spec(map[string]any{"jobTemplate": map[string]any{"spec": map[string]any{"template": map[string]any{
			"spec": map[string]any{"containers": []any{value}},
		}}}})
	}
	_, isList := fields["resources"].([]any)
	switch {
	case has(fields, "spec"), has(fields, "metadata"):
		return fields
	case has(fields, "kind"):
		return spec(map[string]any{"resources": []any{fields}})
	case has(fields, "fields"): // of a Deployment's containers
		return spec(map[string]any{"resources": []any{map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment", "name": "web-app", "namespace": "default", "fields": fields["fields"],
		}}})
	case has(fields, "name"):
		return map[string]any{"metadata": fields}
	case has(fields, "resources") && !isList:
		return container(fields)
	default:
		return spec(fields)
	}
}

func has(fields map[string]any, key string) bool { _, ok := fields[key]; return ok }

// merge lays what is given over what is not. Elements of lists are merged one by one, but a reference to another
// kind, and a selector, stands for itself.
func merge(base, given any) any {
	switch given := given.(type) {
	case map[string]any:
		from, ok := base.(map[string]any)
		if !ok || has(given, "kind") && (given["kind"] != from["kind"] || has(given, "selector")) {
			return given
		}
		merged := maps.Clone(from)
		for key, value := range given {
			merged[key] = merge(merged[key], value)
		}
		return merged
	case []any:
		from, _ := base.([]any)
		merged := slices.Clone(given)
		for i := range merged {
			if i < len(from) {
				merged[i] = merge(from[i], merged[i])
			}
		}
		return merged
	case nil:
		return base
	default:
		return given
	}
}

// pages returns the Markdown files of docs/ with their paths from the root of the repository.
func pages(t *testing.T) []string {
	root, err := apiserver.Root()
	require.NoError(t, err)
	var all []string
	require.NoError(t, filepath.WalkDir(filepath.Join(root, "docs"), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case filepath.Ext(path) == ".md":
			page, err := filepath.Rel(root, path)
			all = append(all, filepath.ToSlash(page))
			return err
		}
		return nil
	}))
	require.Greater(t, len(all), 10)
	return all
}

func glob(t *testing.T, pattern string) []string {
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, files, pattern)
	return files
}

func read(t *testing.T, file string) string {
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(data)
}

func write(t *testing.T, file, content string) {
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
}

// TestTheManifestsForOLMAreOnes decodes strictly what the installation page has for OLM; make e2e applies the like.
func TestTheManifestsForOLMAreOnes(t *testing.T) {
	types := map[string]func() any{
		"CatalogSource": func() any { return &operatorsv1alpha1.CatalogSource{} },
		"OperatorGroup": func() any { return &operatorsv1.OperatorGroup{} },
		"Subscription":  func() any { return &operatorsv1alpha1.Subscription{} },
	}
	seen := map[string]bool{}
	for _, d := range documents(t) {
		apiVersion, _ := d.fields["apiVersion"].(string)
		if !strings.HasPrefix(apiVersion, "operators.coreos.com/") {
			continue
		}
		kind := d.fields["kind"].(string)
		require.Contains(t, types, kind)
		text, err := yaml.Marshal(d.fields)
		require.NoError(t, err)
		require.NoError(t, yaml.UnmarshalStrict(text, types[kind]()), "%s", text)
		seen[kind] = true
	}
	require.Len(t, seen, len(types))
}
