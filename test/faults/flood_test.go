package faults

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func TestAFloodOfChangesLosesNotTheLastState(t *testing.T) {
	server, audit := alone(t)
	w := newWorld(t, server, audit, reported.begin(t, "the last state of each object is answered, and memory and queue are bounded"))
	objects, changes, duration := 200, 1000, time.Second
	if full() {
		objects, changes, duration = 1000, 10_000, 10*time.Second
	}
	const perCTJ = 10 // references
	w.options.Args = []string{"--watch-namespaces=" + w.namespace}
	w.start()
	var configMaps []string
	for i := range objects {
		configMaps = append(configMaps, fmt.Sprintf("config-%d", i))
		w.configMap(configMaps[i])
	}
	var names []string
	for from := 0; from < objects; from += perCTJ {
		for _, condition := range []v1alpha.TriggerCondition{v1alpha.TriggerAny, v1alpha.TriggerAll} {
			name := fmt.Sprintf("%d-%c", from, "nl"[len(names)%2])
			names = append(names, name)
			w.ctj(name, configMaps[from:from+perCTJ], func(s *v1alpha.ChangeTriggeredJobSpec) {
				s.Condition = condition
				s.Cooldown = &metav1.Duration{Duration: time.Duration(len(names)%4) * time.Second}
			})
		}
	}
	w.watching(names...)
	before, err := w.gauges()
	require.NoError(t, err)

	// The load, at the rate that is asked for as far as the machine can.
	flood, ctx := errgroup.WithContext(t.Context())
	flood.SetLimit(64)
	stop := make(chan struct{})
	sampled := make(chan gauges, 1)
	go func() { sampled <- w.peak(stop) }()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.collect(stop, time.Second)
	}()
	began := time.Now()
	pace := time.NewTicker(duration / time.Duration(changes))
	defer pace.Stop()
	for i := range changes {
		<-pace.C
		flood.Go(func() error { return w.trySet(ctx, configMaps[(i*7)%objects], fmt.Sprintf("flood-%d", i)) })
	}
	require.NoError(t, flood.Wait())
	took := time.Since(began)
	w.report.injected("a change in the flood", changes)
	w.report.note("%d changes of %d objects in %.1f s", changes, objects, took.Seconds())

	began = time.Now()
	v := w.rests()
	w.report.note("at rest %.1f s later; %d Jobs for %d ChangeTriggeredJobs", time.Since(began).Seconds(), v.created, len(names))
	close(stop)
	<-ended
	peak := <-sampled
	var after gauges
	w.eventually(func() error { // the end of the last Jobs may be on its way
		if after, err = w.gauges(); err == nil && after.queue > 0 {
			err = fmt.Errorf("%d in the queue", after.queue)
		}
		return err
	})
	w.report.note("before: %s", before)
	w.report.note("peak:   %s", peak)
	w.report.note("after:  %s", after)
	assert.LessOrEqual(t, peak.queue, len(names), "what waits is ChangeTriggeredJobs, each once")
	assert.Less(t, peak.memory, before.memory+100, "MiB")
	assert.LessOrEqual(t, after.watches, before.watches)
	assert.Less(t, after.goroutines, before.goroutines+50)
}

// peak samples the gauges until it is stopped, and returns the highest of each.
func (w *world) peak(stop <-chan struct{}) gauges {
	var highest gauges
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		if g, err := w.gauges(); err == nil {
			highest.goroutines, highest.watches = max(highest.goroutines, g.goroutines), max(highest.watches, g.watches)
			highest.queue, highest.memory = max(highest.queue, g.queue), max(highest.memory, g.memory)
		}
		select {
		case <-stop:
			return highest
		case <-w.t.Context().Done():
			return highest
		case <-ticker.C:
		}
	}
}
