package text

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// labelWidth is the column in which what is said beside a label begins.
const labelWidth = 15

// Descriptions writes all that is known of ChangeTriggeredJobs.
func (w *Writer) Descriptions(all report.Descriptions) {
	for i := range all.Items {
		if i > 0 {
			w.line("")
		}
		w.description(&all.Items[i])
	}
}

func (w *Writer) description(d *report.Description) {
	w.paragraph("Name:", labelWidth, d.Name)
	w.paragraph("Namespace:", labelWidth, d.Namespace)
	w.paragraph("Runs a Job:", labelWidth, runs(d))
	w.times(d)
	state := d.State
	if d.Suspended && state != trigger.ReasonSuspended {
		state += ", and suspended"
	}
	if d.Outdated {
		state += " (of an older spec: the operator has not seen the present one)"
	}
	w.paragraph("State:", labelWidth, state)
	if d.Message != "" {
		w.paragraph("", labelWidth, d.Message)
	}
	w.paragraph("Next trigger:", labelWidth, w.next(d.Next))
	w.lastTrigger(d)
	if d.RunNowPending {
		w.paragraph("Run now:", labelWidth, "asked for, and not answered yet")
	}
	if len(d.Active) > 0 {
		w.paragraph("Running:", labelWidth, strings.Join(d.Active, ", "))
	}
	w.line("")
	w.line("Resources:")
	for i := range d.Resources {
		w.reference(&d.Resources[i], "  ")
	}
	if len(d.Conditions) == 0 {
		return
	}
	w.line("")
	w.line("Conditions:")
	for i := range d.Conditions {
		c := &d.Conditions[i]
		w.paragraph("  "+clean(c.Type)+":", labelWidth, fmt.Sprintf("%s, %s for %s: %s", c.Status, c.Reason, w.age(&c.LastTransitionTime), c.Message))
	}
}

// runs says under which rules a Job runs.
func runs(d *report.Description) string {
	text := "when any of " + plural(d.References, "resource") + " has changed"
	if d.Condition == v1alpha.TriggerAll {
		text = "when all of " + plural(d.References, "resource") + " have changed"
	}
	if d.References == 1 {
		text = "when the resource has changed"
	}
	if d.Settle != "" {
		text += ", once nothing more changes for " + d.Settle
	}
	if d.Cooldown != "0s" {
		text += ", at most one in " + d.Cooldown
	}
	switch d.ConcurrencyPolicy {
	case v1alpha.ForbidConcurrent:
		text += ", after the one that runs"
	case v1alpha.ReplaceConcurrent:
		text += ", in place of the one that runs"
	default:
	}
	return text
}

// times writes when and how often the spec has Jobs run.
func (w *Writer) times(d *report.Description) {
	for i := range d.Windows {
		label, window := "", &d.Windows[i]
		if i == 0 {
			label = "Only in:"
		}
		w.paragraph(label, labelWidth, fmt.Sprintf("%s (%s), for %s", window.Schedule, window.EffectiveTimeZone(), window.Duration.Duration))
	}
	if d.PendingDeadline != "" {
		w.paragraph("Forgets:", labelWidth, "what is pending for more than "+d.PendingDeadline)
	}
	if d.Retry != nil {
		text := fmt.Sprintf("a Job that failed, %d of at most %d times so far", d.Retry.Count, d.Retry.Limit)
		if d.Retry.NextTime != nil {
			text += ", next in " + w.until(d.Retry.NextTime)
		}
		w.paragraph("Tries again:", labelWidth, text)
	}
	if d.FirstRunPending {
		w.paragraph("First run:", labelWidth, "still to come, without any change")
	}
}

func (w *Writer) next(n report.Next) string {
	if n.Time != nil {
		text := n.Message
		if n.Time.After(w.Now) {
			text = fmt.Sprintf("in %s (%s), %s", w.until(n.Time), n.Time.UTC().Format(time.RFC3339), n.Message)
		}
		return text
	}
	if n.NotBefore != nil {
		return fmt.Sprintf("%s, not before %s (in %s)", n.Message, n.NotBefore.UTC().Format(time.RFC3339), w.until(n.NotBefore))
	}
	return n.Message
}

func (w *Writer) lastTrigger(d *report.Description) {
	if d.TriggerCount == 0 && d.LastTriggeredTime == nil {
		w.paragraph("Last trigger:", labelWidth, "none yet")
		return
	}
	text := fmt.Sprintf("number %d", d.TriggerCount)
	if d.LastTriggeredTime != nil {
		text += fmt.Sprintf(", %s ago (%s)", w.age(d.LastTriggeredTime), d.LastTriggeredTime.UTC().Format(time.RFC3339))
	}
	w.paragraph("Last trigger:", labelWidth, text)
	if d.LastTrigger == nil {
		job := orNone(d.LastJobName)
		if d.LastJobStatus != "" {
			job += ", " + string(d.LastJobStatus)
		}
		w.paragraph("  Job:", labelWidth, job)
		w.paragraph("  Why:", labelWidth, "unknown: "+d.LastTriggerUnknown)
		return
	}
	t := d.LastTrigger
	job := t.Job + ", " + t.Outcome
	if t.DurationSeconds != nil {
		job += " after " + seconds(*t.DurationSeconds)
		if t.Outcome == string(v1alpha.JobActive) {
			job = t.Job + ", " + t.Outcome + " for " + seconds(*t.DurationSeconds)
		}
	}
	w.paragraph("  Job:", labelWidth, job)
	w.paragraph("  Why:", labelWidth, why(t))
}

