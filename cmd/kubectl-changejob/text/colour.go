package text

import (
	"slices"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// colour is how a terminal is told to show a text.
type colour string

const (
	plain  colour = ""
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
	bold   colour = "1"
)

func (w *Writer) paint(text string, c colour) string {
	if !w.Colour || c == plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// ofState is green where all is well, red where something needs attention, and yellow while something waits.
func ofState(s *report.Summary) colour {
	switch {
	case s.Degraded && !slices.Contains(harmless, s.State):
		return red
	case s.State == trigger.ReasonIdle || s.State == trigger.ReasonJobActive:
		return green
	default:
		return yellow
	}
}

// harmless are the states that are no trouble, though the last Job may have failed.
var harmless = slices.Concat(trigger.Skips, []string{
	trigger.ReasonTriggering, trigger.ReasonRetrying, trigger.ReasonIdle, trigger.ReasonJobActive, trigger.ReasonFirstLook, report.StateNotObserved,
})

func ofOutcome(outcome string) colour {
	switch v1alpha.JobStatus(outcome) {
	case v1alpha.JobSucceeded:
		return green
	case v1alpha.JobFailed:
		return red
	case v1alpha.JobActive:
		return yellow
	default:
		return plain
	}
}

func ofField(state report.FieldState) colour {
	if state.Pending() {
		return yellow
	}
	return plain
}
