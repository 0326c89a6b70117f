package check

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func object(t *testing.T, content string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(content), &u.Object))
	return u
}

func TestAnUpdateIsThePatchThatApplyWouldMake(t *testing.T) {
	const head = "apiVersion: triggers.changejob.dev/v1alpha\nkind: ChangeTriggeredJob\n"
	for does, test := range map[string]struct{ before, stored, applied, patch, result string }{
		"what is the same is left alone": {
			stored: "{cooldown: 1m, history: 5}", applied: "{cooldown: 1m}",
			patch: `{}`, result: `{"cooldown":"1m","history":5}`,
		},
		"what others have set stays": {
			before: "{cooldown: 1m}", stored: "{cooldown: 1m, suspend: true}", applied: "{cooldown: 2m}",
			patch: `{"spec":{"cooldown":"2m"}}`, result: `{"cooldown":"2m","suspend":true}`,
		},
		"what was applied before and is not any more goes": {
			before: "{cooldown: 1m, settle: 5s}", stored: "{cooldown: 1m, settle: 5s, suspend: true}", applied: "{cooldown: 1m}",
			patch: `{"spec":{"settle":null}}`, result: `{"cooldown":"1m","suspend":true}`,
		},
		"a list is another one": {
			before: "{resources: [{name: a}]}", stored: "{resources: [{name: a, fields: ['*']}]}", applied: "{resources: [{name: b}]}",
			patch: `{"spec":{"resources":[{"name":"b"}]}}`, result: `{"resources":[{"name":"b"}]}`,
		},
	} {
		t.Run(does, func(t *testing.T) {
			stored := object(t, head+"spec: "+test.stored)
			if test.before != "" {
				before, err := object(t, head+"spec: "+test.before).MarshalJSON()
				require.NoError(t, err)
				stored.SetAnnotations(map[string]string{corev1.LastAppliedConfigAnnotation: string(before)})
			}
			patch, result, err := patchOf(stored, object(t, head+"spec: "+test.applied))
			require.NoError(t, err)
			assert.JSONEq(t, test.patch, string(patch))
			spec, err := yaml.Marshal(result.Object["spec"])
			require.NoError(t, err)
			assert.YAMLEq(t, test.result, string(spec))
		})
	}
}

func TestWhatDoesNotFitIsToldWithoutTheObject(t *testing.T) {
	assert.Equal(t, `strict decoding error: unknown field "spec.coldown"`,
		problemOfCause("patch", `Invalid value: "{\"spec\":{\"coldown\":\"1m\"}}": strict decoding error: unknown field "spec.coldown"`).String())
	assert.Equal(t, `spec.cooldown: Invalid value: "721h"`, problemOfCause("spec.cooldown", `Invalid value: "721h"`).String())
}
