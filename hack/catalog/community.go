package main

import (
	"os"
	"path/filepath"
)

// template is a catalog in which bundles are named by their images alone.
type template struct {
	Schema  string `json:"schema"`
	Entries []any  `json:"entries"`
}

// templateBundle stands for a bundle in a template.
type templateBundle struct {
	Schema string `json:"schema"`
	Image  string `json:"image"`
}

// releaseConfig says where in a template a version belongs.
type releaseConfig struct {
	DefaultChannel   string    `json:"defaultChannel"`
	CatalogTemplates []release `json:"catalog_templates"`
}

type release struct {
	TemplateName string   `json:"template_name"`
	Channels     []string `json:"channels"`
	Replaces     string   `json:"replaces,omitempty"`
	SkipRange    string   `json:"skipRange,omitempty"`
}

const templateName = "basic.yaml"

// writeCommunity writes the operator's folder as community-operators wants it: ci.yaml, the template of the catalog,
// and the newest bundle with its place in the template.
func writeCommunity(o options, head olmPackage, channels []channel, bundles []bundle) error {
	if err := os.RemoveAll(o.community); err != nil {
		return err
	}
	ci, err := os.ReadFile(o.ci)
	if err != nil {
		return err
	}
	if err := write(filepath.Join(o.community, "ci.yaml"), ci); err != nil {
		return err
	}
	basic, err := marshal(templateOf(head, channels, bundles))
	if err != nil {
		return err
	}
	if err := write(filepath.Join(o.community, "catalog-templates", templateName), basic); err != nil {
		return err
	}
	newest := bundles[len(bundles)-1]
	folder := filepath.Join(o.community, newest.version.String())
	config, err := marshal(releaseOf(head, channels, newest))
	if err != nil {
		return err
	}
	if err := write(filepath.Join(folder, "release-config.yaml"), config); err != nil {
		return err
	}
	return os.CopyFS(folder, os.DirFS(newest.dir))
}

func templateOf(head olmPackage, channels []channel, bundles []bundle) template {
	t := template{Schema: "olm.template.basic", Entries: []any{head}}
	for _, c := range channels {
		t.Entries = append(t.Entries, c)
	}
	for _, b := range bundles {
		t.Entries = append(t.Entries, templateBundle{Schema: "olm.bundle", Image: b.image})
	}
	return t
}

// releaseOf gathers the channels in which a version replaces the same one before.
func releaseOf(head olmPackage, channels []channel, b bundle) releaseConfig {
	config := releaseConfig{DefaultChannel: head.DefaultChannel}
	for _, c := range channels {
		for _, e := range c.Entries {
			if e.Name == b.name {
				config.add(c.Name, e)
			}
		}
	}
	return config
}

func (config *releaseConfig) add(channel string, e entry) {
	for i := range config.CatalogTemplates {
		if r := &config.CatalogTemplates[i]; r.Replaces == e.Replaces {
			r.Channels = append(r.Channels, channel)
			return
		}
	}
	config.CatalogTemplates = append(config.CatalogTemplates, release{
		TemplateName: templateName, Channels: []string{channel}, Replaces: e.Replaces, SkipRange: e.SkipRange,
	})
}
