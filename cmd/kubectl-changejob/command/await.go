package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
)

// enoughLooks is how often in a row it must be seen that there is nothing to wait for before that is believed: a watch may tell of a Job a
// little later than status does.
const enoughLooks = 4

// awaited is what is known of a Job that was asked for.
type awaited struct {
	// asked is the ChangeTriggeredJob when it was asked for, and value what the Job bears.
	asked *v1alpha.ChangeTriggeredJob
	value string
	// triggers is how many there were before it.
	triggers int64
	// job is the last one that was made for value; nil until one is seen. gone is true once it does not exist any more.
	job  *batchv1.Job
	gone bool
	// outcome is how it ended; empty before.
	outcome v1alpha.JobStatus
	// idle counts the looks in a row that saw nothing to wait for.
	idle int
}

// see takes in a Job as it is, or was at last. The end of a Job shows in it, be it deleted in the same moment. Only one that fails
// while it is being deleted tells nothing: it may be replaced, and then the next one answers in its place.
func (a *awaited) see(j *batchv1.Job, gone bool) {
	if !job.Owned(j, a.asked.UID) || j.Annotations[v1alpha.RunNowAnnotation] != a.value {
		return
	}
	if a.job != nil && a.job.UID != j.UID && job.ReadAccount(j, a.asked).Number < job.ReadAccount(a.job, a.asked).Number {
		return // the one that is known has taken its place
	}
	a.job, a.gone, a.idle = j, gone, 0
	switch outcome := job.Outcome(j); {
	case outcome == v1alpha.JobSucceeded, outcome == v1alpha.JobFailed && j.DeletionTimestamp.IsZero():
		a.outcome = outcome
	}
}

// seeAll takes in all the Jobs that there are.
func (a *awaited) seeAll(jobs []batchv1.Job) {
	if a.job != nil {
		a.gone = true
	}
	for i := range jobs {
		a.see(&jobs[i], false)
	}
}

// look takes in what the operator says. Its error says that there is nothing to wait for.
func (a *awaited) look(ctj *v1alpha.ChangeTriggeredJob) error {
	if ctj.UID != a.asked.UID {
		return fmt.Errorf("%s was deleted, and is another one by now", nameOf(ctj))
	}
	status := &ctj.Status
	answered := status.LastRunNow == a.value
	last := a.job != nil && status.LastJobName == a.job.Name
	switch {
	case last && (status.LastJobStatus == v1alpha.JobSucceeded || status.LastJobStatus == v1alpha.JobFailed):
		a.outcome = status.LastJobStatus
		return nil
	case a.job != nil && !a.gone, last && status.LastJobStatus == v1alpha.JobActive:
		a.idle = 0
		return nil
	case a.job != nil && !answered: // it was replaced before it had ended, and the next one answers in its place
		a.job, a.gone, a.triggers = nil, false, status.TriggerCount
		return nil
	case a.job == nil && !answered && ctj.Annotations[v1alpha.RunNowAnnotation] == a.value:
		return nil
	case a.job == nil && answered && status.TriggerCount == a.triggers:
		return a.refused() // for certain: a Job would have counted
	}
	if a.idle++; a.idle < enoughLooks {
		return nil
	}
	switch {
	case a.job != nil:
		return fmt.Errorf("Job %s is gone, and its end was not seen", a.job.Name) //nolint:staticcheck // a kind's name
	case answered:
		return a.refused()
	default:
		return fmt.Errorf("somebody else has asked %s to run before a Job was there", nameOf(ctj))
	}
}

func (a *awaited) refused() error {
	return fmt.Errorf("the operator refused to run a Job: see kubectl events --for ctj/%s", a.asked.Name)
}

// late says what has not happened in time; trouble is the error of the last request, where it failed.
func (a *awaited) late(trouble error) error {
	err := fmt.Errorf("no Job has started in time: see kubectl changejob describe %s", a.asked.Name)
	if a.job != nil {
		err = fmt.Errorf("Job %s has not ended in time", a.job.Name) //nolint:staticcheck // a kind's name
	}
	if trouble != nil {
		return fmt.Errorf("%w (the last request failed: %w)", err, trouble)
	}
	return err
}

// await waits until the Job has ended; watching tells of Jobs since before it was asked for. What ends a watch, and what an API server
// does not answer for a while, ends no wait.
func (c *cluster) await(ctx context.Context, a *awaited, watching watch.Interface, interval time.Duration) error {
	stop := func() {
		if watching != nil {
			watching.Stop()
			watching = nil
		}
	}
	defer func() { stop() }()
	next := time.NewTimer(0)
	defer next.Stop()
	var trouble error
	for a.outcome == "" {
		var events <-chan watch.Event
		if watching != nil {
			events = watching.ResultChan()
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return a.late(trouble)
			}
			return ctx.Err()
		case event, open := <-events:
			if j, ok := event.Object.(*batchv1.Job); open && ok {
				a.see(j, event.Type == watch.Deleted)
			} else {
				stop() // begun anew with the next look
			}
		case <-next.C:
			next.Reset(interval)
			ctj, err := c.lookAgain(ctx, a, &watching)
			switch trouble = err; {
			case ctx.Err() != nil:
				trouble = nil // which says no more
			case final(err):
				return err
			case err == nil:
				if err := a.look(ctj); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// lookAgain returns the ChangeTriggeredJob as it is now, and begins the watch anew where it has ended.
func (c *cluster) lookAgain(ctx context.Context, a *awaited, watching *watch.Interface) (*v1alpha.ChangeTriggeredJob, error) {
	// The ChangeTriggeredJob first: its status is written after the Job.
	ctj := &v1alpha.ChangeTriggeredJob{}
	if err := c.Get(ctx, types.NamespacedName{Namespace: a.asked.Namespace, Name: a.asked.Name}, ctj); err != nil {
		return nil, err
	}
	if *watching == nil {
		jobs, begun, err := c.watchJobs(ctx, a.asked)
		if err != nil {
			return nil, err
		}
		*watching = begun
		a.seeAll(jobs)
	}
	return ctj, nil
}

// final reports whether an error will be the same at the next try.
func final(err error) bool {
	return apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)
}
