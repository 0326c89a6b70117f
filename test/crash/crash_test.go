// Package crash kills the operator's process at each kind of its writes, before and after the API server has
// carried the write out, and checks that every change still gets exactly one Job.
package crash

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/jobs"
	"github.com/nusnewob/kube-changejob/test/operator"
)

const (
	patience = time.Minute
	tick     = 20 * time.Millisecond
	history  = 3
)

var (
	createJob    = write{http.MethodPost, "/jobs"}
	patchStatus  = write{http.MethodPatch, "/changetriggeredjobs/ctj/status"}
	deleteJob    = write{http.MethodDelete, "/jobs/"}
	createEvent  = write{http.MethodPost, "/events"}
	createSecret = write{http.MethodPost, "/secrets"}
	createLease  = write{http.MethodPost, "/leases"}
	updateLease  = write{http.MethodPut, "/leases/"}
)

// rounds is one change each, with the write at which the operator is killed.
func rounds() []round {
	var all []round
	for range 10 {
		all = append(all, round{"after the Job was created, before status was written", createJob, true})
	}
	for range 2 {
		all = append(all,
			round{"before the Job is created", createJob, false},
			round{"before status is written", patchStatus, false},
			round{"after status was written", patchStatus, true},
			round{"before an old Job is deleted", deleteJob, false},
			round{"after an old Job was deleted", deleteJob, true},
			round{"before an event is written", createEvent, false},
			round{"after an event was written", createEvent, true},
		)
	}
	return all
}

type round struct {
	name  string
	write write
	after bool
}

func TestEveryChangeGetsOneJobWhereverTheOperatorIsKilled(t *testing.T) {
	audit := filepath.Join(t.TempDir(), "audit.log")
	server := apiserver.Start(t, apiserver.CRDs(), apiserver.AuditLog(audit, apiserver.AuditRequestResponse))
	ctx := t.Context()
	namespace := server.Namespace(t)
	proxy := newProxy(t, server.Config)
	options := operator.Options{KubeConfig: proxy.kubeConfig(), Namespace: namespace}

	// The very first write is that of the key: killed before and after it, the next process has a key too.
	for _, after := range []bool{false, true} {
		launched := make(chan *operator.Process, 1)
		struck := proxy.arm(createSecret, after, func() { (<-launched).Kill(t) })
		launched <- operator.Launch(t, options)
		<-struck
	}

	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "config"}, Data: map[string]string{"key": "0"}}
	require.NoError(t, server.Client.Create(ctx, config))
	ctj := changeTriggeredJob(namespace)
	require.NoError(t, server.Client.Create(ctx, ctj))
	read := func(t require.TestingT) *v1alpha.ChangeTriggeredJob {
		got := &v1alpha.ChangeTriggeredJob{}
		require.NoError(t, server.Client.Get(ctx, client.ObjectKeyFromObject(ctj), got))
		return got
	}

	p := operator.Start(t, options)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		got := read(c)
		require.Len(c, got.Status.ResourceHashes, 1)
		require.NotEmpty(c, got.Status.ResourceHashes[0].Fields[0].Hash)
	}, patience, tick)

	changes := int64(0)
	change := func() {
		changes++
		patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"data":{"key":"%d"}}`, changes))
		require.NoError(t, server.Client.Patch(ctx, config.DeepCopy(), patch))
	}
	answered := func() {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			got := read(c)
			require.Equal(c, changes, got.Status.TriggerCount)
			require.Empty(c, got.Status.ResourceHashes[0].Fields[0].LastTriggeredHash)
			require.Equal(c, trigger.JobName(got.Name, got.UID, changes), got.Status.LastJobName)
			require.NoError(c, jobs.Finish(ctx, server.Client, namespace, got.Status.LastJobName, batchv1.JobComplete))
		}, patience, tick)
	}
	for range history { // so that old Jobs are there to be deleted
		change()
		answered()
	}
	for _, round := range rounds() {
		t.Log(round.name)
		running := p
		struck := proxy.arm(round.write, round.after, func() { running.Kill(t) })
		change()
		select {
		case <-struck:
		case <-time.After(patience):
			t.Fatalf("%s: no such write was made\n%s", round.name, running.Log())
		}
		p = operator.Start(t, options)
		answered()
	}

	// The lease of one that is killed has to run out before the next one acts: nothing is lost by the wait.
	p.Stop(t)
	electing := options
	electing.Args = []string{"--leader-elect"}
	for _, taken := range []round{
		{"before the lease is made", createLease, false}, {"after the lease was made", createLease, true},
		{"before the lease is taken over", updateLease, false}, {"after the lease was taken over", updateLease, true},
	} {
		t.Log(taken.name)
		launched := make(chan *operator.Process, 1)
		struck := proxy.arm(taken.write, taken.after, func() { (<-launched).Kill(t) })
		launched <- operator.Launch(t, electing)
		<-struck
	}
	change()
	operator.Start(t, electing)
	answered()

	got := read(t)
	var list batchv1.JobList
	require.NoError(t, server.Client.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels{job.OwnerLabel: got.Name}))
	merged := trigger.MergeReferences(got.Spec.Resources)
	unaware := got.DeepCopy() // of what an ended Job ran for, only a status that does not know it asks
	unaware.Status.TriggerCount = 0
	for i := range list.Items {
		if observed := job.Observe(&list.Items[i], unaware, merged); observed.Number == changes {
			require.Len(t, observed.Hashes, 1)
			assert.Equal(t, got.Status.ResourceHashes[0].Fields[0].Hash, observed.Hashes[0].Hash, "hash = baseline = what the newest Job stood for")
		}
	}
	assert.Equal(t, contiguous(got, changes), created(t, audit), "each trigger number was created once, in order")
}

// created is the names of the Jobs that the API server has created, in order, by its audit log.
func created(t *testing.T, audit string) []string {
	events, err := apiserver.ReadAuditLog(audit)
	require.NoError(t, err)
	var names []string
	for _, event := range events {
		if event.Verb == "create" && event.ObjectRef.Resource == "jobs" && event.ResponseStatus.Code == http.StatusCreated {
			names = append(names, event.ObjectRef.Name)
		}
	}
	return names
}

func contiguous(ctj *v1alpha.ChangeTriggeredJob, count int64) []string {
	var names []string
	for number := int64(1); number <= count; number++ {
		names = append(names, trigger.JobName(ctj.Name, ctj.UID, number))
	}
	return names
}

func changeTriggeredJob(namespace string) *v1alpha.ChangeTriggeredJob {
	return &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "ctj"},
		Spec: v1alpha.ChangeTriggeredJobSpec{
			JobTemplate: jobs.Template(),
			Cooldown:    &metav1.Duration{},
			History:     ptr.To(int32(history)),
			Resources: []v1alpha.ResourceReference{{
				APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: "config", Fields: []string{"data"},
			}},
		},
	}
}
