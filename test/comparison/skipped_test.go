package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// TestNoClaimRestsOnATestThatAMachineMayLack: what is tolerated to be missing, such as promtool, is skipped and said; a claim that is proven by such a test
// would fail there all the same.
func TestNoClaimRestsOnATestThatAMachineMayLack(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(root, "docs", "comparison.md"))
	require.NoError(t, err)
	skipped := map[string]bool{}
	for _, folder := range []string{"monitoring", "prometheus"} {
		for _, name := range mayBeSkipped(t, filepath.Join(root, "test", folder)) {
			skipped[name] = true
		}
	}
	require.Contains(t, skipped, "TestEveryAlertFiresAndDoesNot", "it needs promtool")
	for _, claim := range claims(string(page)) {
		for _, name := range claim.tests {
			assert.False(t, skipped[name], "%s: %s is skipped where a tool is missing", claim.topic, name)
		}
	}
}

// mayBeSkipped are the tests of a package that call, or have a function of the package call, what skips them.
func mayBeSkipped(t *testing.T, folder string) (tests []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	calls := map[string][]string{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declared := range parsed.Decls {
			function, ok := declared.(*ast.FuncDecl)
			if !ok || function.Recv != nil {
				continue
			}
			ast.Inspect(function, func(node ast.Node) bool {
				call, ok := node.(*ast.CallExpr)
				if !ok {
					return true
				}
				switch called := call.Fun.(type) {
				case *ast.Ident:
					calls[function.Name.Name] = append(calls[function.Name.Name], called.Name)
				case *ast.SelectorExpr:
					calls[function.Name.Name] = append(calls[function.Name.Name], "."+called.Sel.Name)
				}
				return true
			})
		}
	}
	seen := map[string]bool{}
	var skips func(name string) bool
	skips = func(name string) bool {
		if strings.HasPrefix(name, ".Skip") {
			return true
		}
		if seen[name] {
			return false
		}
		seen[name] = true
		for _, called := range calls[name] {
			if skips(called) {
				return true
			}
		}
		return false
	}
	for name := range calls {
		clear(seen)
		if strings.HasPrefix(name, "Test") && skips(name) {
			tests = append(tests, name)
		}
	}
	return tests
}
