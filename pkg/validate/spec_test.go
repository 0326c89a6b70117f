package validate

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// valid returns a ChangeTriggeredJob that has nothing wrong with it.
func valid() *v1alpha.ChangeTriggeredJob {
	return &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Name: "watcher", Namespace: "default"},
		Spec: v1alpha.ChangeTriggeredJobSpec{
			JobTemplate: v1alpha.NewJobTemplate(batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{
				Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
					RestartPolicy: corev1.RestartPolicyNever,
					Containers:    []corev1.Container{{Name: "hello", Image: "busybox"}},
				}},
			}}),
			Resources: []v1alpha.ResourceReference{
				{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: "my-config"},
			},
		},
	}
}

// messages returns the errors as users read them.
func messages(errs field.ErrorList) []string {
	out := []string{}
	for _, err := range errs {
		out = append(out, err.Error())
	}
	return out
}

func TestSpec(t *testing.T) {
	cases := map[string]struct {
		change func(*v1alpha.ChangeTriggeredJob)
		want   []string
	}{
		"the least a spec can say is enough": {
			change: func(*v1alpha.ChangeTriggeredJob) {},
		},
		"everything at its upper bound is allowed": {
			change: func(ctj *v1alpha.ChangeTriggeredJob) {
				ctj.Name = strings.Repeat("n", 52)
				ctj.Spec.Cooldown = &metav1.Duration{Duration: 720 * time.Hour}
				ctj.Spec.History = ptr(int32(1000))
				ctj.Spec.Condition = v1alpha.TriggerAll
				ctj.Spec.ConcurrencyPolicy = v1alpha.ReplaceConcurrent
				ref := ctj.Spec.Resources[0]
				ref.Fields = []string{"data", "metadata.labels", "metadata.annotations", "immutable"}
				ctj.Spec.Resources = make([]v1alpha.ResourceReference, 64)
				for i := range ctj.Spec.Resources {
					ctj.Spec.Resources[i] = ref
				}
			},
		},
		"a name of 53 characters is too long": {
			change: func(ctj *v1alpha.ChangeTriggeredJob) { ctj.Name = strings.Repeat("n", 53) },
			want: []string{`metadata.name: Invalid value: "` + strings.Repeat("n", 53) +
				`": must be no more than 52 characters: the names of its Jobs add eleven`},
		},
		"no resources": {
			change: func(ctj *v1alpha.ChangeTriggeredJob) { ctj.Spec.Resources = nil },
			want:   []string{"spec.resources: Required value: must name at least one object to watch"},
		},
		"65 resources": {
			change: func(ctj *v1alpha.ChangeTriggeredJob) {
				ref := ctj.Spec.Resources[0]
				ctj.Spec.Resources = make([]v1alpha.ResourceReference, 65)
				for i := range ctj.Spec.Resources {
					ctj.Spec.Resources[i] = ref
				}
			},
			want: []string{"spec.resources: Too many: 65: must have at most 64 items"},
		},
		"257 fields over two resources, one of which has the default": {
			change: func(ctj *v1alpha.ChangeTriggeredJob) {
				second := ctj.Spec.Resources[0]
				second.Fields = make([]string, 256)
				for i := range second.Fields {
					second.Fields[i] = "data"
				}
				ctj.Spec.Resources = append(ctj.Spec.Resources, second)
			},
			want: []string{"spec.resources: Invalid value: must have at most 256 fields over all resources, not 257"},
		},
		"an apiVersion with two slashes": {
			change: apiVersion("a/b/c"),
			want:   []string{invalidVersion("a/b/c")},
		},
		"an apiVersion without a version": {
			change: apiVersion("apps/"),
			want:   []string{invalidVersion("apps/")},
		},
		"an apiVersion with an empty group": {
			change: apiVersion("/v1"),
			want:   []string{invalidVersion("/v1")},
		},
		"an apiVersion that would leave its place in a path": {
			change: apiVersion("../v1"),
			want:   []string{invalidVersion("../v1")},
		},
		"nothing named": {
			change: func(ctj *v1alpha.ChangeTriggeredJob) {
				ctj.Spec.Resources[0] = v1alpha.ResourceReference{}
			},
			want: []string{
				"spec.resources[0].apiVersion: Required value: must not be empty",
				"spec.resources[0].kind: Required value: must not be empty",
				"spec.resources[0].name: Required value: must not be empty",
			},
		},
		"names that are no segment of a path": {
			change: func(ctj *v1alpha.ChangeTriggeredJob) {
				ctj.Spec.Resources[0].Name = "a/b"
				ctj.Spec.Resources[0].Namespace = ".."
			},
			want: []string{
				`spec.resources[0].name: Invalid value: "a/b": may not contain '/'`,
				`spec.resources[0].namespace: Invalid value: "..": may not be '..'`,
			},
		},
		"a name that only kinds with lax names may have": {
			change: func(ctj *v1alpha.ChangeTriggeredJob) { ctj.Spec.Resources[0].Name = "system:node:Worker_1" },
		},
		"texts stored before there was a bound": {
			change: func(ctj *v1alpha.ChangeTriggeredJob) {
				long := strings.Repeat("é", 1000)
				ctj.Spec.Resources[0] = v1alpha.ResourceReference{
					APIVersion: long, Kind: long, Namespace: long, Name: long, Fields: []string{long},
				}
			},
			want: []string{
				"spec.resources[0].apiVersion: Too long: may not be more than 317 characters",
				"spec.resources[0].kind: Too long: may not be more than 63 characters",
				"spec.resources[0].name: Too long: may not be more than 253 characters",
				"spec.resources[0].namespace: Too long: may not be more than 63 characters",
				"spec.resources[0].fields[0]: Too long: may not be more than 256 characters",
			},
		},
		"an empty path": {
			change: func(ctj *v1alpha.ChangeTriggeredJob) { ctj.Spec.Resources[0].Fields = []string{"data", ""} },
			want:   []string{"spec.resources[0].fields[1]: Required value: must not be empty"},
		},
		"a negative cooldown": {
			change: func(ctj *v1alpha.ChangeTriggeredJob) { ctj.Spec.Cooldown = &metav1.Duration{Duration: -time.Second} },
			want:   []string{`spec.cooldown: Invalid value: "-1s": must be a duration from 0s to 720h (30 days)`},
		},
		"a cooldown of more than 30 days": {
			change: func(ctj *v1alpha.ChangeTriggeredJob) {
				ctj.Spec.Cooldown = &metav1.Duration{Duration: 720*time.Hour + 1}
			},
			want: []string{`spec.cooldown: Invalid value: "720h0m0.000000001s": must be a duration from 0s to 720h (30 days)`},
		},
		"a history of none": {
			change: func(ctj *v1alpha.ChangeTriggeredJob) { ctj.Spec.History = ptr(int32(0)) },
			want:   []string{"spec.history: Invalid value: 0: must be from 1 to 1000"},
		},
		"a history of 1001": {
			change: func(ctj *v1alpha.ChangeTriggeredJob) { ctj.Spec.History = ptr(int32(1001)) },
			want:   []string{"spec.history: Invalid value: 1001: must be from 1 to 1000"},
		},
		"a condition that does not exist": {
			change: func(ctj *v1alpha.ChangeTriggeredJob) { ctj.Spec.Condition = "Some" },
			want:   []string{`spec.condition: Unsupported value: "Some": supported values: "Any", "All"`},
		},
		"a policy that does not exist": {
			change: func(ctj *v1alpha.ChangeTriggeredJob) { ctj.Spec.ConcurrencyPolicy = "allow" },
			want: []string{
				`spec.concurrencyPolicy: Unsupported value: "allow": supported values: "Allow", "Forbid", "Replace"`,
			},
		},
		"a template of more than 512 KiB": {
			change: func(ctj *v1alpha.ChangeTriggeredJob) {
				ctj.Spec.JobTemplate.Raw = []byte(`{"x":"` + strings.Repeat("x", 512<<10) + `"}`)
			},
			want: []string{"spec.jobTemplate: Too long: may not be more than 524288 bytes"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ctj := valid()
			c.change(ctj)
			before := ctj.DeepCopy()
			assert.ElementsMatch(t, c.want, messages(Spec(ctj)))
			assert.Equal(t, before, ctj, "the object is not touched")
		})
	}
}

