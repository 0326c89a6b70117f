package docs

import (
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/apiserver"
)

var jsonFence = regexp.MustCompile("(?ms)^ *```json\n(.*?)^ *```")

// TestTheAccountsOfTheDocumentationAreWhatJobsAreTold compares each JSON of the documentation with what a Job of such a change says.
func TestTheAccountsOfTheDocumentationAreWhatJobsAreTold(t *testing.T) {
	configMap := v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default"}
	named, selected := configMap, configMap
	named.Name = "my-config"
	selected.Selector = &v1alpha.LabelSelector{MatchLabels: map[string]v1alpha.LabelValue{"app": "web"}}
	selected.Fields = []string{"data"}
	rows := map[string]struct {
		reference v1alpha.ResourceReference
		happening happening
	}{
		"docs/user-guide.md": {named, happening{}},
		"docs/concepts.md": {selected, happening{objects: []trigger.ObjectChange{
			{Namespace: "default", Name: "web-1", Change: trigger.ObjectUpdated, Fields: []string{"data"}},
			{Namespace: "default", Name: "web-2", Change: trigger.ObjectRemoved},
		}}},
	}
	root, err := apiserver.Root()
	require.NoError(t, err)
	seen := 0
	for _, page := range append(pages(t), "README.md") {
		for _, block := range jsonFence.FindAllStringSubmatch(read(t, filepath.Join(root, page)), -1) {
			row, ok := rows[page]
			if !assert.True(t, ok, "%s: nothing says what this JSON is:\n%s", page, block[1]) {
				continue
			}
			seen++
			built, err := job.Build(accountant(row.reference), row.happening.creation(accountant(row.reference)))
			require.NoError(t, err)
			assert.JSONEq(t, built.Annotations[job.ChangedAnnotation], block[1], page)
		}
	}
	assert.Equal(t, len(rows), seen)
}

// accountant is a ChangeTriggeredJob of one reference.
func accountant(reference v1alpha.ResourceReference) *v1alpha.ChangeTriggeredJob {
	return &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "accountant"},
		Spec: v1alpha.ChangeTriggeredJobSpec{
			JobTemplate: v1alpha.JobTemplate{Raw: []byte(`{"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"busybox:1.37"}]}}}}`)},
			Resources:   []v1alpha.ResourceReference{reference},
		},
	}
}

// TestTheCommandsOfOtherPages runs, of the pages that are not run from beginning to end, what needs no more than an installation.
func TestTheCommandsOfOtherPages(t *testing.T) {
	c := start(t)
	root, err := apiserver.Root()
	require.NoError(t, err)
	dir := t.TempDir()
	example := fenced.FindStringSubmatch(read(t, filepath.Join(root, "docs", "user-guide.md")))
	require.NotNil(t, example)
	write(t, filepath.Join(dir, "changetriggeredjob.yaml"), example[1])
	output, err := c.sh(t, "kubectl create namespace kube-changejob-system && kubectl create configmap my-config --from-literal=key=value && "+
		"kubectl apply -f "+filepath.Join(dir, "changetriggeredjob.yaml")+" && kubectl wait --for=condition=Available --timeout=30s ctj/my-first-trigger")
	require.NoError(t, err, output)
	for page, row := range map[string]struct {
		command *regexp.Regexp
		want    string
	}{
		"runbooks.md": {regexp.MustCompile(`^kubectl get ctj .*custom-columns`), `default +my-first-trigger +[A-Z]\w+ +[A-Z]\w+\n`},
		"metrics.md":  {regexp.MustCompile(`^kubectl apply -k .*/grafana$`), `configmap/kube-changejob-dashboard .*created\n`},
	} {
		t.Run(page, func(t *testing.T) {
			found := 0
			for _, line := range ofPage(read(t, filepath.Join(root, "docs", page))) {
				if row.command.MatchString(line) {
					found++
					output, err := c.sh(t, story{}.runnable(t, c, root, line))
					require.NoError(t, err, "%s\n%s", line, output)
					assert.Regexp(t, row.want, output)
				}
			}
			assert.Equal(t, 1, found)
		})
	}
}
