package controllers

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/jobs"
)

// FuzzStoredObject has a ChangeTriggeredJob stored with any JSON for spec and status, as another release or a looser
// schema may have let through. The list that it is in decodes, its neighbour is untouched, nothing panics, and a spec
// in which nothing is found wrong gives a Job.
func FuzzStoredObject(f *testing.F) {
	sound := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Name: "sound"}, Spec: v1alpha.ChangeTriggeredJobSpec{
		JobTemplate: jobs.Template(), Resources: []v1alpha.ResourceReference{playReference("a", "data")}}}
	neighbour, err := json.Marshal(sound)
	require.NoError(f, err)
	spec, err := json.Marshal(sound.Spec)
	require.NoError(f, err)
	const reference = `"resources":[{"apiVersion":"v1","kind":"ConfigMap","namespace":"ns","name":"a","fields":["data[?(@.x==\"y\")]"]}]`
	f.Add(string(spec), `{}`)
	f.Add(`"no"`, `[]`)
	f.Add(`{`+reference+`,"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"name":"c","ports":[{"containerPort":99999999999}]}]}}}}}`, `{"triggerCount":9007199254740993}`)
	f.Add(`{`+reference+`,"jobTemplate":{"spec":{"completionMode":"Indexed","completions":-1}},"cooldown":"1e9h"}`, `{"lastTriggeredTime":"0000-01-01T00:00:00Z","triggerCount":-1}`)
	f.Add(`{`+reference+`,"jobTemplate":7,"history":-5,"condition":"Some","concurrencyPolicy":""}`, `{"resourceHashes":[{"fields":[{"field":"*","hash":":","lastTriggeredHash":"unknown"}]}],"conditions":[{}]}`)
	f.Fuzz(func(t *testing.T, spec, status string) {
		if !json.Valid([]byte(spec)) || !json.Valid([]byte(status)) {
			return
		}
		var list v1alpha.ChangeTriggeredJobList
		text := `{"items":[{"metadata":{"name":"odd","namespace":"ns","uid":"u"},"spec":` + spec + `,"status":` + status + `},` + string(neighbour) + `]}`
		require.NoError(t, json.Unmarshal([]byte(text), &list))
		require.Len(t, list.Items, 2)
		require.Equal(t, sound.Spec.Resources, list.Items[1].Spec.Resources)

		odd := &list.Items[0]
		checked := checkSpec(odd.DeepCopy())
		in := trigger.Input{Name: odd.Name, UID: odd.UID, Spec: &odd.Spec, Status: &odd.Status, HashID: "v1-0", Now: time.Unix(1e9, 0)}
		creation := &trigger.Creation{Name: "odd-0123456789", Number: 1, Reason: trigger.ReasonChange}
		for _, merged := range trigger.References(&odd.Spec, &odd.Status) {
			in.Observations = append(in.Observations, trigger.Observation{Reference: merged.Reference, Fields: merged.Fields, Visibility: trigger.Forbidden})
			creation.Changed = append(creation.Changed, trigger.Change{ObjectReference: merged.Reference, Fields: merged.Fields})
		}
		if len(checked.problems) > 0 {
			in.Invalid = checked.problems.ToAggregate().Error()
		}
		trigger.Decide(in)
		_, err := job.Build(odd, creation)
		if len(checked.problems) == 0 {
			require.NoError(t, err, "nothing is wrong with the spec, but there is no Job")
		}
	})
}
