package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAProgramThatEndsEndsTheDemo(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	ctx, fail := context.WithCancelCause(t.Context())
	defer fail(nil)
	_, err := launch(ctx, log, exec.Command("sh", "-c", "echo why >&2; exit 3"), fail)
	require.NoError(t, err)

	c := &cluster{}
	require.EqualError(t, c.until(ctx, "what never comes", func() bool { return false }), "waiting for what never comes: sh ended: exit status 3")
	written, err := os.ReadFile(log)
	require.NoError(t, err)
	assert.Equal(t, "why\n", string(written))
}

func TestAProgramEndsWithTheDemo(t *testing.T) {
	ctx, fail := context.WithCancelCause(t.Context())
	p, err := launch(ctx, filepath.Join(t.TempDir(), "log"), exec.Command("sleep", "600"), func(error) {})
	require.NoError(t, err)
	fail(errors.New("over"))
	<-p.ended
	assert.Equal(t, "signal: terminated", p.cmd.ProcessState.String())
}
