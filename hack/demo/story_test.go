package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheFirstExampleIsTheUserGuides(t *testing.T) {
	page, err := os.ReadFile("../../docs/user-guide.md")
	require.NoError(t, err)
	inDefault, err := firstExample(page, "default")
	require.NoError(t, err)
	elsewhere, err := firstExample(page, "elsewhere")
	require.NoError(t, err)

	assert.Equal(t, "my-first-trigger", inDefault.Name)
	require.Len(t, inDefault.Spec.Resources, 1)
	assert.Equal(t, "my-config", inDefault.Spec.Resources[0].Name)

	assert.Equal(t, "elsewhere", elsewhere.Namespace)
	assert.Equal(t, "elsewhere", elsewhere.Spec.Resources[0].Namespace)
	elsewhere.Namespace, elsewhere.Spec.Resources[0].Namespace = "default", "default"
	assert.Equal(t, inDefault, elsewhere, "nothing but the namespaces differs")
}

func TestAPageWithoutTheExampleIsAnError(t *testing.T) {
	for name, page := range map[string]string{
		"no YAML at all":   "# User Guide\n",
		"YAML that is not": "```yaml\n\tspec:\n```\n",
		"an unknown field": "```yaml\nspecs: {}\n```\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := firstExample([]byte(page), "default")
			assert.Error(t, err)
		})
	}
}

func TestOnAnotherClusterTheUsersKubectlShowsIt(t *testing.T) {
	theirs := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(theirs, "kubectl"), nil, 0o700))
	t.Setenv("PATH", theirs)

	root := t.TempDir()
	elsewhere := &story{cluster: &cluster{root: root}}
	path, err := elsewhere.kubectl()
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(theirs, "kubectl"), path)

	here := &story{cluster: &cluster{root: root, local: true}}
	path, err = here.kubectl()
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(root, "bin", "k8s", "kubectl"), path)

	t.Setenv("PATH", t.TempDir())
	_, err = elsewhere.kubectl()
	assert.Error(t, err, "neither is there")
}
