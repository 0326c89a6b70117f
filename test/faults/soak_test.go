package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// soakTime is SOAK minutes; where that is not set, half a minute.
func soakTime(t *testing.T) time.Duration {
	minutes := os.Getenv("SOAK")
	if minutes == "" {
		return 30 * time.Second
	}
	number, err := strconv.ParseFloat(minutes, 64)
	require.NoError(t, err, "SOAK is a number of minutes")
	return time.Duration(number * float64(time.Minute))
}

// soak is a world in which something is always wrong, and something always changes.
type soak struct {
	*world
	random  *rand.Rand
	api     *apiserver.Program
	etcd    *apiserver.Program
	names   []string
	gates   map[string]*gate
	changed atomic.Int64
}

func TestASoakOfRandomFaultsLosesNothingAndGrowsNothing(t *testing.T) {
	server, audit := own(t)
	w := newWorld(t, server, audit, reported.begin(t, "at rest after each round of random faults: lost 0, twice 0; goroutines, watches, memory and requests are flat"))
	w.options.Args = []string{"--watch-namespaces=" + w.namespace}
	seed := uint64(time.Now().UnixNano())
	w.report.note("seed %d", seed)
	s := &soak{world: w, random: rand.New(rand.NewPCG(seed, 0)), api: server.APIServer(t), etcd: server.Etcd(t), gates: map[string]*gate{}}
	for _, resource := range []string{"changetriggeredjobs", "jobs", "configmaps"} {
		s.gates[resource] = &gate{}
		w.proxy.inject(s.gates[resource].lags(), func(c *call) bool { return c.is("watch " + resource) })
	}
	w.start()
	s.populate()

	end := time.Now().Add(soakTime(t))
	half := time.Now().Add(soakTime(t) / 2)
	var first, last gauges
	var rounds, created, excepted int
	for time.Now().Before(end) || rounds < 2 {
		ageing := time.Now().After(half) || rounds > 0 && soakTime(t) < time.Minute
		if ageing && first == (gauges{}) {
			first = s.idle("halfway")
		}
		s.round(!ageing) // from halfway on the process that runs grows old
		v := w.rests()
		rounds, created, excepted = rounds+1, v.created, v.excepted
	}
	last = s.idle("at the end")
	w.report.note("%d rounds, %d changes, %d Jobs; lost 0, twice 0, excepted by P1 %d", rounds, s.changed.Load(), created, excepted)
	assert.LessOrEqual(t, last.watches, first.watches)
	assert.Less(t, last.goroutines, first.goroutines+50)
	assert.Less(t, last.memory, first.memory*1.25+30, "MiB")
	assert.Zero(t, last.queue)
}

// idle waits until everything is at rest and quiet, and returns the gauges. While nothing changes, nothing is asked.
func (s *soak) idle(when string) gauges {
	s.t.Helper()
	s.rests()
	s.finish()
	s.rests()
	var g gauges
	const quietFor = 3 * time.Second
	s.eventually(func() error {
		before := s.proxy.requests()
		s.lasts(quietFor)
		if asked := s.proxy.requests() - before; asked > 0 {
			return fmt.Errorf("%d requests in %s while nothing changed", asked, quietFor)
		}
		var err error
		g, err = s.gauges()
		return err
	})
	s.report.note("%s: %s, 0 requests in %s", when, g, quietFor)
	return g
}

const soakObjects = 12

func (s *soak) populate() {
	for i := range soakObjects {
		s.configMap(fmt.Sprintf("config-%d", i))
	}
	policies := []v1alpha.ConcurrencyPolicy{v1alpha.AllowConcurrent, v1alpha.ForbidConcurrent, v1alpha.ReplaceConcurrent}
	for i := range 2 * soakObjects {
		name := fmt.Sprintf("ctj-%d", i)
		s.names = append(s.names, name)
		s.ctj(name, []string{fmt.Sprintf("config-%d", i%soakObjects), fmt.Sprintf("config-%d", (i*5+1)%soakObjects)}, func(spec *v1alpha.ChangeTriggeredJobSpec) {
			spec.Cooldown = &metav1.Duration{Duration: time.Duration(i%3) * time.Second}
			spec.ConcurrencyPolicy = policies[i/2%3]
			spec.History = ptr.To(int32(1 + i%4))
			if i%4 == 3 {
				spec.Condition = v1alpha.TriggerAll
			}
		})
	}
	s.watching(s.names...)
}

