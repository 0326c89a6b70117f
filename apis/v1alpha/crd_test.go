package v1alpha_test

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// maxAnnotations is what the API server allows all annotations of one object together, in bytes.
const maxAnnotations = 262144

func TestTheCRDFitsTheAnnotationOfKubectlApply(t *testing.T) {
	in, err := os.ReadFile(crdFile)
	require.NoError(t, err)
	crd := map[string]any{}
	require.NoError(t, yaml.Unmarshal(in, &crd))
	applied, err := json.Marshal(crd)
	require.NoError(t, err)
	// Half of it, so that the Job API has room to grow.
	assert.Less(t, len(applied), maxAnnotations/2)
}

func TestEveryStringAndListOfOurOwnHasABound(t *testing.T) {
	in, err := os.ReadFile(crdFile)
	require.NoError(t, err)
	crd := &apiextensionsv1.CustomResourceDefinition{}
	require.NoError(t, yaml.Unmarshal(in, crd))
	walked := 0
	var walk func(path string, schema *apiextensionsv1.JSONSchemaProps)
	walk = func(path string, schema *apiextensionsv1.JSONSchemaProps) {
		walked++
		switch path {
		case ".metadata", ".apiVersion", ".kind": // the API server's own
			return
		case ".spec.jobTemplate": // bounded as a whole, by the webhook and the operator
			return
		}
		switch schema.Type {
		case "string":
			assert.True(t, schema.MaxLength != nil || len(schema.Enum) > 0 || schema.Format != "", "%s has no bound", path)
		case "array":
			assert.NotNil(t, schema.MaxItems, "%s has no bound", path)
			walk(path+"[]", schema.Items.Schema)
		}
		for name, property := range schema.Properties {
			walk(path+"."+name, &property)
		}
		if values := schema.AdditionalProperties; values != nil && assert.NotNil(t, schema.MaxProperties, "%s has no bound", path) {
			assert.NotEmpty(t, schema.XValidations, "%s has keys without a bound", path)
			walk(path+"{}", values.Schema)
		}
	}
	for _, version := range crd.Spec.Versions {
		walk("", version.Schema.OpenAPIV3Schema)
	}
	assert.Greater(t, walked, 40)
}

func TestKubectlApplyTakesTheCRDAgain(t *testing.T) {
	assert.Contains(t, kubectl(t, "apply", "-f", crdFile), "changetriggeredjobs.triggers.changejob.dev unchanged")
}

func TestTheCRDIsStructuralAndItsNamesAreAccepted(t *testing.T) {
	conditions := kubectl(t, "get", "crd", "changetriggeredjobs.triggers.changejob.dev",
		"-o", `jsonpath={range .status.conditions[*]}{.type}={.status} {end}`)
	assert.Contains(t, conditions, "NamesAccepted=True")
	assert.Contains(t, conditions, "Established=True")
	assert.NotContains(t, conditions, "NonStructuralSchema=True")
}

