package faults

import (
	"fmt"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/operator"
)

// fewestWrites is how many writes the scenario has at least: the key, four statuses, two Jobs and their events, the deletion of one.
const fewestWrites = 9

func TestWhicheverWriteFailsEveryNumberGetsOneJob(t *testing.T) {
	t.Parallel()
	report := reported.begin(t, "each trigger number is created once, the baseline never moves without its Job, the last state is answered")
	for _, c := range []struct {
		sentence string
		fault    fault
		kill     bool
		always   bool
	}{
		{"the operator is killed before the k-th write", fails, true, true},
		{"the operator is killed after the k-th write", losesAnswer, true, true},
		{"the k-th write fails", fails, false, false},
		{"the answer to the k-th write is lost", losesAnswer, false, false},
		{"the k-th write is carried out and answered with 500", carriesOutFails, false, false},
	} {
		if !c.always && !full() {
			continue
		}
		t.Run(c.sentence, func(t *testing.T) {
			t.Parallel()
			for k := 1; !t.Failed(); k++ {
				more := false
				t.Run(strconv.Itoa(k), func(t *testing.T) {
					more = thereAndBack(t, report, c.sentence, c.fault, k, c.kill)
				})
				if !more {
					require.Greater(t, k, fewestWrites, "so many writes there are at least")
					break
				}
			}
		})
	}
}

// thereAndBack plays a scenario in which the k-th write is spoilt: a first look, a change, a change back, and the deletion of the
// first Job for the second. Right after the fault, before a new process starts where the old one is killed, the state goes back to
// what it was: what the Job ran for that nobody knows of is no more. It returns whether there was a k-th write.
func thereAndBack(t *testing.T, report *row, sentence string, f fault, k int, kill bool) bool {
	w := newWorld(t, shared.Server(t), sharedAudit, report)
	running, struck := make(chan *operator.Process, 1), make(chan struct{})
	spoilt := fault{name: sentence, do: func(x *exchange) {
		defer close(struck)
		if kill {
			p := <-running
			defer p.Kill(t)
		}
		f.do(x)
	}}
	i := w.inject(spoilt, func(c *call) bool { return c.writes() && c.Resource != "leases" }, nth(k))

	w.configMap("config")
	w.ctj("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) { s.History = ptr.To(int32(1)) })
	var current *operator.Process
	launch := func() {
		current = operator.Launch(t, w.options)
		running <- current
	}
	launch()
	value := 0
	turn := func() {
		value = 1 - value
		w.set("config", strconv.Itoa(value))
	}
	news := (<-chan struct{})(struck)
	settle := func() {
		w.eventually(func() error {
			select {
			case <-news:
				news = nil
				turn()
				if kill {
					launch()
				}
			default:
			}
			if !kill && current.Ended() { // without its key it does not start: it is started again, as it would be in a cluster
				<-running
				launch()
			}
			v, err := w.verdict()
			if err != nil {
				return err
			}
			require.Empty(t, v.broken)
			if len(v.unsettled) > 0 {
				return fmt.Errorf("%v", v.unsettled)
			}
			return nil
		})
	}
	settle()
	for range 2 {
		turn()
		settle()
		w.finish()
	}
	settle()
	// The last process may not be ready yet, or the fault be striking just now: neither can end in an orderly way.
	strikes := i.lift()
	if strikes > 0 {
		<-struck
	}
	select {
	case p := <-running:
		p.Kill(t)
	default:
	}
	return strikes > 0
}

// What P1 excepts is provoked here, and nowhere else: the name is the lock, and somebody takes it away before the process
// knows that it has it.
func TestAJobThatIsDeletedBeforeItsCreationIsSettledMayRunTwice(t *testing.T) {
	w := inShared(t, "where a Job is deleted while its creation is unsettled, its number may be created twice: that is counted apart, and nothing else happens")
	w.start()
	w.configMap("config")
	ctj := w.ctj("ctj", []string{"config"})
	w.watching("ctj")
	w.inject(fault{"a Job is deleted before its creation is settled", func(x *exchange) {
		x.forward(httptest.NewRecorder())
		first := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: trigger.JobName("ctj", ctj.UID, 1)}}
		assert.NoError(t, w.Client.Delete(t.Context(), first, client.PropagationPolicy(metav1.DeletePropagationBackground)))
		x.abort()
	}}, func(c *call) bool { return c.is("create jobs") }, nth(1))
	w.change("config")
	w.triggered("ctj", 1)
	w.change("config")
	w.triggered("ctj", 2)
	v := w.rests()
	assert.Equal(t, 1, v.excepted)
	assert.Equal(t, 3, v.created)
}
