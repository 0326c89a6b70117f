package bench

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/bench/figures"
)

// BenchmarkBurst measures how many Jobs/s come of N references that have changed at once.
func BenchmarkBurst(b *testing.B) {
	measures(b)
	skipWithoutProc(b)
	for _, n := range sizes(100, 1_000, 10_000) {
		throughput{
			measure: figures.Burst, first: figures.BurstFirst, shape: shape{n: n}, arms: []string{figures.Operator, figures.Bare, figures.Create},
		}.run(b)
	}
	for _, n := range sizes(1_000, 10_000) {
		t := throughput{measure: figures.BurstJobs, shape: shape{n: n}, arms: []string{figures.Operator, figures.Bare}, jobController: true}
		t.run(b)
	}
}

// sizes returns the sizes to measure; one small one with -short.
func sizes(full ...int) []int {
	if short() {
		return []int{10}
	}
	return full
}

// throughput is a comparison of how fast its arms answer many changes.
type throughput struct {
	measure string
	// first is what the first triggers of ChangeTriggeredJobs measure, if anything: then every round has arms of its own, but where those take
	// too long to create anew, and it is taken once.
	first string
	shape
	arms          []string
	jobController bool
}

func (t throughput) run(b *testing.B) {
	name := fmt.Sprintf("N=%d", t.n)
	if t.jobController {
		name = "JobController/" + name
	}
	b.Run(name, func(b *testing.B) {
		server := apiserver.Start(b, apiserver.CRDs(), apiserver.Args("delete-collection-workers", "16"))
		if t.jobController {
			server.StartControllerManager(b, "job-controller", "garbage-collector-controller")
		}
		var arms []*arm
		rounds := takes()
		if t.jobController && t.n >= 10_000 { // it takes minutes to make the Pods, and to clear them up: no target depends on this
			rounds = min(rounds, 2)
		}
		for round := range rounds {
			if round == 0 || t.first != "" && t.n <= 1_000 {
				for _, a := range arms {
					a.stop()
				}
				arms = nil
				for _, name := range t.arms {
					arms = append(arms, newArm(b, server, name, t.shape))
				}
				t.round(b, arms, round, t.first)
			}
			t.round(b, arms, round, t.measure)
		}
	})
}

// round takes a measure once, if it has a name, of each arm alone.
func (t throughput) round(b *testing.B, arms []*arm, round int, measure string) {
	counted := "references"
	if t.fanOut {
		counted = "ChangeTriggeredJobs"
	}
	for i := range arms {
		a := arms[(i+round)%len(arms)]
		rate, used := a.volley(b)
		if measure == figures.Burst && (t.n >= 1_000 || short()) { // of fewer, what the others do beside counts as much
			for who, time := range used {
				f := figures.Figure{Measure: figures.TriggerCPU, Arm: a.name, Statistic: who, Unit: "ms", N: t.n, Of: counted}
				record(f, ofThousand(time, t.n))
			}
		}
		if measure != "" {
			record(figures.Figure{Measure: measure, Arm: a.name, Unit: "Jobs/s", N: t.n, Of: counted}, rate)
			b.Logf("%s, %d %s, %s: %.0f Jobs/s", measure, t.n, counted, a.name, rate)
		}
		a.sweep(b)
	}
}

// volley changes every object while the arm's process is paused, and returns how many Jobs/s come of it from when the process goes
// on until a watch has shown the last Job and, where the arm writes statuses, the last of them. So the requests that make the
// changes, as many as those that answer them and on the same processors, are in no arm's time; nor are those that delete the
// Jobs (see sweep), which are over before the next volley. It also returns what processor time each process has used for it, until the
// arm's has nothing left to do.
func (a *arm) volley(b *testing.B) (rate float64, used map[string]time.Duration) {
	b.Helper()
	all := processes{figures.Itself: a.process.Pid(), figures.Observer: os.Getpid()}
	for who, program := range map[string]string{figures.APIServer: "kube-apiserver", figures.Etcd: "etcd"} {
		all[who] = child(b, program)
	}
	a.process.Pause(b)
	each(b, a.objects(), a.change)
	since := all.using(b)
	began := time.Now()
	a.process.Resume(b)
	a.answered(b)
	a.mu.Lock()
	rate = float64(a.n) / a.latest.Sub(began).Seconds()
	a.mu.Unlock()
	awaitStill(b, a.process.Pid())
	return rate, since()
}
