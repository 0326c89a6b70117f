package bench

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/bench/feed"
	"github.com/nusnewob/kube-changejob/test/bench/figures"
	"github.com/nusnewob/kube-changejob/test/bench/scaling"
	"github.com/nusnewob/kube-changejob/test/jobs"
)

// BenchmarkTrigger measures what a trigger costs the operator from the change until its Job has ended and the Job before it is deleted,
// one at a time. Every ChangeTriggeredJob keeps one Job.
func BenchmarkTrigger(b *testing.B) {
	measures(b)
	skipWithoutProc(b)
	objects, samples := 100, 200
	if short() {
		objects, samples = 10, 10
	}
	server := apiserver.Start(b, apiserver.CRDs())
	endJobs(b, server)
	a := newArm(b, server, figures.Operator, shape{n: objects, keep: 1})
	a.volley(b)
	next := 0
	for range takes() {
		used := -awaitStill(b, a.process.Pid())
		pace := time.NewTicker(100 * time.Millisecond) // the end of a Job takes as long as its beginning
		for range samples {
			<-pace.C
			a.stream(b, next, 1, 1)
			next = (next + 1) % objects
		}
		pace.Stop()
		a.await(b, "ends of the Jobs", func(t *tally) bool { return t.active == 0 && t.present == objects })
		used += awaitStill(b, a.process.Pid())
		value := ofThousand(used, samples)
		record(figures.Figure{Measure: figures.LifeCPU, Arm: figures.Operator, Unit: "ms"}, value)
		b.Logf("%s: %.0f ms", figures.LifeCPU, value)
	}
	a.stop()
}

// endJobs stands in for the Job controller until the benchmark ends: each Job that comes ends at once, in as many updates as the Job controller
// makes of it.
func endJobs(b *testing.B, server *apiserver.Server) {
	b.Helper()
	c, err := client.NewWithWatch(server.Config, client.Options{Scheme: server.Scheme})
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	events, err := feed.Follow(ctx, c, &batchv1.JobList{}, "")
	require.NoError(b, err)
	group := &errgroup.Group{}
	group.SetLimit(hands)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for event := range events {
			job, ok := event.Object.(*batchv1.Job)
			switch {
			case !ok:
				b.Errorf("watch of the Jobs: %v", event.Object)
			case event.Type == watch.Added:
				group.Go(func() error {
					if err := client.IgnoreNotFound(endJob(ctx, c, job)); err != nil && ctx.Err() == nil {
						b.Errorf("end a Job: %v", err)
					}
					return nil
				})
			}
		}
	}()
	b.Cleanup(func() {
		cancel()
		<-ended
		_ = group.Wait()
	})
}

// endJob updates a Job's status as often as it happens to one that succeeds.
func endJob(ctx context.Context, c client.Client, job *batchv1.Job) error {
	for i := range scaling.Updates - 1 {
		job.Status.Active, job.Status.Ready = 1, new(int32(i%2))
		if err := c.Status().Update(ctx, job); err != nil {
			return err
		}
	}
	job.Status.Active, job.Status.Ready = 0, new(int32(0))
	jobs.End(job, batchv1.JobComplete)
	return c.Status().Update(ctx, job)
}
