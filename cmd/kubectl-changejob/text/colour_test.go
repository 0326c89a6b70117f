package text

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// TestAWaitIsNoTrouble: while the last Job has failed, each is degraded.
func TestAWaitIsNoTrouble(t *testing.T) {
	troubles := []string{trigger.ReasonLoopSuspected, trigger.ReasonJobNotCreated, trigger.ReasonNameTaken}
	for _, reason := range trigger.Waits {
		want := yellow
		if slices.Contains(troubles, reason) {
			want = red
		}
		assert.Equal(t, want, ofState(&report.Summary{State: reason, Degraded: true}), reason)
		assert.Equal(t, yellow, ofState(&report.Summary{State: reason}), reason)
	}
	for state, want := range map[string]colour{
		trigger.ReasonIdle: green, trigger.ReasonJobActive: green, trigger.ReasonFirstLook: yellow, report.StateNotObserved: yellow,
		trigger.ReasonForbidden: red, trigger.ReasonInvalidSpec: red,
	} {
		assert.Equal(t, want, ofState(&report.Summary{State: state, Degraded: true}), state)
	}
}
