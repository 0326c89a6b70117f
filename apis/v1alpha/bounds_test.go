package v1alpha_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func TestDefaultsAreApplied(t *testing.T) {
	ctx, ns := context.Background(), namespace(t)
	ctj := object(t, ns, "defaults")
	require.NoError(t, k8s.Create(ctx, ctj))
	spec := ctj.Object["spec"].(map[string]any)
	delete(spec, "jobTemplate")
	assert.Equal(t, map[string]any{
		"resources": []any{map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "name": "my-config", "namespace": ns, "fields": []any{"*"},
		}},
		"condition":         "Any",
		"cooldown":          "60s",
		"history":           int64(5),
		"suspend":           false,
		"concurrencyPolicy": "Allow",
		"onLoop":            "SlowDown",
		"settle":            "0s",
		"runOnCreate":       false,
		"onFailure":         "Ignore",
		"retriggerLimit":    int64(3),
	}, spec)
}

func TestTheDefaultsOfTheSchemaAreThoseOfTheTypes(t *testing.T) {
	ctx, ns := context.Background(), namespace(t)
	ctj := minimal(ns, "defaults")
	before := ctj.Spec
	require.NoError(t, k8s.Create(ctx, ctj))
	require.NotNil(t, ctj.Spec.Cooldown)
	require.NotNil(t, ctj.Spec.History)
	assert.Equal(t, before.EffectiveCooldown(), ctj.Spec.Cooldown.Duration)
	assert.EqualValues(t, before.EffectiveHistory(), *ctj.Spec.History)
	assert.Equal(t, before.EffectiveCondition(), ctj.Spec.Condition)
	assert.Equal(t, before.EffectiveConcurrencyPolicy(), ctj.Spec.ConcurrencyPolicy)
	assert.Equal(t, before.EffectiveOnLoop(), ctj.Spec.OnLoop)
	assert.Equal(t, before.Resources[0].EffectiveFields(), ctj.Spec.Resources[0].Fields)
	assert.Equal(t, before.Suspended(), ctj.Spec.Suspended())
	assert.Equal(t, before.EffectiveSettle(), ctj.Spec.EffectiveSettle())
	assert.Equal(t, before.EffectivePendingDeadline(), ctj.Spec.EffectivePendingDeadline())
	assert.Equal(t, before.RunsOnCreate(), ctj.Spec.RunsOnCreate())
	assert.Equal(t, before.EffectiveOnFailure(), ctj.Spec.OnFailure)
	require.NotNil(t, ctj.Spec.RetriggerLimit)
	assert.Equal(t, before.EffectiveRetriggerLimit(), *ctj.Spec.RetriggerLimit)
}

func TestEffectiveValuesHoldForWhatWasStoredBeforeTheSchema(t *testing.T) {
	history := int32(-3)
	spec := v1alpha.ChangeTriggeredJobSpec{Cooldown: &metav1.Duration{Duration: -time.Second}, History: &history}
	assert.Equal(t, time.Duration(0), spec.EffectiveCooldown())
	assert.Equal(t, 1, spec.EffectiveHistory())
	spec.Cooldown.Duration = v1alpha.MaxCooldown + 1
	assert.Equal(t, v1alpha.MaxCooldown, spec.EffectiveCooldown())

	spec = v1alpha.ChangeTriggeredJobSpec{Settle: &metav1.Duration{Duration: time.Hour}, PendingDeadline: &metav1.Duration{}, RetriggerLimit: &history}
	assert.Equal(t, v1alpha.DefaultCooldown, spec.EffectiveSettle(), "no longer than the cooldown")
	assert.Equal(t, time.Second, spec.EffectivePendingDeadline())
	assert.EqualValues(t, 1, spec.EffectiveRetriggerLimit())
	spec.Settle.Duration, spec.PendingDeadline.Duration, *spec.RetriggerLimit = -1, 1<<62, 1000
	assert.Zero(t, spec.EffectiveSettle())
	assert.Equal(t, v1alpha.MaxPendingDeadline, spec.EffectivePendingDeadline())
	assert.EqualValues(t, 100, spec.EffectiveRetriggerLimit())
}

// references makes n references of the given number of fields each.
func references(n, fields int) []any {
	list := make([]any, n)
	for i := range list {
		paths := make([]any, fields)
		for j := range paths {
			paths[j] = fmt.Sprintf("data.key%d", j)
		}
		list[i] = map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": fmt.Sprintf("c%d", i), "namespace": "n", "fields": paths}
	}
	return list
}

