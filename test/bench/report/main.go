// Command report writes what the benchmarks have measured into a page of documentation: tables, which targets are reached, and
// plots. The same figures always give the same files.
//
//	go run ./test/bench/report [-figures docs/performance/figures.json] [-page docs/performance.md] [-into docs]
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nusnewob/kube-changejob/test/bench/figures"
)

func main() {
	source := flag.String("figures", "docs/performance/figures.json", "the `file` of figures that the benchmarks have written")
	page := flag.String("page", "docs/performance.md", "the page whose generated parts are written anew")
	into := flag.String("into", "docs", "the `folder` that gets the page, and the plots in a folder named after it")
	flag.Parse()
	if err := write(*source, *page, *into); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write makes the report of a file of figures. Plots that an older report left are removed.
func write(source, page, into string) error {
	files, err := report(source, page)
	if err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(into, plotsOf(page), "*.svg"))
	if err != nil {
		return err
	}
	for _, file := range old {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	for name, content := range files {
		file := filepath.Join(into, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// report returns the page and its plots, by their names below the folder that the page is in.
func report(source, page string) (map[string][]byte, error) {
	run, err := figures.Load(source)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(page)
	if err != nil {
		return nil, err
	}
	if err := known(run); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	parts := blocks(run, plotsOf(page))
	computed := filepath.Base(page) == scalingPage
	if computed {
		if parts, err = scalingBlocks(run); err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
	}
	filled, err := fill(string(text), parts)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", page, err)
	}
	files := map[string][]byte{filepath.Base(page): []byte(filled)}
	if computed {
		return files, nil
	}
	for _, s := range sections {
		for _, measure := range s.measures {
			drawn, err := plotOf(run, measure)
			if err != nil {
				return nil, fmt.Errorf("plot %q: %w", measure, err)
			}
			if drawn != nil {
				files[filepath.Join(plotsOf(page), plotName(measure))] = drawn
			}
		}
	}
	return files, nil
}

// plotsOf is the name of the folder with a page's plots.
func plotsOf(page string) string { return strings.TrimSuffix(filepath.Base(page), ".md") }
