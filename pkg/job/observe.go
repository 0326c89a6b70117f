package job

import (
	"strconv"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// Observe returns what a decision about ctj needs to know of one of its Jobs; see Owned. references are what
// trigger.References makes of spec and status. The Job may have been through Strip.
//
// Hashes and Changed are read only where a decision can ask for them: of a Job that runs, of one that status does not
// know of, and of the last one where status does not know how it ended, or says when it is tried again. A history of a thousand Jobs costs nothing else.
//
// Annotations that somebody else has written on a Job of ours never do more harm than one Job too many: a number counts
// only where the Job has the name of that number, and hashes that do not look like ours count as unreadable. Who may
// create Jobs can make a whole one that passes for ours; SECURITY.md says what follows.
func Observe(job *batchv1.Job, ctj *v1alpha.ChangeTriggeredJob, references []trigger.MergedReference) trigger.Job {
	outcome, finished := ending(job)
	observed := trigger.Job{
		Name:              job.Name,
		UID:               job.UID,
		CreationTimestamp: job.CreationTimestamp.Time,
		Deleting:          !job.DeletionTimestamp.IsZero(),
		Number:            number(job, ctj),
		Outcome:           outcome,
		Finished:          finished,
	}
	known := observed.Number != 0 && observed.Number <= ctj.Status.TriggerCount
	retried := ctj.Status.Retry != nil && ctj.Status.Retry.NextTime != nil
	asked := observed.Name == ctj.Status.LastJobName && (observed.Outcome != ctj.Status.LastJobStatus || retried)
	if !observed.Running() && known && !asked {
		return observed
	}
	observed.RunNow = runNow(job)
	text, annotated := job.Annotations[HashesAnnotation]
	written, ok := decodeHashes(text)
	if annotated && text == "" && observed.RunNow != "" {
		written, ok = record{}, true // nothing had changed, and nothing could be seen
	}
	if !ok {
		return observed
	}
	observed.Hashes = make([]trigger.TriggeredHash, 0, len(written))
	observed.Changed = []trigger.Change{}
	for _, reference := range references {
		var pending []string
		for _, field := range reference.Fields {
			said := written[shortID(place{reference.Reference, field})]
			if said.pending {
				pending = append(pending, field)
			}
			if said.hash != "" {
				observed.Hashes = append(observed.Hashes,
					trigger.TriggeredHash{Reference: reference.Reference, Field: field, Hash: said.hash})
			}
		}
		if len(pending) > 0 {
			observed.Changed = append(observed.Changed,
				trigger.Change{ObjectReference: reference.Reference, Fields: pending})
		}
	}
	return observed
}

// runNow returns what the Job was asked for by. The template may have an annotation of that name, too, which all Jobs get.
func runNow(job *batchv1.Job) string {
	if job.Annotations[ReasonAnnotation] != string(trigger.ReasonRunNow) {
		return ""
	}
	return job.Annotations[v1alpha.RunNowAnnotation]
}

// number returns the number of the trigger that the Job is for, or 0.
func number(job *batchv1.Job, ctj *v1alpha.ChangeTriggeredJob) int64 {
	n, err := strconv.ParseInt(job.Annotations[TriggerAnnotation], 10, 64)
	if err != nil || n < 1 || job.Name != trigger.JobName(ctj.Name, ctj.UID, n) {
		return 0
	}
	return n
}
