package text

import (
	"fmt"
	"strings"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
)

// maxShown is how much of a value is shown to people; programs get all of it.
const maxShown = 200

// Checks writes what was found of the ChangeTriggeredJobs of a file.
func (w *Writer) Checks(checks report.Checks) {
	for i := range checks.Items {
		if i > 0 {
			w.line("")
		}
		w.check(&checks.Items[i])
	}
	if len(checks.Skipped) > 0 {
		w.line("")
		w.paragraph("Skipped: ", length("Skipped: "), strings.Join(checks.Skipped, ", "))
	}
}

func (w *Writer) check(c *report.Check) {
	verdict, colour := "invalid", red
	if c.Valid {
		verdict, colour = "valid, would be created", green
		if c.Action == report.ActionUpdate {
			verdict = "valid, would be updated"
		}
	}
	title := clean(c.Namespace + "/" + c.Name)
	if w.Width != Unlimited {
		title = cut(title, w.Width-length(": "+verdict))
	}
	w.line(title + ": " + w.paint(verdict, colour))
	for _, problem := range c.Problems {
		w.paragraph("  Error:   ", length("  Error:   "), problem.String())
	}
	for _, warning := range c.Warnings {
		w.paragraph("  Warning: ", length("  Warning: "), warning)
	}
	for i := range c.Looks {
		w.look(&c.Looks[i])
	}
}

func (w *Writer) look(look *report.CheckReference) {
	text := look.String()
	switch look.Exists {
	case report.ExistsYes:
		if look.Matched != nil {
			text += ": selects " + plural(*look.Matched, "object")
			break
		}
		text += ": exists"
	case report.ExistsNo:
		text += ": does not exist"
		if look.Selection != "" && look.Message == "" {
			text = look.String() + ": selects nothing"
		}
	default:
		text += ": not known whether it exists"
		if look.Selection != "" {
			text = look.String() + ": not known what it selects"
		}
	}
	if look.Message != "" {
		text += " (" + look.Message + ")"
	}
	const indent = "  "
	w.paragraph(indent, len(indent), text)
	if look.When != "" {
		w.paragraph(indent+indent, 2*len(indent), "when: "+whenNow[look.When])
	}
	if look.Matched != nil {
		w.selectedObjects(look)
		return
	}
	if look.Exists == report.ExistsYes {
		w.checkFields(look, indent+indent)
	}
}

// selectedObjects writes what was found in the first of the objects that a selector selects, and how many more there are.
func (w *Writer) selectedObjects(look *report.CheckReference) {
	const indent, inner = "    ", "      "
	for i := range look.Objects {
		object := &look.Objects[i]
		w.paragraph(indent, len(indent), object.String())
		if object.When != "" {
			w.paragraph(inner, len(inner), "when: "+whenSelected[object.When])
		}
		w.checkFields(object, inner)
	}
	if more := *look.Matched - len(look.Objects); more > 0 {
		w.paragraph(indent, len(indent), fmt.Sprintf("and %d more", more))
	}
}

func (w *Writer) checkFields(look *report.CheckReference, indent string) {
	for _, field := range look.Fields {
		w.paragraph(indent, len(indent), field.Field+": "+selects(field))
	}
}

// whenSelected says what a `when` comes to today for an object that a selector selects by its labels.
var whenSelected = map[string]string{
	report.WhenTrue:            "true now, so that it is selected",
	string(v1alpha.WhenFalse):  "false now, so that it is left out",
	string(v1alpha.WhenFailed): "cannot be evaluated now, so that it is left out",
}

// whenNow says what a `when` comes to today.
var whenNow = map[string]string{
	report.WhenTrue:            "true now, so that a change counts",
	string(v1alpha.WhenFalse):  "false now, so that a change waits",
	string(v1alpha.WhenFailed): "cannot be evaluated now, so that a change waits",
}

// selects says what a path selects: "nothing", "object with 2 entries", "3 values (string of 4 characters, …)".
func selects(field report.CheckField) string {
	var parts []string
	for _, selected := range field.Selected {
		part := kindAndSize(selected)
		if selected.Value != nil {
			part += " " + cut(string(selected.Value), maxShown)
		}
		parts = append(parts, part)
	}
	switch field.Values {
	case 0:
		return "nothing"
	case 1:
		return strings.Join(parts, "")
	}
	if field.Values > len(parts) {
		parts = append(parts, "…")
	}
	return fmt.Sprintf("%d values (%s)", field.Values, strings.Join(parts, ", "))
}

func kindAndSize(s report.Selected) string {
	if s.Size == nil {
		return s.Type
	}
	switch s.Type {
	case "object":
		if *s.Size == 1 {
			return "object with 1 entry"
		}
		return fmt.Sprintf("object with %d entries", *s.Size)
	case "list":
		return "list with " + plural(*s.Size, "element")
	default:
		return "string of " + plural(*s.Size, "character")
	}
}
