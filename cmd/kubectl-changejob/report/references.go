package report

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// FieldState is how a field stands to its baseline, the state that the last Job ran for.
type FieldState string

// The states of fields. Unchanged and NotSeen are not pending, the others are.
const (
	// FieldNotSeen: the operator has not seen the object yet.
	FieldNotSeen FieldState = "NotSeen"
	// FieldUnchanged: it is as it was.
	FieldUnchanged FieldState = "Unchanged"
	// FieldChanged: it has another value.
	FieldChanged FieldState = "Changed"
	// FieldCreated: it did not exist, and does.
	FieldCreated FieldState = "Created"
	// FieldRemoved: it existed, and does not.
	FieldRemoved FieldState = "Removed"
	// FieldUnanswered: what the last Job ran for is not known, or that Job was replaced before it had ended.
	FieldUnanswered FieldState = "Unanswered"
)

// Pending reports whether the state is one that a Job is to run for.
func (s FieldState) Pending() bool { return s != FieldUnchanged && s != FieldNotSeen }

// Reference is a watched object, and how it stands.
type Reference struct {
	trigger.ObjectReference `json:",inline"`
	Pending                 bool `json:"pending"`
	// PendingSince is when the operator first saw it differ.
	PendingSince *metav1.Time `json:"pendingSince,omitempty"`
	// Matched is how many objects a selector selects, and LastTriggeredMatched how many it did when the last Job ran, where that is
	// another number.
	Matched              *int32 `json:"matched,omitempty"`
	LastTriggeredMatched *int32 `json:"lastTriggeredMatched,omitempty"`
	// Changes are those that count; empty where all do.
	Changes []v1alpha.ChangeType `json:"changes,omitempty"`
	// When is the expression that has to be true for a change to count, and WaitingForWhen what it comes to where the reference, which
	// is pending, waits for it.
	When           string             `json:"when,omitempty"`
	WaitingForWhen v1alpha.WhenResult `json:"waitingForWhen,omitempty"`
	Fields         []Field            `json:"fields"`
	// Message says what is wrong with the reference, where something is.
	Message string `json:"message,omitempty"`
}

// Field is a field path, and how what it selects stands.
type Field struct {
	Field string     `json:"field"`
	State FieldState `json:"state"`
	// Exists is true where the path selects something now, as far as the operator knows.
	Exists bool `json:"exists"`
}

// ReferencesOf returns what a ChangeTriggeredJob watches, each object once, in the order of the spec.
func ReferencesOf(ctj *v1alpha.ChangeTriggeredJob) []Reference {
	type place struct {
		object trigger.ObjectReference
		path   string
	}
	stored := map[place]v1alpha.FieldHash{}
	entries := map[trigger.ObjectReference]*v1alpha.ResourceHash{}
	for i := range ctj.Status.ResourceHashes {
		entry := &ctj.Status.ResourceHashes[i]
		object := trigger.ObjectReference{
			APIVersion: entry.APIVersion, Kind: entry.Kind, Namespace: entry.Namespace, Name: entry.Name, Selection: entry.Selection,
		}
		entries[object] = entry
		for _, hash := range entry.Fields {
			stored[place{object, hash.Field}] = hash
		}
	}
	merged := trigger.References(&ctj.Spec, &ctj.Status)
	references := make([]Reference, 0, len(merged))
	for _, m := range merged {
		reference := Reference{ObjectReference: m.Reference, Changes: m.Changes, When: m.When, Fields: make([]Field, 0, len(m.Fields))}
		if entry := entries[m.Reference]; entry != nil {
			reference.Message, reference.PendingSince = entry.Message, entry.PendingSince
			reference.WaitingForWhen = entry.WaitingForWhen
			reference.Matched, reference.LastTriggeredMatched = entry.Matched, entry.LastTriggeredMatched
		}
		for _, path := range m.Fields {
			hash := stored[place{m.Reference, path}]
			field := Field{Field: path, State: stateOfField(hash), Exists: hash.Hash != "" && hash.Hash != trigger.Absent}
			reference.Pending = reference.Pending || field.State.Pending()
			reference.Fields = append(reference.Fields, field)
		}
		references = append(references, reference)
	}
	return references
}

func stateOfField(hash v1alpha.FieldHash) FieldState {
	switch {
	case hash.Hash == "":
		return FieldNotSeen
	case hash.LastTriggeredHash == "" || hash.LastTriggeredHash == hash.Hash:
		return FieldUnchanged
	case hash.LastTriggeredHash == trigger.Unknown:
		return FieldUnanswered
	case hash.LastTriggeredHash == trigger.Absent:
		return FieldCreated
	case hash.Hash == trigger.Absent:
		return FieldRemoved
	default:
		return FieldChanged
	}
}

// PendingOf returns the references that are pending, with those of their fields that are.
func PendingOf(references []Reference) []Reference {
	pending := []Reference{}
	for _, reference := range references {
		if !reference.Pending {
			continue
		}
		var fields []Field
		for _, field := range reference.Fields {
			if field.State.Pending() {
				fields = append(fields, field)
			}
		}
		reference.Fields = fields
		pending = append(pending, reference)
	}
	return pending
}