func TestTheLengthOfANameIsNoMatterOfAnUpdate(t *testing.T) {
	ctj := valid()
	ctj.Name = strings.Repeat("n", 60)
	ctj.Spec.History = ptr(int32(0))
	assert.Equal(t, []string{"spec.history: Invalid value: 0: must be from 1 to 1000"}, messages(SpecUpdate(ctj)))
}

func TestATemplateThatTheGoTypesRefuseIsNamed(t *testing.T) {
	cases := map[string]struct{ container, want string }{
		"a quantity that passes the schema": {
			container: `{"name":"a","resources":{"limits":{"cpu":"1e1.5"}}}`,
			want:      "quantities must match",
		},
		"a port that passes the schema": {
			container: `{"name":"a","ports":[{"containerPort":99999999999}]}`,
			want:      "spec.template.spec.containers.ports.containerPort",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ctj := valid()
			ctj.Spec.JobTemplate.Raw = []byte(`{"spec":{"template":{"spec":{"containers":[` + c.container + `]}}}}`)
			errs := Spec(ctj)
			require.Len(t, errs, 1)
			assert.Equal(t, "spec.jobTemplate", errs[0].Field)
			assert.Contains(t, errs[0].Error(), c.want)
		})
	}
}

func TestAPathThatCannotBeCompiledIsNamedWithThePosition(t *testing.T) {
	ctj := valid()
	ctj.Spec.Resources = append(ctj.Spec.Resources, ctj.Spec.Resources[0])
	ctj.Spec.Resources[1].Fields = []string{"data", "spec..replicas"}
	errs := Spec(ctj)
	require.Len(t, errs, 1)
	assert.Equal(t, "spec.resources[1].fields[1]", errs[0].Field)
	assert.Contains(t, errs[0].Error(), "position 5")
	assert.Contains(t, errs[0].Error(), "spec..replicas")
}