func TestBoundsOfTheSpec(t *testing.T) {
	ctx, ns := context.Background(), namespace(t)
	reference := func(field string) []any { return []any{"spec", "resources", 0, field} }
	spec := func(field string) []any { return []any{"spec", field} }
	window := func(field string) []any { return []any{"spec", "windows", 0, field} }
	windows := func(n int) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = map[string]any{"schedule": "0 22 * * *", "duration": "1h"}
		}
		return list
	}
	absent := struct{}{}

	for name, test := range map[string]struct {
		path    []any
		accept  []any
		refuse  []any
		message string // the refusal names the field, or says the rule
	}{
		"1 to 64 resources": {
			spec("resources"), []any{references(1, 1), references(64, 1)}, []any{[]any{}, references(65, 1), absent},
			"spec.resources"},
		"at most 256 fields in one reference": {
			reference("fields"), []any{references(1, 256)[0].(map[string]any)["fields"]},
			[]any{references(1, 257)[0].(map[string]any)["fields"], []any{}}, "spec.resources[0].fields"},
		"a field has 1 to 256 characters": {
			reference("fields"), []any{[]any{"x"}, []any{long(256)}, []any{strings.Repeat("é", 256)}},
			[]any{[]any{""}, []any{long(257)}}, "spec.resources[0].fields[0]"},
		"changes are a set of Created, Updated and Deleted, and may be left out": {
			reference("changes"), []any{absent, []any{"Created"}, []any{"Deleted", "Updated", "Created"}},
			[]any{[]any{}, []any{"Touched"}, []any{"Created", "Created"}, []any{""}}, "spec.resources[0].changes"},
		"when has 1 to 1024 characters": {
			reference("when"), []any{absent, "true", strings.Repeat("é", 1024)}, []any{"", long(1025), true}, "spec.resources[0].when"},
		"an apiVersion has 1 to 317 characters": {
			reference("apiVersion"), []any{"v", long(317)}, []any{"", long(318), absent}, "spec.resources[0].apiVersion"},
		"a kind has 1 to 63 characters": {
			reference("kind"), []any{"K", long(63)}, []any{"", long(64), absent}, "spec.resources[0].kind"},
		"a name has 1 to 253 characters": {
			reference("name"), []any{"n", long(253)}, []any{"", long(254)}, "spec.resources[0].name"},
		"a namespace has at most 63 characters, and may be left out": {
			reference("namespace"), []any{absent, "", long(63)}, []any{long(64)}, "spec.resources[0].namespace"},
		"condition is Any or All": {
			spec("condition"), []any{absent, "Any", "All"}, []any{"any", "None", ""}, "spec.condition"},
		"cooldown lies between 0 and 30 days": {
			spec("cooldown"), []any{"0s", "0", "720h", "43200m", "2592000s", "719h59m60s"},
			[]any{"720h1s", "720h0m0.000000001s", "43201m", "99999h"}, "must be a duration from 0s to 720h (30 days)"},
		"cooldown is a duration as Go writes it": {
			spec("cooldown"), []any{absent, "60s", "15m", "1h", "3600s", "1.5h", "1h30m10.5s", "100ms", "5us", "5ns"},
			[]any{"", "60", "-1s", "1d", "1 h", "1h ", ".5s", "s", "1e3s", int64(60)}, "spec.cooldown"},
		"a cooldown too long for a duration is refused like any other": {
			spec("cooldown"), nil, []any{"99999999999999999999h", strings.Repeat("9h", 33)}, "spec.cooldown"},
		"settle is a duration no longer than the cooldown": {
			spec("settle"), []any{absent, "0s", "0", "1s", "1m", "60s"}, []any{"61s", "1m1s", "720h"},
			"settle must be no longer than cooldown: settling puts a trigger off by the cooldown at most"},
		"settle is a duration as Go writes it": {
			spec("settle"), nil, []any{"", "5", "-1s", "1d", "721h", int64(5)}, "spec.settle"},
		"pendingDeadline is a duration longer than the cooldown": {
			spec("pendingDeadline"), []any{absent, "61s", "1h", "8760h"}, []any{"60s", "1s"},
			"pendingDeadline must be longer than cooldown: what changes inside the cooldown would be forgotten before it can trigger"},
		"pendingDeadline is a duration from 1s to a year": {
			spec("pendingDeadline"), nil, []any{"", "0s", "999ms", "8760h1s", "1y", int64(5)}, "spec.pendingDeadline"},
		"at most 16 windows": {
			spec("windows"), []any{absent, []any{}, windows(1), windows(16)}, []any{windows(17), "always"}, "spec.windows"},
		"the schedule of a window has 9 to 256 characters": {
			window("schedule"), []any{"* * * * *", long(256)}, []any{absent, "", "* * * *", long(257)}, "spec.windows[0].schedule"},
		"the time zone of a window has 1 to 64 characters, and may be left out": {
			window("timeZone"), []any{absent, "UTC", long(64)}, []any{"", long(65), int64(1)}, "spec.windows[0].timeZone"},
		"a window stays open for a minute to a week": {
			window("duration"), []any{"1m", "168h", "90m"}, []any{absent, "", "59s", "0", "168h1s", "7d", int64(60)}, "spec.windows[0].duration"},
		"runOnCreate is true or false": {
			spec("runOnCreate"), []any{absent, true, false}, []any{"yes", int64(1)}, "spec.runOnCreate"},
		"onFailure is Ignore or Retrigger": {
			spec("onFailure"), []any{absent, "Ignore", "Retrigger"}, []any{"Retry", "ignore", ""}, "spec.onFailure"},
		"retriggerLimit is 1 to 100": {
			spec("retriggerLimit"), []any{absent, int64(1), int64(100)}, []any{int64(0), int64(-1), int64(101), "3"}, "spec.retriggerLimit"},
		"history is 1 to 1000": {
			spec("history"), []any{absent, int64(1), int64(1000)}, []any{int64(0), int64(-1), int64(1001), "5", 1.5}, "spec.history"},
		"suspend is true or false": {
			spec("suspend"), []any{absent, true, false}, []any{"yes", int64(1)}, "spec.suspend"},
		"onLoop is SlowDown or Ignore": {
			spec("onLoop"), []any{absent, "SlowDown", "Ignore"}, []any{"ignore", ""}, "spec.onLoop"},
		"concurrencyPolicy is Allow, Forbid or Replace": {
			spec("concurrencyPolicy"), []any{absent, "Allow", "Forbid", "Replace"}, []any{"allow", "Never", ""}, "spec.concurrencyPolicy"},
		"a Job template is required, and is an object": {
			spec("jobTemplate"), []any{map[string]any{}}, []any{absent, "job", []any{}}, "spec.jobTemplate"},
	} {
		t.Run(name, func(t *testing.T) {
			create := func(value any) error {
				ctj := object(t, ns, "")
				ctj.SetGenerateName("bounds-")
				if len(test.path) == 4 && test.path[1] == "windows" {
					set(t, ctj.Object, windows(1), "spec", "windows")
				}
				if value == absent {
					set(t, ctj.Object, nil, test.path...)
				} else {
					set(t, ctj.Object, value, test.path...)
				}
				return k8s.Create(ctx, ctj)
			}
			for _, value := range test.accept {
				assert.NoError(t, create(value), "accept %.100v", value)
			}
			for _, value := range test.refuse {
				err := create(value)
				if assert.True(t, apierrors.IsInvalid(err), "refuse %.100v: %v", value, err) {
					assert.ErrorContains(t, err, test.message)
				}
			}
		})
	}
}

