package text

import (
	"strconv"

	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// History writes the triggers of a ChangeTriggeredJob, one in a line; wide says whether a line tells all that it can.
func (w *Writer) History(h report.History, wide bool) {
	columns := []column{{"#", nil}, {"AGE", nil}, {"JOB", cutMiddle}, {"OUTCOME", nil}, {"DURATION", nil}, {"CHANGED", cut}}
	if wide {
		columns = append(columns, column{"REASON", nil})
	}
	rows := make([][]cell, 0, len(h.Triggers))
	for i := range h.Triggers {
		t := &h.Triggers[i]
		home := h.Namespace
		if wide {
			home = ""
		}
		number, took, what := none, none, changed(t, home)
		if t.Number > 0 {
			number = strconv.FormatInt(t.Number, 10)
		}
		if t.DurationSeconds != nil {
			took = seconds(*t.DurationSeconds)
		}
		if t.Reason != trigger.ReasonChange && t.Reason != "" && !wide {
			if what == none {
				what = "(" + string(t.Reason) + ")"
			} else {
				what = string(t.Reason) + ": " + what
			}
		}
		row := []cell{plainCell(number), plainCell(w.age(&t.Time)), plainCell(t.Job), {t.Outcome, ofOutcome(t.Outcome)}, plainCell(took), plainCell(what)}
		if wide {
			row = append(row, plainCell(orNone(string(t.Reason))))
		}
		rows = append(rows, row)
	}
	w.table(columns, rows)
}
