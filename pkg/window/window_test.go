package window

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const stamp = "2006-01-02 15:04 -07"

// moment reads a time as the tables write it.
func moment(t require.TestingT, text string) time.Time {
	at, err := time.Parse(stamp, text)
	require.NoError(t, err)
	return at
}

func TestWhenAWindowOpensNext(t *testing.T) {
	for sentence, c := range map[string]struct{ schedule, zone, after, want string }{
		"later the same day": {"0 22 * * *", "", "2026-03-04 12:00 +00", "2026-03-04 22:00 +00"},
		"on the next day, not at the moment itself": {
			"0 22 * * *", "", "2026-03-04 22:00 +00", "2026-03-05 22:00 +00"},
		"on the next working day": {"0 22 * * 1-5", "", "2026-03-06 22:30 +00", "2026-03-09 22:00 +00"},
		"on a day by its name":    {"30 6 * JUL MON", "", "2026-03-04 12:00 +00", "2026-07-06 06:30 +00"},
		"by the clock of the time zone": {
			"0 22 * * *", "Europe/Berlin", "2026-03-04 12:00 +00", "2026-03-04 21:00 +00"},
		"by its clock in summer": {
			"0 22 * * *", "Europe/Berlin", "2026-07-04 12:00 +00", "2026-07-04 20:00 +00"},
		"in a zone of half an hour": {
			"0 9 * * *", "Asia/Kolkata", "2026-07-04 12:00 +00", "2026-07-05 03:30 +00"},
		"on a day that every fourth year has": {
			"0 0 29 2 *", "", "2026-03-04 12:00 +00", "2028-02-29 00:00 +00"},
		"at the jump, where the clock jumps over it": {
			"30 2 * * *", "Europe/Berlin", "2026-03-29 00:30 +00", "2026-03-29 01:00 +00"},
		"at the jump west of Greenwich": {
			"30 2 * * *", "America/New_York", "2026-03-08 06:30 +00", "2026-03-08 07:00 +00"},
		"at the jump over midnight": {
			"0 0 * * *", "Africa/Cairo", "2026-04-23 12:00 +00", "2026-04-23 22:00 +00"},
		"at a jump of half an hour": {
			"15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00 +00", "2026-10-03 15:30 +00"},
		"at the first midnight after a jump of half an hour": {
			"0 0 * * *", "Australia/Lord_Howe", "2026-10-03 13:30 +00", "2026-10-04 13:00 +00"},
		"at the moment after the hour that comes twice": {
			"0 3 * * *", "Europe/Berlin", "2026-10-24 23:00 +00", "2026-10-25 02:00 +00"},
		"where an hour comes twice, at its beginning for the second time": {
			"0 2 * * *", "Europe/Berlin", "2026-10-25 00:00 +00", "2026-10-25 01:00 +00"},
		"at the moment to which the clock jumps": {
			"0 3 * * *", "Europe/Berlin", "2026-03-28 12:00 +00", "2026-03-29 01:00 +00"},
		"once at the jump": {
			"30 2 * * *", "Europe/Berlin", "2026-03-29 01:00 +00", "2026-03-30 00:30 +00"},
		"in an hour that comes twice, the first time": {
			"30 2 * * *", "Europe/Berlin", "2026-10-24 23:00 +00", "2026-10-25 00:30 +00"},
		"in an hour that comes twice, the second time": {
			"30 2 * * *", "Europe/Berlin", "2026-10-25 00:30 +00", "2026-10-25 01:30 +00"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w, err := Parse(c.schedule, c.zone, time.Hour)
			require.NoError(t, err)
			assert.Equal(t, c.want, w.Next(moment(t, c.after)).UTC().Format(stamp))
		})
	}
}

