package docs

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/operator"
)

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	for _, file := range texts(t) {
		for _, match := range link.FindAllStringSubmatch(read(t, file), -1) {
			target := file
			if match[1] != "" {
				target = filepath.Join(filepath.Dir(file), match[1])
			}
			assert.FileExists(t, target, "%s: %s", file, match[0])
			if match[2] != "" {
				assert.Contains(t, anchors(read(t, target)), match[2], "%s: %s", file, match[0])
			}
		}
	}
}

// texts are the pages of docs/ and the Markdown files beside it.
func texts(t *testing.T) []string {
	root, err := apiserver.Root()
	require.NoError(t, err)
	all := glob(t, filepath.Join(root, "*.md"))
	for _, page := range pages(t) {
		all = append(all, filepath.Join(root, page))
	}
	return all
}

// anchors are those that the headings of a page get.
func anchors(page string) []string {
	var all []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		text := regexp.MustCompile(`[^a-z0-9_ -]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		all = append(all, "#"+strings.ReplaceAll(text, " ", "-"))
	}
	return all
}

func TestEveryPageNamesTheVersionOfTheMakefile(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^VERSION \?= (\S+)$`).FindStringSubmatch(read(t, filepath.Join(root, "Makefile")))
	require.NotNil(t, version)
	named := regexp.MustCompile(`(?:--version |kube-changejob(?:-\w+)?:v|kube-changejob\.v|\?ref=v)(\d+\.\d+\.\d+(?:-[\w.]+)?)`)
	found := 0
	for _, file := range texts(t) {
		for _, match := range named.FindAllStringSubmatch(read(t, file), -1) {
			found++
			assert.Equal(t, version[1], match[1], "%s: %s", file, match[0])
		}
	}
	assert.Greater(t, found, 10)
}

func TestEveryReasonIsDocumented(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	page := read(t, filepath.Join(root, "docs", "concepts.md"))
	reason := regexp.MustCompile(`(?m)^(?:const |\t)(?:Reason|reason|Event)\w+\s*=\s*"([A-Z]\w+)"`)
	found := 0
	for _, file := range []string{"pkg/trigger/conditions.go", "pkg/trigger/events.go", "controllers/act.go"} {
		for _, match := range reason.FindAllStringSubmatch(read(t, filepath.Join(root, file)), -1) {
			found++
			assert.Contains(t, page, "`"+match[1]+"`", file)
		}
	}
	assert.Greater(t, found, 20)
}

func TestEveryFlagIsDocumentedAndNoOther(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	help, err := exec.CommandContext(t.Context(), operator.Program(t), "--help").CombinedOutput()
	require.NoError(t, err, "%s", help)
	find := func(pattern, text string) []string {
		var flags []string
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			flags = append(flags, match[1])
		}
		slices.Sort(flags)
		return slices.Compact(flags)
	}
	documented := find("`--([a-z-]+)`", strings.Join(find(`(?m)^\| (.*)$`, read(t, filepath.Join(root, "docs", "configuration.md"))), "\n"))
	assert.Equal(t, find(`(?m)^  -([a-z-]+)`, string(help)), documented)
}

func TestEveryMakeTargetThatIsNamedExists(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	makefiles := read(t, filepath.Join(root, "Makefile")) + read(t, filepath.Join(root, "hack", "localcluster", "localcluster.mk"))
	described := map[string]bool{}
	for _, target := range regexp.MustCompile(`(?m)^([a-zA-Z0-9_.-]+):.*## `).FindAllStringSubmatch(makefiles, -1) {
		described[target[1]] = true
	}
	// What stands behind make in a line of its own or between backquotes, up to a comment or a variable.
	named := regexp.MustCompile("(?m)(?:^ *|`)make((?: [a-z][a-z0-9.-]*)+)")
	found := 0
	for _, file := range texts(t) {
		for _, match := range named.FindAllStringSubmatch(read(t, file), -1) {
			for _, target := range strings.Fields(match[1]) {
				found++
				assert.True(t, described[target], "%s: make %s", file, target)
			}
		}
	}
	assert.Greater(t, found, 20)
}