func TestTheSameObjectMayStandInSeveralReferences(t *testing.T) {
	ns := namespace(t)
	ctj := minimal(ns, "twice")
	ctj.Spec.Resources = append(ctj.Spec.Resources, ctj.Spec.Resources[0])
	assert.NoError(t, k8s.Create(context.Background(), ctj))
}

func TestAStoredObjectIsHeldToTheBoundsToo(t *testing.T) {
	ctx, ns := context.Background(), namespace(t)
	ctj := minimal(ns, "edited")
	require.NoError(t, k8s.Create(ctx, ctj))
	zero := int32(0)
	ctj.Spec.History = &zero
	assert.True(t, apierrors.IsInvalid(k8s.Update(ctx, ctj)))
}

func TestTheNameIsNotTheSchemasConcern(t *testing.T) {
	// A rule on the name would stand at the root of the schema, and refuse every status write of an object
	// that was stored with a longer one.
	ctx, ns := context.Background(), namespace(t)
	ctj := minimal(ns, long(v1alpha.MaxNameLength+1))
	require.NoError(t, k8s.Create(ctx, ctj))
	ctj.Status.ObservedGeneration = 1
	assert.NoError(t, k8s.Status().Update(ctx, ctj))
}

// largest is the largest ChangeTriggeredJob that is accepted.
func largest(t *testing.T, ns string) *v1alpha.ChangeTriggeredJob {
	ctj := minimal(ns, long(v1alpha.MaxNameLength))
	ctj.Spec.Resources = nil
	for i := range 64 {
		reference := v1alpha.ResourceReference{
			APIVersion: long(317), Kind: long(63), Name: fmt.Sprintf("%0253d", i), Namespace: long(63),
		}
		for j := range v1alpha.MaxFields / 64 {
			reference.Fields = append(reference.Fields, fmt.Sprintf("%d%s", j, strings.Repeat("\U0001F600", 255)))
		}
		ctj.Spec.Resources = append(ctj.Spec.Resources, reference)
	}
	ctj.Spec.Cooldown = &metav1.Duration{Duration: v1alpha.MaxCooldown}
	ctj.Spec.Settle = &metav1.Duration{Duration: v1alpha.MaxCooldown}
	ctj.Spec.PendingDeadline = &metav1.Duration{Duration: v1alpha.MaxPendingDeadline}
	for range v1alpha.MaxWindows {
		ctj.Spec.Windows = append(ctj.Spec.Windows, v1alpha.TriggerWindow{
			Schedule: long(256), TimeZone: long(64), Duration: metav1.Duration{Duration: v1alpha.MaxWindowDuration}})
	}
	template, err := ctj.Spec.JobTemplate.Decode()
	require.NoError(t, err)
	env := &template.Spec.Template.Spec.Containers[0].Env
	*env = []corev1.EnvVar{{Name: "FILL", Value: "x"}}
	(*env)[0].Value = long(v1alpha.MaxJobTemplateBytes - len(v1alpha.NewJobTemplate(*template).Raw) + 1)
	ctj.Spec.JobTemplate = v1alpha.NewJobTemplate(*template)
	require.Len(t, ctj.Spec.JobTemplate.Raw, v1alpha.MaxJobTemplateBytes)
	return ctj
}

