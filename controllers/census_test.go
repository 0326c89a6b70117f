package controllers

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/metrics"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// showing is a ChangeTriggeredJob with the reasons of the conditions Progressing and Degraded; of an empty one the condition is False.
func showing(progressing, degraded string) *v1alpha.ChangeTriggeredJob {
	ctj := &v1alpha.ChangeTriggeredJob{}
	for conditionType, reason := range map[string]string{trigger.ConditionProgressing: progressing, trigger.ConditionDegraded: degraded} {
		c := metav1.Condition{Type: conditionType, Status: metav1.ConditionTrue, Reason: reason}
		if reason == "" {
			c.Status, c.Reason = metav1.ConditionFalse, "Fine"
		}
		ctj.Status.Conditions = append(ctj.Status.Conditions, c)
	}
	return ctj
}

// gathered returns the series of a collector, each as name{values}, with its value.
func gathered(t *testing.T, collectors ...prometheus.Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	for _, c := range collectors {
		require.NoError(t, registry.Register(c))
	}
	families, err := registry.Gather()
	require.NoError(t, err)
	series := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			values := make([]string, 0, len(m.GetLabel()))
			for _, l := range m.GetLabel() {
				values = append(values, l.GetValue())
			}
			series[family.GetName()+"{"+strings.Join(values, ",")+"}"] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return series
}

func yes() bool { return true }
func no() bool  { return false }

func TestTheMetricsSayWhatTheCacheSays(t *testing.T) {
	c := newCensus()
	first, second, third := showing(trigger.ReasonCooldown, ""), showing(trigger.ReasonNameTaken, trigger.ReasonNameTaken), showing("", trigger.ReasonInvalidSpec)
	for _, ctj := range []*v1alpha.ChangeTriggeredJob{first, second, third, showing(trigger.ReasonJobActive, trigger.ReasonLastJobFailed), {}} {
		c.OnAdd(ctj, true)
	}
	series := func() map[string]float64 {
		return gathered(t, &collector{version: "v1", leads: yes, synced: yes, census: c})
	}
	got := series()
	assert.InDelta(t, 1, got["changejob_leading{}"], 0)
	assert.InDelta(t, 5, got["changejob_changetriggeredjobs{}"], 0)
	assert.InDelta(t, 1, got["changejob_pending{Cooldown}"], 0)
	assert.InDelta(t, 1, got["changejob_pending{NameTaken}"], 0)
	assert.InDelta(t, 1, got["changejob_degraded{InvalidSpec}"], 0)
	assert.InDelta(t, 1, got["changejob_degraded{NameTaken}"], 0)
	assert.InDelta(t, 1, got["changejob_degraded{LastJobFailed}"], 0)
	assert.Contains(t, got, "changejob_pending{Suspended}", "there may be none: that is said, too")

	t.Run("what changes", func(t *testing.T) {
		idle := showing("", "")
		c.OnUpdate(first, idle)
		assert.InDelta(t, 0, series()["changejob_pending{Cooldown}"], 0)
		assert.InDelta(t, 5, series()["changejob_changetriggeredjobs{}"], 0)
	})
	t.Run("what is deleted", func(t *testing.T) {
		c.OnDelete(second)
		c.OnDelete(toolscache.DeletedFinalStateUnknown{Obj: third})
		assert.InDelta(t, 3, series()["changejob_changetriggeredjobs{}"], 0)
		assert.InDelta(t, 0, series()["changejob_pending{NameTaken}"], 0)
		assert.InDelta(t, 0, series()["changejob_degraded{NameTaken}"], 0)
		assert.InDelta(t, 0, series()["changejob_degraded{InvalidSpec}"], 0)
	})
	t.Run("what somebody else wrote", func(t *testing.T) {
		before := len(series())
		c.OnAdd(showing("team-a/secret", "team-b/secret"), false)
		assert.InDelta(t, 1, series()["changejob_pending{Other}"], 0)
		assert.InDelta(t, 1, series()["changejob_degraded{Other}"], 0)
		assert.Len(t, series(), before, "there is no series more")
	})
}

func TestWhoDoesNotLeadSaysNothingOfWhatAllSee(t *testing.T) {
	c := newCensus()
	c.OnAdd(showing(trigger.ReasonCooldown, ""), true)
	one, build := "changejob_leading{}", 0.0
	for name, value := range gathered(t, &collector{version: "v1", leads: no, synced: yes, census: c}) {
		if strings.HasPrefix(name, "changejob_build_info{") {
			build = value
			continue
		}
		assert.Equal(t, one, name)
		assert.Zero(t, value)
	}
	assert.InDelta(t, 1, build, 0)
	assert.Len(t, gathered(t, &collector{version: "v1", leads: yes, synced: no, census: c}), 2, "nor does who leads, before it has seen all")
}

// TestEveryReasonOfAConditionCanBeCounted reads of which conditions a reason is from what is said of it where it is defined.
func TestEveryReasonOfAConditionCanBeCounted(t *testing.T) {
	source, err := os.ReadFile("../pkg/trigger/conditions.go")
	require.NoError(t, err)
	defined := regexp.MustCompile(`(?m)((?:^\t//.*\n)+)^\tReason\w+ = "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	require.Greater(t, len(defined), 15)
	for _, d := range defined {
		comment, reason := strings.ReplaceAll(d[1], "\n\t//", ""), d[2]
		if strings.Contains(comment, "Progressing True") && reason != trigger.ReasonJobActive {
			assert.Equal(t, reason, pendingReason(&showing(reason, "").Status), comment)
		}
		if strings.Contains(comment, "Degraded True") {
			assert.Equal(t, reason, degradedReason(&showing("", reason).Status), comment)
		}
	}
	assert.Contains(t, fmt.Sprint(pendingGauge.Labels[0].All()), metrics.Other)
}

func TestEveryReasonOfATriggerCanBeCounted(t *testing.T) {
	files, err := filepath.Glob("../pkg/trigger/*.go")
	require.NoError(t, err)
	found := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, defined := range regexp.MustCompile(`\bReason\w+ +Reason += "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
			found++
			assert.Contains(t, triggerReasons, defined[1])
		}
	}
	assert.Equal(t, len(triggerReasons), found)
}
