package main

import (
	"fmt"
	"slices"

	"github.com/nusnewob/kube-changejob/test/bench/figures"
)

// steepest is the greatest exponent that counts as linear: a fit through three medians is not exact.
const steepest = 1.1

// target is what the figures must show.
type target struct {
	what, want string
	// value returns what is judged, round by round; false where it was not measured.
	value   func(*figures.Run) (figures.Figure, bool)
	reached func(*figures.Figure) bool
}

// verdict says whether a target is reached.
func (t *target) verdict(run *figures.Run) (value, verdict string) {
	f, ok := t.value(run)
	switch {
	case !ok || len(f.Rounds) == 0:
		return "", "not measured"
	case t.reached(&f):
		return spread(&f), "reached"
	default:
		return spread(&f), "**not reached**"
	}
}

// irrelevant are the changes that select nothing.
var irrelevant = []string{figures.Unreferenced, figures.UnreferencedPods, figures.Heartbeats, figures.StatusChurn}

// targets are all that there are.
func targets() []target {
	var all []target
	for _, measure := range []string{figures.LatencySingle, figures.LatencyStream} {
		for _, limit := range []struct {
			statistic string
			most      float64
		}{{"p50", 1.5}, {"p99", 2.5}} {
			all = append(all, atMost(limit.most, "× the bare loop's", measure+", "+limit.statistic,
				quotient(measure, figures.Operator, figures.Bare, limit.statistic, 0)))
		}
	}
	for _, measure := range []string{figures.Burst, figures.FanOut} {
		for _, n := range []int{1000, 10_000} {
			all = append(all, atLeast(0.8, "× the bare loop's", measure+", "+thousands(fmt.Sprint(n))+" at once",
				quotient(measure, figures.Operator, figures.Bare, "", n)))
		}
	}
	for _, measure := range []string{figures.Start, figures.StartProcess} {
		all = append(all, atMost(2, "× list and decode", measure+", 10,000 ChangeTriggeredJobs",
			quotient(measure, figures.Operator, figures.List, "", 10_000)))
	}
	for _, statistic := range []string{"streaming lists", "paged lists"} {
		all = append(all, atMost(25, "MiB more", "peak memory beside 100,000 objects, "+statistic, peakGrowth(statistic)))
	}
	all = append(all, atMost(1, "KiB a reference", figures.Heap+", from 10,000 to 50,000 references", heapSlope))
	for _, arm := range []string{figures.Operator, figures.Wide} {
		for _, statistic := range irrelevant {
			all = append(all, none(figures.CostReconciles+" ("+statistic+"), "+arm, figure(figures.CostReconciles, arm, statistic, 0)))
		}
	}
	for _, statistic := range []string{figures.Unreferenced, figures.UnreferencedPods} {
		all = append(all, none(figures.CostEvents+" ("+statistic+"), "+figures.Operator, figure(figures.CostEvents, figures.Operator, statistic, 0)))
	}
	for _, statistic := range irrelevant {
		all = append(all, atMost(1.0/3, "× the dynamic informer's", figures.CostCPU+" ("+statistic+"), "+figures.Wide,
			quotient(figures.CostCPU, figures.Wide, figures.Informer, statistic, 0)))
	}
	return append(all,
		none(figures.Idle+" but leases and watches, 10,000 ChangeTriggeredJobs", figure(figures.Idle, figures.Operator, "requests", 10_000)),
		atMost(steepest, "as exponent", "growth, the steepest of the operator's", steepestGrowth))
}

func atMost(limit float64, unit, what string, value func(*figures.Run) (figures.Figure, bool)) target {
	return target{
		what: what, want: fmt.Sprintf("at most %.3g %s", limit, unit), value: value,
		reached: func(f *figures.Figure) bool { return f.Median() <= limit },
	}
}

func atLeast(limit float64, unit, what string, value func(*figures.Run) (figures.Figure, bool)) target {
	return target{
		what: what, want: fmt.Sprintf("at least %.3g %s", limit, unit), value: value,
		reached: func(f *figures.Figure) bool { return f.Median() >= limit },
	}
}

// none is a target that every round must reach: a thing that never happens has no noise.
func none(what string, value func(*figures.Run) (figures.Figure, bool)) target {
	return target{what: what, want: "0", value: value, reached: func(f *figures.Figure) bool { return f.Min() == 0 && f.Max() == 0 }}
}

func figure(measure, arm, statistic string, n int) func(*figures.Run) (figures.Figure, bool) {
	return func(run *figures.Run) (figures.Figure, bool) { return run.Find(measure, arm, statistic, n) }
}

// quotient is one side against another, round by round.
func quotient(measure, of, to, statistic string, n int) func(*figures.Run) (figures.Figure, bool) {
	return func(run *figures.Run) (figures.Figure, bool) {
		a, measured := run.Find(measure, of, statistic, n)
		b, compared := run.Find(measure, to, statistic, n)
		if !measured || !compared {
			return figures.Figure{}, false
		}
		return figures.Ratio(a, b), true
	}
}

// peakGrowth is what 100,000 objects that nobody references add to the peak memory, round by round.
func peakGrowth(statistic string) func(*figures.Run) (figures.Figure, bool) {
	return func(run *figures.Run) (figures.Figure, bool) {
		for _, arm := range []string{figures.Wide, figures.Operator} {
			alone, first := run.Find(figures.PeakCluster, arm, statistic, 0)
			beside, second := run.Find(figures.PeakCluster, arm, statistic, 100_000)
			if !first || !second {
				continue
			}
			growth := figures.Figure{Unit: beside.Unit}
			for i := range min(len(alone.Rounds), len(beside.Rounds)) {
				growth.Rounds = append(growth.Rounds, beside.Rounds[i]-alone.Rounds[i])
			}
			return growth, true
		}
		return figures.Figure{}, false
	}
}

// heapSlope is what one reference more adds to the live heap, between 10,000 and 50,000 of them, round by round.
func heapSlope(run *figures.Run) (figures.Figure, bool) {
	var sizes []float64
	var rounds [][]float64
	fewest := 0
	for _, s := range seriesOf(run, figures.Heap) {
		if s.arm != figures.Operator {
			continue
		}
		for _, f := range s.figures {
			if f.N < 10_000 || f.N > 50_000 {
				continue
			}
			if len(sizes) == 0 || len(f.Rounds) < fewest {
				fewest = len(f.Rounds)
			}
			sizes, rounds = append(sizes, float64(f.N)), append(rounds, f.Rounds)
		}
	}
	if len(slices.Compact(sizes)) < 2 {
		return figures.Figure{}, false
	}
	slope := figures.Figure{Unit: "KiB"}
	for round := range fewest {
		var values []float64
		for _, r := range rounds {
			values = append(values, r[round])
		}
		s, _ := figures.Line(sizes, values)
		slope.Rounds = append(slope.Rounds, s)
	}
	return slope, true
}

// steepestGrowth is the greatest of the operator's exponents.
func steepestGrowth(run *figures.Run) (figures.Figure, bool) {
	var exponents []float64
	for _, g := range growthOf(run) {
		if ours(g.arm) {
			exponents = append(exponents, g.exponent)
		}
	}
	if len(exponents) == 0 {
		return figures.Figure{}, false
	}
	return figures.Figure{Rounds: []float64{slices.Max(exponents)}}, true
}

// targetTable shows all targets.
func targetTable(run *figures.Run) string {
	rows := [][]string{{"what", "target", "median (least – greatest)", ""}}
	for _, t := range targets() {
		value, verdict := t.verdict(run)
		rows = append(rows, []string{sentence(t.what), t.want, value, verdict})
	}
	return markdown(rows)
}
