package faults

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// lagging makes the watches of a resource lag while the gate that is returned is closed.
func (w *world) lagging(resource string) *gate {
	g := &gate{}
	w.inject(g.lags(), func(c *call) bool { return c.is("watch " + resource) })
	return g
}

func TestAStatusThatTheCacheLagsBehindRunsNoNumberAgain(t *testing.T) {
	w := inShared(t, "no second Job of a number, though the cache does not know it and its name is free")
	statuses := w.lagging("changetriggeredjobs")
	w.start()
	w.configMap("config")
	ctj := w.ctj("ctj", []string{"config"})
	w.watching("ctj")
	w.change("config")
	w.triggered("ctj", 1) // the process' first Job reads live in any case

	statuses.close()
	for n := int64(2); n <= 3; n++ {
		w.change("config")
		w.triggered("ctj", n)
		w.finish()
		// The name is free again: it is a lock no more.
		require.NoError(t, w.Client.Delete(t.Context(), &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
			Namespace: w.namespace, Name: trigger.JobName("ctj", ctj.UID, n),
		}}, client.PropagationPolicy(metav1.DeletePropagationBackground)))
		w.lasts(time.Second) // it wakes the operator, whose cache has a status from before the Job
	}
	statuses.open()
	w.change("config")
	w.triggered("ctj", 4)
	assert.Equal(t, 4, w.rests().created)
}

func TestAJobThatTheCacheLagsBehindIsWaitedFor(t *testing.T) {
	w := inShared(t, "a Job that runs is waited for, and none is taken for gone, though the cache does not have it")
	listed := w.lagging("jobs")
	w.start()
	w.configMap("config")
	w.ctj("ctj", []string{"config"}, func(s *v1alpha.ChangeTriggeredJobSpec) { s.ConcurrencyPolicy = v1alpha.ForbidConcurrent })
	w.watching("ctj")

	listed.close()
	w.change("config")
	w.triggered("ctj", 1)
	w.change("config")
	w.condition("ctj", trigger.ConditionProgressing, trigger.ReasonJobRunning)
	ctj, err := w.get("ctj")
	require.NoError(t, err)
	assert.Equal(t, int64(1), ctj.Status.TriggerCount)
	assert.Equal(t, v1alpha.JobActive, ctj.Status.LastJobStatus)
	listed.open()
	w.finish()
	w.triggered("ctj", 2)
	w.finish()
	assert.Equal(t, 2, w.rests().created)
}

func TestAWatchThatLagsMovesNothingBack(t *testing.T) {
	w := inShared(t, "one Job for a state that a later read has shown, none for what the late watch then tells of the time before")
	told := w.lagging("configmaps")
	w.start("--watch-threshold=-1")
	w.configMap("config")
	w.ctj("ctj", []string{"config"})
	w.watching("ctj")
	w.change("config")
	w.triggered("ctj", 1)

	told.close()
	w.change("config")
	w.eventually(func() error { // what comes later comes behind it
		if !told.holds() {
			return errors.New("the watch has told nothing yet")
		}
		return nil
	})
	w.change("config")
	w.change("config")
	w.ctj("joins", []string{"config"}) // what joins is read, whatever the watch tells
	w.watching("joins")
	w.triggered("ctj", 2)
	told.step() // the first of them alone: were it believed, the state would be another one
	w.lasts(time.Second)
	told.open()
	w.change("config")
	w.triggered("ctj", 3)
	w.triggered("joins", 1)
	assert.Equal(t, 4, w.rests().created)
}
