package e2e

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

const (
	catalogName = "kube-changejob-catalog"
	packageName = "kube-changejob"
	groupName   = "e2e"
	olderCSV    = "kube-changejob.v0.2.0-alpha.1"
	newerCSV    = "kube-changejob.v0.2.0"
)

// olm skips the test, loudly, on a cluster that has no OLM; where make e2e brought it, that is a failure.
func olm(t *testing.T) {
	t.Helper()
	err := exec.CommandContext(t.Context(), "kubectl", "get", "crd", "clusterserviceversions.operators.coreos.com").Run()
	if err != nil && os.Getenv("E2E_NODE") == "" {
		t.Skip("SKIPPED: this cluster has no OLM (https://olm.operatorframework.io)")
	}
	require.NoError(t, err, "OLM is not there: make olm-up")
	emptyCluster(t)
}

// operatorGroup applies, in the operator's namespace, an OperatorGroup of this spec.
func operatorGroup(t *testing.T, spec string) {
	t.Helper()
	apply(t, fmt.Sprintf(`
apiVersion: operators.coreos.com/v1
kind: OperatorGroup
metadata:
  name: %s
  namespace: %s
spec: %s
`, groupName, operatorNamespace, spec))
}

// targets is the spec of an OperatorGroup for these namespaces.
func targets(namespaces ...string) string {
	return "{targetNamespaces: [" + strings.Join(namespaces, ", ") + "]}"
}

// subscribe applies the catalog and a Subscription of this spec.
func subscribe(t *testing.T, spec string) {
	t.Helper()
	onFailure(t, "get", "subscriptions,installplans,clusterserviceversions", "--namespace="+operatorNamespace, "--output=yaml")
	onFailure(t, "logs", "--namespace="+operatorNamespace, "deployment/"+operatorName, "--tail=50")
	onFailure(t, "get", "pods,jobs", "--namespace="+operatorNamespace)
	apply(t, fmt.Sprintf(`
apiVersion: operators.coreos.com/v1alpha1
kind: CatalogSource
metadata:
  name: %[1]s
  namespace: %[2]s
spec:
  sourceType: grpc
  image: %[3]s
  grpcPodConfig:
    securityContextConfig: restricted
---
apiVersion: operators.coreos.com/v1alpha1
kind: Subscription
metadata:
  name: %[4]s
  namespace: %[2]s
spec:
  name: %[4]s
  source: %[1]s
  sourceNamespace: %[2]s
  %[5]s
`, catalogName, operatorNamespace, cmp.Or(os.Getenv("CATALOG_IMG"), "ghcr.io/nusnewob/kube-changejob-catalog:v0.2.0"), packageName, spec))
}

// csvPhase waits until a ClusterServiceVersion is in a phase.
func csvPhase(t *testing.T, name string, phase v1alpha1.ClusterServiceVersionPhase) {
	t.Helper()
	eventually(t, func(c *assert.CollectT) {
		var csv v1alpha1.ClusterServiceVersion
		get(t.Context(), c, &csv, "clusterserviceversion/"+name, "--namespace="+operatorNamespace)
		require.Equal(c, phase, csv.Status.Phase, csv.Status.Message)
	})
}

// approve approves the InstallPlan that installs a version.
func approve(t *testing.T, version string) {
	t.Helper()
	eventually(t, func(c *assert.CollectT) {
		var plans v1alpha1.InstallPlanList
		get(t.Context(), c, &plans, "installplans", "--namespace="+operatorNamespace)
		at := slices.IndexFunc(plans.Items, func(plan v1alpha1.InstallPlan) bool {
			return slices.Contains(plan.Spec.ClusterServiceVersionNames, version)
		})
		require.GreaterOrEqual(c, at, 0, "no InstallPlan for "+version)
		_, err := run(t.Context(), ".", "", "kubectl", "patch", "installplan", plans.Items[at].Name, "--namespace="+operatorNamespace,
			"--type=merge", `--patch={"spec":{"approved":true}}`)
		require.NoError(c, err)
	})
}

