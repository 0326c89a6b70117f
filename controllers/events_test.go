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
		sent    [4]int // how many of 25 at the same moment are sent; of 25 more half a second, a second and one and a half seconds later
		leftOut float64
	}{
		{"Jobs that were created", corev1.EventTypeNormal, trigger.EventJobCreated, [4]int{10, 0, 10, 0}, 80},
		{"Jobs that were taken over", corev1.EventTypeNormal, trigger.EventJobAdopted, [4]int{10, 0, 10, 0}, 80},
		{"Jobs that were replaced", corev1.EventTypeNormal, trigger.EventJobReplaced, [4]int{10, 0, 10, 0}, 80},
		{"changes that wait for a cooldown", corev1.EventTypeNormal, trigger.ReasonCooldown, [4]int{10, 0, 10, 0}, 80},
		{"changes that wait for others", corev1.EventTypeNormal, trigger.ReasonWaitingForAll, [4]int{10, 0, 10, 0}, 80},
		{"changes that wait for resume", corev1.EventTypeNormal, trigger.ReasonSuspended, [4]int{10, 0, 10, 0}, 80},
		{"changes that wait for a window", corev1.EventTypeNormal, trigger.ReasonOutsideWindow, [4]int{10, 0, 10, 0}, 80},
		{"changes that settle", corev1.EventTypeNormal, trigger.ReasonSettling, [4]int{10, 0, 10, 0}, 80},
		{"changes that wait for a Job", corev1.EventTypeNormal, trigger.ReasonJobRunning, [4]int{10, 0, 10, 0}, 80},
		{"trouble", corev1.EventTypeWarning, trigger.ReasonNameTaken, [4]int{25, 25, 25, 25}, 0},
		{"the end of trouble", corev1.EventTypeNormal, trigger.EventRecovered, [4]int{25, 25, 25, 25}, 0},
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
			for i, want := range c.sent {
				assert.Equal(t, want, emit(), "after %d half seconds", i)
				now.SetTime(now.Now().Add(time.Second / 2))
			}
			assert.InDelta(t, c.leftOut, testutil.ToFloat64(eventsLeftOut.Of(c.reason))-before, 0.1)
		})
	}
}

func TestNoMoreThanTenEventsAboutTriggersAreSentInAnySecond(t *testing.T) {
	now := clocktesting.NewFakePassiveClock(time.Now())
	sent := events.NewFakeRecorder(1000)
	recorder := LimitEvents(sent, now)
	var passed []time.Time
	for range 300 { // one every 70 ms, after quiet: more than 14 a second
		before := len(sent.Events)
		recorder.Eventf(&corev1.ConfigMap{}, nil, corev1.EventTypeNormal, trigger.EventJobCreated, eventAction, "%s", "message")
		if len(sent.Events) > before {
			passed = append(passed, now.Now())
		}
		now.SetTime(now.Now().Add(70 * time.Millisecond))
	}
	for i := triggerEvents; i < len(passed); i++ {
		assert.GreaterOrEqual(t, passed[i].Sub(passed[i-triggerEvents]), time.Second, "event %d and the tenth before it", i)
	}
	assert.Greater(t, len(passed), 190, "nearly ten a second are sent for 21 seconds")
}
