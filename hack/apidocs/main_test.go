package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const crd = "../../config/crd/bases/triggers.changejob.dev_changetriggeredjobs.yaml"

func TestTheReferenceSpeaksOfTheCRDAsItIs(t *testing.T) {
	want, err := os.ReadFile("../../docs/api-reference.md")
	require.NoError(t, err)
	var got bytes.Buffer
	require.NoError(t, run(crd, &got))
	assert.Equal(t, string(want), got.String(), "run 'make manifests'")
}

func TestAMissingOrBrokenCRDIsAnError(t *testing.T) {
	assert.Error(t, run("no such file", &bytes.Buffer{}))
	assert.ErrorContains(t, run("main.go", &bytes.Buffer{}), "main.go")
}