func TestWhenAWindowIsOpen(t *testing.T) {
	for sentence, c := range map[string]struct {
		schedule, zone string
		duration       time.Duration
		now            string
		want           bool
	}{
		"not a minute before":         {"0 22 * * *", "", 2 * time.Hour, "2026-03-04 21:59 +00", false},
		"from the minute of schedule": {"0 22 * * *", "", 2 * time.Hour, "2026-03-04 22:00 +00", true},
		"within":                      {"0 22 * * *", "", 2 * time.Hour, "2026-03-04 23:59 +00", true},
		"not at its end":              {"0 22 * * *", "", 2 * time.Hour, "2026-03-05 00:00 +00", false},
		"over midnight":               {"0 22 * * *", "", 4 * time.Hour, "2026-03-05 01:59 +00", true},
		"over days": {
			"0 20 * * FRI", "", 60 * time.Hour, "2026-03-08 12:00 +00", true},
		"for a week, opened each minute": {
			"* * * * *", "", 7 * 24 * time.Hour, "2026-03-08 12:00 +00", true},
		"for a minute each hour": {
			"0 * * * *", "", time.Minute, "2026-03-08 12:01 +00", false},
		"for as long as ever, on the day that has an hour less": {
			"0 1 * * *", "Europe/Berlin", 2 * time.Hour, "2026-03-29 01:59 +00", true},
		"and no longer": {
			"0 1 * * *", "Europe/Berlin", 2 * time.Hour, "2026-03-29 02:00 +00", false},
		"from the jump over its schedule": {
			"30 2 * * *", "Europe/Berlin", time.Hour, "2026-03-29 01:00 +00", true},
		"not longer for the jump": {
			"30 2 * * *", "Europe/Berlin", time.Hour, "2026-03-29 02:00 +00", false},
	} {
		t.Run(sentence, func(t *testing.T) {
			w, err := Parse(c.schedule, c.zone, c.duration)
			require.NoError(t, err)
			assert.Equal(t, c.want, w.Open(moment(t, c.now)))
		})
	}
}

func TestWhenAWindowCloses(t *testing.T) {
	for sentence, c := range map[string]struct {
		schedule, zone string
		duration       time.Duration
		now, want      string
	}{
		"never while it is closed":                       {"0 22 * * *", "", 2 * time.Hour, "2026-03-04 21:59 +00", ""},
		"after its duration":                             {"0 22 * * *", "", 2 * time.Hour, "2026-03-04 22:00 +00", "2026-03-05 00:00 +00"},
		"wherever in it":                                 {"0 22 * * *", "", 2 * time.Hour, "2026-03-04 23:59 +00", "2026-03-05 00:00 +00"},
		"by the first of several openings":               {"0 * * * *", "", 90 * time.Minute, "2026-03-04 12:10 +00", "2026-03-04 12:30 +00"},
		"by the second, once the first is over":          {"0 * * * *", "", 90 * time.Minute, "2026-03-04 12:30 +00", "2026-03-04 13:30 +00"},
		"by any clock, on the day that has an hour less": {"0 1 * * *", "Europe/Berlin", 2 * time.Hour, "2026-03-29 01:59 +00", "2026-03-29 02:00 +00"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w, err := Parse(c.schedule, c.zone, c.duration)
			require.NoError(t, err)
			closes := w.Closes(moment(t, c.now))
			if c.want == "" {
				assert.Zero(t, closes)
				return
			}
			assert.True(t, closes.Equal(moment(t, c.want)), closes)
		})
	}
}

