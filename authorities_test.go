package main

import (
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// endpointOfChild is the variable that has a test be a process on a system without authorities.
const endpointOfChild = "TEST_ENDPOINT"

func TestACollectorIsVerifiedWhereTheSystemKnowsNoAuthorities(t *testing.T) {
	if endpoint := os.Getenv(endpointOfChild); endpoint != "" {
		require.NoError(t, trustPublicAuthorities(endpoint))
		require.NoError(t, trustPublicAuthorities(endpoint), "once more changes nothing")
		pool, err := x509.SystemCertPool()
		require.NoError(t, err)
		fmt.Printf("\nauthorities: %d\n", len(pool.Subjects())) //nolint:staticcheck // of a pool that holds what was put into it
		return
	}
	known := func(endpoint string) int {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), endpointOfChild+"="+endpoint, "SSL_CERT_FILE=/dev/null", "SSL_CERT_DIR="+t.TempDir())
		output, err := cmd.CombinedOutput()
		require.NoError(t, err, string(output))
		_, count, found := strings.Cut(string(output), "\nauthorities: ")
		require.True(t, found, string(output))
		count, _, _ = strings.Cut(count, "\n")
		number, err := strconv.Atoi(count)
		require.NoError(t, err)
		return number
	}
	assert.Greater(t, known("https://otlp.example.com:4317"), 100)
	assert.Greater(t, known("HTTPS://otlp.example.com:4317"), 100)
	assert.Zero(t, known("http://otel-collector.observability:4317"), "none is loaded that nobody needs")
}
