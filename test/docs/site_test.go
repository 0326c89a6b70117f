package docs

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// site is the folder of what makes docs/ a site; `make docs` builds and looks at it, which takes npm and a browser. What is tested here
// takes neither.
const site = "docs/.vitepress"

func TestEveryPageIsInTheNavigation(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	var groups []struct {
		Text  string
		Pages []string
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, filepath.Join(root, site, "navigation.json"))), &groups))
	var listed []string
	for _, group := range groups {
		for _, page := range group.Pages {
			listed = append(listed, "docs/"+page+".md")
		}
	}
	assert.ElementsMatch(t, pages(t), listed, "the pages of docs/, and those of %s/navigation.json", site)
}

// TestEveryPageSaysWhatItIs: the title stands in the navigation, the description is what search engines show. Anything else in the head of
// a page, such as a layout that the generator does not know, may leave an empty page.
func TestEveryPageSaysWhatItIs(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	head := regexp.MustCompile(`^---\ntitle: \w[\w .-]*\ndescription: "[^"\n]{10,}"\n---\n\n# \w`)
	for _, page := range pages(t) {
		assert.Regexp(t, head, read(t, filepath.Join(root, page)), "%s begins with its title and description, and nothing else, then its heading", page)
	}
}

func TestTheSiteIsBuiltFromPinnedPackages(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	type dependencies map[string]string
	var wanted struct {
		Dependencies    dependencies
		DevDependencies dependencies
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, filepath.Join(root, site, "package.json"))), &wanted))
	assert.Empty(t, wanted.Dependencies, "nothing of npm is part of the operator")
	require.NotEmpty(t, wanted.DevDependencies)
	var lock struct {
		Packages map[string]struct {
			Version, Resolved, Integrity string
			DevDependencies              dependencies
		}
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, filepath.Join(root, site, "package-lock.json"))), &lock))
	assert.Equal(t, wanted.DevDependencies, lock.Packages[""].DevDependencies)
	for name, version := range wanted.DevDependencies {
		assert.Regexp(t, `^\d+\.\d+\.\d+$`, version, "%s is pinned", name)
		assert.Equal(t, version, lock.Packages["node_modules/"+name].Version, name)
	}
	for name, locked := range lock.Packages {
		if name != "" {
			assert.NotEmpty(t, locked.Integrity, "%s can be checked", name)
			assert.Empty(t, locked.Resolved, "%s comes from whichever registry is set up", name)
		}
	}
}

// TestTheFirstPageHasTheCommandsOfTheREADME, which are run.
func TestTheFirstPageHasTheCommandsOfTheREADME(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	lines := ofPage(read(t, filepath.Join(root, "docs", "index.md")))
	require.NotEmpty(t, lines)
	assert.Subset(t, ofPage(read(t, filepath.Join(root, "README.md"))), lines)
	assert.Contains(t, strings.Join(lines, "\n"), "make demo")
}
