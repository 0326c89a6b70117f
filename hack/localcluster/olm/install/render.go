package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"sigs.k8s.io/yaml"
)

// values are the chart's own, with what is different here: images and versions are pinned, one package server is enough, and no
// catalog of the internet's is added.
func values(i installation) func(chart map[string]any) error {
	return func(chart map[string]any) error {
		for path, value := range map[string]any{
			"namespace": namespace, "catalog_namespace": namespace,
			"installType":          "local",
			"olm.image.ref":        olmImage + ":" + i.version,
			"catalog.image.ref":    olmImage + ":" + i.version,
			"package.image.ref":    olmImage + ":" + i.version,
			"package.replicaCount": 1,
			"catalog.commandArgs":  "--configmapServerImage=" + configMapImage + ":" + i.opmVersion,
			"catalog.opmImageArgs": "--opmImage=" + opmImage + ":" + i.opmVersion,
		} {
			if err := set(chart["Values"].(map[string]any), path, value); err != nil {
				return err
			}
		}
		chart["Chart"] = map[string]any{"Name": "olm", "Version": strings.TrimPrefix(i.version, "v")}
		return nil
	}
}

// set replaces a value that is there.
func set(values map[string]any, path string, value any) error {
	keys := strings.Split(path, ".")
	for _, key := range keys[:len(keys)-1] {
		inner, ok := values[key].(map[string]any)
		if !ok {
			return fmt.Errorf("the chart has no value %s", path)
		}
		values = inner
	}
	last := keys[len(keys)-1]
	if _, there := values[last]; !there {
		return fmt.Errorf("the chart has no value %s", path)
	}
	values[last] = value
	return nil
}

// render fills in the chart's templates and writes them as one stream of documents. The chart needs little of what Helm offers.
func render(out io.Writer, folder string, complete func(map[string]any) error) error {
	content, err := os.ReadFile(filepath.Join(filepath.Dir(folder), "values.yaml"))
	if err != nil {
		return err
	}
	defaults := map[string]any{}
	if err := yaml.Unmarshal(content, &defaults); err != nil {
		return err
	}
	data := map[string]any{"Values": defaults}
	if err := complete(data); err != nil {
		return err
	}
	all := template.New("chart")
	all.Funcs(functions(all))
	if _, err := all.ParseGlob(filepath.Join(folder, "*.tpl")); err != nil {
		return err
	}
	if _, err := all.ParseGlob(filepath.Join(folder, "*.yaml")); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(folder, "[^_]*.yaml"))
	if err == nil && len(files) == 0 {
		err = errors.New("no templates in " + folder)
	}
	if err != nil {
		return err
	}
	// Glob returns them sorted, as their numbers have it: namespaces first.
	for _, file := range files {
		if _, err := fmt.Fprintln(out, "---"); err != nil {
			return err
		}
		if err := all.ExecuteTemplate(out, filepath.Base(file), data); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out); err != nil {
			return err
		}
	}
	return nil
}

// functions are those of Helm's that the chart calls, with Helm's meaning.
func functions(all *template.Template) template.FuncMap {
	indent := func(spaces int, text string) string {
		space := strings.Repeat(" ", spaces)
		return space + strings.ReplaceAll(text, "\n", "\n"+space)
	}
	return template.FuncMap{
		"indent":     indent,
		"nindent":    func(spaces int, text string) string { return "\n" + indent(spaces, text) },
		"quote":      func(value any) string { return fmt.Sprintf("%q", fmt.Sprint(value)) },
		"trimSuffix": func(suffix, text string) string { return strings.TrimSuffix(text, suffix) },
		"toYaml": func(value any) (string, error) {
			text, err := yaml.Marshal(value)
			return strings.TrimSuffix(string(text), "\n"), err
		},
		"include": func(name string, data any) (string, error) {
			var text strings.Builder
			err := all.ExecuteTemplate(&text, name, data)
			return text.String(), err
		},
		// The two that only unused helpers call.
		"default": func(fallback, value any) any {
			if value == nil || value == "" {
				return fallback
			}
			return value
		},
		"trunc": func(length int, text string) string { return text[:min(length, len(text))] },
	}
}