// calledWithOLMsCertificate checks that there is one webhook, which is called with a certificate that OLM made.
func calledWithOLMsCertificate(t *testing.T) {
	t.Helper()
	var all admissionv1.ValidatingWebhookConfigurationList
	get(t.Context(), t, &all, "validatingwebhookconfigurations", "--selector=olm.owner="+newerCSV)
	require.Len(t, all.Items, 1)
	require.Len(t, all.Items[0].Webhooks, 1)
	assert.NotEmpty(t, all.Items[0].Webhooks[0].ClientConfig.CABundle)
	var deployment appsv1.Deployment
	get(t.Context(), t, &deployment, "deployment/"+operatorName, "--namespace="+operatorNamespace)
	assert.Contains(t, deployment.Spec.Template.Spec.Containers[0].Args, "--webhook-cert=files")
}

// left is what of ours OLM leaves when a version is removed: the definition, so that nobody's ChangeTriggeredJobs are lost, with
// the roles that OLM makes for it, the bundle's own cluster roles, and OLM's record of all this.
var left = append([]string{
	"customresourcedefinition.apiextensions.k8s.io/changetriggeredjobs.triggers.changejob.dev",
	"apiservice.apiregistration.k8s.io/v1alpha.triggers.changejob.dev",
	"clusterrole.rbac.authorization.k8s.io/changetriggeredjobs.triggers.changejob.dev-v1alpha-admin",
	"clusterrole.rbac.authorization.k8s.io/changetriggeredjobs.triggers.changejob.dev-v1alpha-crdview",
	"clusterrole.rbac.authorization.k8s.io/changetriggeredjobs.triggers.changejob.dev-v1alpha-edit",
	"clusterrole.rbac.authorization.k8s.io/changetriggeredjobs.triggers.changejob.dev-v1alpha-view",
	"namespace/" + operatorNamespace,
}, bundleRoles...)

// bundleRoles are the cluster roles that the bundle brings beside the operator's own.
var bundleRoles = []string{
	"clusterrole.rbac.authorization.k8s.io/kube-changejob-changetriggeredjob-admin-role",
	"clusterrole.rbac.authorization.k8s.io/kube-changejob-changetriggeredjob-editor-role",
	"clusterrole.rbac.authorization.k8s.io/kube-changejob-changetriggeredjob-viewer-role",
	"clusterrole.rbac.authorization.k8s.io/kube-changejob-metrics-reader",
}

// unsubscribe removes the operator as the documentation says, and checks what OLM leaves, and what the operator leaves in its
// namespace: the key of its hashes, so that a new installation knows the old ones, and its lease. Then these go, too.
func unsubscribe(t *testing.T, csv string) {
	t.Helper()
	kubectl(t, "delete", "subscription", packageName, "--namespace="+operatorNamespace)
	kubectl(t, "delete", "clusterserviceversion", csv, "--namespace="+operatorNamespace)
	kubectl(t, "delete", "catalogsource", catalogName, "--namespace="+operatorNamespace)
	kubectl(t, "delete", "operatorgroup", groupName, "--namespace="+operatorNamespace)
	leavesLittle(t)
}

// leavesLittle checks what stays of an operator that OLM has removed, and removes that.
func leavesLittle(t *testing.T) {
	t.Helper()
	eventually(t, func(c *assert.CollectT) {
		require.ElementsMatch(c, left, ours(t.Context(), c))
		for kind, want := range map[string][]string{
			"deployments": nil, "services": nil, "roles": nil, "rolebindings": nil,
			"secrets": {"secret/kube-changejob-hash-key"}, "leases": {"lease.coordination.k8s.io/kube-changejob-leader"},
			"serviceaccounts": {"serviceaccount/default"},
		} {
			output, err := run(t.Context(), ".", "", "kubectl", "get", kind, "--namespace="+operatorNamespace, "--output=name")
			require.NoError(c, err)
			left := slices.DeleteFunc(strings.Fields(output), func(name string) bool { return strings.Contains(name, "/e2e-") })
			require.ElementsMatch(c, want, left, kind)
		}
	})
	kubectl(t, "delete", "crd", "changetriggeredjobs.triggers.changejob.dev", "--timeout=2m")
	removeBundleRoles(t)
}

