// Command crd makes the generated CRD fit for kubectl apply.
//
// The Job template brings the documentation of the whole Pod API with it: some 500 KB, where the
// annotation in which kubectl apply keeps what it applied may have 262,144 bytes. So the descriptions
// below spec.jobTemplate go; its structure and our own descriptions stay. So do not the rules there by which
// a field of a Job may not change: a template is no Job, and may be edited.
//
// Usage: crd FILE, which is rewritten in place.
package main

import (
	"errors"
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: crd FILE")
		os.Exit(2)
	}
	if err := rewrite(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "crd: %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func rewrite(file string) error {
	in, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	out, err := slim(in)
	if err != nil {
		return err
	}
	return os.WriteFile(file, out, 0o644)
}

// slim returns the CRD without descriptions and CEL rules below spec.jobTemplate, in every version it has.
func slim(in []byte) ([]byte, error) {
	crd := map[string]any{}
	if err := yaml.Unmarshal(in, &crd); err != nil {
		return nil, err
	}
	spec, _ := crd["spec"].(map[string]any)
	versions, _ := spec["versions"].([]any)
	if len(versions) == 0 {
		return nil, errors.New("no spec.versions")
	}
	for _, version := range versions {
		template := descend(version, "schema", "openAPIV3Schema", "properties", "spec", "properties", "jobTemplate")
		if template == nil {
			return nil, errors.New("a version has no schema for spec.jobTemplate")
		}
		own := template["description"]
		slimSchema(template)
		template["description"] = own
	}
	out, err := yaml.Marshal(crd)
	if err != nil {
		return nil, err
	}
	return append([]byte("---\n"), out...), nil
}

func descend(value any, keys ...string) map[string]any {
	object, _ := value.(map[string]any)
	for _, key := range keys {
		object, _ = object[key].(map[string]any)
	}
	return object
}

// slimSchema changes one schema and all below it. It goes by the keywords of JSON schema, so that a
// property whose name is "description" stays.
func slimSchema(schema map[string]any) {
	delete(schema, "description")
	delete(schema, "x-kubernetes-validations")
	properties, _ := schema["properties"].(map[string]any)
	for name, property := range properties {
		property, ok := property.(map[string]any)
		if !ok {
			continue
		}
		slimSchema(property)
		if name == "metadata" {
			acceptCreationTimestamp(property)
		}
	}
	for _, keyword := range []string{"items", "additionalProperties", "not"} {
		if sub, ok := schema[keyword].(map[string]any); ok {
			slimSchema(sub)
		}
	}
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		subs, _ := schema[keyword].([]any)
		for _, sub := range subs {
			if sub, ok := sub.(map[string]any); ok {
				slimSchema(sub)
			}
		}
	}
}

// acceptCreationTimestamp lets an embedded metadata say "creationTimestamp: null", as every template does
// that was copied from a stored CronJob or Deployment: kubectl would refuse it as an unknown field.
func acceptCreationTimestamp(metadata map[string]any) {
	if properties, ok := metadata["properties"].(map[string]any); ok {
		properties["creationTimestamp"] = map[string]any{"type": "string", "format": "date-time", "nullable": true}
	}
}
