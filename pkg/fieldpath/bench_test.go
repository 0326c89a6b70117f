package fieldpath

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// benchConfigMap is a ConfigMap of some 4 KB, as an API server writes it.
func benchConfigMap() []byte {
	data := map[string]string{}
	for i := range 8 {
		data[fmt.Sprintf("app-%d.properties", i)] = strings.Repeat(fmt.Sprintf("server.port=80%02d\n", i), 25)
	}
	return benchJSON(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": data, "metadata": benchMetadata("app-config")})
}

// benchPod is a Pod of some 20 KB, as an API server writes it.
func benchPod() []byte {
	var containers, conditions []any
	for i := range 12 {
		var env []any
		for e := range 20 {
			env = append(env, map[string]any{"name": fmt.Sprintf("VARIABLE_%d", e), "value": fmt.Sprintf("the value of variable %d", e)})
		}
		containers = append(containers, map[string]any{
			"name": fmt.Sprintf("container-%d", i), "image": fmt.Sprintf("registry.example.com/team/app-%d:1.2.3", i), "env": env,
			"resources": map[string]any{"limits": map[string]any{"cpu": "500m", "memory": "512Mi"}},
			"ports":     []any{map[string]any{"containerPort": 8080 + i, "protocol": "TCP"}},
		})
		conditions = append(conditions, map[string]any{"type": fmt.Sprintf("Type%d", i), "status": "True", "lastProbeTime": nil})
	}
	return benchJSON(map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": benchMetadata("web"),
		"spec":   map[string]any{"containers": containers, "nodeName": "worker-1"},
		"status": map[string]any{"conditions": conditions, "phase": "Running"},
	})
}

func benchMetadata(name string) map[string]any {
	return map[string]any{
		"name": name, "namespace": "default", "uid": "6f1d3c52-0b1e-4a53-9c43-6d8a7c1e2f00", "resourceVersion": "123456",
		"annotations":   map[string]string{"kubectl.kubernetes.io/last-applied-configuration": `{"a":"b\n"}`},
		"managedFields": []any{map[string]any{"manager": "kubectl", "fieldsV1": map[string]any{"f:data": map[string]any{}}}},
	}
}

func benchJSON(value any) []byte {
	object, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return object
}

func BenchmarkDigest(b *testing.B) {
	for _, c := range []struct {
		name   string
		object []byte
		paths  []string
	}{
		{"ConfigMap/whole", benchConfigMap(), []string{"*"}},
		{"ConfigMap/data", benchConfigMap(), []string{"data"}},
		{"ConfigMap/key", benchConfigMap(), []string{"data['app-7.properties']"}},
		{"Pod/whole", benchPod(), []string{"*"}},
		{"Pod/images", benchPod(), []string{"spec.containers[*].image"}},
		{"Pod/filter", benchPod(), []string{`spec.containers[?(@.name=="container-7")].image`}},
		{"Pod/three", benchPod(), []string{"spec.nodeName", "spec.containers[*].image", "spec.containers[*].resources"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var paths []*Path
			for _, expr := range c.paths {
				path, err := Compile(expr)
				require.NoError(b, err)
				paths = append(paths, path)
			}
			b.SetBytes(int64(len(c.object)))
			b.ReportAllocs()
			for b.Loop() {
				Digests(c.object, paths)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(`spec.template.spec.containers[?(@.name=="web")].image`); err != nil {
			b.Fatal(err)
		}
	}
}
