package trigger

import (
	"fmt"
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
	for i := range s.spec.Windows {
		w := &s.spec.Windows[i]
		parsed, err := window.Parse(w.Schedule, w.EffectiveTimeZone(), w.Duration.Duration)
		if err != nil {
			continue // the spec is invalid then, and nothing triggers
		}
		if parsed.Open(at) {
			return false, time.Time{}
		}
		if next := parsed.Next(at); opens.IsZero() || !next.IsZero() && next.Before(opens) {
			opens = next
		}
	}
	return len(s.spec.Windows) > 0, opens
}