func TestTheLargestLegalObjectIsStoredWithItsLargestStatus(t *testing.T) {
	ctx, ns := context.Background(), namespace(t)
	ctj := largest(t, ns)
	require.NoError(t, k8s.Create(ctx, ctj))

	hash := long(128)
	for _, reference := range ctj.Spec.Resources {
		entry := v1alpha.ResourceHash{
			APIVersion: reference.APIVersion, Kind: reference.Kind, Name: reference.Name, Namespace: reference.Namespace,
			Message: long(1024), PendingSince: &metav1.Time{Time: time.Now()}, ChangedTime: &metav1.Time{Time: time.Now()},
		}
		for _, field := range reference.Fields {
			entry.Fields = append(entry.Fields, v1alpha.FieldHash{Field: field, Hash: hash, LastTriggeredHash: hash})
		}
		ctj.Status.ResourceHashes = append(ctj.Status.ResourceHashes, entry)
	}
	for i := range v1alpha.MaxActive {
		ctj.Status.Active = append(ctj.Status.Active, v1alpha.JobReference{Name: fmt.Sprintf("%0253d", i)})
	}
	ctj.Status.LastJobName = long(253)
	require.NoError(t, k8s.Status().Update(ctx, ctj))

	stored := &v1alpha.ChangeTriggeredJob{}
	require.NoError(t, k8s.Get(ctx, client.ObjectKeyFromObject(ctj), stored))
	assert.Equal(t, ctj.Spec.Resources, stored.Spec.Resources)
	assert.Equal(t, ctj.Status, stored.Status)
}

