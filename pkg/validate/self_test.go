package validate

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func TestAChangeTriggeredJobDoesNotTriggerItself(t *testing.T) {
	refused := func(expr string) string {
		return `spec.resources[0].fields[0]: Invalid value: "` + expr + `": ` + WatchesItself
	}
	reference := func(change func(*v1alpha.ResourceReference), fields ...string) v1alpha.ResourceReference {
		ref := v1alpha.ResourceReference{
			APIVersion: "triggers.changejob.dev/v1alpha", Kind: "ChangeTriggeredJob",
			Namespace: "default", Name: "watcher", Fields: fields,
		}
		if change != nil {
			change(&ref)
		}
		return ref
	}
	cases := map[string]struct {
		ref  v1alpha.ResourceReference
		want []string
	}{
		"itself as a whole":                    {reference(nil, "*"), []string{refused("*")}},
		"itself as a whole, by default":        {reference(nil), []string{refused("*")}},
		"its status":                           {reference(nil, "status"), []string{refused("status")}},
		"a field of its status":                {reference(nil, "status.lastJobName"), []string{refused("status.lastJobName")}},
		"its status, written otherwise":        {reference(nil, "{$['status']}"), []string{refused("{$['status']}")}},
		"everything in it":                     {reference(nil, "[*]"), []string{refused("[*]")}},
		"its resource version":                 {reference(nil, "metadata.resourceVersion"), []string{refused("metadata.resourceVersion")}},
		"who wrote it":                         {reference(nil, "metadata.managedFields"), []string{refused("metadata.managedFields")}},
		"itself, in a version yet to come":     {reference(func(r *v1alpha.ResourceReference) { r.APIVersion = "triggers.changejob.dev/v1" }), []string{refused("*")}},
		"a harmless field and one that is not": {reference(nil, "status", "spec"), []string{refused("status")}},

		"its spec":             {reference(nil, "spec", "{.spec.suspend}", "$.spec.resources[0].name"), nil},
		"its labels":           {reference(nil, "metadata.labels", "metadata.annotations['a.b/c']"), nil},
		"another":              {reference(func(r *v1alpha.ResourceReference) { r.Name = "other" }), nil},
		"one of another place": {reference(func(r *v1alpha.ResourceReference) { r.Namespace = "other" }), nil},
		"another kind":         {reference(func(r *v1alpha.ResourceReference) { r.APIVersion, r.Kind = "v1", "ConfigMap" }), nil},
		"a kind of its name":   {reference(func(r *v1alpha.ResourceReference) { r.APIVersion = "other.example/v1" }), nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ctj := valid()
			ctj.Namespace, ctj.Name = "default", "watcher"
			ctj.Spec.Resources = []v1alpha.ResourceReference{c.ref}
			assert.ElementsMatch(t, c.want, messages(Spec(ctj)))
			assert.ElementsMatch(t, c.want, messages(SpecUpdate(ctj)))
		})
	}
}
