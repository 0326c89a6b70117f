// Package window answers whether it is now within a recurring window of time, and if not, when the next one opens.
package window

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the image has no time zones of its own

	"github.com/robfig/cron/v3"
)

// Window opens whenever its schedule says so, and stays open for its duration.
type Window struct {
	schedule cron.Schedule
	zone     *time.Location
	duration time.Duration
}

// Parse returns the window of a schedule, the name of a time zone and a duration; see Schedule and Zone for what is refused.
func Parse(schedule, zone string, duration time.Duration) (*Window, error) {
	parsed, err := Schedule(schedule)
	if err != nil {
		return nil, fmt.Errorf("schedule: %w", err)
	}
	location, err := Zone(zone)
	if err != nil {
		return nil, fmt.Errorf("timeZone: %w", err)
	}
	return &Window{schedule: parsed, zone: location, duration: duration}, nil
}

// fiveFields is the cron of old: minute, hour, day of the month, month and day of the week; no seconds, and no @daily.
var fiveFields = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// aLeapYear begins the time in which a schedule must come to pass: five years from here have every date that there is.
var aLeapYear = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// Schedule parses a cron expression of five fields. One that never comes to pass, such as the 30th of February, is refused.
func Schedule(text string) (cron.Schedule, error) {
	if strings.Contains(text, "=") { // the parser would take TZ=… for a time zone
		return nil, errors.New("must have five fields and no time zone, which timeZone is for")
	}
	schedule, err := fiveFields.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("must be a cron expression of five fields such as 0 22 * * 1-5: %w", err)
	}
	if schedule.Next(aLeapYear).IsZero() {
		return nil, errors.New("never comes to pass")
	}
	return schedule, nil
}

// zones holds the time zones that were asked for; there are some six hundred.
var zones sync.Map

// Zone returns the time zone of an IANA name such as Europe/Berlin; empty is UTC. Local is refused: where the operator runs
// is nobody's business.
func Zone(name string) (*time.Location, error) {
	if known, ok := zones.Load(name); ok {
		return known.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || zone == time.Local || name != "" && path.Clean(name) != name { // lest one zone has names without end
		return nil, errors.New("must be the IANA name of a time zone such as UTC or Europe/Berlin")
	}
	zones.Store(name, zone)
	return zone, nil
}

// Open reports whether now is within the window: at its beginning it is, at its end it is not any more.
func (w *Window) Open(now time.Time) bool {
	return !w.Closes(now).IsZero()
}

// Closes returns when the window that is open now closes, whether or not it opens again before; zero where it is not open. Where it has opened
// several times, it is the first of these that is meant.
func (w *Window) Closes(now time.Time) time.Time {
	// The first opening after the last one that would be over by now: however often the schedule comes to pass, one look is
	// enough.
	opening := w.Next(now.Add(-w.duration))
	if opening.IsZero() || opening.After(now) {
		return time.Time{}
	}
	return opening.Add(w.duration)
}

// Next returns when the window opens next after the given time; zero where that is more than five years away.
//
// Where the clock jumps over the time of an opening, the window opens at the jump. An opening in an hour that comes twice
// comes twice.
//
// The schedule is asked in a time that no zone bends, from one jump of the zone's clock to the next: between two jumps the clock
// on the wall goes evenly. Asked in the zone itself, the schedule loses the first midnight after a jump of half an hour.
func (w *Window) Next(after time.Time) time.Time {
	after = after.In(w.zone)
	for shown := face(after); ; {
		shown = w.schedule.Next(shown)
		if shown.IsZero() {
			return time.Time{}
		}
		_, offset := after.Zone()
		opening := shown.Add(-time.Duration(offset) * time.Second).In(w.zone)
		_, jump := after.ZoneBounds()
		if jump.IsZero() || opening.Before(jump) {
			return opening
		}
		if !shown.After(face(jump)) {
			return jump
		}
		after, shown = jump, face(jump).Add(-time.Nanosecond) // the moment of the jump itself may be an opening
	}
}

// face is what the clock on the wall shows at t, as a time that no time zone bends.
func face(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}
