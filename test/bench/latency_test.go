package bench

import (
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/bench/figures"
)

const (
	// timeout is how long a small thing may take.
	timeout = 30 * time.Second
	// breath is how often one change at a time is made at most: what a side does after its Job and its status, such as its
	// event, is then not in the other side's time.
	breath = 25 * time.Millisecond
)

// BenchmarkLatency measures the time from a change, before its request is sent, until a watch shows its Job: one change at a
// time, the operator's and the bare loop's in turn, and 50 and 100 changes a second whatever becomes of them (an open loop), one side
// after the other. The changes go around 1,000 objects, so that no ChangeTriggeredJob has many Jobs. Each of them has triggered
// once before.
func BenchmarkLatency(b *testing.B) {
	measures(b)
	objects, samples := 1_000, 400
	if short() {
		objects, samples = 20, 10
	}
	server := apiserver.Start(b, apiserver.CRDs())
	arms := []*arm{
		newArm(b, server, figures.Operator, shape{n: objects}),
		newArm(b, server, figures.Bare, shape{n: objects}),
	}
	for _, a := range arms {
		a.volley(b)
		a.sweep(b)
	}
	next := 0 // the object that is changed next
	for round := range takes() {
		alone := make([][]float64, len(arms))
		used := make([]time.Duration, len(arms))
		for k := range arms {
			used[k] = -awaitStill(b, arms[k].process.Pid())
		}
		pace := time.NewTicker(breath)
		for range samples {
			for k := range arms {
				<-pace.C
				k = (k + round) % len(arms)
				alone[k] = append(alone[k], arms[k].stream(b, next, 1, 1)...)
			}
			next = (next + 1) % objects
		}
		pace.Stop()
		for k := range arms {
			k = (k + round) % len(arms)
			recordLatency(b, figures.LatencySingle, arms[k].name, alone[k])
			used[k] += awaitStill(b, arms[k].process.Pid())
			record(figures.Figure{Measure: figures.SingleCPU, Arm: arms[k].name, Unit: "ms"}, ofThousand(used[k], samples))
			arms[k].sweep(b)
		}
		for measure, rate := range map[string]int{figures.LatencyHalf: 50, figures.LatencyStream: 100} {
			for k := range arms {
				a := arms[(k+round)%len(arms)]
				recordLatency(b, measure, a.name, a.stream(b, next, samples, rate))
				a.sweep(b)
			}
			next = (next + samples) % objects
		}
	}
}

// stream changes as many objects, from the first on, so many a second, and returns the times until their Jobs were seen, in ms. It
// returns once the statuses are written, so that nothing runs into what is measured next.
func (a *arm) stream(b *testing.B, first, samples, rate int) []float64 {
	b.Helper()
	pace := time.NewTicker(time.Second / time.Duration(rate))
	defer pace.Stop()
	group, ctx := errgroup.WithContext(b.Context())
	for i := range samples {
		if i > 0 {
			<-pace.C
		}
		group.Go(func() error { return a.change(ctx, (first+i)%a.n) })
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	a.answered(b)
	var times []float64
	for i := range samples {
		t := a.tally((first + i) % a.n)
		times = append(times, 1000*t.seen.Sub(t.sent).Seconds())
	}
	return times
}

func recordLatency(b *testing.B, measure, arm string, times []float64) {
	f := figures.Figure{Measure: measure, Arm: arm, Unit: "ms"}
	for _, statistic := range []struct {
		name     string
		quantile float64
	}{{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}} {
		f.Statistic = statistic.name
		value := figures.Quantile(times, statistic.quantile)
		record(f, value)
		b.Logf("%s, %s: %s %.1f ms", measure, arm, f.Statistic, value)
	}
}