func TestBoundsOfTheStatus(t *testing.T) {
	ctx, ns := context.Background(), namespace(t)
	entry := func(field string, value any) []any {
		e := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "n"}
		e[field] = value
		return []any{e}
	}
	hash := func(field string, value any) []any {
		h := map[string]any{"field": "*"}
		h[field] = value
		return entry("fields", []any{h})
	}
	repeat := func(n int, of func(i int) any) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = of(i)
		}
		return list
	}
	condition := func(i int) any {
		return map[string]any{"type": fmt.Sprintf("T%d", i), "status": "True", "reason": "R", "message": "",
			"lastTransitionTime": "2026-01-01T00:00:00Z"}
	}
	active := func(i int) any { return map[string]any{"name": fmt.Sprintf("job-%d", i)} }
	plain := func(int) any { return entry("name", "n")[0] }
	fields := func(int) any { return map[string]any{"field": "*"} }

	for name, test := range map[string]struct {
		field   string
		accept  []any
		refuse  []any
		message string
	}{
		"at most 16 conditions, one of each type": {
			"conditions", []any{repeat(16, condition)},
			[]any{repeat(17, condition), []any{condition(1), condition(1)}}, "status.conditions"},
		"at most 64 resourceHashes": {
			"resourceHashes", []any{repeat(64, plain)}, []any{repeat(65, plain)}, "status.resourceHashes"},
		"an apiVersion of at most 317 characters": {
			"resourceHashes", []any{entry("apiVersion", long(317))}, []any{entry("apiVersion", long(318))}, "status.resourceHashes[0].apiVersion"},
		"a kind of at most 63 characters": {
			"resourceHashes", []any{entry("kind", long(63))}, []any{entry("kind", long(64))}, "status.resourceHashes[0].kind"},
		"a name of at most 253 characters": {
			"resourceHashes", []any{entry("name", long(253))}, []any{entry("name", long(254))}, "status.resourceHashes[0].name"},
		"a namespace of at most 63 characters": {
			"resourceHashes", []any{entry("namespace", long(63))}, []any{entry("namespace", long(64))}, "status.resourceHashes[0].namespace"},
		"a message of at most 1024 characters": {
			"resourceHashes", []any{entry("message", long(1024))}, []any{entry("message", long(1025))}, "status.resourceHashes[0].message"},
		"at most 256 fields in one entry": {
			"resourceHashes", []any{entry("fields", repeat(256, fields))}, []any{entry("fields", repeat(257, fields))}, "status.resourceHashes[0].fields"},
		"a field of at most 256 characters": {
			"resourceHashes", []any{hash("field", long(256))}, []any{hash("field", long(257))}, "status.resourceHashes[0].fields[0].field"},
		"a hash of at most 128 characters": {
			"resourceHashes", []any{hash("hash", long(128))}, []any{hash("hash", long(129))}, "status.resourceHashes[0].fields[0].hash"},
		"a lastTriggeredHash of at most 128 characters": {
			"resourceHashes", []any{hash("lastTriggeredHash", long(128))}, []any{hash("lastTriggeredHash", long(129))}, "status.resourceHashes[0].fields[0].lastTriggeredHash"},
		"lastTriggeredTime is a time": {
			"lastTriggeredTime", []any{"2026-01-01T00:00:00Z"}, []any{"noon"}, "status.lastTriggeredTime"},
		"a lastJobName of at most 253 characters": {
			"lastJobName", []any{long(253)}, []any{long(254)}, "status.lastJobName"},
		"lastJobStatus is Active, Succeeded or Failed": {
			"lastJobStatus", []any{"Active", "Succeeded", "Failed"}, []any{"Running", "active", ""}, "status.lastJobStatus"},
		"triggerCount is not negative, and exact in every JSON parser": {
			"triggerCount", []any{int64(0), int64(1)<<53 - 1}, []any{int64(-1), int64(1) << 53, "1"}, "status.triggerCount"},

		"0 to 100 retries in a row": {
			"retry", []any{map[string]any{"count": int64(0)}, map[string]any{"count": int64(100)}, map[string]any{"nextTime": "2026-01-01T00:00:00Z"}},
			[]any{map[string]any{"count": int64(-1)}, map[string]any{"count": int64(101)}, map[string]any{"nextTime": "noon"}}, "status.retry"},
		"firstRunPending is true or false": {
			"firstRunPending", []any{true, false}, []any{"yes"}, "status.firstRunPending"},
		"times of a reference are times": {
			"resourceHashes", []any{entry("pendingSince", "2026-01-01T00:00:00Z"), entry("changedTime", "2026-01-01T00:00:00Z")},
			[]any{entry("pendingSince", "noon"), entry("changedTime", "noon")}, "status.resourceHashes[0]"},
		"at most 50 active Jobs": {
			"active", []any{repeat(v1alpha.MaxActive, active)}, []any{repeat(v1alpha.MaxActive+1, active)}, "status.active"},
	} {
		t.Run(name, func(t *testing.T) {
			stored := object(t, ns, "")
			stored.SetGenerateName("status-")
			require.NoError(t, k8s.Create(ctx, stored))
			update := func(value any) error {
				ctj := stored.DeepCopy()
				ctj.SetResourceVersion("")
				patch := mustJSON(t, map[string]any{"status": map[string]any{test.field: value}})
				return k8s.Status().Patch(ctx, ctj, client.RawPatch("application/merge-patch+json", patch))
			}
			for _, value := range test.accept {
				assert.NoError(t, update(value), "accept %.100v", value)
			}
			for _, value := range test.refuse {
				err := update(value)
				if assert.True(t, apierrors.IsInvalid(err), "refuse %.100v: %v", value, err) {
					// An API server of v1.29 leaves the subresource out of the path.
					assert.ErrorContains(t, err, strings.TrimPrefix(test.message, "status."))
				}
			}
		})
	}
}

