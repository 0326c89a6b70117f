package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/yaml"
)

func of(v string, channels ...string) bundle {
	return bundle{name: "op.v" + v, image: "example.org/op:v" + v, version: version.MustParseSemantic(v), channels: channels}
}

func TestAVersionReplacesTheOneBeforeInItsChannel(t *testing.T) {
	for _, test := range []struct {
		name    string
		bundles []bundle
		want    []channel
	}{
		{
			name:    "the first version replaces nothing",
			bundles: []bundle{of("0.2.0", "candidate", "stable")},
			want: []channel{
				{Schema: "olm.channel", Name: "candidate", Package: "op", Entries: []entry{{Name: "op.v0.2.0", SkipRange: "<0.2.0"}}},
				{Schema: "olm.channel", Name: "stable", Package: "op", Entries: []entry{{Name: "op.v0.2.0", SkipRange: "<0.2.0"}}},
			},
		},
		{
			name:    "a channel passes over versions that are not in it",
			bundles: []bundle{of("0.2.0", "candidate", "stable"), of("0.3.0-rc.1", "candidate"), of("0.3.0", "candidate", "stable")},
			want: []channel{
				{Schema: "olm.channel", Name: "candidate", Package: "op", Entries: []entry{
					{Name: "op.v0.2.0", SkipRange: "<0.2.0"},
					{Name: "op.v0.3.0-rc.1", Replaces: "op.v0.2.0", SkipRange: "<0.3.0-rc.1"},
					{Name: "op.v0.3.0", Replaces: "op.v0.3.0-rc.1", SkipRange: "<0.3.0"},
				}},
				{Schema: "olm.channel", Name: "stable", Package: "op", Entries: []entry{
					{Name: "op.v0.2.0", SkipRange: "<0.2.0"},
					{Name: "op.v0.3.0", Replaces: "op.v0.2.0", SkipRange: "<0.3.0"},
				}},
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			assert.Equal(t, test.want, channelsOf("op", test.bundles))
		})
	}
}

func TestAReleaseSaysWhatItReplacesWhere(t *testing.T) {
	bundles := []bundle{of("0.2.0", "candidate", "stable"), of("0.3.0-rc.1", "candidate"), of("0.3.0", "candidate", "stable")}
	channels := channelsOf("op", bundles)
	head := olmPackage{DefaultChannel: "candidate"}
	assert.Equal(t, releaseConfig{DefaultChannel: "candidate", CatalogTemplates: []release{
		{TemplateName: "basic.yaml", Channels: []string{"candidate", "stable"}, SkipRange: "<0.2.0"},
	}}, releaseOf(head, channels, bundles[0]))
	assert.Equal(t, releaseConfig{DefaultChannel: "candidate", CatalogTemplates: []release{
		{TemplateName: "basic.yaml", Channels: []string{"candidate"}, Replaces: "op.v0.3.0-rc.1", SkipRange: "<0.3.0"},
		{TemplateName: "basic.yaml", Channels: []string{"stable"}, Replaces: "op.v0.2.0", SkipRange: "<0.3.0"},
	}}, releaseOf(head, channels, bundles[2]))
}

// writeBundle writes what is read of a bundle, and returns its argument.
func writeBundle(t *testing.T, v, channels string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, write(filepath.Join(dir, "manifests", "op.clusterserviceversion.yaml"),
		fmt.Appendf(nil, "metadata: {name: op.v%s}\nspec: {version: %s}\n", v, v)))
	require.NoError(t, write(filepath.Join(dir, "metadata", "annotations.yaml"),
		fmt.Appendf(nil, "annotations: {operators.operatorframework.io.bundle.channels.v1: %q}\n", channels)))
	return dir + "=example.org/op:v" + v
}

func TestBundlesAreReadInTheOrderOfTheirVersions(t *testing.T) {
	bundles, err := readBundles([]string{
		writeBundle(t, "0.10.0", "candidate,stable"), writeBundle(t, "0.9.0", "candidate,stable"), writeBundle(t, "0.10.0-rc.1", "candidate"),
	})
	require.NoError(t, err)
	var names []string
	for _, b := range bundles {
		names = append(names, b.name)
	}
	assert.Equal(t, []string{"op.v0.9.0", "op.v0.10.0-rc.1", "op.v0.10.0"}, names)
	assert.Equal(t, []string{"candidate", "stable"}, bundles[0].channels)
	assert.Equal(t, "example.org/op:v0.9.0", bundles[0].image)
}

