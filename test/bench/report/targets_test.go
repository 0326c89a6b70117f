package main

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/test/bench/figures"
)

func taken(all ...figures.Figure) *figures.Run { return &figures.Run{Figures: all} }

// judge returns what the target with that beginning says.
func judge(t *testing.T, what string, run *figures.Run) (value, verdict string) {
	found := 0
	for _, each := range targets() {
		if len(each.what) >= len(what) && each.what[:len(what)] == what {
			value, verdict = each.verdict(run)
			found++
		}
	}
	require.Equal(t, 1, found, what)
	return value, verdict
}

func TestTargets(t *testing.T) {
	both := func(measure, statistic string, n int, against string, of, to []float64) *figures.Run {
		return taken(
			figures.Figure{Measure: measure, Statistic: statistic, N: n, Arm: figures.Operator, Rounds: of},
			figures.Figure{Measure: measure, Statistic: statistic, N: n, Arm: against, Rounds: to})
	}
	one := func(measure, arm, statistic string, n int, rounds ...float64) *figures.Run {
		return taken(figures.Figure{Measure: measure, Statistic: statistic, N: n, Arm: arm, Rounds: rounds})
	}
	peaks := func(arm string, alone, beside []float64) *figures.Run {
		return taken(
			figures.Figure{Measure: figures.PeakCluster, Statistic: "paged lists", Arm: arm, Rounds: alone},
			figures.Figure{Measure: figures.PeakCluster, Statistic: "paged lists", Arm: arm, N: 100_000, Rounds: beside})
	}
	heap := func(at10, at50 []float64) *figures.Run {
		return taken(
			figures.Figure{Measure: figures.Heap, Arm: figures.Operator, N: 10, Rounds: []float64{1e6}},
			figures.Figure{Measure: figures.Heap, Arm: figures.Operator, N: 10_000, Rounds: at10},
			figures.Figure{Measure: figures.Heap, Arm: figures.Operator, N: 50_000, Rounds: at50})
	}
	const reached, missed, unknown = "reached", "**not reached**", "not measured"
	for _, c := range []struct {
		what           string
		run            *figures.Run
		value, verdict string
	}{
		{"latency, one at a time, p50", taken(), "", unknown},
		{"latency, one at a time, p50", one(figures.LatencySingle, figures.Operator, "p50", 0, 1), "", unknown},
		{"latency, one at a time, p50", both(figures.LatencySingle, "p50", 0, figures.Bare, nil, nil), "", unknown},
		{"latency, one at a time, p50", both(figures.LatencySingle, "p50", 0, figures.Bare, []float64{3, 9, 3}, []float64{2, 2, 2}), "1.50 (1.50 – 4.50)", reached},
		{"latency at 100 changes/s, p99", both(figures.LatencyStream, "p99", 0, figures.Bare, []float64{2.6}, []float64{1}), "2.60", missed},
		{"burst, 1,000", both(figures.Burst, "", 1000, figures.Bare, []float64{4}, []float64{5}), "0.800", reached},
		{"fan-out, 10,000", both(figures.FanOut, "", 10_000, figures.Bare, []float64{3}, []float64{4}), "0.750", missed},
		{"start, 10,000", both(figures.Start, "", 10_000, figures.List, []float64{4}, []float64{2}), "2", reached},
		{"start, the whole process, 10,000", both(figures.StartProcess, "", 10_000, figures.List, []float64{5}, []float64{2}), "2.50", missed},
		{"peak memory beside 100,000 objects, paged", peaks(figures.Wide, []float64{50, 60, 50}, []float64{75, 80, 80}), "25 (20 – 30)", reached},
		{"peak memory beside 100,000 objects, paged", peaks(figures.Operator, []float64{50}, []float64{76}), "26", missed},
		{"peak memory beside 100,000 objects, streaming", peaks(figures.Wide, []float64{50}, []float64{76}), "", unknown},
		{"live heap", heap([]float64{8000, 9000}, []float64{48_000, 49_000, 0}), "1", reached},
		{"live heap", heap([]float64{8000}, []float64{50_000}), "1.05", missed},
		{"live heap", heap([]float64{8000}, nil), "", unknown},
		{"reconciles for 1,000 irrelevant changes (heartbeats of a Node), kube-changejob, wide",
			one(figures.CostReconciles, figures.Wide, figures.Heartbeats, 0, 0, 0), "0", reached},
		{"reconciles for 1,000 irrelevant changes (heartbeats of a Node), kube-changejob, wide",
			one(figures.CostReconciles, figures.Wide, figures.Heartbeats, 0, 0, 0, 1), "0 (0 – 1)", missed},
		{"watch events for 1,000 irrelevant changes (unreferenced objects)", one(figures.CostEvents, figures.Operator, figures.Unreferenced, 0, 0), "0", reached},
		{"watch events for 1,000 irrelevant changes (unreferenced objects)", one(figures.CostEvents, figures.Wide, figures.Unreferenced, 0, 0), "", unknown},
		{"CPU for 1,000 irrelevant changes (unreferenced objects)", taken(
			figures.Figure{Measure: figures.CostCPU, Statistic: figures.Unreferenced, Arm: figures.Wide, Rounds: []float64{4}},
			figures.Figure{Measure: figures.CostCPU, Statistic: figures.Unreferenced, Arm: figures.Informer, Rounds: []float64{12}},
		), "0.333", reached},
		{"CPU for 1,000 irrelevant changes (heartbeats of a Node)", taken(
			figures.Figure{Measure: figures.CostCPU, Statistic: figures.Heartbeats, Arm: figures.Wide, Rounds: []float64{5}},
			figures.Figure{Measure: figures.CostCPU, Statistic: figures.Heartbeats, Arm: figures.Informer, Rounds: []float64{10}},
		), "0.500", missed},
		{"idle", one(figures.Idle, figures.Operator, "requests", 10_000, 0, 0), "0", reached},
		{"idle", one(figures.Idle, figures.Operator, "requests", 10_000, 0, 0.5), "0.250 (0 – 0.500)", missed},
		{"growth", taken(
			figures.Figure{Measure: figures.Start, Arm: figures.Operator, N: 10, Rounds: []float64{1}},
			figures.Figure{Measure: figures.Start, Arm: figures.Operator, N: 100, Rounds: []float64{20}},
		), "1.30", missed},
		{"growth", one(figures.Start, figures.Operator, "", 10, 1), "", unknown},
		{"growth", taken(
			figures.Figure{Measure: figures.ThresholdResident, Arm: figures.Wide, N: 10, Rounds: []float64{1}},
			figures.Figure{Measure: figures.ThresholdResident, Arm: figures.Wide, N: 100, Rounds: []float64{2000}},
		), "", unknown},
	} {
		value, verdict := judge(t, c.what, c.run)
		assert.Equal(t, [2]string{c.value, c.verdict}, [2]string{value, verdict}, "%s: %v", c.what, c.run.Figures)
	}
}

func TestWhatGrowsOfARateIsTheTime(t *testing.T) {
	at := func(unit string, values map[int]float64) *series {
		s := &series{}
		for _, n := range []int{0, 10, 100} {
			if value, ok := values[n]; ok {
				s.figures = append(s.figures, figures.Figure{N: n, Unit: unit, Rounds: []float64{value}})
			}
		}
		return s
	}
	assert.InDelta(t, 1, at("ms", map[int]float64{10: 5, 100: 50}).exponent(), 1e-9)
	assert.InDelta(t, 1, at(rate, map[int]float64{10: 5, 100: 5}).exponent(), 1e-9)
	assert.InDelta(t, 2, at(rate, map[int]float64{10: 50, 100: 5}).exponent(), 1e-9)
	assert.InDelta(t, 0, at("requests", map[int]float64{10: 0, 100: 0}).exponent(), 0)
	assert.True(t, math.IsNaN(at("requests", map[int]float64{0: 3, 100: 4}).exponent()), "0 has no logarithm")
	assert.True(t, math.IsNaN(at("requests", map[int]float64{10: 0, 100: 4}).exponent()))
}
