package e2e

import (
	"bufio"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// began is when the first part did: what is older in the audit log is another run's.
var began = time.Now()

// unused are the permissions of the bundle that no part of these tests uses, with the reason that each is there.
var unused = map[string]string{
	"* * list":                   "whatever is watched: the one right that cannot be told beforehand",
	"* * watch":                  "the same",
	"batch jobs get":             "the answer to a create was lost, or a Job that should run is missing from the cache",
	"events.k8s.io events patch": "the same event once more, within minutes",
	" secrets list":              "an API server that does not stream lists",
	"apiextensions.k8s.io customresourcedefinitions list":          "the same",
	"apiregistration.k8s.io apiservices list":                      "the same",
	"triggers.changejob.dev changetriggeredjobs/finalizers update": "asked for by the admission plug-in OwnerReferencesPermissionEnforcement alone, where a cluster has it",
}

// TestThePermissionsAreThoseThatAreUsed compares, when all other parts have run, what the bundle permits with what the operator
// that OLM installed has done by it, in all of these parts together.
func TestThePermissionsAreThoseThatAreUsed(t *testing.T) {
	log := os.Getenv("E2E_AUDIT")
	if _, err := os.Stat(log); log == "" || err != nil {
		t.Skip("SKIPPED: the API server writes no audit log: end the node (make node-down), and let make e2e start it")
	}
	if only := flag.Lookup("test.run").Value.String(); only != "" {
		t.Skip("SKIPPED: only some of the parts have run")
	}
	used := usedPermissions(t, log)
	permitted := map[string]bool{}
	for _, permission := range bundlePermissions(t) {
		permitted[permission] = true
	}
	var idle []string
	for permission := range permitted {
		if !used[permission] {
			idle = append(idle, permission)
		}
	}
	assert.ElementsMatch(t, slices.Collect(maps.Keys(unused)), idle, "what the bundle permits and nobody needs")
	for permission := range used {
		verb := permission[strings.LastIndex(permission, " ")+1:]
		assert.True(t, permitted[permission] || permitted["* * "+verb], "%s is used, and by no rule of the bundle", permission)
	}
	t.Logf("used: %s", strings.Join(slices.Sorted(maps.Keys(used)), ", "))
	for permission, reason := range unused {
		t.Logf("%s: %s", permission, reason)
	}
}

// usedPermissions are those by which the API server has allowed something to the newer version, as OLM installed it.
func usedPermissions(t *testing.T, log string) map[string]bool {
	t.Helper()
	file, err := os.Open(log)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	used := map[string]bool{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			RequestReceivedTimestamp time.Time
			Verb                     string
			User                     struct{ Username string }
			ObjectRef                *struct{ APIGroup, Resource, Subresource string }
			Annotations              map[string]string
		}
		// A line that is being written is no more than one event less.
		if json.Unmarshal(lines.Bytes(), &event) != nil || event.ObjectRef == nil || event.RequestReceivedTimestamp.Before(began) {
			continue
		}
		// It names the role, which OLM calls by the version, cut short; but for the reviews of tokens and rights, which OLM lets whoever
		// serves a webhook make, too: the API server names the first role that it finds.
		reason := event.Annotations["authorization.k8s.io/reason"]
		if event.User.Username != "system:serviceaccount:"+operatorNamespace+":"+operatorName ||
			!strings.Contains(reason, `ole "`+newerCSV) && !strings.Contains(reason, `ole "system:auth-delegator"`) ||
			strings.Contains(reason, `ole "`+olderCSV[:len(newerCSV)+len("-al")]) {
			continue
		}
		resource := event.ObjectRef.Resource
		if event.ObjectRef.Subresource != "" {
			resource += "/" + event.ObjectRef.Subresource
		}
		used[event.ObjectRef.APIGroup+" "+resource+" "+event.Verb] = true
	}
	require.NoError(t, lines.Err())
	require.NotEmpty(t, used)
	return used
}

// bundlePermissions are what the bundle permits: group, resource and verb.
func bundlePermissions(t *testing.T) (permissions []string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root(t), "bundle", "manifests", "kube-changejob.clusterserviceversion.yaml"))
	require.NoError(t, err)
	var csv v1alpha1.ClusterServiceVersion
	require.NoError(t, yaml.Unmarshal(data, &csv))
	strategy := csv.Spec.InstallStrategy.StrategySpec
	for _, account := range slices.Concat(strategy.Permissions, strategy.ClusterPermissions) {
		for _, rule := range account.Rules {
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, verb := range rule.Verbs {
						permissions = append(permissions, group+" "+resource+" "+verb)
					}
				}
			}
		}
	}
	return permissions
}
