// Package bundle tests the bundle for the Operator Lifecycle Manager: what validators say of it, and that it says
// the same as config/, the API types and the Makefile.
package bundle

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/operator-framework/api/pkg/manifests"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

const (
	root = "../.."
	dir  = root + "/bundle"
)

// load reads the bundle anew, so that a test may break it.
func load(t *testing.T) *manifests.Bundle {
	t.Helper()
	bundle, err := manifests.GetBundleFromDir(dir)
	require.NoError(t, err)
	require.NotNil(t, bundle.CSV)
	return bundle
}

func readText(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return string(content)
}

func readYAML[T any](t *testing.T, path string) T {
	t.Helper()
	var into T
	require.NoError(t, yaml.UnmarshalStrict([]byte(readText(t, path)), &into), path)
	return into
}

// variable is the default of a variable of the Makefile.
func variable(t *testing.T, name string) string {
	t.Helper()
	match := regexp.MustCompile(`(?m)^` + name + ` \?= (\S+)$`).FindStringSubmatch(readText(t, "Makefile"))
	require.NotNil(t, match, name)
	return match[1]
}

func TestVersionAndImagesAreThoseOfTheMakefile(t *testing.T) {
	version := variable(t, "VERSION")
	image := "ghcr.io/nusnewob/kube-changejob:v" + version
	csv := load(t).CSV
	assert.Equal(t, "kube-changejob.v"+version, csv.Name)
	assert.Equal(t, version, csv.Spec.Version.String())
	assert.Equal(t, "<"+version, csv.Annotations["olm.skipRange"])
	assert.Equal(t, image, csv.Annotations["containerImage"])
	require.Len(t, csv.Spec.RelatedImages, 1)
	assert.Equal(t, image, csv.Spec.RelatedImages[0].Image)
	assert.Equal(t, image, csv.Spec.InstallStrategy.StrategySpec.DeploymentSpecs[0].Spec.Template.Spec.Containers[0].Image)
}

func TestNothingIsLatest(t *testing.T) {
	image := regexp.MustCompile(`image"?: "?([^\s"]+)`)
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.NotContains(t, string(content), ":latest", path)
		for _, match := range image.FindAllStringSubmatch(string(content), -1) {
			assert.Contains(t, match[1], ":", "%s: an image names a version", path)
		}
		return nil
	}))
}

func TestLabelsOfTheImageAgreeWithTheAnnotations(t *testing.T) {
	labels := map[string]string{}
	for _, match := range regexp.MustCompile(`(?m)^LABEL ([^=]+)=(.*)$`).FindAllStringSubmatch(readText(t, "bundle.Dockerfile"), -1) {
		labels[match[1]] = match[2]
	}
	metadata := readYAML[struct {
		Annotations map[string]string `json:"annotations"`
	}](t, "bundle/metadata/annotations.yaml")
	assert.Equal(t, metadata.Annotations, labels)

	const prefix = "operators.operatorframework.io.bundle."
	assert.Equal(t, "kube-changejob", labels[prefix+"package.v1"])
	assert.Equal(t, variable(t, "CHANNELS"), labels[prefix+"channels.v1"])
	assert.Equal(t, variable(t, "DEFAULT_CHANNEL"), labels[prefix+"channel.default.v1"])
	for _, label := range []string{prefix + "manifests.v1", prefix + "metadata.v1", "operators.operatorframework.io.test.config.v1"} {
		assert.DirExists(t, filepath.Join(dir, labels[label]), label)
	}
}

func TestTheIconIsTheOneInConfig(t *testing.T) {
	icons := load(t).CSV.Spec.Icon
	require.Len(t, icons, 1)
	assert.Equal(t, "image/svg+xml", icons[0].MediaType)
	assert.Equal(t, readText(t, "config/manifests/icon.svg"), decodeBase64(t, icons[0].Data))
}
