package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

const table = "text | of no table\n\n| topic | others | here |\n|---|---|---|\n| one | no | yes: `TestOne`, `TestTwo` |\n| two | `TestNot` | yes |\n"

func TestClaimsAreTheRowsOfTheTables(t *testing.T) {
	assert.Equal(t, []claim{{topic: "one", tests: []string{"TestOne", "TestTwo"}}, {topic: "two"}}, claims(table))
}

func TestWhatIsNotProven(t *testing.T) {
	const pass = `{"Action":"start","Package":"a"}
{"Action":"run","Package":"a","Test":"TestOne"}
{"Action":"pass","Package":"a","Test":"TestOne"}
{"Action":"pass","Package":"a"}
`
	for sentence, c := range map[string]struct {
		page, events string
		want         []string
	}{
		"nothing, where each test passed": {
			page: "| a |\n|--|\n| one `TestOne` |", events: pass},
		"a page without a claim": {
			page: "nothing", events: pass, want: []string{"nothing is claimed"}},
		"a row that names no test": {
			page: "| a |\n|--|\n| one |", events: pass, want: []string{`"one": names no test`}},
		"a test that did not run": {
			page: "| a |\n|--|\n| one `TestOne` `TestTwo` |", events: pass, want: []string{"TestTwo did not run"}},
		"a test that was skipped": {
			page: "| a |\n|--|\n| one `TestOne` |", events: `{"Action":"skip","Test":"TestOne"}`, want: []string{"TestOne did not pass: skip"}},
		"a test that failed in one of the packages that have one of that name": {
			page: "| a |\n|--|\n| one `TestOne` |", events: pass + `{"Action":"fail","Test":"TestOne"}`, want: []string{"TestOne did not pass: pass, fail"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			ended, err := outcomes(strings.NewReader(c.events))
			require.NoError(t, err)
			err = proven(claims(c.page), ended)
			if len(c.want) == 0 {
				require.NoError(t, err)
			}
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

// TestEveryClaimNamesTestsThatExist finds at once what would only be found after all tests ran, and rows that went missing.
func TestEveryClaimNamesTestsThatExist(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(root, "docs", "comparison.md"))
	require.NoError(t, err)
	all := testsIn(t, root)
	require.Greater(t, len(all), 500)

	topics := map[string]bool{}
	for _, claim := range claims(string(page)) {
		topics[claim.topic] = true
		assert.NotEmpty(t, claim.tests, claim.topic)
		for _, name := range claim.tests {
			assert.True(t, all[name], "%s: there is no %s", claim.topic, name)
		}
	}
	for _, topic := range []string{"detection", "changed while down", "change inside the cooldown", "All across resources", "field filter", "selectors",
		"create, delete", "missing object or kind", "context for the Job", "duplicates", "concurrency policy, suspend, manual run", "history",
		"conditions, columns, events, own metrics", "may the author do this?", "secret leak", "OLM"} {
		assert.True(t, topics[topic], "no row tells of %s", topic)
	}
}

// testsIn returns the names of the tests that make test runs: those of the module, without those of the real node.
func testsIn(t *testing.T, root string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			name := entry.Name()
			if path != root && (strings.HasPrefix(name, ".") || name == "bin" || name == "node_modules" || name == "e2e") {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); path != root && err == nil {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, declared := range file.Decls {
			if function, ok := declared.(*ast.FuncDecl); ok && function.Recv == nil && strings.HasPrefix(function.Name.Name, "Test") {
				all[function.Name.Name] = true
			}
		}
		return nil
	}))
	return all
}