// removeBundleRoles removes what OLM never does: its record of the operator is kept for as long as these roles are.
func removeBundleRoles(t *testing.T) {
	t.Helper()
	kubectl(t, append([]string{"delete"}, bundleRoles...)...)
	kubectl(t, "delete", "operators.operators.coreos.com", packageName+"."+operatorNamespace, "--ignore-not-found")
}

// subscribed makes the namespaces and lets the newer version be installed with an OperatorGroup of this spec.
func subscribed(t *testing.T, group string) {
	t.Helper()
	operatorGroup(t, group)
	subscribe(t, "channel: stable")
	csvPhase(t, newerCSV, v1alpha1.CSVPhaseSucceeded)
	kubectl(t, "wait", "--namespace="+operatorNamespace, "--for=condition=Available", "--timeout=1m", "deployment/"+operatorName)
	calledWithOLMsCertificate(t)
}

// TestOLMInstallModes installs the operator by a Subscription in each of OLM's modes.
func TestOLMInstallModes(t *testing.T) {
	for _, mode := range []struct {
		name  string
		group string
		// inside are the namespaces in which ChangeTriggeredJobs are served, outside one in which they are not.
		inside  []string
		outside string
	}{
		{name: "AllNamespaces", group: "{}", inside: []string{"e2e-first"}},
		{name: "OwnNamespace", group: targets(operatorNamespace), inside: []string{operatorNamespace}, outside: "e2e-outside"},
		{name: "SingleNamespace", group: targets("e2e-first"), inside: []string{"e2e-first"}, outside: "e2e-outside"},
		{name: "MultiNamespace", group: targets("e2e-first", "e2e-second"), inside: []string{"e2e-first", "e2e-second"}, outside: "e2e-outside"},
	} {
		t.Run(mode.name, func(t *testing.T) {
			olm(t)
			for _, name := range slices.Compact(append([]string{operatorNamespace}, mode.inside...)) {
				namespace(t, name)
			}
			subscribed(t, mode.group)
			if mode.outside != "" {
				apply(t, watcher(namespace(t, mode.outside)))
			}
			for _, inside := range mode.inside {
				aChangeRunsAContainer(t, inside)
				theWebhookRefuses(t, inside)
			}
			if mode.outside == "" {
				metricsAreForThoseWhoMayReadThem(t, mode.inside[0])
			} else {
				var ctj v1alpha.ChangeTriggeredJob
				get(t.Context(), t, &ctj, "changetriggeredjob/my-first-trigger", "--namespace="+mode.outside)
				assert.Empty(t, ctj.Status, "nobody serves the namespace %s", mode.outside)
			}
			thePodIsWithinItsLimits(t)
			unsubscribe(t, newerCSV)
		})
	}
}

