package controllers

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

func TestEventsAboutTriggersAreLimitedAndThoseAboutTroubleAreNot(t *testing.T) {
	now := clocktesting.NewFakePassiveClock(time.Now())
	for _, c := range []struct {
		name    string
		kind    string
		reason  string
		atOnce  int // how many of 25 at the same moment are sent
		after1s int // how many of 25 more a second later
		leftOut float64
	}{
		{"Jobs that were created", corev1.EventTypeNormal, trigger.EventJobCreated, 10, 10, 30},
		{"Jobs that were taken over", corev1.EventTypeNormal, trigger.EventJobAdopted, 10, 10, 30},
		{"Jobs that were replaced", corev1.EventTypeNormal, trigger.EventJobReplaced, 10, 10, 30},
		{"changes that wait for a cooldown", corev1.EventTypeNormal, trigger.ReasonCooldown, 10, 10, 30},
		{"changes that wait for others", corev1.EventTypeNormal, trigger.ReasonWaitingForAll, 10, 10, 30},
		{"changes that wait for resume", corev1.EventTypeNormal, trigger.ReasonSuspended, 10, 10, 30},
		{"changes that wait for a window", corev1.EventTypeNormal, trigger.ReasonOutsideWindow, 10, 10, 30},
		{"changes that settle", corev1.EventTypeNormal, trigger.ReasonSettling, 10, 10, 30},
		{"changes that wait for a Job", corev1.EventTypeNormal, trigger.ReasonJobRunning, 10, 10, 30},
		{"trouble", corev1.EventTypeWarning, trigger.ReasonNameTaken, 25, 25, 0},
		{"the end of trouble", corev1.EventTypeNormal, trigger.EventRecovered, 25, 25, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			sent := events.NewFakeRecorder(100)
			recorder := LimitEvents(sent, now)
			before := testutil.ToFloat64(eventsLeftOut.Of(c.reason))
			emit := func() int {
				for range 25 {
					recorder.Eventf(&corev1.ConfigMap{}, nil, c.kind, c.reason, eventAction, "%s", "message")
				}
				n := len(sent.Events)
				for range n {
					<-sent.Events
				}
				return n
			}
			assert.Equal(t, c.atOnce, emit())
			now.SetTime(now.Now().Add(time.Second))
			assert.Equal(t, c.after1s, emit())
			assert.InDelta(t, c.leftOut, testutil.ToFloat64(eventsLeftOut.Of(c.reason))-before, 0.1)
		})
	}
}
