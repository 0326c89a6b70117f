// Command chart makes the Helm chart of what config/ holds.
//
// Usage: chart -kustomize PROGRAM -kubebuilder PROGRAM -version VERSION [-config DIR] [-project FILE] [-work DIR] [-into DIR]
//
// kustomize builds the folders that people apply; kubebuilder's plugin helm/v2-alpha makes templates of them. That plugin knows what its own
// scaffold looks like, and of ours it gets some things wrong. They are mended here, and not by hand:
//
//   - every object keeps the name that config/ gives it, whatever the release is called: the operator knows its Secrets, its
//     Lease and its webhook configuration by name;
//   - what the chart does not offer is decided, not left to a value (fold.go);
//   - what the chart offers and the plugin does not know of is put in (mend.go), and each of these replacements must be found as often
//     as it is said to be: another version of the plugin that writes something else is noticed, not shipped;
//   - values.yaml, its schema and the notes are those in config/helm/parts, with the defaults that the plugin has read off config/ (values.go).
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// options are the flags.
type options struct {
	kustomize, kubebuilder, version, config, project, work, into string
}

func main() {
	o := options{}
	flag.StringVar(&o.kustomize, "kustomize", "kustomize", "The program kustomize.")
	flag.StringVar(&o.kubebuilder, "kubebuilder", "kubebuilder", "The program kubebuilder.")
	flag.StringVar(&o.version, "version", "", "The version of the chart, and of the operator.")
	flag.StringVar(&o.config, "config", "config", "The folder of the manifests.")
	flag.StringVar(&o.project, "project", "PROJECT", "The project's file, which kubebuilder wants.")
	flag.StringVar(&o.work, "work", "bin/chart", "Folder in which kubebuilder generates.")
	flag.StringVar(&o.into, "into", "config/helm/chart", "Folder of the chart that is replaced.")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	var err error
	// kubebuilder is started in another folder.
	if o.kubebuilder, err = program(o.kubebuilder); err != nil {
		return err
	}
	manifests, err := gather(o.config, o.build)
	if err != nil {
		return err
	}
	generated, err := generate(o, manifests)
	if err != nil {
		return err
	}
	parts, err := read(filepath.Join(o.config, "helm", "parts"))
	if err != nil {
		return err
	}
	finished, err := finish(generated, parts, o.version)
	if err != nil {
		return err
	}
	return replace(o.into, finished)
}

// build renders a folder of config/.
func (o options) build(folder string) ([]byte, error) {
	return output(".", o.kustomize, "build", folder)
}

// generate has kubebuilder make a chart of the manifests.
func generate(o options, manifests []byte) (tree, error) {
	if err := os.RemoveAll(o.work); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.work, 0o755); err != nil {
		return nil, err
	}
	project, err := os.ReadFile(o.project)
	if err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{"PROJECT": project, "install.yaml": manifests, "Makefile": nil} {
		if err := os.WriteFile(filepath.Join(o.work, name), content, 0o644); err != nil {
			return nil, err
		}
	}
	if _, err := output(o.work, o.kubebuilder, "edit", "--plugins=helm/v2-alpha", "--manifests=install.yaml", "--output-dir=.", "--force"); err != nil {
		return nil, err
	}
	return read(filepath.Join(o.work, "chart"))
}

// program is the absolute path of a program that is named by one; a mere name stays one.
func program(name string) (string, error) {
	if filepath.Base(name) == name {
		return name, nil
	}
	return filepath.Abs(name)
}

// output runs a program and returns what it prints.
func output(dir, program string, args ...string) ([]byte, error) {
	cmd := exec.Command(program, args...)
	var errors bytes.Buffer
	cmd.Dir, cmd.Stderr = dir, &errors
	printed, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %v: %w\n%s%s", program, args, err, printed, errors.Bytes())
	}
	return printed, nil
}
