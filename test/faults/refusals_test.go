package faults

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

func TestWhatTheAPIServerRefusesForAWhileIsDoneAfterwards(t *testing.T) {
	w := inShared(t, "conflicts, 429 and timeouts for a while: one Job for the last state, and one for each that stood")
	w.start()
	w.configMap("config")
	w.ctj("ctj", []string{"config"})
	w.ctj("forbids", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) { s.ConcurrencyPolicy = v1alpha.ForbidConcurrent })
	w.watching("ctj", "forbids")

	status := func(c *call) bool { return c.is("update changetriggeredjobs/status") }
	create := func(c *call) bool { return c.is("create jobs") }
	writes := func(c *call) bool { return c.writes() && c.Resource != "leases" }
	reads := func(c *call) bool { return !c.writes() && !c.watches() }
	everything := func(c *call) bool { return c.Resource != "leases" }
	rounds := []struct {
		what  string
		fault fault
		on    func(*call) bool
		least int // strikes to wait for
	}{
		{"status writes", conflicts, status, 12},
		{"status writes", carriesOutFails, status, 2},
		{"creates of Jobs", throttles, create, 2},
		{"creates of Jobs", timesOut, create, 2},
		{"creates of Jobs", carriesOutFails, create, 1},
		{"writes", throttles, writes, 3},
		{"writes", timesOut, writes, 4},
		{"writes", isLate(time.Second), writes, 2},
		{"reads", timesOut, reads, 1},
		{"requests", isUnavailable, everything, 4},
		{"requests", losesAnswer, writes, 4},
	}
	for n, r := range rounds {
		t.Logf("%s: %s", r.what, r.fault.name)
		i := w.inject(r.fault, r.on)
		if r.what == "requests" {
			w.report.injected("a watch is cut", w.proxy.cut(func(c *call) bool { return c.Resource == "configmaps" }))
		}
		w.change("config")
		if r.what == "reads" { // which are only made after something went wrong
			w.inject(losesAnswer, status, nth(1))
		}
		w.eventually(func() error {
			if strikes := i.strikes(); strikes < r.least {
				return fmt.Errorf("%s has struck %d times", r.fault.name, strikes)
			}
			return nil
		})
		i.lift()
		w.triggered("ctj", int64(n+1))
		w.finish()
		w.triggered("forbids", int64(n+1))
		w.finish()
		w.rests()
	}
	assert.Equal(t, 2*len(rounds), w.rests().created)
}

func TestARequestThatNobodyAnswersIsGivenUp(t *testing.T) {
	if !full() {
		t.Skip("it takes two minutes: make faults")
	}
	w := inShared(t, "who waits for an answer that never comes gives up, and tries again; others go on meanwhile")
	w.start()
	w.configMap("config")
	ctj := w.ctj("waits", []string{"config"})
	w.ctj("goes-on", []string{"config"})
	w.watching("waits", "goes-on")
	first := trigger.JobName("waits", ctj.UID, 1)
	swallowed := w.inject(isSwallowed, func(c *call) bool {
		return c.is("create events") || c.is("update changetriggeredjobs/status") && c.Name == "waits"
	})
	w.change("config")
	w.triggered("goes-on", 1)
	w.change("config")
	w.triggered("goes-on", 2)
	assert.Positive(t, swallowed.strikes())
	swallowed.lift()
	began := time.Now()
	w.patience = 4 * time.Minute
	w.rests()
	w.report.note("at rest %.0f s after", time.Since(began).Seconds())
	after, err := w.get("waits")
	require.NoError(t, err)
	assert.NotEqual(t, first, after.Status.LastJobName, "the state has changed since the first Job")
}
