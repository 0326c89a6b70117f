package main

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// defaults are the values whose defaults are what the plugin has read off config/.
var defaults = []string{
	"manager.replicas", "manager.image.repository", "manager.resources", "manager.podSecurityContext", "manager.securityContext",
	"manager.nodeSelector", "manager.terminationGracePeriodSeconds",
}

// fill puts the plugin's defaults into our values, which leave them empty; all else stays as it is written.
func fill(ours, generated []byte) ([]byte, error) {
	var into, from yaml.Node
	if err := yaml.Unmarshal(ours, &into); err != nil {
		return nil, fmt.Errorf("our values.yaml: %w", err)
	}
	if err := yaml.Unmarshal(generated, &from); err != nil {
		return nil, fmt.Errorf("the plugin's values.yaml: %w", err)
	}
	lines := slices.Collect(strings.Lines(string(ours)))
	for _, path := range defaults {
		empty, value := at(&into, path), at(&from, path)
		switch {
		case empty == nil || empty.Tag != "!!null":
			return nil, fmt.Errorf("our values.yaml does not leave %s empty", path)
		case value == nil:
			return nil, fmt.Errorf("the plugin's values.yaml has no %s", path)
		}
		var written strings.Builder
		encoder := yaml.NewEncoder(&written)
		encoder.SetIndent(2)
		if err := encoder.Encode(value); err != nil {
			return nil, err
		}
		line := strings.TrimSuffix(lines[empty.Line-1], "\n")
		if value.Kind == yaml.ScalarNode {
			line += " " + written.String()
		} else {
			indent := strings.Repeat("  ", strings.Count(path, ".")+1)
			line += "\n"
			for added := range strings.Lines(written.String()) {
				line += indent + added
			}
		}
		lines[empty.Line-1] = line
		empty.Tag = value.Tag
	}
	if empty := firstNull(&into, ""); empty != "" {
		return nil, fmt.Errorf("our values.yaml leaves %s empty", empty)
	}
	return []byte(strings.Join(lines, "")), nil
}

// at is the node at a path of names, or nil.
func at(node *yaml.Node, path string) *yaml.Node {
	if node.Kind == yaml.DocumentNode {
		node = node.Content[0]
	}
	for name := range strings.SplitSeq(path, ".") {
		var next *yaml.Node
		for i := 0; i+1 < len(node.Content) && node.Kind == yaml.MappingNode; i += 2 {
			if node.Content[i].Value == name {
				next = node.Content[i+1]
			}
		}
		if next == nil {
			return nil
		}
		node = next
	}
	return node
}

// firstNull is the path of the first value that is empty.
func firstNull(node *yaml.Node, path string) string {
	if node.Kind == yaml.DocumentNode {
		return firstNull(node.Content[0], path)
	}
	if node.Tag == "!!null" {
		return path
	}
	for i := 0; i+1 < len(node.Content) && node.Kind == yaml.MappingNode; i += 2 {
		if found := firstNull(node.Content[i+1], strings.TrimPrefix(path+"."+node.Content[i].Value, ".")); found != "" {
			return found
		}
	}
	return ""
}