// TestTheAPIServerKeepsNoAccountOfTheFieldsOfStatus: of each field that somebody may own, it would, in every object and at every
// write. What an older release wrote is taken over.
func TestTheAPIServerKeepsNoAccountOfTheFieldsOfStatus(t *testing.T) {
	ctx, ns := context.Background(), namespace(t)
	ctj := minimal(ns, "owned")
	require.NoError(t, k8s.Create(ctx, ctj))
	owned := func() (fields []string) {
		for _, entry := range ctj.ManagedFields {
			if entry.Subresource == "status" {
				fields = append(fields, entry.FieldsV1.GetRawString())
			}
		}
		return fields
	}

	ctj.ManagedFields = append(ctj.ManagedFields, metav1.ManagedFieldsEntry{
		Manager: "operator", Operation: metav1.ManagedFieldsOperationUpdate, Subresource: "status", APIVersion: "triggers.changejob.dev/v1alpha",
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:status":{"f:triggerCount":{},"f:conditions":{".":{},"k:{\"type\":\"Available\"}":{"f:reason":{}}}}}`),
	})
	require.NoError(t, k8s.Update(ctx, ctj))
	ctj.Status.TriggerCount = 1
	ctj.Status.Conditions = []metav1.Condition{{Type: "Available", Status: metav1.ConditionTrue, Reason: "Watching", LastTransitionTime: metav1.Now()}}
	require.NoError(t, k8s.Status().Update(ctx, ctj, client.FieldOwner("operator")))
	assert.Equal(t, []string{`{"f:status":{}}`}, owned())
}

func TestKubectlExplainsOurOwnFields(t *testing.T) {
	for path, want := range map[string]string{
		"":                          "runs a Job when watched objects have changed",
		".spec":                     "which Job runs when it has changed",
		".spec.jobTemplate":         "Labels and annotations of its metadata are copied",
		".spec.jobTemplate.spec":    "backoffLimit\t<integer>",
		".spec.resources":           "the objects to watch, 1 to 64",
		".spec.resources.fields":    `The default, "*", is the whole object`,
		".spec.cooldown":            "as a duration such as 30s, 5m or 1h30m",
		".spec.condition":           "ENUM: Any All",
		".spec.history":             "history is the number of Jobs to keep",
		".spec.suspend":             "suspend stops new Jobs while it is true",
		".spec.concurrencyPolicy":   "ENUM: Allow Forbid Replace",
		".spec.settle":              "nothing that is pending must have changed",
		".spec.pendingDeadline":     "how long a resource stays pending",
		".spec.windows":             "the times in which Jobs may be created",
		".spec.windows.schedule":    "a cron expression of five fields",
		".spec.runOnCreate":         "runs a first Job once the resources have been looked at",
		".spec.onFailure":           "ENUM: Ignore Retrigger",
		".spec.retriggerLimit":      "how many Jobs in a row",
		".status.retry":             "how far onFailure Retrigger has come",
		".status.firstRunPending":   "until its first Job",
		".status.conditions":        "conditions are Available",
		".status.resourceHashes":    "a keyed hash of each field that counts",
		".status.lastTriggeredTime": "when the last Job was created",
		".status.lastJobName":       "the name of the last Job",
		".status.lastJobStatus":     "ENUM: Active Succeeded Failed",
		".status.triggerCount":      "the number of the last trigger",
		".status.active":            "the Jobs that have not ended, at most 50",
	} {
		t.Run("explain ctj"+path, func(t *testing.T) {
			out := kubectl(t, "explain", "ctj"+path)
			assert.Contains(t, spaces.ReplaceAllString(out, " "), spaces.ReplaceAllString(want, " "))
		})
	}
}

var spaces = regexp.MustCompile(`\s+`)

func TestColumnsAnswerWhetherItWorksAndWhenItLastFired(t *testing.T) {
	ns := namespace(t)
	ctj := minimal(ns, "columns")
	require.NoError(t, k8s.Create(context.Background(), ctj))
	ctj.Status.LastTriggeredTime = &metav1.Time{Time: time.Now().Add(-90 * time.Minute)}
	ctj.Status.LastJobName = "columns-abcdefghij"
	ctj.Status.LastJobStatus = "Succeeded"
	ctj.Status.Conditions = []metav1.Condition{
		{Type: "Degraded", Status: "False", Reason: "AsExpected", LastTransitionTime: metav1.Now()},
		{Type: "Available", Status: "True", Reason: "Watching", LastTransitionTime: metav1.Now()},
	}
	require.NoError(t, k8s.Status().Update(context.Background(), ctj))

	for _, name := range []string{"changetriggeredjobs", "changetriggeredjob", "ctj", "ctjs"} {
		t.Run("kubectl get "+name, func(t *testing.T) {
			lines := strings.Split(strings.TrimSpace(kubectl(t, "get", name, "-n", ns)), "\n")
			require.Len(t, lines, 2)
			assert.Equal(t,
				[]string{"NAME", "CONDITION", "COOLDOWN", "LAST TRIGGERED", "LAST JOB", "STATUS", "AVAILABLE", "AGE"},
				columns.Split(strings.TrimSpace(lines[0]), -1))
			row := columns.Split(strings.TrimSpace(lines[1]), -1)
			require.Len(t, row, 8)
			assert.Equal(t, []string{"columns", "Any", "60s", "90m", "columns-abcdefghij", "Succeeded", "True"}, row[:7])
		})
	}
}

// columns are at least three spaces apart in what kubectl prints.
var columns = regexp.MustCompile(` {3,}`)
