package trigger

import (
	"fmt"
	"slices"
	"time"

	"github.com/nusnewob/kube-changejob/pkg/window"
)

// untilOpen is the wait for a window; it has no reason where one is open.
func (s *state) untilOpen(o occasion) verdict {
	outside, opens := s.outsideWindows(s.in.Now)
	if !outside {
		return verdict{}
	}
	message := o.what + "; outside of all windows, and none opens within five years"
	if !opens.IsZero() {
		message = fmt.Sprintf("%s; outside of all windows, the next one opens at %s", o.what, opens.UTC().Format(time.RFC3339))
	}
	return verdict{reason: ReasonOutsideWindow, message: message, until: opens}
}

// outsideWindows reports whether no window of the spec is open at a time, and when the next one opens; zero where none does within
// five years. Without windows there is no outside.
func (s *state) outsideWindows(at time.Time) (outside bool, opens time.Time) {
	windows := s.windows()
	for _, w := range windows {
		if w.Open(at) {
			return false, time.Time{}
		}
		if next := w.Next(at); opens.IsZero() || !next.IsZero() && next.Before(opens) {
			opens = next
		}
	}
	return len(s.spec.Windows) > 0, opens
}

// maxOverlaps is how many windows, of which each opens before the one before it has closed, are followed to their end.
const maxOverlaps = 50

// windowsClose is when no window is open any more of those that are at a time, or earlier, where very many overlap; zero without windows.
func (s *state) windowsClose(at time.Time) (closes time.Time) {
	windows := s.windows()
	for range maxOverlaps {
		open := slices.IndexFunc(windows, func(w *window.Window) bool { return w.Open(at) })
		if open < 0 {
			break
		}
		at = windows[open].Closes(at)
		closes = at
	}
	return closes
}

// windows are those of the spec. Where one cannot be parsed, the spec is invalid, and nothing triggers.
func (s *state) windows() []*window.Window {
	windows := make([]*window.Window, 0, len(s.spec.Windows))
	for i := range s.spec.Windows {
		w := &s.spec.Windows[i]
		if parsed, err := window.Parse(w.Schedule, w.EffectiveTimeZone(), w.Duration.Duration); err == nil {
			windows = append(windows, parsed)
		}
	}
	return windows
}
