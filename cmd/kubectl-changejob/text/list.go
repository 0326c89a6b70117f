package text

import (
	"fmt"
	"strconv"

	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
)

// List writes ChangeTriggeredJobs, one in a line; namespaces says whether each line names its namespace, and wide whether it
// tells all that it can.
func (w *Writer) List(list report.List, namespaces, wide bool) {
	columns := []column{
		{"NAME", cut}, {"STATE", nil}, {"PENDING", nil}, {"LAST", nil}, {"OUTCOME", nil}, {"NEXT", nil},
	}
	if namespaces {
		columns = append([]column{{"NAMESPACE", cut}}, columns...)
	}
	if wide {
		columns = append(columns, column{"AGE", nil}, column{"TRIGGERS", nil}, column{"CONDITION", nil}, column{"COOLDOWN", nil},
			column{"LAST JOB", nil}, column{"MESSAGE", nil})
	}
	rows := make([][]cell, 0, len(list.Items))
	for i := range list.Items {
		s := &list.Items[i]
		var row []cell
		if namespaces {
			row = append(row, plainCell(s.Namespace))
		}
		pending := plainCell(fmt.Sprintf("%d/%d", s.Pending, s.References))
		if s.Pending > 0 {
			pending.colour = yellow
		}
		row = append(row, plainCell(s.Name), cell{s.State, ofState(s)}, pending, plainCell(w.age(s.LastTriggeredTime)),
			cell{orNone(string(s.LastJobStatus)), ofOutcome(string(s.LastJobStatus))}, plainCell(w.until(s.Next.Time)))
		if wide {
			row = append(row, plainCell(w.age(&s.CreationTimestamp)), plainCell(strconv.FormatInt(s.TriggerCount, 10)),
				plainCell(string(s.Condition)), plainCell(s.Cooldown), plainCell(orNone(s.LastJobName)), plainCell(orNone(s.Message)))
		}
		rows = append(rows, row)
	}
	w.table(columns, rows)
}

func orNone(text string) string {
	if text == "" {
		return none
	}
	return text
}
