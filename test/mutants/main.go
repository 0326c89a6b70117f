// Command mutants checks that the tests notice when a guard is removed.
//
// Each patch in this folder takes away what guards one rule or promise, and names the test that must then
// fail, or several, each of which must:
//
//	Guards: Rule 0, a Job that status does not know of is taken over.
//	Test: ./pkg/trigger TestName
//
// The patch is laid over the sources for that one run of `go test`; no file is changed. Usage, from the
// repository's root:
//
//	go run ./test/mutants [name of a patch …]
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const folder = "test/mutants"

// mutant is one patch.
type mutant struct {
	name    string
	patch   string
	guards  string
	pkg     string
	test    string
	overlay string // the file for go's -overlay
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(names []string) error {
	mutants, err := load(names)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }()

	if err := soundTests(mutants); err != nil {
		return err
	}
	var survivors []string
	for i := range mutants {
		m := &mutants[i]
		if err := m.prepare(filepath.Join(temp, m.name)); err != nil {
			return fmt.Errorf("%s: %w", m.patch, err)
		}
		began := time.Now()
		killed, output := m.killed()
		took := time.Since(began).Round(100 * time.Millisecond)
		if killed {
			fmt.Printf("killed    %-44s %6s  %s\n", m.name, took, m.guards)
			continue
		}
		survivors = append(survivors, m.name)
		fmt.Printf("SURVIVED  %-44s %6s  %s\n%s\n", m.name, took, m.guards, indent(output))
	}
	fmt.Printf("%d passed, %d failed\n", len(mutants)-len(survivors), len(survivors))
	if len(survivors) > 0 {
		return fmt.Errorf("no test noticed: %s", strings.Join(survivors, ", "))
	}
	return nil
}

// load reads the patches, all of them where no names are given.
func load(names []string) ([]mutant, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.patch"))
	if err != nil {
		return nil, err
	}
	var mutants []mutant
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".patch")
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		parsed, err := parse(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for i := range parsed {
			parsed[i].name = name
			if i > 0 {
				parsed[i].name += "-" + strconv.Itoa(i+1)
			}
		}
		mutants = append(mutants, parsed...)
	}
	if len(mutants) == 0 || len(names) > len(mutants) {
		return nil, fmt.Errorf("no such patches in %s; it is to be run from the repository's root", folder)
	}
	return mutants, nil
}

var (
	guardsLine = regexp.MustCompile(`(?m)^Guards: (.+)$`)
	testLine   = regexp.MustCompile(`(?m)^Test: (\./\S+) (\S+)$`)
)

// parse returns a mutant for each test that the patch names.
func parse(file string) ([]mutant, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	guards, tests := guardsLine.FindSubmatch(content), testLine.FindAllSubmatch(content, -1)
	if guards == nil || tests == nil {
		return nil, errors.New(`wants a line "Guards: what" and a line "Test: ./package TestName"`)
	}
	mutants := make([]mutant, 0, len(tests))
	for _, test := range tests {
		mutants = append(mutants, mutant{patch: file, guards: string(guards[1]), pkg: string(test[1]), test: string(test[2])})
	}
	return mutants, nil
}

// soundTests runs the tests without any patch: a test that fails anyway notices nothing.
func soundTests(mutants []mutant) error {
	tests := map[string][]string{}
	for _, m := range mutants {
		tests[m.pkg] = append(tests[m.pkg], regexp.QuoteMeta(strings.Split(m.test, "/")[0]))
	}
	for pkg, names := range tests {
		output, err := goTest(nil, pkg, "^("+strings.Join(names, "|")+")$")
		if err != nil {
			return fmt.Errorf("%s fails without any patch:\n%s", pkg, output)
		}
		for _, m := range mutants {
			if m.pkg == pkg && !strings.Contains(output, "--- PASS: "+m.test+" ") {
				return fmt.Errorf("%s: %s has no test %s that runs", m.patch, pkg, m.test)
			}
		}
	}
	return nil
}

// prepare writes the patched files and the overlay that leads to them.
func (m *mutant) prepare(dir string) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	listed, err := exec.Command("git", "apply", "--numstat", m.patch).Output()
	if err != nil {
		return fmt.Errorf("read the patch: %w", explain(err))
	}
	replace := map[string]string{}
	for line := range strings.Lines(string(listed)) {
		_, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		_, file, _ = strings.Cut(file, "\t")
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		patched := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(patched), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(patched, content, 0o600); err != nil {
			return err
		}
		replace[filepath.Join(root, file)] = patched
	}
	apply := exec.Command("git", "apply", "--recount", filepath.Join(root, m.patch))
	apply.Dir = dir
	apply.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	if _, err := apply.Output(); err != nil {
		return fmt.Errorf("it does not apply any more: %w", explain(err))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	m.overlay = filepath.Join(dir, "overlay.json")
	return os.WriteFile(m.overlay, overlay, 0o600)
}

// killed says whether the test fails with the patch: the test itself, not its compilation.
func (m *mutant) killed() (bool, string) {
	parts := strings.Split(m.test, "/")
	for i := range parts {
		parts[i] = "^" + regexp.QuoteMeta(parts[i]) + "$"
	}
	// By the environment, so that a test which builds the operator builds it with the patch.
	flags := strings.TrimSpace(os.Getenv("GOFLAGS") + " -overlay=" + m.overlay)
	output, err := goTest([]string{"GOFLAGS=" + flags}, m.pkg, strings.Join(parts, "/"))
	return err != nil && strings.Contains(output, "--- FAIL: "+m.test+" "), output
}

func goTest(env []string, pkg, pattern string) (string, error) {
	cmd := exec.Command("go", "test", "-count=1", "-v", "-timeout=10m", "-run", pattern, pkg)
	cmd.Env = append(os.Environ(), env...)
	output, err := cmd.CombinedOutput()
	return string(output), err
}

func explain(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}

func indent(text string) string {
	const most = 4000
	if len(text) > most {
		text = "…" + text[len(text)-most:]
	}
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}
