package faults

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/operator"
)

const elect = "--leader-elect"

func TestWhicheverWriteOfTheLeaseIsTheLastTheNextProcessTakesOver(t *testing.T) {
	w := inShared(t, "nothing is lost while the lease of a process that was killed runs out")
	w.configMap("config")
	w.ctj("ctj", []string{"config"})
	w.options.Args = append(w.options.Args, elect)
	for _, c := range []struct {
		name  string
		fault fault
		on    string
	}{
		{"killed before the lease is made", fails, "create leases"},
		{"killed after the lease was made", losesAnswer, "create leases"},
		{"killed before the lease is taken over", fails, "update leases"},
		{"killed after the lease was taken over", losesAnswer, "update leases"},
	} {
		launched, struck := make(chan *operator.Process, 1), make(chan struct{})
		i := w.inject(fault{c.name, func(x *exchange) {
			defer close(struck)
			defer (<-launched).Kill(t)
			c.fault.do(x)
		}}, func(made *call) bool { return made.is(c.on) }, nth(1))
		launched <- operator.Launch(t, w.options)
		<-struck
		i.lift()
	}
	w.start()
	w.watching("ctj")
	w.change("config")
	w.triggered("ctj", 1)
	w.rests()
}

// holder is who holds the lease.
func (w *world) holder() (string, error) {
	lease := &coordinationv1.Lease{}
	err := w.Client.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "kube-changejob-leader"}, lease)
	if err != nil || lease.Spec.HolderIdentity == nil {
		return "", err
	}
	return *lease.Spec.HolderIdentity, nil
}

func TestALeaderThatWasPausedPastItsLeaseDoesNothingTwice(t *testing.T) {
	w := inShared(t, "two managers: the leader stops past its lease, and goes on while the other acts; no number runs twice, and no baseline moves back")
	w.configMap("config")
	w.configMap("other")
	ctj := w.ctj("ctj", []string{"config"})
	w.ctj("beside", []string{"other"})
	rounds := int64(1)
	if full() {
		rounds = 3
	}
	for round := range rounds {
		n := 4 * round
		w.through(w.Config)
		w.options.Args = append(w.options.Args, elect)
		statuses := w.lagging("changetriggeredjobs")
		leader := w.start()
		w.watching("ctj", "beside")
		w.change("config")
		w.triggered("ctj", n+1) // its first Job is behind it: from now on it trusts its caches, as long as it leads
		held, err := w.holder()
		require.NoError(t, err)
		w.through(w.Config) // what befalls the leader's requests is to befall no other's
		w.options.Args = append(w.options.Args, elect)
		next := operator.Launch(t, w.options)

		statuses.close() // of what the other one does, it will learn nothing in time
		leader.Pause(t)
		w.report.injected("the leader is paused past its lease", 1)
		w.change("config") // the leader will find it in its socket when it goes on
		w.triggered("ctj", n+2)
		now, err := w.holder()
		require.NoError(t, err)
		require.NotEqual(t, held, now)
		w.finish()
		// The name is no lock any more: the one who wakes up must know better.
		require.NoError(t, w.Client.Delete(t.Context(), &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
			Namespace: w.namespace, Name: trigger.JobName("ctj", ctj.UID, n+2),
		}}, client.PropagationPolicy(metav1.DeletePropagationBackground)))
		leader.Resume(t)
		w.change("config")
		w.change("other")
		w.triggered("ctj", n+3)
		w.triggered("beside", round+1)
		statuses.open()
		leader.Kill(t) // if it has not ended by itself, for it has lost the lease
		w.change("config")
		w.triggered("ctj", n+4)
		next.Stop(t)
	}
	assert.EqualValues(t, 5*rounds, w.rests().created)
}
