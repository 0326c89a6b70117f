package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

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
	rights  map[string]*right
	shift   string // the file that says by how much the operator's clock is wrong
	served  bool   // whether there are Widgets
	changed atomic.Int64
}

func TestASoakOfRandomFaultsLosesNothingAndGrowsNothing(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	server, audit := own(t, apiserver.Webhooks(envtest.WebhookInstallOptions{Paths: []string{filepath.Join(root, "config", "webhook", "manifests.yaml")}}))
	w := newWorld(t, server, audit, reported.begin(t, "at rest after each round of random faults: lost 0, twice 0; goroutines, watches, memory and requests are flat"))
	seed := uint64(time.Now().UnixNano())
	w.report.note("seed %d", seed)
	s := &soak{world: w, random: rand.New(rand.NewPCG(seed, 0)), api: server.APIServer(t), etcd: server.Etcd(t), gates: map[string]*gate{}}
	s.rights = s.asSomebody()
	s.options.Args = append(s.options.Args, elect)
	hook := server.Env.WebhookInstallOptions
	s.options.WebhookCertDir, s.options.WebhookPort = hook.LocalServingCertDir, hook.LocalServingPort
	s.options.Program = wrongClock(t)
	s.shift = filepath.Join(t.TempDir(), "shift")
	setClock(t, s.shift, 0)
	s.options.Env = []string{"CLOCK_SHIFT=" + s.shift}
	for _, resource := range []string{"changetriggeredjobs", "jobs", "configmaps"} {
		s.gates[resource] = &gate{}
		w.proxy.inject(s.gates[resource].lags(), func(c *call) bool { return c.is("watch " + resource) })
	}
	w.start()
	s.revives = true
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
	s.serve(true)
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
	s.quota(noQuota)
	s.policy()
	s.serve(true)
	policies := []v1alpha.ConcurrencyPolicy{v1alpha.AllowConcurrent, v1alpha.ForbidConcurrent, v1alpha.ReplaceConcurrent}
	for i := range 2 * soakObjects {
		name := fmt.Sprintf("ctj-%d", i)
		s.names = append(s.names, name)
		ctj := s.newCTJ(name, []string{fmt.Sprintf("config-%d", i%soakObjects), fmt.Sprintf("config-%d", (i*5+1)%soakObjects)}, func(spec *v1alpha.ChangeTriggeredJobSpec) {
			spec.Cooldown = &metav1.Duration{Duration: time.Duration(i%3) * time.Second}
			spec.ConcurrencyPolicy = policies[i/2%3]
			spec.History = ptr.To(int32(1 + i%4))
			if i%4 == 3 {
				spec.Condition = v1alpha.TriggerAll
			}
			if i%8 == 0 {
				spec.Resources = append(spec.Resources, widgetReference(s.namespace))
			}
		})
		s.eventually(func() error { return s.Client.Create(s.t.Context(), ctj) })
	}
	s.watching(s.names...)
}

// round has a few faults, one after the other, while objects change, come and go, and Jobs end.
func (s *soak) round(kill bool) {
	ctx, cancel := context.WithCancel(s.t.Context())
	stop := make(chan struct{})
	var busy sync.WaitGroup
	defer busy.Wait()
	defer cancel()
	defer close(stop)
	busy.Go(func() { s.collect(stop, 10*tick) })
	busy.Go(func() {
		ticker := time.NewTicker(30 * time.Millisecond)
		defer ticker.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			s.alter(ctx, n)
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
	s.rests()
}

// alter changes an object; now and then it deletes one, and makes one anew that is gone. What fails is what the API
// server, which is being ill-treated, has not done.
func (s *soak) alter(ctx context.Context, n int) {
	object := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: fmt.Sprintf("config-%d", n*7%soakObjects)},
		Data:       map[string]string{"key": fmt.Sprintf("soak-%d", s.changed.Load()+1)},
	}
	var err error
	if n%17 == 0 {
		err = s.Client.Delete(ctx, object)
	} else if err = s.trySet(ctx, object.Name, object.Data["key"]); apierrors.IsNotFound(err) {
		err = s.Client.Create(ctx, object)
	}
	if err == nil {
		s.changed.Add(1)
	}
}