func TestWhatIsNoBundleIsRefused(t *testing.T) {
	good := writeBundle(t, "0.2.0", "candidate")
	for says, args := range map[string][]string{
		"name a bundle, as DIR=IMAGE":    nil,
		"bundle: name a bundle as":       {"bundle"},
		"0 ClusterServiceVersions":       {t.TempDir() + "=example.org/op:v1"},
		"are the same version, 0.2.0":    {good, writeBundle(t, "0.2.0", "stable")},
		"could not parse \"two\" as ver": {writeBundle(t, "two", "stable")},
	} {
		_, err := readBundles(args)
		assert.ErrorContains(t, err, says)
	}
}

// TestACatalogHoldsPackageChannelsAndBundles stands in for opm, which `make catalog` runs and which validates the
// catalog there.
func TestACatalogHoldsPackageChannelsAndBundles(t *testing.T) {
	dir := t.TempDir()
	opm := filepath.Join(dir, "opm")
	require.NoError(t, os.WriteFile(opm, []byte("#!/bin/sh\nprintf -- '---\\nschema: olm.bundle\\nargs: %s\\n' \"$*\"\n"), 0o755))
	o := options{
		opm: opm, pkg: "../../config/catalog/package.yaml", icon: "../../config/manifests/icon.svg", into: filepath.Join(dir, "catalog"),
		ci: "../../config/catalog/community/ci.yaml", community: filepath.Join(dir, "community"),
	}
	older, newer := writeBundle(t, "0.2.0", "candidate,stable"), writeBundle(t, "0.3.0", "candidate")
	require.NoError(t, run(o, []string{newer, older}))

	catalog, err := os.ReadFile(filepath.Join(o.into, "kube-changejob", "catalog.yaml"))
	require.NoError(t, err)
	for _, holds := range []string{
		"schema: olm.package\n", "defaultChannel: candidate\n", "mediatype: image/svg+xml\n",
		"name: candidate\npackage: kube-changejob\nschema: olm.channel\n", "name: stable\npackage: kube-changejob\nschema: olm.channel\n",
		"--alpha-image-ref-template example.org/op:v0.2.0 ", "--alpha-image-ref-template example.org/op:v0.3.0 ",
	} {
		assert.Contains(t, string(catalog), holds)
	}

	community := os.DirFS(o.community)
	for _, file := range []string{"ci.yaml", "catalog-templates/basic.yaml", "0.3.0/release-config.yaml",
		"0.3.0/manifests/op.clusterserviceversion.yaml", "0.3.0/metadata/annotations.yaml"} {
		_, err := community.Open(file)
		assert.NoError(t, err)
	}
	ci := struct {
		FBC struct {
			Mapping []struct {
				Template string `json:"template_name"`
				Type     string `json:"type"`
			} `json:"catalog_mapping"`
		} `json:"fbc"`
	}{}
	require.NoError(t, decode(filepath.Join(o.community, "ci.yaml"), &ci))
	require.Len(t, ci.FBC.Mapping, 1)
	basic, err := os.ReadFile(filepath.Join(o.community, "catalog-templates", ci.FBC.Mapping[0].Template))
	require.NoError(t, err)
	into := template{}
	require.NoError(t, yaml.Unmarshal(basic, &into))
	assert.Equal(t, ci.FBC.Mapping[0].Type, into.Schema)
	assert.Len(t, into.Entries, 5, "the package, two channels, two bundles")
}

func TestTheDefaultChannelIsTheMakefiles(t *testing.T) {
	head, err := readPackage("../../config/catalog/package.yaml", "../../config/manifests/icon.svg")
	require.NoError(t, err)
	makefile, err := os.ReadFile("../../Makefile")
	require.NoError(t, err)
	assert.Contains(t, string(makefile), "\nDEFAULT_CHANNEL ?= "+head.DefaultChannel+"\n")
	assert.Equal(t, "kube-changejob", head.Name)
}
