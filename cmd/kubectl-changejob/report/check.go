package report

import (
	"encoding/json"

	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// Checks is what `check` tells.
type Checks struct {
	Items []Check `json:"items"`
	// Skipped are the objects of other kinds that the file holds, as "Kind name".
	Skipped []string `json:"skipped"`
}

// Check is what was found of one ChangeTriggeredJob of a file.
type Check struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Valid     bool   `json:"valid"`
	// Action is what applying the file would do.
	Action   Action           `json:"action,omitempty"`
	Problems []Problem        `json:"problems"`
	Warnings []string         `json:"warnings"`
	Looks    []CheckReference `json:"resources"`
}

// Action is what applying a file would do.
type Action string

// What applying a file would do.
const (
	ActionCreate Action = "Create"
	ActionUpdate Action = "Update"
)

// Problem is why a ChangeTriggeredJob is not valid.
type Problem struct {
	// Field is the path of the field that is wrong; empty where the problem is with the whole.
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

// String is the problem in a line.
func (p Problem) String() string {
	if p.Field == "" {
		return p.Message
	}
	return p.Field + ": " + p.Message
}

// Existence says whether an object exists.
type Existence string

// Whether an object exists; ExistsUnknown where the user may not see it, or could not.
const (
	ExistsYes     Existence = "Yes"
	ExistsNo      Existence = "No"
	ExistsUnknown Existence = "Unknown"
)

// CheckReference is an object that a ChangeTriggeredJob would watch, as its author sees it today.
type CheckReference struct {
	trigger.ObjectReference `json:",inline"`
	Exists                  Existence `json:"exists"`
	// Matched is how many objects a selector selects by their labels. Absent where an object is named, and where it is not known.
	Matched *int `json:"matched,omitempty"`
	// Objects are the first of those that a selector selects, at most MaxObjects. Absent where an object is named, and where there are none.
	Objects []CheckReference `json:"objects,omitempty"`
	// When is what the reference's `when` comes to for the object: True, False or Failed. Absent where there is none, where objects are
	// selected (it is told of each), and where the object cannot be read.
	When    string `json:"when,omitempty"`
	Message string `json:"message,omitempty"`
	// Fields is empty where objects are selected: they are told of each.
	Fields []CheckField `json:"fields"`
}

// MaxObjects is how many of the objects that a selector selects are looked into.
const MaxObjects = 5

// WhenTrue is what a `when` comes to by which a change counts.
const WhenTrue = "True"

// CheckField is what a path selects today.
type CheckField struct {
	Field string `json:"field"`
	// Values is how many values it selects; 0 where nothing is known of the object.
	Values int `json:"values"`
	// Selected describes the first of them, at most MaxSelected.
	Selected []Selected `json:"selected"`
}

// MaxSelected is how many of the values that a path selects are described.
const MaxSelected = 10

// Selected describes a value.
type Selected struct {
	// Type is object, list, string, number, boolean or null.
	Type string `json:"type"`
	// Size is the number of an object's entries, a list's elements or a string's characters. That of a Secret's strings is left out.
	Size *int `json:"size,omitempty"`
	// Value is the value, where it was asked for and may be shown.
	Value json.RawMessage `json:"value,omitempty"`
}
