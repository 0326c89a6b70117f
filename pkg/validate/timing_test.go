package validate

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func TestWhatSaysWhenAJobMayRun(t *testing.T) {
	duration := func(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }
	window := func(schedule, zone string, d time.Duration) v1alpha.TriggerWindow {
		return v1alpha.TriggerWindow{Schedule: schedule, TimeZone: zone, Duration: metav1.Duration{Duration: d}}
	}
	for name, c := range map[string]struct {
		change func(*v1alpha.ChangeTriggeredJobSpec)
		want   []string
	}{
		"all of it at once": {
			change: func(s *v1alpha.ChangeTriggeredJobSpec) {
				s.Settle, s.PendingDeadline = duration(10*time.Second), duration(time.Hour)
				s.Windows = []v1alpha.TriggerWindow{window("0 22 * * 1-5", "Europe/Berlin", 8*time.Hour), window("0 0 * * SAT", "", 48*time.Hour)}
				s.RunOnCreate, s.OnFailure, s.RetriggerLimit = ptr(true), v1alpha.RetriggerOnFailure, ptr(int32(100))
			},
		},
		"settle as long as the cooldown": {
			change: func(s *v1alpha.ChangeTriggeredJobSpec) { s.Settle = duration(time.Minute) },
		},
		"settle longer than the cooldown that is the default": {
			change: func(s *v1alpha.ChangeTriggeredJobSpec) { s.Settle = duration(time.Minute + 1) },
			want:   []string{`spec.settle: Invalid value: "1m0.000000001s": must be no longer than cooldown (1m0s): settling puts a trigger off by the cooldown at most`},
		},
		"settle without a cooldown": {
			change: func(s *v1alpha.ChangeTriggeredJobSpec) { s.Cooldown, s.Settle = duration(0), duration(time.Second) },
			want:   []string{`spec.settle: Invalid value: "1s": must be no longer than cooldown (0s): settling puts a trigger off by the cooldown at most`},
		},
		"a negative settle": {
			change: func(s *v1alpha.ChangeTriggeredJobSpec) { s.Settle = duration(-time.Second) },
			want:   []string{`spec.settle: Invalid value: "-1s": must be a duration from 0s to 720h (30 days)`},
		},
		"a deadline as long as the cooldown": {
			change: func(s *v1alpha.ChangeTriggeredJobSpec) { s.PendingDeadline = duration(time.Minute) },
			want:   []string{`spec.pendingDeadline: Invalid value: "1m0s": must be longer than cooldown (1m0s): what changes inside the cooldown would be forgotten before it can trigger`},
		},
		"a deadline a second longer": {
			change: func(s *v1alpha.ChangeTriggeredJobSpec) { s.PendingDeadline = duration(time.Minute + time.Second) },
		},
		"a deadline of nothing": {
			change: func(s *v1alpha.ChangeTriggeredJobSpec) { s.PendingDeadline = duration(0) },
			want:   []string{`spec.pendingDeadline: Invalid value: "0s": must be a duration from 1s to 8760h (365 days)`},
		},
		"a deadline of more than a year": {
			change: func(s *v1alpha.ChangeTriggeredJobSpec) { s.PendingDeadline = duration(8760*time.Hour + 1) },
			want:   []string{`spec.pendingDeadline: Invalid value: "8760h0m0.000000001s": must be a duration from 1s to 8760h (365 days)`},
		},
		"windows that are none": {
			change: func(s *v1alpha.ChangeTriggeredJobSpec) {
				s.Windows = []v1alpha.TriggerWindow{window("0 22 * * *", "UTC", time.Hour), window("* * *", "Mars/Olympus", 0),
					window("0 0 30 2 *", "Local", 169*time.Hour), window("TZ=UTC 0 0 * * *", "", time.Hour), window("", "", time.Hour)}
			},
			want: []string{
				`spec.windows[1].schedule: Invalid value: "* * *": must be a cron expression of five fields such as 0 22 * * 1-5: expected exactly 5 fields, found 3: [* * *]`,
				`spec.windows[1].timeZone: Invalid value: "Mars/Olympus": must be the IANA name of a time zone such as UTC or Europe/Berlin`,
				`spec.windows[1].duration: Invalid value: "0s": must be a duration from 1m to 168h (7 days)`,
				`spec.windows[2].schedule: Invalid value: "0 0 30 2 *": never comes to pass`,
				`spec.windows[2].timeZone: Invalid value: "Local": must be the IANA name of a time zone such as UTC or Europe/Berlin`,
				`spec.windows[2].duration: Invalid value: "169h0m0s": must be a duration from 1m to 168h (7 days)`,
				`spec.windows[3].schedule: Invalid value: "TZ=UTC 0 0 * * *": must have five fields and no time zone, which timeZone is for`,
				`spec.windows[4].schedule: Required value: must not be empty`,
			},
		},
		"texts stored before there was a bound": {
			change: func(s *v1alpha.ChangeTriggeredJobSpec) {
				s.Windows = []v1alpha.TriggerWindow{window(strings.Repeat("é", 257), strings.Repeat("é", 65), time.Hour)}
			},
			want: []string{
				"spec.windows[0].schedule: Too long: may not be more than 256 characters",
				"spec.windows[0].timeZone: Too long: may not be more than 64 characters",
			},
		},
		"17 windows": {
			change: func(s *v1alpha.ChangeTriggeredJobSpec) {
				for range 17 {
					s.Windows = append(s.Windows, window("0 22 * * *", "", time.Hour))
				}
			},
			want: []string{"spec.windows: Too many: 17: must have at most 16 items"},
		},
		"a failure policy that does not exist": {
			change: func(s *v1alpha.ChangeTriggeredJobSpec) { s.OnFailure = "Retry" },
			want:   []string{`spec.onFailure: Unsupported value: "Retry": supported values: "Ignore", "Retrigger"`},
		},
		"no retries": {
			change: func(s *v1alpha.ChangeTriggeredJobSpec) { s.RetriggerLimit = ptr(int32(0)) },
			want:   []string{"spec.retriggerLimit: Invalid value: 0: must be from 1 to 100"},
		},
		"101 retries": {
			change: func(s *v1alpha.ChangeTriggeredJobSpec) { s.RetriggerLimit = ptr(int32(101)) },
			want:   []string{"spec.retriggerLimit: Invalid value: 101: must be from 1 to 100"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctj := valid()
			c.change(&ctj.Spec)
			assert.ElementsMatch(t, c.want, messages(Spec(ctj)))
		})
	}
}
