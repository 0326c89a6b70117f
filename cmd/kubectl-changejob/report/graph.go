package report

import (
	"cmp"
	"slices"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/pkg/validate"
)

// Graph is what `graph` tells: the watched objects, and what they trigger.
type Graph struct {
	Objects []GraphObject `json:"objects"`
}

// GraphObject is a watched object.
type GraphObject struct {
	trigger.ObjectReference `json:",inline"`
	// JobsOf are the ChangeTriggeredJobs whose Jobs, or the Pods of these, a selector selects: one runs after the other.
	JobsOf   []GraphSource  `json:"jobsOf,omitempty"`
	Triggers []GraphTrigger `json:"triggers"`
}

// GraphSource is a ChangeTriggeredJob of which something is selected.
type GraphSource struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// GraphTrigger is a ChangeTriggeredJob that an object triggers.
type GraphTrigger struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Fields are the paths that count in the object.
	Fields []string `json:"fields"`
	// Condition is All where the other objects of the ChangeTriggeredJob must have changed, too.
	Condition v1alpha.TriggerCondition `json:"condition"`
	Suspended bool                     `json:"suspended"`
}

// GraphOf tells which objects trigger what, and which of them are Jobs of sources, be these among the others or not. It knows the specs
// alone: what a Job changes shows in nobody's spec.
func GraphOf(ctjs, sources []v1alpha.ChangeTriggeredJob) Graph {
	places := map[trigger.ObjectReference]int{}
	graph := Graph{Objects: []GraphObject{}}
	for i := range ctjs {
		ctj := &ctjs[i]
		for _, merged := range trigger.References(&ctj.Spec, &ctj.Status) {
			place, known := places[merged.Reference]
			if !known {
				place = len(graph.Objects)
				places[merged.Reference] = place
				graph.Objects = append(graph.Objects, GraphObject{ObjectReference: merged.Reference, JobsOf: jobsOf(ctj, merged.Index, sources)})
			}
			graph.Objects[place].Triggers = append(graph.Objects[place].Triggers, GraphTrigger{
				Namespace: ctj.Namespace, Name: ctj.Name, Fields: merged.Fields,
				Condition: ctj.Spec.EffectiveCondition(), Suspended: ctj.Spec.Suspended(),
			})
		}
	}
	slices.SortFunc(graph.Objects, func(a, b GraphObject) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.Selection, b.Selection), cmp.Compare(a.APIVersion, b.APIVersion))
	})
	for i := range graph.Objects {
		slices.SortFunc(graph.Objects[i].JobsOf, func(a, b GraphSource) int {
			return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
		})
		slices.SortFunc(graph.Objects[i].Triggers, func(a, b GraphTrigger) int {
			return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
		})
	}
	return graph
}

// jobsOf returns those whose Jobs a reference of a spec selects.
func jobsOf(ctj *v1alpha.ChangeTriggeredJob, reference int, all []v1alpha.ChangeTriggeredJob) []GraphSource {
	var sources []GraphSource
	if reference >= len(ctj.Spec.Resources) {
		return nil // a spec that cannot be decoded: status tells what it watches, and not by which labels
	}
	for i := range all {
		if validate.SelectsJobsOf(&ctj.Spec.Resources[reference], &all[i]) {
			sources = append(sources, GraphSource{Namespace: all[i].Namespace, Name: all[i].Name})
		}
	}
	return sources
}
