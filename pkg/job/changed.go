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
	Resources []trigger.Change `json:"resources"`
	// OmittedFields is the number of fields for which there was no room.
	OmittedFields int `json:"omittedFields"`
}

// describe returns the account of changes in no more than limit bytes, cut after as many fields as fit; where
// not even the count of what was cut fits, it returns the shortest account there is.
func describe(changes []trigger.Change, limit int) string {
	total := 0
	for _, change := range changes {
		total += len(change.Fields)
	}
	text := encodeAccount(changes, total, 0)
	if len(text) <= limit {
		return text
	}
	kept := sort.Search(total, func(n int) bool { return len(encodeAccount(changes, n+1, total-n-1)) > limit })
	return encodeAccount(changes, kept, total-kept)
}

// encodeAccount returns the JSON of the first kept fields of changes.
func encodeAccount(changes []trigger.Change, kept, omitted int) string {
	a := account{Resources: []trigger.Change{}, OmittedFields: omitted}
	for _, change := range changes {
		if kept == 0 {
			break
		}
		change.Fields = change.Fields[:min(kept, len(change.Fields))]
		kept -= len(change.Fields)
		a.Resources = append(a.Resources, change)
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