// TestAWindowIsOpenAfterEachOpening compares Next and Open with a look at the clock on the wall in every minute of the days around
// its jumps.
func TestAWindowIsOpenAfterEachOpening(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kathmandu"}).Draw(t, "zone")
		schedule := rapid.SampledFrom([]string{"30 2 * * *", "*/20 * * * *", "0 0 * * *", "15 1-3 * * *", "0 */5 * * *", "45 23 * * SAT"}).Draw(t, "schedule")
		duration := time.Duration(rapid.IntRange(1, 400).Draw(t, "minutes")) * time.Minute
		day := rapid.SampledFrom([]string{"2026-03-08 00:00 +00", "2026-03-29 00:00 +00", "2026-04-05 00:00 +00", "2026-04-24 00:00 +00", "2026-10-04 00:00 +00", "2026-10-25 00:00 +00", "2026-11-01 00:00 +00"}).Draw(t, "day")
		w, err := Parse(schedule, zone, duration)
		require.NoError(t, err)

		begin := moment(t, day).Add(-30 * time.Hour)
		var openings []time.Time
		for at := begin.Add(time.Minute); at.Before(begin.Add(72 * time.Hour)); at = at.Add(time.Minute) {
			// What the wall has shown since the minute before: a minute, more where the clock jumped over it.
			shown := face(at.In(w.zone))
			since := face(at.Add(-time.Minute).In(w.zone))
			if !since.Before(shown) { // the clock jumped back
				since = shown.Add(-time.Minute)
			}
			if !w.schedule.Next(since).After(shown) {
				openings = append(openings, at)
			}
		}
		next := begin
		for _, opening := range openings {
			next = w.Next(next)
			require.Equal(t, opening.UTC(), next.UTC())
		}
		for at := begin.Add(duration); at.Before(begin.Add(72 * time.Hour)); at = at.Add(7 * time.Minute) {
			want := false
			for _, opening := range openings {
				want = want || !at.Before(opening) && at.Before(opening.Add(duration))
			}
			require.Equal(t, want, w.Open(at), "%s", at)
		}
	})
}

func TestWhatIsRefused(t *testing.T) {
	for schedule, want := range map[string]string{
		"":                      "cron expression of five fields",
		"* * * *":               "cron expression of five fields",
		"0 * * * * *":           "cron expression of five fields",
		"@daily":                "cron expression of five fields",
		"@every 1h":             "cron expression of five fields",
		"60 * * * *":            "above maximum (59)",
		"* 24 * * *":            "above maximum (23)",
		"* * 0 * *":             "below minimum (1)",
		"* * * * 7":             "above maximum (6)",
		"*/0 * * * *":           "cron expression of five fields",
		"* * * * NOON":          "cron expression of five fields",
		"TZ=UTC * * * * *":      "no time zone",
		"CRON_TZ=UTC * * * * *": "no time zone",
		"TZ=":                   "no time zone",
		"0 0 30 2 *":            "never comes to pass",
		"0 0 31 2,4,6 *":        "never comes to pass",
	} {
		t.Run(schedule, func(t *testing.T) {
			_, err := Parse(schedule, "", time.Hour)
			assert.ErrorContains(t, err, want)
			assert.ErrorContains(t, err, "schedule: ")
		})
	}
	for _, zone := range []string{"Local", "Berlin", "Europe/Atlantis", "../UTC", "/etc/localtime", "CET+1", "Europe//Berlin", "Europe/./Berlin", "\x00", "+01:00"} {
		t.Run(zone, func(t *testing.T) {
			_, err := Parse("0 22 * * *", zone, time.Hour)
			assert.ErrorContains(t, err, "timeZone: must be the IANA name of a time zone")
		})
	}
}

func TestTimeZonesThatAreAskedForAgain(t *testing.T) {
	first, err := Zone("Europe/Berlin")
	require.NoError(t, err)
	again, err := Zone("Europe/Berlin")
	require.NoError(t, err)
	assert.Same(t, first, again)
}

func FuzzSchedule(f *testing.F) {
	for _, seed := range []string{"0 22 * * 1-5", "TZ=UTC 0", "*/5 1,2 ? JAN-MAR SUN", "99999999999999999999 * * * *", "- - - - -"} {
		f.Add(seed, "Europe/Berlin")
	}
	f.Fuzz(func(t *testing.T, schedule, zone string) {
		w, err := Parse(schedule, zone, time.Hour)
		if err != nil {
			return
		}
		now := time.Date(2026, 3, 29, 0, 59, 0, 0, time.UTC)
		w.Open(now)
		if next := w.Next(now); !next.IsZero() {
			assert.True(t, next.After(now))
			assert.True(t, w.Open(next))
		}
	})
}
