package trigger

import "time"

// clockTolerance is how far in the future the last trigger may lie: up to a second by rounding.
const clockTolerance = time.Second

// wholeSecond rounds up: status holds whole seconds, and a cooldown that counts from an earlier one would be
// cut short.
func wholeSecond(t time.Time) time.Time {
	whole := t.Truncate(time.Second)
	if whole.Before(t) {
		whole = whole.Add(time.Second)
	}
	return whole
}

// mendClock returns when the last trigger was. A time that lies in the future was written by a clock that
// was wrong (or is by one that is); taken as it is, it could stop triggers for years.
func mendClock(triggered, now time.Time) time.Time {
	if triggered.After(now.Add(clockTolerance)) {
		return wholeSecond(now)
	}
	return triggered
}

// cooldownEnd is when the cooldown ends; zero where there is none.
func (s *state) cooldownEnd() time.Time {
	cooldown := s.spec.EffectiveCooldown()
	if cooldown == 0 || s.lastTriggered.IsZero() {
		return time.Time{}
	}
	return s.lastTriggered.Add(cooldown)
}
