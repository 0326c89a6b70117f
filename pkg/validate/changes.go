package validate

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/pkg/when"
)

// maxWhen is how many characters the different expressions of a ChangeTriggeredJob may have together. Of each that was made to take long, a
// twentieth of a second passes until it is compiled, and there may be one for each reference.
const maxWhen = 8 * when.MaxLength

// checkWhen checks the expressions. It compiles none of those that are too many.
func checkWhen(refs []v1alpha.ResourceReference, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	written, characters := map[string]bool{}, 0
	for i := range refs {
		text, path := refs[i].When, path.Index(i).Child("when")
		if text == "" || written[text] {
			continue
		}
		written[text] = true
		if characters += min(utf8.RuneCountInString(text), when.MaxLength); characters > maxWhen {
			return append(errs, field.Invalid(path, field.OmitValueType{}, fmt.Sprintf("different expressions may have %d characters together", maxWhen)))
		}
		if _, err := when.Compile(text); err != nil {
			errs = append(errs, field.Invalid(path, field.OmitValueType{}, err.Error()))
		}
	}
	return errs
}

// checkChanges checks which changes are said to count, as the CRD's schema does, and when, and that entries agree that are
// merged.
func checkChanges(refs []v1alpha.ResourceReference, path *field.Path) field.ErrorList {
	errs := checkWhen(refs, path)
	first := make(map[trigger.ObjectReference]int, len(refs))
	for i := range refs {
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