// why says why a trigger happened.
func why(t *report.Trigger) string {
	reason := string(t.Reason)
	if reason == "" {
		reason = "unknown reason"
	}
	if text := changed(t, ""); text != none {
		return reason + ": " + text
	}
	return reason
}

// changed says in a line what had changed: "ConfigMap default/app-config (data); Node worker-1 (*)". Objects in the namespace
// home are named without it.
func changed(t *report.Trigger, home string) string {
	if t.ChangedUnknown {
		return "unknown"
	}
	parts := make([]string, 0, len(t.Changed))
	for _, c := range t.Changed {
		if c.Namespace == home {
			c.Namespace = ""
		}
		parts = append(parts, c.String()+" ("+strings.Join(c.Fields, ", ")+")"+objects(&c, home))
	}
	if t.OmittedFields > 0 {
		parts = append(parts, "and "+plural(t.OmittedFields, "more field"))
	}
	return orNone(strings.Join(parts, "; "))
}

// objects says in which of the selected objects something had changed: " in web-1, web-2 (removed)".
func objects(c *job.Change, home string) string {
	parts := make([]string, 0, len(c.Objects))
	for _, object := range c.Objects {
		name := object.Name
		if object.Namespace != "" && object.Namespace != home && object.Namespace != c.Namespace {
			name = object.Namespace + "/" + name
		}
		if object.Change != trigger.ObjectUpdated {
			name += " (" + strings.ToLower(string(object.Change)) + ")"
		}
		parts = append(parts, name)
	}
	if c.UnnamedObjects > 0 {
		parts = append(parts, "perhaps "+plural(c.UnnamedObjects, "more object"))
	}
	if len(parts) == 0 {
		return ""
	}
	return " in " + strings.Join(parts, ", ")
}

func seconds(n int64) string { return duration.HumanDuration(time.Duration(n) * time.Second) }

// reference writes a watched object, and its fields below.
func (w *Writer) reference(r *report.Reference, indent string) {
	object := r.String()
	if r.Matched != nil {
		object += ", " + plural(int(*r.Matched), "object")
		if r.LastTriggeredMatched != nil {
			object += fmt.Sprintf(" (%d at the last Job)", *r.LastTriggeredMatched)
		}
	}
	if r.PendingSince != nil {
		object += ", pending for " + w.age(r.PendingSince)
	}
	if said := waitsForWhen[r.WaitingForWhen]; said != "" {
		object += ", " + said
	}
	if len(r.Changes) > 0 {
		object += " (" + only(r.Changes) + ")"
	}
	if r.Message != "" {
		object += ": " + r.Message
	}
	w.paragraph(indent, len(indent), object)
	for _, field := range r.Fields {
		w.field(field, indent+"  ")
	}
}

// waitsForWhen says why a reference waits for its `when`.
var waitsForWhen = map[v1alpha.WhenResult]string{
	v1alpha.WhenFalse:   "waits for its when, which is false",
	v1alpha.WhenFailed:  "waits for its when, which could not be evaluated",
	v1alpha.WhenUnknown: "waits for its when, which is not known",
}

// only says which changes count: "counts when created or deleted".
func only(changes []v1alpha.ChangeType) string {
	words := make([]string, 0, len(changes))
	for _, change := range changes {
		words = append(words, strings.ToLower(string(change)))
	}
	return "counts when " + strings.Join(words, " or ")
}

// stateWidth is the column in which the state of a field stands, from the left of the field.
const stateWidth = 11

// field writes the state of a field, and its path.
func (w *Writer) field(field report.Field, indent string) {
	state := pad(string(field.State), stateWidth)
	label := indent + w.paint(state, ofField(field.State)) + "  "
	width := Unlimited
	if w.Width != Unlimited {
		width = max(w.Width-len(indent)-stateWidth-2, minimum)
	}
	path := clean(field.Field)
	if width != Unlimited {
		path = cut(path, width)
	}
	if field.State == report.FieldUnchanged && !field.Exists {
		path += " (does not exist)"
		if width != Unlimited && length(path) > width {
			path = cut(clean(field.Field), max(width-length(" (absent)"), minimum)) + " (absent)"
		}
	}
	w.line(label + path)
}
