package trigger

import (
	"time"

	"github.com/nusnewob/kube-changejob/pkg/window"
)

// outsideWindows reports whether no window of the spec is open, and when the next one opens; zero where none does within five
// years. Without windows there is no outside.
func (s *state) outsideWindows() (outside bool, opens time.Time) {
	for i := range s.spec.Windows {
		w := &s.spec.Windows[i]
		parsed, err := window.Parse(w.Schedule, w.EffectiveTimeZone(), w.Duration.Duration)
		if err != nil {
			continue // the spec is invalid then, and nothing triggers
		}
		if parsed.Open(s.in.Now) {
			return false, time.Time{}
		}
		if next := parsed.Next(s.in.Now); opens.IsZero() || !next.IsZero() && next.Before(opens) {
			opens = next
		}
	}
	return len(s.spec.Windows) > 0, opens
}
