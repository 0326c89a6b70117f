package controllers

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/pkg/validate"
	"github.com/nusnewob/kube-changejob/pkg/watch"
	"github.com/nusnewob/kube-changejob/pkg/when"
)

// checkedSpec is what one generation of a spec comes to. It is made once a generation.
type checkedSpec struct {
	generation int64
	// problems are those that only an edit can mend.
	problems field.ErrorList
	// watched are what trigger.References names, for the watch engine, until they are handed over; nil where there are problems.
	watched []watch.Reference
}

// handOver returns what is to be watched the first time, and nil from then on: the engine keeps what it makes of that, and both would take as
// much memory again for each reference.
func (s *checkedSpec) handOver() []watch.Reference {
	watched := s.watched
	s.watched = nil
	return watched
}

// checkSpec validates a spec and compiles its field paths.
func checkSpec(ctj *v1alpha.ChangeTriggeredJob) *checkedSpec {
	checked := &checkedSpec{generation: ctj.Generation, problems: validate.Spec(ctj)}
	if len(checked.problems) > 0 {
		return checked
	}
	merged := trigger.References(&ctj.Spec, &ctj.Status)
	watched := make([]watch.Reference, 0, len(merged))
	paths := compiledPaths{}
	for _, reference := range merged {
		compiled, err := paths.compile(reference, &ctj.Spec.Resources[reference.Index])
		if err != nil {
			checked.problems = append(checked.problems, field.Invalid(field.NewPath("spec", "resources").Index(reference.Index), reference.Reference.String(), err.Error()))
			return checked
		}
		watched = append(watched, compiled)
	}
	checked.watched = watched
	return checked
}

// compiledPaths are the field paths of one spec: what several references select alike is kept once.
type compiledPaths map[string]*fieldpath.Path

func (known compiledPaths) path(expr string) (*fieldpath.Path, error) {
	if path, ok := known[expr]; ok {
		return path, nil
	}
	path, err := fieldpath.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("field %q: %w", expr, err)
	}
	known[expr] = path
	return path, nil
}

func (known compiledPaths) compile(reference trigger.MergedReference, written *v1alpha.ResourceReference) (watch.Reference, error) {
	groupVersion, err := schema.ParseGroupVersion(reference.Reference.APIVersion)
	if err != nil {
		return watch.Reference{}, fmt.Errorf("apiVersion: %w", err)
	}
	paths := make([]*fieldpath.Path, 0, len(reference.Fields))
	for _, expr := range reference.Fields {
		path, err := known.path(expr)
		if err != nil {
			return watch.Reference{}, err
		}
		paths = append(paths, path)
	}
	compiled := watch.Reference{GroupVersionKind: groupVersion.WithKind(reference.Reference.Kind), Paths: paths}
	if reference.When != "" {
		if compiled.When, err = when.Compile(reference.When); err != nil {
			return watch.Reference{}, fmt.Errorf("when: %w", err)
		}
	}
	if written.Selector == nil {
		compiled.Namespace, compiled.Name = reference.Reference.Namespace, reference.Reference.Name
		return compiled, nil
	}
	if compiled.Selector, err = written.Selector.Compile(); err != nil {
		return watch.Reference{}, fmt.Errorf("selector: %w", err)
	}
	compiled.Namespaces = written.EffectiveNamespaces()
	if written.NamespaceSelector != nil {
		if compiled.NamespaceSelector, err = written.NamespaceSelector.Compile(); err != nil {
			return watch.Reference{}, fmt.Errorf("namespaceSelector: %w", err)
		}
	}
	return compiled, nil
}
