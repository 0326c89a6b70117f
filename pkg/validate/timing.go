package validate

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/window"
)

const (
	maxScheduleLength = 256
	maxTimeZoneLength = 64
)

// checkTiming checks what says when a Job may run.
func checkTiming(spec *v1alpha.ChangeTriggeredJobSpec, path *field.Path) field.ErrorList {
	cooldown := spec.EffectiveCooldown()
	errs := checkDuration(spec.Cooldown, path.Child("cooldown"), 0, v1alpha.MaxCooldown, "must be a duration from 0s to 720h (30 days)")

	settle := path.Child("settle")
	wrong := checkDuration(spec.Settle, settle, 0, v1alpha.MaxCooldown, "must be a duration from 0s to 720h (30 days)")
	if s := spec.Settle; s != nil && len(wrong) == 0 && s.Duration > cooldown {
		wrong = append(wrong, field.Invalid(settle, s.Duration.String(), fmt.Sprintf(
			"must be no longer than cooldown (%s): settling puts a trigger off by the cooldown at most", cooldown)))
	}
	errs = append(errs, wrong...)

	deadline := path.Child("pendingDeadline")
	wrong = checkDuration(spec.PendingDeadline, deadline, v1alpha.MinPendingDeadline, v1alpha.MaxPendingDeadline,
		"must be a duration from 1s to 8760h (365 days)")
	if d := spec.PendingDeadline; d != nil && len(wrong) == 0 && d.Duration <= cooldown {
		wrong = append(wrong, field.Invalid(deadline, d.Duration.String(), fmt.Sprintf(
			"must be longer than cooldown (%s): what changes inside the cooldown would be forgotten before it can trigger", cooldown)))
	}
	errs = append(errs, wrong...)
	return append(errs, checkWindows(spec.Windows, path.Child("windows"))...)
}

func checkWindows(windows []v1alpha.TriggerWindow, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(windows) > v1alpha.MaxWindows {
		errs = append(errs, field.TooMany(path, len(windows), v1alpha.MaxWindows))
	}
	for i := range windows {
		w, at := &windows[i], path.Index(i)
		wrong := checkText(w.Schedule, at.Child("schedule"), maxScheduleLength)
		if len(wrong) == 0 {
			if _, err := window.Schedule(w.Schedule); err != nil {
				wrong = append(wrong, field.Invalid(at.Child("schedule"), w.Schedule, Shorten(err.Error())))
			}
		}
		errs = append(errs, wrong...)
		wrong = checkText(w.EffectiveTimeZone(), at.Child("timeZone"), maxTimeZoneLength)
		if len(wrong) == 0 {
			if _, err := window.Zone(w.EffectiveTimeZone()); err != nil {
				wrong = append(wrong, field.Invalid(at.Child("timeZone"), w.TimeZone, err.Error()))
			}
		}
		errs = append(errs, wrong...)
		errs = append(errs, checkDuration(&w.Duration, at.Child("duration"), v1alpha.MinWindowDuration, v1alpha.MaxWindowDuration,
			"must be a duration from 1m to 168h (7 days)")...)
	}
	return errs
}

// checkDuration checks that a duration, where there is one, lies between two others.
func checkDuration(d *metav1.Duration, path *field.Path, least, most time.Duration, message string) field.ErrorList {
	if d == nil || d.Duration >= least && d.Duration <= most {
		return nil
	}
	return field.ErrorList{field.Invalid(path, d.Duration.String(), message)}
}
