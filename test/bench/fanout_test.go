package bench

import (
	"testing"

	"github.com/nusnewob/kube-changejob/test/bench/figures"
)

// BenchmarkFanOut measures how many Jobs/s come of one object that changes and N ChangeTriggeredJobs that watch it.
func BenchmarkFanOut(b *testing.B) {
	measures(b)
	skipWithoutProc(b)
	for _, n := range sizes(100, 1_000, 10_000) {
		throughput{
			measure: figures.FanOut, first: figures.FanOutFirst,
			shape: shape{n: n, fanOut: true}, arms: []string{figures.Operator, figures.Bare, figures.Create},
		}.run(b)
	}
	for _, n := range sizes(1_000, 10_000) {
		t := throughput{measure: figures.FanOutJobs, shape: shape{n: n, fanOut: true}, arms: []string{figures.Operator, figures.Bare}, jobController: true}
		t.run(b)
	}
}
