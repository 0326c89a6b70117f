package trigger

import (
	"bytes"
	"encoding/json"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// hashInterval is the least time between two writes of status that say nothing new but the hashes of what is
// pending anyway: an object that changes all the time must not make us write all the time.
const hashInterval = 10 * time.Second

// status is what is to be said in the end.
func (s *state) status(v verdict) *v1alpha.ChangeTriggeredJobStatus {
	next := &v1alpha.ChangeTriggeredJobStatus{
		ObservedGeneration: s.in.Generation,
		ResourceHashes:     resourceHashes(s.refs, s.in.Now, s.spec.EffectiveSettle() > 0),
		LastJobName:        s.lastJobName,
		LastJobStatus:      s.lastJobStatus,
		TriggerCount:       s.count,
		LastRunNow:         s.lastRunNow,
		Conditions:         s.conditions(v),
		Retry:              s.retries.status(),
		FirstRunPending:    s.firstRun,
	}
	if !s.lastFinished.IsZero() {
		next.LastJobFinishedTime = &metav1.Time{Time: s.lastFinished}
	}
	if !s.lastTriggered.IsZero() {
		next.LastTriggeredTime = &metav1.Time{Time: s.lastTriggered}
	}
	for _, name := range s.active[:min(len(s.active), v1alpha.MaxActive)] {
		next.Active = append(next.Active, v1alpha.JobReference{Name: name})
	}
	s.leaveUndated(next)
	return next
}

// writeAt says when next is to be written; zero for at once.
func (s *state) writeAt(next *v1alpha.ChangeTriggeredJobStatus) time.Time {
	if s.firstLookAlone(next) {
		return s.firstLookEnd()
	}
	if s.hashesAlone(next) && !s.in.LastStatusWrite.After(s.in.Now) {
		return s.in.LastStatusWrite.Add(hashInterval)
	}
	return time.Time{}
}

// firstLookAlone reports whether all there is to say of a new spec is that some of it has not been seen yet: that
// is over in a moment, and then said with the rest.
func (s *state) firstLookAlone(next *v1alpha.ChangeTriggeredJobStatus) bool {
	if s.firstLookEnd().IsZero() || s.stored.ObservedGeneration == s.in.Generation {
		return false
	}
	rest := *next
	rest.Conditions, rest.ObservedGeneration = s.stored.Conditions, s.stored.ObservedGeneration
	rest.ResourceHashes, rest.FirstRunPending = nil, s.stored.FirstRunPending
	for i := range next.ResourceHashes {
		if !s.refs[i].awaitsFirstLook() {
			rest.ResourceHashes = append(rest.ResourceHashes, next.ResourceHashes[i])
		}
	}
	return alike(s.stored, &rest)
}

// firstLookEnd is until when a reference that was never seen is given time; zero where there is none.
func (s *state) firstLookEnd() time.Time {
	var end time.Time
	for i := range s.refs {
		if ref := &s.refs[i]; ref.awaitsFirstLook() && (end.IsZero() || ref.shownAt.Before(end)) {
			end = ref.shownAt
		}
	}
	return end
}

// hashesAlone reports whether next says nothing new but the hashes of what is pending anyway.
func (s *state) hashesAlone(next *v1alpha.ChangeTriggeredJobStatus) bool {
	rest := next.DeepCopy()
	for i := range min(len(rest.ResourceHashes), len(s.stored.ResourceHashes)) {
		fields, stored := rest.ResourceHashes[i].Fields, s.stored.ResourceHashes[i].Fields
		if count := s.stored.ResourceHashes[i].LoopCount; rest.ResourceHashes[i].LoopCount == 0 && count < loopAfter {
			rest.ResourceHashes[i].LoopCount = count // that it is no loop can wait, as long as nobody suspects one
		}
		if rest.ResourceHashes[i].PendingSince != nil && s.stored.ResourceHashes[i].PendingSince != nil {
			rest.ResourceHashes[i].ChangedTime = s.stored.ResourceHashes[i].ChangedTime
		}
		s.leaveUncounted(i, &rest.ResourceHashes[i], &s.stored.ResourceHashes[i])
		for j := range min(len(fields), len(stored)) {
			if fields[j].LastTriggeredHash != "" && stored[j].LastTriggeredHash != "" {
				fields[j].Hash = stored[j].Hash
				rest.ResourceHashes[i].Matched = s.stored.ResourceHashes[i].Matched
				rest.ResourceHashes[i].LastTriggeredMatched = s.stored.ResourceHashes[i].LastTriggeredMatched
			}
		}
	}
	// While it settles, each change moves the time that the condition names.
	last, now := s.lastCondition(ConditionProgressing), meta.FindStatusCondition(rest.Conditions, ConditionProgressing)
	if last != nil && now != nil && last.Reason == ReasonSettling && now.Reason == ReasonSettling {
		now.Message = last.Message
	}
	return alike(s.stored, rest)
}

// alike reports whether two statuses are stored as the same bytes: then there is nothing to write.
func alike(a, b *v1alpha.ChangeTriggeredJobStatus) bool {
	if a.TriggerCount != b.TriggerCount || a.ObservedGeneration != b.ObservedGeneration {
		return false
	}
	if reflect.DeepEqual(a, b) { // so it is most of the time, and that is found out sooner
		return true
	}
	// A status can always be marshalled. Were that to change, differing would be the safe answer.
	bytesA, errA := json.Marshal(a)
	bytesB, errB := json.Marshal(b)
	return errA == nil && errB == nil && bytes.Equal(bytesA, bytesB)
}
