package controllers

import (
	"slices"
	"time"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// answered counts a trigger, and measures how long the change took that its Job was created for. A change that this process has not seen, but
// found in status, is not measured.
func (r *record) answered(creation *trigger.Creation, at time.Time) {
	triggersTotal.Of(string(creation.Reason)).Inc()
	if !r.seen.at.IsZero() {
		triggerDuration.Of(waitedLabel[r.seen.waited]).Observe(max(0, at.Sub(r.seen.at)).Seconds())
	}
	r.seen = firstSeen{}
}

var waitedLabel = map[bool]string{false: "false", true: "true"}

// answer forgets the change that was seen unless it is still pending by what was decided, and remembers if it is the ChangeTriggeredJob that
// lets it wait.
func (r *record) answer(ctj *v1alpha.ChangeTriggeredJob, decision trigger.Decision) {
	switch reason := pendingReason(statusOf(ctj, decision)); {
	case reason == "":
		r.seen = firstSeen{}
	case slices.Contains(askedReasons, reason):
		r.seen.waited = true
	}
}
