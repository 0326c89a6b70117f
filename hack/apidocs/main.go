// Command apidocs writes the API reference from the CRD, so that it says what the API server enforces.
//
// Usage: apidocs CRD > docs/api-reference.md
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

const head = `---
title: API Reference
description: "Every field of a ChangeTriggeredJob"
---

# API Reference

Generated from the CRD by ` + "`make manifests`" + `.

`

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: apidocs CRD")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "apidocs:", err)
		os.Exit(1)
	}
}

func run(file string, out io.Writer) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(data, &crd); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	_, err = io.WriteString(out, reference(&crd))
	return err
}

// reference is the page.
func reference(crd *apiextensionsv1.CustomResourceDefinition) string {
	var b strings.Builder
	b.WriteString(head)
	version := crd.Spec.Versions[0]
	names := crd.Spec.Names
	fmt.Fprintf(&b, "`%s` is `apiVersion: %s/%s`, %s; short names `%s`.\n",
		names.Kind, crd.Spec.Group, version.Name, strings.ToLower(string(crd.Spec.Scope)), strings.Join(names.ShortNames, "`, `"))
	root := version.Schema.OpenAPIV3Schema
	for _, section := range []string{"spec", "status"} {
		schema := root.Properties[section]
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", section, paragraph(schema.Description))
		table(&b, section, schema)
	}
	b.WriteString("\n## Columns of kubectl get\n\n| column | value |\n|---|---|\n")
	for _, column := range version.AdditionalPrinterColumns {
		fmt.Fprintf(&b, "| %s | `%s` |\n", column.Name, column.JSONPath)
	}
	return b.String()
}

// table writes the fields of an object, and below it those of the objects in it.
func table(b *strings.Builder, path string, schema apiextensionsv1.JSONSchemaProps) {
	type nested struct {
		path   string
		schema apiextensionsv1.JSONSchemaProps
	}
	var below []nested
	b.WriteString("\n| field | what it may be | meaning |\n|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		field := schema.Properties[name]
		kind := field.Type
		switch {
		case name == "jobTemplate":
			kind = "[JobTemplateSpec](https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/)"
		case field.Type == "array":
			kind = "list of " + field.Items.Schema.Type
			if field.Items.Schema.Type == "object" {
				below = append(below, nested{path + "." + name + "[]", *field.Items.Schema})
			}
		case field.Type == "object" && len(field.Properties) > 0:
			below = append(below, nested{path + "." + name, field})
		}
		parts := []string{kind}
		if slices.Contains(schema.Required, name) {
			parts = append(parts, "**required**")
		}
		parts = append(parts, bounds(field)...)
		if field.Default != nil {
			parts = append(parts, "`"+string(field.Default.Raw)+"` by default")
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, cell(strings.Join(parts, "; ")), cell(paragraph(field.Description)))
	}
	for _, n := range below {
		fmt.Fprintf(b, "\n### %s\n\n%s\n", n.path, paragraph(n.schema.Description))
		table(b, n.path, n.schema)
	}
}

// bounds says what the schema admits.
func bounds(field apiextensionsv1.JSONSchemaProps) []string {
	var parts []string
	add := func(format string, value any) { parts = append(parts, fmt.Sprintf(format, value)) }
	if len(field.Enum) > 0 {
		var values []string
		for _, value := range field.Enum {
			var text string
			if json.Unmarshal(value.Raw, &text) != nil {
				text = string(value.Raw)
			}
			values = append(values, "`"+text+"`")
		}
		parts = append(parts, strings.Join(values, ", "))
	}
	if field.Minimum != nil {
		add("at least %v", *field.Minimum)
	}
	if field.Maximum != nil {
		add("at most %v", *field.Maximum)
	}
	if field.MaxLength != nil {
		add("at most %d characters", *field.MaxLength)
	}
	if field.MinItems != nil {
		add("at least %d", *field.MinItems)
	}
	if field.MaxItems != nil {
		add("at most %d", *field.MaxItems)
	}
	if field.Items != nil && field.Items.Schema != nil && field.Items.Schema.MaxLength != nil {
		add("each at most %d characters", *field.Items.Schema.MaxLength)
	}
	for _, rule := range field.XValidations {
		parts = append(parts, rule.Message)
	}
	return parts
}

func paragraph(text string) string { return strings.Join(strings.Fields(text), " ") }

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