func TestTheTemplatesMetadataIsKept(t *testing.T) {
	ctx, ns := context.Background(), namespace(t)
	ctj := object(t, ns, "labelled")
	metadata := map[string]any{"labels": map[string]any{"team": "platform"}, "annotations": map[string]any{"note": "kept"}}
	set(t, ctj.Object, metadata, "spec", "jobTemplate", "metadata")
	set(t, ctj.Object, metadata, "spec", "jobTemplate", "spec", "template", "metadata")
	require.NoError(t, k8s.Create(ctx, ctj))

	stored := &v1alpha.ChangeTriggeredJob{}
	require.NoError(t, k8s.Get(ctx, client.ObjectKeyFromObject(ctj), stored))
	template, err := stored.Spec.JobTemplate.Decode()
	require.NoError(t, err)
	for _, meta := range []metav1.ObjectMeta{template.ObjectMeta, template.Spec.Template.ObjectMeta} {
		assert.Equal(t, map[string]string{"team": "platform"}, meta.Labels)
		assert.Equal(t, map[string]string{"note": "kept"}, meta.Annotations)
	}
}

func TestATemplateMayBeEditedInEveryField(t *testing.T) {
	// The Job API forbids to change some of these in a Job; a template is none.
	ctx, ns := context.Background(), namespace(t)
	completions, mode := int32(1), batchv1.IndexedCompletion
	ctj := minimal(ns, "edited")
	require.NoError(t, k8s.Create(ctx, ctj))
	ctj.Spec.JobTemplate = v1alpha.NewJobTemplate(batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{
		Completions: &completions, CompletionMode: &mode,
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "other", Image: "busybox:1.36"}}, RestartPolicy: corev1.RestartPolicyOnFailure,
		}},
	}})
	assert.NoError(t, k8s.Update(ctx, ctj))
}

func TestATemplateCopiedFromAStoredCronJobIsTaken(t *testing.T) {
	ns := namespace(t)
	ctj := object(t, ns, "copied")
	for _, path := range [][]any{
		{"spec", "jobTemplate", "metadata", "creationTimestamp"},
		{"spec", "jobTemplate", "spec", "template", "metadata", "creationTimestamp"},
	} {
		set(t, ctj.Object, nil, path...)
	}
	assert.NoError(t, k8s.Create(context.Background(), ctj, client.FieldValidation(metav1.FieldValidationStrict)), "as kubectl asks for it, unknown fields refused")
	stored := &v1alpha.ChangeTriggeredJob{}
	require.NoError(t, k8s.Get(context.Background(), client.ObjectKeyFromObject(ctj), stored))
	_, err := stored.Spec.JobTemplate.Decode()
	assert.NoError(t, err)
}

func TestAMistypedFieldIsNotSilentlyDropped(t *testing.T) {
	ns := namespace(t)
	for name, path := range map[string][]any{
		"in our own spec": {"spec", "cooldwon"},
		"in the template": {"spec", "jobTemplate", "spec", "template", "spec", "containres"},
	} {
		t.Run(name, func(t *testing.T) {
			ctj := object(t, ns, "mistyped")
			set(t, ctj.Object, "60s", path...)
			err := k8s.Create(context.Background(), ctj, client.FieldValidation(metav1.FieldValidationStrict))
			assert.ErrorContains(t, err, "unknown field")
		})
	}
}
