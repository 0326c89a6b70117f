package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// folders are those of config/ that the chart is made of. What several hold is taken from the first.
var folders = []string{"default", "certmanager", "prometheus", "grafana", "network-policy"}

const (
	// furtherIssuer is the kind under which the plugin is shown every Issuer but the first: it keeps one alone.
	furtherIssuer = "FurtherIssuer"
	// namesake is what it is shown behind the name of a Role that is called as a ClusterRole is, and so with bindings: it writes both into one
	// file, of which the last remains.
	namesake = "-namesake"
)

// gather returns the objects of all folders, each once, as one YAML that the plugin understands.
func gather(config string, build func(folder string) ([]byte, error)) ([]byte, error) {
	var objects []*unstructured.Unstructured
	seen := map[string]bool{}
	for _, folder := range folders {
		built, err := build(filepath.Join(config, folder))
		if err != nil {
			return nil, err
		}
		for document := range strings.SplitSeq(string(built), "\n---\n") {
			object := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
				return nil, fmt.Errorf("%s: %w", folder, err)
			}
			if id := identity(object.GetKind(), object); !seen[id] {
				seen[id] = true
				objects = append(objects, object)
			}
		}
	}
	var gathered bytes.Buffer
	issuers := 0
	for _, object := range objects {
		switch kind := object.GetKind(); kind {
		case "Issuer":
			if issuers++; issuers > 1 {
				object.SetKind(furtherIssuer)
			}
		case "Role", "RoleBinding":
			ofCluster := object.DeepCopy()
			ofCluster.SetNamespace("")
			if seen[identity("Cluster"+kind, ofCluster)] {
				object.SetName(object.GetName() + namesake)
			}
		}
		content, err := yaml.Marshal(object.Object)
		if err != nil {
			return nil, err
		}
		gathered.WriteString("---\n")
		gathered.Write(content)
	}
	return gathered.Bytes(), nil
}

func identity(kind string, object *unstructured.Unstructured) string {
	return strings.Join([]string{kind, object.GetNamespace(), object.GetName()}, "/")
}
