package docs

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// exceptions are the commands that are not run here, with the reason.
var exceptions = []struct {
	command *regexp.Regexp
	reason  string
}{
	{regexp.MustCompile(`^make (demo|test)\b`), "CI runs them, as does a test of hack/demo"},
	{regexp.MustCompile(`^kubectl logs `), "no container runs without a node"},
	{regexp.MustCompile(`^kubectl run `), "no container runs without a node"},
	{regexp.MustCompile(`^kubectl rollout status .*deployment/kube-changejob-controller-manager$`), "no container runs without a node"},
	{regexp.MustCompile(`^helm install `), "needs a registry that has the chart: test/manifests runs it from the work tree, make e2e from a registry"},
	{regexp.MustCompile(`^operator-sdk run bundle `), "needs OLM: make e2e runs it"},
	{regexp.MustCompile(`^kubectl (apply -f olm.yaml|create namespace kube-changejob-system)$`), "needs OLM: make e2e applies the like"},
	{regexp.MustCompile(`^kubectl (get|delete|patch) (clusterserviceversions?|subscription|catalogsource|operatorgroup) `), "needs OLM: make e2e runs it"},
	{regexp.MustCompile(`^kubectl apply -k .*/config/(certmanager|prometheus)$`), "needs kinds of cert-manager and the Prometheus operator; test/manifests renders them"},
}

// shell finds the commands of a page.
var shell = regexp.MustCompile("(?ms)^ *```bash\n(.*?)^ *```")

// commands returns the commands in a piece of shell: one for each line, those that go on in the next joined.
func commands(text string) []string {
	var all []string
	text = strings.ReplaceAll(text, "\\\n", "")
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, " # ")
		line = strings.Join(strings.Fields(line), " ")
		if line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}

// ofPage returns the commands of a page, in their order.
func ofPage(page string) []string {
	var all []string
	for _, block := range shell.FindAllStringSubmatch(page, -1) {
		all = append(all, commands(block[1])...)
	}
	return all
}

// story is a page whose commands are run from its beginning to its end.
type story struct {
	// file holds the commands, relative to the repository's root.
	file string
	// example is the page whose first YAML is changetriggeredjob.yaml; none where it is empty.
	example string
	// trigger is the example's name.
	trigger string
	// before are commands that make what the page takes for granted.
	before []string
	// installed is true where the page begins with an installation, which the operator of the test stands for.
	installed bool
}

// installing are the commands of an installation; they are run where the page on it is.
var installing = regexp.MustCompile(`^kubectl apply -k |^kubectl get clusterrole `)

// TestEveryCommandOfTheDocumentation runs what people copy. Only what exceptions names is left out; the page on
// installation is run on a cluster in which nothing is installed, the others where everything is.
func TestEveryCommandOfTheDocumentation(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	used := map[string]bool{}
	for _, s := range []story{
		{file: "README.md", example: "README.md", trigger: "config-sync", installed: true},
		{file: "docs/user-guide.md", example: "docs/user-guide.md", trigger: "my-first-trigger", installed: true},
		{file: "test/docs/testdata/guide/commands.txt", example: "docs/user-guide.md", trigger: "my-first-trigger", installed: true,
			before: []string{"kubectl create secret generic my-secret"}},
		{file: "docs/installation.md"},
	} {
		t.Run(filepath.Base(s.file), func(t *testing.T) {
			lines := commands(read(t, filepath.Join(root, s.file)))
			if strings.HasSuffix(s.file, ".md") {
				lines = ofPage(read(t, filepath.Join(root, s.file)))
			}
			require.Greater(t, len(lines), 5)
			c := &cluster{}
			if s.trigger == "" {
				c.Server = apiserver.Start(t)
			} else {
				c = start(t)
			}
			s.run(t, c, root, append(s.before, lines...), used)
		})
	}
	for _, e := range exceptions {
		assert.True(t, used[e.command.String()], "nothing needs the exception of %s any more", e.command)
	}
}

func (s story) run(t *testing.T, c *cluster, root string, lines []string, used map[string]bool) {
	dir := t.TempDir()
	if s.example != "" {
		example := fenced.FindStringSubmatch(read(t, filepath.Join(root, s.example)))
		require.NotNil(t, example)
		write(t, filepath.Join(dir, "changetriggeredjob.yaml"), example[1])
	}
	for _, line := range lines {
		if e := exception(line); e != "" {
			used[e] = true
			continue
		}
		if s.installed && installing.MatchString(line) {
			require.Contains(t, ofPage(read(t, filepath.Join(root, "docs", "installation.md"))), line)
			continue
		}
		output, err := c.sh(t, "cd "+dir+" && "+s.runnable(t, c, root, line))
		require.NoError(t, err, "%s\n%s", line, output)
	}
}

func exception(line string) string {
	for _, e := range exceptions {
		if e.command.MatchString(line) {
			return e.command.String()
		}
	}
	return ""
}

// runnable is a command as it can be run here: it ends, takes the work tree for the project's place on GitHub, and
// has names in place of placeholders.
func (s story) runnable(t *testing.T, c *cluster, root, line string) string {
	line = strings.TrimSuffix(strings.TrimSuffix(line, " | jq"), " -w")
	line = strings.ReplaceAll(line, "github.com/nusnewob/kube-changejob/config", filepath.Join(root, "config"))
	line = regexp.MustCompile(`\bmy-trigger\b`).ReplaceAllString(line, s.trigger)
	if line == "kubectl apply -f changetriggeredjob.yaml" {
		// The first user guide changes the object right after, which races the first look; our pages wait for it.
		line += " && kubectl wait --for=condition=Available --timeout=30s ctj/" + s.trigger
	}
	if strings.HasPrefix(line, "kubectl delete ") {
		line += " --wait=false" // nobody empties a namespace
	}
	if strings.Contains(line, "<job-name>") {
		path := "-o jsonpath='{.status.lastJobName}' ctj/" + s.trigger
		name, err := c.sh(t, "kubectl wait --for=jsonpath='{.status.lastJobName}' --timeout=30s ctj/"+s.trigger+" >/dev/null && kubectl get "+path)
		require.NoError(t, err, name)
		line = strings.ReplaceAll(line, "<job-name>", strings.TrimSpace(name))
	}
	return line
}

func TestRulesAndPromisesHaveTheirNumbers(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	page := read(t, filepath.Join(root, "docs", "concepts.md"))
	rules := regexp.MustCompile(`(?m)^- \*\*Rule (\d), `).FindAllStringSubmatch(page, -1)
	require.Len(t, rules, 9)
	for i, rule := range rules {
		assert.Equal(t, string(rune('0'+i)), rule[1])
	}
	_, promises, _ := strings.Cut(page, "\n## What is promised\n")
	promises, _, _ = strings.Cut(promises, "\n## ")
	assert.Contains(t, promises, "P1 to P5")
	assert.Equal(t, 5, strings.Count(promises, "\n- "))

	for _, pattern := range []string{"test/mutants/*.patch", "pkg/*/*.go", "controllers/*.go", "*.go"} {
		for _, file := range glob(t, filepath.Join(root, pattern)) {
			assert.NotRegexp(t, `\b[Ss]ection [0-9]`, read(t, file), "%s: no document of the project has sections with numbers", file)
		}
	}
}
