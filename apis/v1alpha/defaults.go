package v1alpha

import (
	"slices"
	"time"
)

// DefaultCooldown is the cooldown where the spec does not say.
const DefaultCooldown = 60 * time.Second

// MaxCooldown is the longest cooldown.
const MaxCooldown = 30 * 24 * time.Hour

// MaxPendingDeadline is the longest pendingDeadline, and MinPendingDeadline the shortest.
const (
	MaxPendingDeadline = 365 * 24 * time.Hour
	MinPendingDeadline = time.Second
)

// MaxWindowDuration is the longest time a window stays open, and MinWindowDuration the shortest.
const (
	MaxWindowDuration = 7 * 24 * time.Hour
	MinWindowDuration = time.Minute
)

// DefaultTimeZone is the time zone of a window that does not name one.
const DefaultTimeZone = "UTC"

// The methods below read a field as the schema's defaults would have it, so that an object stored before
// the schema had them reads the same.

// EffectiveCondition is condition, by default Any.
func (s *ChangeTriggeredJobSpec) EffectiveCondition() TriggerCondition {
	if s.Condition == "" {
		return TriggerAny
	}
	return s.Condition
}

// EffectiveCooldown is cooldown, by default 60s, held between 0 and 30 days.
func (s *ChangeTriggeredJobSpec) EffectiveCooldown() time.Duration {
	if s.Cooldown == nil {
		return DefaultCooldown
	}
	return min(max(s.Cooldown.Duration, 0), MaxCooldown)
}

// EffectiveSettle is settle, by default 0s, held between 0 and the cooldown.
func (s *ChangeTriggeredJobSpec) EffectiveSettle() time.Duration {
	if s.Settle == nil {
		return 0
	}
	return min(max(s.Settle.Duration, 0), s.EffectiveCooldown())
}

// EffectivePendingDeadline is pendingDeadline; 0 where there is none.
func (s *ChangeTriggeredJobSpec) EffectivePendingDeadline() time.Duration {
	if s.PendingDeadline == nil {
		return 0
	}
	return min(max(s.PendingDeadline.Duration, MinPendingDeadline), MaxPendingDeadline)
}

// RunsOnCreate is runOnCreate, by default false.
func (s *ChangeTriggeredJobSpec) RunsOnCreate() bool { return s.RunOnCreate != nil && *s.RunOnCreate }

// EffectiveOnFailure is onFailure, by default Ignore.
func (s *ChangeTriggeredJobSpec) EffectiveOnFailure() FailurePolicy {
	if s.OnFailure == "" {
		return IgnoreFailure
	}
	return s.OnFailure
}

// EffectiveRetriggerLimit is retriggerLimit, by default 3, held between 1 and 100.
func (s *ChangeTriggeredJobSpec) EffectiveRetriggerLimit() int32 {
	if s.RetriggerLimit == nil {
		return DefaultRetriggerLimit
	}
	return min(max(*s.RetriggerLimit, 1), MaxRetriggerLimit)
}

// EffectiveTimeZone is timeZone, by default UTC.
func (w *TriggerWindow) EffectiveTimeZone() string {
	if w.TimeZone == "" {
		return DefaultTimeZone
	}
	return w.TimeZone
}

// EffectiveHistory is history, by default 5 and at least 1.
func (s *ChangeTriggeredJobSpec) EffectiveHistory() int {
	if s.History == nil {
		return int(DefaultHistory)
	}
	return max(int(*s.History), 1)
}

// Suspended is suspend, by default false.
func (s *ChangeTriggeredJobSpec) Suspended() bool { return s.Suspend != nil && *s.Suspend }

// EffectiveConcurrencyPolicy is concurrencyPolicy, by default Allow.
func (s *ChangeTriggeredJobSpec) EffectiveConcurrencyPolicy() ConcurrencyPolicy {
	if s.ConcurrencyPolicy == "" {
		return AllowConcurrent
	}
	return s.ConcurrencyPolicy
}

// EffectiveOnLoop is onLoop, by default SlowDown.
func (s *ChangeTriggeredJobSpec) EffectiveOnLoop() LoopPolicy {
	if s.OnLoop == "" {
		return SlowDownLoop
	}
	return s.OnLoop
}

// EffectiveFields is fields, by default the whole object.
func (r *ResourceReference) EffectiveFields() []string {
	if len(r.Fields) == 0 {
		return []string{AllFields}
	}
	return r.Fields
}

// CountsAll reports whether every change of the object counts.
func (r *ResourceReference) CountsAll() bool { return len(r.Changes) == 0 }

// SameChanges reports whether the same changes count in two references.
func (r *ResourceReference) SameChanges(other *ResourceReference) bool {
	for _, change := range allChanges {
		if r.Counts(change) != other.Counts(change) {
			return false
		}
	}
	return true
}

// Counts reports whether a change of that type counts.
func (r *ResourceReference) Counts(change ChangeType) bool {
	return r.CountsAll() || slices.Contains(r.Changes, change)
}

var allChanges = []ChangeType{ChangeCreated, ChangeUpdated, ChangeDeleted}
