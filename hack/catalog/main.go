// Command catalog makes a file-based catalog of bundles, and a folder for community-operators.
//
// Usage: catalog -package FILE -icon FILE [-opm PROGRAM -into DIR] [-ci FILE -community DIR] BUNDLE=IMAGE …
//
// Each BUNDLE is the folder of one, IMAGE what it is or will be pushed as. A bundle is in the channels that its
// metadata names; in each of them it replaces the version before, and may be reached from any earlier one.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// options are the flags.
type options struct {
	opm, pkg, icon, into, ci, community string
}

func main() {
	o := options{}
	flag.StringVar(&o.opm, "opm", "opm", "The program opm.")
	flag.StringVar(&o.pkg, "package", "", "The package, an olm.package in YAML.")
	flag.StringVar(&o.icon, "icon", "", "The package's icon, an SVG.")
	flag.StringVar(&o.into, "into", "", "Folder of the catalog that is written; none where empty.")
	flag.StringVar(&o.ci, "ci", "", "The ci.yaml for community-operators.")
	flag.StringVar(&o.community, "community", "", "Folder of the operator in community-operators that is written; none where empty.")
	flag.Parse()
	if err := run(o, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "catalog:", err)
		os.Exit(1)
	}
}

func run(o options, args []string) error {
	bundles, err := readBundles(args)
	if err != nil {
		return err
	}
	head, err := readPackage(o.pkg, o.icon)
	if err != nil {
		return err
	}
	channels := channelsOf(head.Name, bundles)
	if o.community != "" {
		if err := writeCommunity(o, head, channels, bundles); err != nil {
			return err
		}
	}
	if o.into != "" {
		return writeCatalog(o, head, channels, bundles)
	}
	return nil
}

// writeCatalog writes the package, its channels, and what opm makes of each bundle.
func writeCatalog(o options, head olmPackage, channels []channel, bundles []bundle) error {
	documents := []any{head}
	for _, channel := range channels {
		documents = append(documents, channel)
	}
	catalog, err := marshal(documents...)
	if err != nil {
		return err
	}
	for _, bundle := range bundles {
		rendered, err := render(o.opm, bundle)
		if err != nil {
			return err
		}
		catalog = append(catalog, rendered...)
	}
	return write(filepath.Join(o.into, head.Name, "catalog.yaml"), catalog)
}

// render lets opm make what a catalog holds of a bundle.
func render(opm string, b bundle) ([]byte, error) {
	cmd := exec.Command(opm, "render", b.dir, "--output", "yaml",
		"--alpha-image-ref-template", b.image, "--migrate-level", "bundle-object-to-csv-metadata")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", b.dir, err)
	}
	return out, nil
}

// marshal returns YAML documents.
func marshal(documents ...any) ([]byte, error) {
	var all []byte
	for _, document := range documents {
		out, err := yaml.Marshal(document)
		if err != nil {
			return nil, err
		}
		all = append(append(all, "---\n"...), out...)
	}
	return all, nil
}

func write(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}
