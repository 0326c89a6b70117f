package admission

import (
	"encoding/json"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/validate"
)

// change is what a request asks for, and what of it is new.
type change struct {
	ctj *v1alpha.ChangeTriggeredJob
	// creates is true where the object is a new one.
	creates bool
	// template is true where the Job template is new or differs.
	template bool
	// added are the references, or fields of them, that were not in the spec before.
	added []addition
	// requests are the annotations that ask for a Job, where they have a new value.
	requests []string
	// oldKinds are the kinds that were in the spec before.
	oldKinds map[schema.GroupVersionKind]bool
}

// addition is a reference that is new, or that has new fields or a new `when`.
type addition struct {
	// index is the reference's place in spec.resources, fields are the places of the new ones in its fields.
	index  int
	fields []int
	// when is true where the reference has a `when` that is new: it may read all of the object.
	when bool
}

func creation(ctj *v1alpha.ChangeTriggeredJob) *change {
	return &change{ctj: ctj, creates: true, template: true, added: additions(nil, ctj.Spec.Resources), requests: newRequests(nil, ctj.Annotations)}
}

func update(old, ctj *v1alpha.ChangeTriggeredJob) *change {
	c := &change{
		ctj:      ctj,
		template: !sameJSON(old.Spec.JobTemplate, ctj.Spec.JobTemplate),
		added:    additions(old.Spec.Resources, ctj.Spec.Resources),
		requests: newRequests(old.Annotations, ctj.Annotations),
		oldKinds: map[schema.GroupVersionKind]bool{},
	}
	for i := range old.Spec.Resources {
		if kind, ok := validate.GroupVersionKind(&old.Spec.Resources[i]); ok {
			c.oldKinds[kind] = true
		}
	}
	return c
}

func (c *change) isNewKind(kind schema.GroupVersionKind) bool { return !c.oldKinds[kind] }

// additions returns what of refs is not in old. An object may stand in several references of either.
func additions(old, refs []v1alpha.ResourceReference) []addition {
	before := make(map[referent][]*v1alpha.ResourceReference, len(old))
	for i := range old {
		of := referentOf(&old[i])
		before[of] = append(before[of], &old[i])
	}
	var added []addition
	for i := range refs {
		a, known := addition{index: i}, before[referentOf(&refs[i])]
		for j, expr := range refs[i].EffectiveFields() {
			if !slices.ContainsFunc(known, func(o *v1alpha.ResourceReference) bool { return slices.Contains(o.EffectiveFields(), expr) }) {
				a.fields = append(a.fields, j)
			}
		}
		a.when = refs[i].When != "" && !slices.ContainsFunc(known, func(o *v1alpha.ResourceReference) bool { return o.When == refs[i].When })
		if len(a.fields) > 0 || a.when {
			added = append(added, a)
		}
	}
	return added
}

func sameSpec(a, b *v1alpha.ChangeTriggeredJob) bool { return sameJSON(a.Spec, b.Spec) }

// sameJSON compares what two values are stored as; so it also compares specs that could not be decoded.
// Values that cannot be compared differ, and so are checked.
func sameJSON(a, b json.Marshaler) bool {
	decodedA, errA := decode(a)
	decodedB, errB := decode(b)
	return errA == nil && errB == nil && reflect.DeepEqual(decodedA, decodedB)
}

func decode(value json.Marshaler) (decoded any, err error) {
	data, err := value.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return decoded, utiljson.Unmarshal(data, &decoded)
}