// TestOLMUpgrade upgrades the operator with ChangeTriggeredJobs in place.
func TestOLMUpgrade(t *testing.T) {
	olm(t)
	namespace(t, operatorNamespace)
	mine, quiet := namespace(t, "e2e-upgrade"), namespace(t, "e2e-quiet")
	operatorGroup(t, "{}")
	subscribe(t, "channel: candidate\n  startingCSV: "+olderCSV+"\n  installPlanApproval: Manual")
	approve(t, olderCSV)
	csvPhase(t, olderCSV, v1alpha1.CSVPhaseSucceeded)
	aChangeRunsAContainer(t, mine)
	aChangeRunsAContainer(t, quiet)
	var before v1alpha.ChangeTriggeredJob
	get(t.Context(), t, &before, "changetriggeredjob/my-first-trigger", "--namespace="+quiet)

	approve(t, newerCSV)
	eventually(t, func(c *assert.CollectT) {
		var csv v1alpha1.ClusterServiceVersion
		get(t.Context(), c, &csv, "clusterserviceversion/"+olderCSV, "--namespace="+operatorNamespace)
		require.Equal(c, v1alpha1.CSVPhaseReplacing, csv.Status.Phase)
	})
	kubectl(t, "patch", "configmap", "my-config", "--namespace="+mine, `--patch={"data":{"key":"changed-during-the-upgrade"}}`)
	csvPhase(t, newerCSV, v1alpha1.CSVPhaseSucceeded)
	eventually(t, func(c *assert.CollectT) {
		var deployment appsv1.Deployment
		get(t.Context(), c, &deployment, "deployment/"+operatorName, "--namespace="+operatorNamespace)
		require.True(c, strings.HasSuffix(deployment.Spec.Template.Spec.Containers[0].Image, ":v0.2.0"))
	})
	kubectl(t, "rollout", "status", "deployment/"+operatorName, "--namespace="+operatorNamespace, "--timeout=2m")
	calledWithOLMsCertificate(t)
	succeeded(t, mine, "my-first-trigger", 2)
	assert.Len(t, jobsOf(t, mine, "my-first-trigger"), 2, "what changed during the upgrade triggers once")

	// Whoever answered the next change has seen the state before it.
	anotherChangeRunsAContainer(t, mine, 3)
	var after v1alpha.ChangeTriggeredJob
	get(t.Context(), t, &after, "changetriggeredjob/my-first-trigger", "--namespace="+quiet)
	assert.Equal(t, before.Status.TriggerCount, after.Status.TriggerCount, "the upgrade triggers nothing")
	assert.Equal(t, before.Status.ResourceHashes, after.Status.ResourceHashes, "and the hashes of before are known")
	anotherChangeRunsAContainer(t, quiet, 2)
	assert.Len(t, jobsOf(t, quiet, "my-first-trigger"), 2)
	unsubscribe(t, newerCSV)
}

// TestOLMNarrowServiceAccount installs the operator with the rights of a service account that has a namespace of its own and of
// the cluster no more than the operator needs of it. OLM grants nothing that this account does not have: what is watched
// outside is said to be Forbidden.
func TestOLMNarrowServiceAccount(t *testing.T) {
	olm(t)
	namespace(t, operatorNamespace)
	outside := namespace(t, "e2e-outside")
	apply(t, testdata(t, "test", "e2e", "testdata", "narrow.yaml"))
	t.Cleanup(func() {
		_, err := run(context.WithoutCancel(t.Context()), root(t), "", "kubectl", "delete", "--filename=test/e2e/testdata/narrow.yaml", "--ignore-not-found")
		assert.NoError(t, err)
	})
	subscribed(t, "{serviceAccountName: e2e-narrow, targetNamespaces: ["+operatorNamespace+"]}")
	aChangeRunsAContainer(t, operatorNamespace)

	kubectl(t, "create", "configmap", "theirs", "--namespace="+outside)
	elsewhere := strings.ReplaceAll(watcher(operatorNamespace), "name: my-first-trigger", "name: elsewhere")
	elsewhere = strings.Replace(elsewhere, "name: my-config\n      namespace: "+operatorNamespace, "name: theirs\n      namespace: "+outside, 1)
	require.Contains(t, elsewhere, outside)
	apply(t, elsewhere)
	eventually(t, func(c *assert.CollectT) {
		var ctj v1alpha.ChangeTriggeredJob
		get(t.Context(), c, &ctj, "changetriggeredjob/elsewhere", "--namespace="+operatorNamespace)
		available := meta.FindStatusCondition(ctj.Status.Conditions, "Available")
		require.NotNil(c, available)
		require.Equal(c, "Forbidden", available.Reason)
		require.Contains(c, available.Message, outside+"/theirs")
	})
	unsubscribe(t, newerCSV)
}