func TestASpecThatCouldNotBeDecodedSaysSoInFewWordsAndNothingElse(t *testing.T) {
	ctj := &v1alpha.ChangeTriggeredJob{}
	stored := `{"metadata":{"name":"old"},"spec":{"cooldown":"` + strings.Repeat("é", 100_000) + `"}}`
	require.NoError(t, json.Unmarshal([]byte(stored), ctj))
	require.Error(t, ctj.Spec.Undecoded())

	errs := Spec(ctj)
	require.Len(t, errs, 1)
	assert.Equal(t, "spec", errs[0].Field)
	assert.Contains(t, errs[0].Error(), "duration")
	assert.Less(t, len(errs[0].Error()), 400)
}

func TestShorten(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"a short text stays":                   {"short", "short"},
		"256 bytes stay":                       {strings.Repeat("x", 256), strings.Repeat("x", 256)},
		"a long text is cut":                   {strings.Repeat("x", 257), strings.Repeat("x", 256) + "…"},
		"a text is cut between two characters": {"x" + strings.Repeat("é", 200), "x" + strings.Repeat("é", 127) + "…"},
		"bytes that are no text do no harm":    {strings.Repeat("\x80", 300), "…"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, Shorten(c.text)) })
	}
}

func TestVeryManyErrorsMakeNoHugeMessage(t *testing.T) {
	ctj := valid()
	ctj.Spec.Resources[0].Fields = make([]string, 300)
	errs := Spec(ctj)
	require.Len(t, errs, 17)
	assert.Equal(t, "spec: Required value: has 285 more errors", errs[16].Error())
}

func apiVersion(v string) func(*v1alpha.ChangeTriggeredJob) {
	return func(ctj *v1alpha.ChangeTriggeredJob) { ctj.Spec.Resources[0].APIVersion = v }
}

func invalidVersion(v string) string {
	return `spec.resources[0].apiVersion: Invalid value: "` + v +
		`": must be a version such as v1, or a group and a version such as apps/v1`
}

func ptr[T any](v T) *T { return &v }
