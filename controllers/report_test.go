package controllers

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// TestAWaitIsLoggedOnce: what is said of one that settles is new with every change.
func TestAWaitIsLoggedOnce(t *testing.T) {
	waiting := func(reason string) *v1alpha.ChangeTriggeredJobStatus {
		return &v1alpha.ChangeTriggeredJobStatus{Conditions: []metav1.Condition{{Type: trigger.ConditionProgressing, Status: metav1.ConditionTrue, Reason: reason}}}
	}
	until := func(seconds int) string {
		return "ConfigMap default/a changed; settling until " + time.Date(2026, 3, 4, 12, 0, seconds, 0, time.UTC).Format(time.RFC3339)
	}
	var logged []string
	ctx := log.IntoContext(t.Context(), funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{}))
	reconciler, record, ctj := &Reconciler{}, &record{}, &v1alpha.ChangeTriggeredJob{}
	report := func(decision trigger.Decision) int {
		before := len(logged)
		reconciler.report(ctx, ctj, record, decision)
		if decision.Status != nil {
			ctj.Status = *decision.Status
		}
		return len(logged) - before
	}

	assert.Equal(t, 1, report(trigger.Decision{Status: waiting(trigger.ReasonSettling), Skip: until(5)}))
	for seconds := range 30 {
		decision := trigger.Decision{Deferred: &trigger.Deferral{Status: waiting(trigger.ReasonSettling)}, Skip: until(seconds)}
		if seconds%10 == 0 {
			decision.Status, decision.Deferred = decision.Deferred.Status, nil
		}
		assert.Zero(t, report(decision), "the end moves, and nothing else")
	}
	assert.Zero(t, report(trigger.Decision{Skip: until(31)}), "status says it already")
	assert.Equal(t, 1, report(trigger.Decision{Status: waiting(trigger.ReasonJobRunning), Skip: "waiting for the end of Job a"}), "another wait")
	assert.Zero(t, report(trigger.Decision{Status: waiting(trigger.ReasonJobActive)}), "none")
	assert.Equal(t, 1, report(trigger.Decision{Status: waiting(trigger.ReasonJobRunning), Skip: "waiting for the end of Job b"}), "the same again, later")
	assert.Contains(t, logged[0], fmt.Sprintf(`"why"=%q`, until(5)))

	ctj.Status = v1alpha.ChangeTriggeredJobStatus{}
	assert.Equal(t, 1, report(trigger.Decision{Skip: "waiting for a look"}), "before anything is written")
	assert.Zero(t, report(trigger.Decision{Skip: "waiting for a look"}))
}
