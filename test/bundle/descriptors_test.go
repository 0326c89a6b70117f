package bundle

import (
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// foreign are the fields whose types are Kubernetes' own: what lies below is described there.
var foreign = []string{"jobTemplate", "conditions", "active"}

// paths returns the paths of all fields of ours below a schema, as descriptors write them.
func paths(schema apiextensionsv1.JSONSchemaProps, prefix string) []string {
	var found []string
	for name, property := range schema.Properties {
		path := prefix + name
		found = append(found, path)
		switch {
		case slices.Contains(foreign, path):
		case property.Items != nil && property.Items.Schema != nil:
			found = append(found, paths(*property.Items.Schema, path+"[0].")...)
		default:
			found = append(found, paths(property, path+".")...)
		}
	}
	return found
}

func TestEveryFieldHasADescriptor(t *testing.T) {
	bundle := load(t)
	require.Len(t, bundle.CSV.Spec.CustomResourceDefinitions.Owned, 1)
	owned := bundle.CSV.Spec.CustomResourceDefinitions.Owned[0]
	schema := bundle.V1CRDs[0].Spec.Versions[0].Schema.OpenAPIV3Schema

	var spec, status []string
	for _, descriptor := range owned.SpecDescriptors {
		spec = append(spec, descriptor.Path)
		assert.NotEmpty(t, descriptor.Description, descriptor.Path)
		assert.NotEmpty(t, descriptor.DisplayName, descriptor.Path)
	}
	for _, descriptor := range owned.StatusDescriptors {
		status = append(status, descriptor.Path)
		assert.NotEmpty(t, descriptor.Description, descriptor.Path)
		assert.NotEmpty(t, descriptor.DisplayName, descriptor.Path)
	}
	assert.ElementsMatch(t, paths(schema.Properties["spec"], ""), spec)
	assert.ElementsMatch(t, paths(schema.Properties["status"], ""), status)
	assert.NotEmpty(t, owned.Resources)
}

func TestTheExamplesAreTheSamples(t *testing.T) {
	var examples []v1alpha.ChangeTriggeredJob
	require.NoError(t, json.Unmarshal([]byte(load(t).CSV.Annotations["alm-examples"]), &examples))
	var samples []v1alpha.ChangeTriggeredJob
	files, err := filepath.Glob(root + "/config/samples/*.yaml")
	require.NoError(t, err)
	for _, file := range files {
		if filepath.Base(file) != "kustomization.yaml" {
			for text := range strings.SplitSeq(readText(t, "config/samples/"+filepath.Base(file)), "\n---\n") {
				var sample v1alpha.ChangeTriggeredJob
				require.NoError(t, yaml.UnmarshalStrict([]byte(text), &sample), file)
				samples = append(samples, sample)
			}
		}
	}
	assert.Greater(t, len(samples), 3, "several real uses")
	require.Len(t, examples, len(samples))
	for _, sample := range samples {
		i := slices.IndexFunc(examples, func(example v1alpha.ChangeTriggeredJob) bool { return example.Name == sample.Name })
		require.NotEqual(t, -1, i, sample.Name)
		assert.JSONEq(t, marshal(t, sample), marshal(t, examples[i]))
	}
}

func TestTheCRDIsTheOneInConfig(t *testing.T) {
	got := load(t).V1CRDs
	require.Len(t, got, 1)
	want := readYAML[apiextensionsv1.CustomResourceDefinition](t, "config/crd/bases/triggers.changejob.dev_changetriggeredjobs.yaml")
	assert.Equal(t, want.Name, got[0].Name)
	assert.Equal(t, want.Annotations, got[0].Annotations)
	assert.Equal(t, want.Spec, got[0].Spec)
}

func marshal(t *testing.T, value any) string {
	t.Helper()
	out, err := json.Marshal(value)
	require.NoError(t, err)
	return string(out)
}

func decodeBase64(t *testing.T, text string) string {
	t.Helper()
	out, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	return string(out)
}
