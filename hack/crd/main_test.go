package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

const generated = `
spec:
  versions:
  - schema:
      openAPIV3Schema:
        description: ours
        properties:
          spec:
            properties:
              jobTemplate:
                description: ours too
                properties:
                  metadata:
                    description: theirs
                    properties:
                      labels: {type: object}
                  description: {description: of a property of that name, type: string}
                  list:
                    items: {description: theirs, anyOf: [{description: theirs, type: string}]}
                  map:
                    additionalProperties: {description: theirs, type: string}
                  frozen:
                    type: string
                    x-kubernetes-validations: [{rule: self == oldSelf}]
              resources:
                description: ours as well
                x-kubernetes-validations: [{rule: "true"}]
`

func TestSlim(t *testing.T) {
	out, err := slim([]byte(generated))
	require.NoError(t, err)
	crd := map[string]any{}
	require.NoError(t, yaml.Unmarshal(out, &crd))
	root := descend(crd["spec"].(map[string]any)["versions"].([]any)[0], "schema", "openAPIV3Schema")
	spec := descend(root, "properties", "spec", "properties")

	assert.Equal(t, "ours", root["description"])
	assert.Equal(t, map[string]any{
		"description":              "ours as well",
		"x-kubernetes-validations": []any{map[string]any{"rule": "true"}},
	}, spec["resources"], "what is not below the template stays as it was")
	assert.Equal(t, map[string]any{
		"description": "ours too",
		"properties": map[string]any{
			"metadata": map[string]any{"properties": map[string]any{
				"labels":            map[string]any{"type": "object"},
				"creationTimestamp": map[string]any{"type": "string", "format": "date-time", "nullable": true},
			}},
			"description": map[string]any{"type": "string"},
			"list":        map[string]any{"items": map[string]any{"anyOf": []any{map[string]any{"type": "string"}}}},
			"map":         map[string]any{"additionalProperties": map[string]any{"type": "string"}},
			"frozen":      map[string]any{"type": "string"},
		},
	}, spec["jobTemplate"])
}

func TestSlimRefusesWhatIsNoCRDOfOurs(t *testing.T) {
	for name, in := range map[string]string{
		"no YAML":         "{",
		"no versions":     "spec: {}",
		"no Job template": "spec: {versions: [{schema: {}}]}",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := slim([]byte(in))
			assert.Error(t, err)
		})
	}
}
