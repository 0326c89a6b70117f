package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	ourValues = `# What can be set.

manager:
  # How many.
  replicas:

  image:
    repository:
    tag: ""
  resources:
  podSecurityContext:
  securityContext:
  nodeSelector:
  terminationGracePeriodSeconds:

other: []
`
	pluginsValues = `manager:
  replicas: 1
  image: {repository: example.org/manager, tag: v7}
  resources:
    limits: {memory: 512Mi}
  podSecurityContext: {runAsNonRoot: true}
  securityContext: {capabilities: {drop: [ALL]}}
  nodeSelector: {kubernetes.io/os: linux}
  terminationGracePeriodSeconds: 10
  healthProbe: {port: 8081}
metrics: {port: 8443}
`
)

func TestDefaultsAreThoseOfTheManifests(t *testing.T) {
	filled, err := fill([]byte(ourValues), []byte(pluginsValues))
	require.NoError(t, err)
	assert.Equal(t, `# What can be set.

manager:
  # How many.
  replicas: 1

  image:
    repository: example.org/manager
    tag: ""
  resources:
    limits: {memory: 512Mi}
  podSecurityContext: {runAsNonRoot: true}
  securityContext: {capabilities: {drop: [ALL]}}
  nodeSelector: {kubernetes.io/os: linux}
  terminationGracePeriodSeconds: 10

other: []
`, strings.NewReplacer("podSecurityContext:\n    ", "podSecurityContext: ", "securityContext:\n    ", "securityContext: ",
		"nodeSelector:\n    ", "nodeSelector: ").Replace(string(filled)))
}

func TestADefaultThatIsMissingIsAnError(t *testing.T) {
	for name, test := range map[string]struct{ ours, plugins, words string }{
		"the plugin has none": {ourValues, strings.Replace(pluginsValues, "replicas: 1", "replica: 1", 1), "has no manager.replicas"},
		"we have one":         {strings.Replace(ourValues, "replicas:", "replicas: 2", 1), pluginsValues, "does not leave manager.replicas empty"},
		"one is left empty":   {strings.Replace(ourValues, "other: []", "other:", 1), pluginsValues, "leaves other empty"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := fill([]byte(test.ours), []byte(test.plugins))
			assert.ErrorContains(t, err, test.words)
		})
	}
}