// round has a few faults, one after the other or two at once, while objects change, Jobs end and specs are edited.
func (s *soak) round(kill bool) {
	ctx, cancel := context.WithCancel(s.t.Context())
	stop := make(chan struct{})
	var busy sync.WaitGroup
	defer busy.Wait()
	defer cancel()
	defer close(stop)
	busy.Go(func() { s.collect(stop) })
	busy.Go(func() {
		ticker := time.NewTicker(30 * time.Millisecond)
		defer ticker.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			// What fails is what the API server, which is being ill-treated, has not done.
			if s.trySet(ctx, fmt.Sprintf("config-%d", n*7%soakObjects), fmt.Sprintf("soak-%d", s.changed.Load()+1)) == nil {
				s.changed.Add(1)
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	})
	for range 6 {
		s.strike(kill)
	}
	cancel()
	s.api.Await(s.t)
	s.rests()
}

// strike has one fault, for a moment.
func (s *soak) strike(kill bool) {
	timer := time.NewTimer(time.Duration(100+s.random.IntN(1500)) * time.Millisecond)
	defer timer.Stop()
	writes := func(c *call) bool { return c.writes() && c.Resource != "leases" }
	everything := func(c *call) bool { return c.Resource != "leases" }
	during := func(f fault, on func(*call) bool) {
		i := s.proxy.inject(f, on)
		<-timer.C
		s.report.injected(f.name, i.lift())
	}
	lag := func(resource string) {
		s.gates[resource].close()
		<-timer.C
		s.gates[resource].open()
		s.report.injected("the watch of "+resource+" lags", 1)
	}
	switch s.random.IntN(18) {
	case 0:
		during(fails, everything)
	case 1:
		during(fails, writes)
	case 2:
		during(losesAnswer, writes)
	case 3:
		during(carriesOutFails, writes)
	case 4:
		during(conflicts, func(c *call) bool { return c.is("patch changetriggeredjobs/status") })
	case 5:
		during(throttles, everything)
	case 6:
		during(timesOut, writes)
	case 7:
		during(isUnavailable, everything)
	case 8:
		during(isLate(300*time.Millisecond), everything)
	case 9:
		lag("changetriggeredjobs")
	case 10:
		lag("jobs")
	case 11:
		lag("configmaps")
	case 12:
		s.report.injected("a watch is cut", s.proxy.cut(func(*call) bool { return true }))
	case 13:
		s.api.Kill(s.t)
		<-timer.C
		s.api.Start(s.t)
		s.api.Await(s.t)
		s.report.injected("the API server is killed", 1)
	case 14:
		s.etcd.Pause(s.t)
		<-timer.C
		s.etcd.Resume(s.t)
		s.report.injected("etcd is paused", 1)
	case 15:
		s.process.Signal(s.t, syscall.SIGSTOP)
		<-timer.C
		s.process.Signal(s.t, syscall.SIGCONT)
		s.report.injected("the operator is paused", 1)
	case 16:
		if kill {
			s.process.Kill(s.t)
			<-timer.C
			s.start()
			s.report.injected("the operator is killed", 1)
		}
	case 17:
		s.edit(s.names[s.random.IntN(len(s.names))], func(spec *v1alpha.ChangeTriggeredJobSpec) {
			spec.Suspend = ptr.To(!spec.Suspended())
			if spec.Suspended() {
				return
			}
			spec.Cooldown = &metav1.Duration{Duration: time.Duration(s.random.IntN(3)) * time.Second}
		})
		s.report.injected("a spec is edited", 1)
	}
}
