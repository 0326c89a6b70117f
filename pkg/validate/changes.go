package validate

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/pkg/when"
)

// checkChanges checks which changes are said to count, as the CRD's schema does, and when, and that entries agree that are
// merged.
func checkChanges(refs []v1alpha.ResourceReference, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	first := make(map[trigger.ObjectReference]int, len(refs))
	for i := range refs {
		if text := refs[i].When; text != "" {
			if _, err := when.Compile(text); err != nil {
				errs = append(errs, field.Invalid(path.Index(i).Child("when"), field.OmitValueType{}, err.Error()))
			}
		}
		at := path.Index(i).Child("changes")
		for j, change := range refs[i].Changes {
			errs = append(errs, checkEnum(change, at.Index(j), v1alpha.ChangeCreated, v1alpha.ChangeUpdated, v1alpha.ChangeDeleted)...)
			if slices.Contains(refs[i].Changes[:j], change) {
				errs = append(errs, field.Duplicate(at.Index(j), Shorten(string(change))))
			}
		}
		object := trigger.ReferenceOf(&refs[i])
		place, again := first[object]
		if !again {
			first[object] = i
			continue
		}
		differs := fmt.Sprintf("must be the same as in %s, which names or selects the same: these entries are merged", path.Index(place))
		if !refs[i].SameChanges(&refs[place]) {
			errs = append(errs, field.Invalid(at, field.OmitValueType{}, differs))
		}
		if refs[i].When != refs[place].When {
			errs = append(errs, field.Invalid(path.Index(i).Child("when"), field.OmitValueType{}, differs))
		}
	}
	return errs
}
