package main

import (
	"os"
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
