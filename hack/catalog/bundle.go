package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/yaml"
)

// olmPackage is the head of a catalog.
type olmPackage struct {
	Schema         string `json:"schema"`
	Name           string `json:"name"`
	DefaultChannel string `json:"defaultChannel"`
	Description    string `json:"description,omitempty"`
	Icon           *icon  `json:"icon,omitempty"`
}

type icon struct {
	Data      string `json:"base64data"`
	MediaType string `json:"mediatype"`
}

// readPackage reads the head of the catalog and gives it its icon.
func readPackage(file, svg string) (olmPackage, error) {
	head := olmPackage{}
	content, err := os.ReadFile(file)
	if err != nil {
		return head, err
	}
	if err := yaml.UnmarshalStrict(content, &head); err != nil {
		return head, fmt.Errorf("%s: %w", file, err)
	}
	if content, err = os.ReadFile(svg); err != nil {
		return head, err
	}
	head.Icon = &icon{Data: base64.StdEncoding.EncodeToString(content), MediaType: "image/svg+xml"}
	return head, nil
}

// bundle is one version of the operator.
type bundle struct {
	dir, image string
	// name is the ClusterServiceVersion's.
	name     string
	version  *version.Version
	channels []string
}

// readBundles reads bundles from arguments of the form DIR=IMAGE, and returns them by version, the oldest first.
func readBundles(args []string) ([]bundle, error) {
	if len(args) == 0 {
		return nil, errors.New("name a bundle, as DIR=IMAGE")
	}
	var bundles []bundle
	for _, arg := range args {
		dir, image, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, fmt.Errorf("%s: name a bundle as DIR=IMAGE", arg)
		}
		b, err := readBundle(dir, image)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		bundles = append(bundles, b)
	}
	slices.SortFunc(bundles, compare)
	for i := 1; i < len(bundles); i++ {
		if compare(bundles[i-1], bundles[i]) == 0 {
			return nil, fmt.Errorf("%s and %s are the same version, %s", bundles[i-1].dir, bundles[i].dir, bundles[i].version)
		}
	}
	return bundles, nil
}

func compare(a, b bundle) int {
	switch {
	case a.version.LessThan(b.version):
		return -1
	case b.version.LessThan(a.version):
		return 1
	}
	return 0
}

func readBundle(dir, image string) (bundle, error) {
	b := bundle{dir: dir, image: image}
	files, err := filepath.Glob(filepath.Join(dir, "manifests", "*.clusterserviceversion.yaml"))
	if err != nil {
		return b, err
	}
	if len(files) != 1 {
		return b, fmt.Errorf("%d ClusterServiceVersions in manifests, want one", len(files))
	}
	csv := struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Spec struct {
			Version string `json:"version"`
		} `json:"spec"`
	}{}
	metadata := struct {
		Annotations map[string]string `json:"annotations"`
	}{}
	if err := errors.Join(decode(files[0], &csv), decode(filepath.Join(dir, "metadata", "annotations.yaml"), &metadata)); err != nil {
		return b, err
	}
	b.name = csv.Metadata.Name
	b.channels = strings.Split(metadata.Annotations["operators.operatorframework.io.bundle.channels.v1"], ",")
	b.version, err = version.ParseSemantic(csv.Spec.Version)
	return b, err
}

func decode(file string, into any) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return yaml.Unmarshal(content, into)
}
