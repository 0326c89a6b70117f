package v1alpha

import "time"

// DefaultCooldown is the cooldown where the spec does not say.
const DefaultCooldown = 60 * time.Second

// MaxCooldown is the longest cooldown.
const MaxCooldown = 30 * 24 * time.Hour

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
