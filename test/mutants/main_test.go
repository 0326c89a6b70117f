package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The mutants themselves take too long to be run with every change: that each still fits the sources does not.
func TestEveryPatchAppliesAndNamesATestThatThereIs(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	mutants, err := load(nil)
	require.NoError(t, err)
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			require.NoError(t, m.prepare(t.TempDir()), m.patch)
			name, _, _ := strings.Cut(m.test, "/")
			declared := regexp.MustCompile(`(?m)^func ` + regexp.QuoteMeta(name) + `\(`)
			files, err := filepath.Glob(filepath.Join(m.pkg, "*_test.go"))
			require.NoError(t, err)
			var found bool
			for _, file := range files {
				content, err := os.ReadFile(file)
				require.NoError(t, err)
				found = found || declared.Match(content)
			}
			assert.True(t, found, "%s has no %s", m.pkg, name)
		})
	}
}

func TestAPatchThatNamesNoTestIsRefused(t *testing.T) {
	for sentence, content := range map[string]string{
		"without a test":         "Guards: this\n\n--- a/x\n",
		"without what it guards": "Test: ./pkg TestName\n\n--- a/x\n",
	} {
		t.Run(sentence, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "x.patch")
			require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
			_, err := parse(file)
			assert.ErrorContains(t, err, "wants a line")
		})
	}
}
