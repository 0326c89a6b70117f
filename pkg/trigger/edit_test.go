package trigger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// TestRule8WhateverTheEdit makes any edit from any spec to any other, in whatever state the objects are by then: status
// has the references and fields of the new spec, those that stay are compared with what they were compared with
// before, and those that come with what they are now.
func TestRule8WhateverTheEdit(t *testing.T) {
	anySpec := rapid.Custom(func(t *rapid.T) *v1alpha.ChangeTriggeredJobSpec {
		in := scene()
		for range rapid.IntRange(1, 4).Draw(t, "references") {
			refersTo(rapid.SampledFrom(simObjects).Draw(t, "object"),
				rapid.SliceOfN(rapid.SampledFrom([]string{"*", "data", "data.x", "spec"}), 0, 3).Draw(t, "fields")...)(&in)
		}
		in.Spec.Condition = rapid.SampledFrom([]v1alpha.TriggerCondition{v1alpha.TriggerAny, v1alpha.TriggerAll}).Draw(t, "condition")
		in.Spec.Cooldown = &metav1.Duration{Duration: rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour}).Draw(t, "cooldown")}
		in.Spec.ConcurrencyPolicy = anyPolicy.Draw(t, "policy")
		in.Spec.Suspend = new(rapid.Bool().Draw(t, "suspended"))
		in.Spec.History = new(rapid.Int32Range(1, 3).Draw(t, "history"))
		return in.Spec
	})
	rapid.Check(t, func(t *rapid.T) {
		in := scene()
		world := map[fieldKey]string{}
		look := func() {
			in.Observations = nil
			for _, merged := range MergeReferences(in.Spec.Resources) {
				observation := Observation{Reference: merged.Reference, Visibility: Visible, Exists: true, Fields: merged.Fields}
				for _, path := range merged.Fields {
					place := fieldKey{merged.Reference, path}
					if world[place] == "" {
						world[place] = sum("0")
					}
					observation.Hashes = append(observation.Hashes, world[place])
				}
				in.Observations = append(in.Observations, observation)
			}
		}
		for edit := range rapid.IntRange(2, 6).Draw(t, "edits") {
			in.Spec, in.Generation = anySpec.Draw(t, "spec"), int64(edit+1)
			look()
			before := keptFields(in.Status.ResourceHashes)
			d := Decide(in)
			checkInvariants(t, in, d)
			if len(d.ReadJobs) > 0 {
				in.MissingJobs = d.ReadJobs
				d = Decide(in)
			}
			after := keptFields(statusAfter(in, d).ResourceHashes)
			shown := 0
			for i, merged := range MergeReferences(in.Spec.Resources) {
				entry := &statusAfter(in, d).ResourceHashes[i]
				require.Equal(t, merged.Reference, objectOf(entry))
				require.Len(t, entry.Fields, len(merged.Fields))
				for j, path := range merged.Fields {
					shown++
					require.Equal(t, path, entry.Fields[j].Field)
					place := fieldKey{merged.Reference, path}
					was, stays := before[place]
					switch f := after[place]; {
					case d.Create != nil:
						require.Equal(t, world[place], f.baseline)
					case f.baseline == Unknown:
						require.True(t, was.baseline == Unknown || in.Spec.ConcurrencyPolicy == v1alpha.ReplaceConcurrent)
					case stays:
						require.Equal(t, was.baseline, f.baseline, "an edit moves a baseline")
					default:
						require.Equal(t, world[place], f.baseline)
						require.False(t, f.pending(), "an edit makes something pending")
					}
				}
			}
			require.Len(t, after, shown, "what has left the spec leaves status")
			in = settled(in, d)

			for place := range world {
				if rapid.IntRange(0, 3).Draw(t, "changes") == 0 {
					world[place] = sum(rapid.SampledFrom([]string{"0", "1", "2"}).Draw(t, "value"))
				}
			}
			in.Now = in.Now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
		}
	})
}
