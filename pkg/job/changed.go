package job

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"

	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// MaxChangedBytes is the longest account of what changed. Linux lets one environment variable take 128 KiB with
// its name, and all of them share their room with the arguments.
const MaxChangedBytes = 32 << 10

// account is what ChangedAnnotation and ChangedVariable hold, as JSON. It is an object and not a list, so that
// what was cut needs no odd last element: .resources[] is right for a script whether it looks at omittedFields
// or not.
type account struct {
	// Resources are the objects that had changed, with the paths of the fields that had, in the order of
	// the spec.
	Resources []Change `json:"resources"`
	// OmittedFields is the number of fields for which there was no room. Of selected objects that are left out for want
	// of room, the number is in the resource's unnamedObjects.
	OmittedFields int `json:"omittedFields"`
}

// Change is an object that had changed, or those that a selector selects.
type Change struct {
	trigger.Change `json:",inline"`
	// Objects are the selected objects that are known to have changed.
	Objects []trigger.ObjectChange `json:"objects,omitempty"`
	// UnnamedObjects is how many of the selected objects may have changed besides.
	UnnamedObjects int `json:"unnamedObjects,omitempty"`
}

// describe returns the account of changes in no more than limit bytes, cut after as many fields as fit, and then after as
// many selected objects as fit with all the fields; where not even the count of what was cut fits, it returns the
// shortest account there is.
func describe(changes []trigger.Change, limit int, selected ...trigger.SelectedChange) string {
	fields, objects := 0, 0
	for i := range changes {
		fields += len(changes[i].Fields)
	}
	for i := range selected {
		objects += len(selected[i].Objects)
	}
	most := func(total int, text func(kept int) string) string {
		if all := text(total); len(all) <= limit {
			return all
		}
		return text(sort.Search(total, func(n int) bool { return len(text(n+1)) > limit }))
	}
	if objects > 0 {
		text := most(objects, func(kept int) string { return encodeAccount(withObjects(changes, selected, kept), fields, 0) })
		if len(text) <= limit {
			return text
		}
	}
	bare := withObjects(changes, selected, 0)
	return most(fields, func(kept int) string { return encodeAccount(bare, kept, fields-kept) })
}

// withObjects returns changes with the first kept of the selected objects. The others are counted.
func withObjects(changes []trigger.Change, selected []trigger.SelectedChange, kept int) []Change {
	of := make(map[trigger.ObjectReference]*trigger.SelectedChange, len(selected))
	for i := range selected {
		of[selected[i].Reference] = &selected[i]
	}
	all := make([]Change, 0, len(changes))
	for i := range changes {
		c := Change{Change: changes[i]}
		if told := of[c.ObjectReference]; told != nil {
			n := min(kept, len(told.Objects))
			c.Objects, c.UnnamedObjects = told.Objects[:n], told.Unnamed+len(told.Objects)-n
			kept -= n
		}
		all = append(all, c)
	}
	return all
}

// encodeAccount returns the JSON of the first kept fields of changes.
func encodeAccount(changes []Change, kept, omitted int) string {
	a := account{Resources: []Change{}, OmittedFields: omitted}
	for _, c := range changes {
		if kept == 0 {
			break
		}
		c.Fields = c.Fields[:min(kept, len(c.Fields))]
		kept -= len(c.Fields)
		a.Resources = append(a.Resources, c)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // It is for shells and people; a path such as [?(@.a>1)] stays readable.
	if err := encoder.Encode(a); err != nil {
		// Strings and numbers can always be encoded.
		panic(fmt.Sprintf("encode what changed: %v", err))
	}
	return string(bytes.TrimSuffix(text.Bytes(), []byte("\n")))
}
