package job

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// askedFor is the trigger of a Job that was asked for, when nothing had changed and nothing could be seen.
func askedFor(ctj *v1alpha.ChangeTriggeredJob) *trigger.Creation {
	c := creation(ctj)
	c.Reason, c.RunNow, c.Changed, c.Hashes = trigger.ReasonRunNow, "2026-03-01T12:00:00Z", nil, nil
	return c
}

func TestAJobThatWasAskedForTellsSo(t *testing.T) {
	ctj := watcher()
	job := stored(t, ctj, askedFor(ctj))
	assert.Equal(t, "RunNow", job.Annotations[ReasonAnnotation])
	assert.Equal(t, "2026-03-01T12:00:00Z", job.Annotations[v1alpha.RunNowAnnotation])
	assert.JSONEq(t, `{"resources":[],"omittedFields":0}`, job.Annotations[ChangedAnnotation])
	assert.NotContains(t, job.Spec.Template.Annotations, v1alpha.RunNowAnnotation, "it is the operator's own")

	for name, strip := range map[string]func(*batchv1.Job){
		"as it is stored": func(*batchv1.Job) {},
		"as it is cached": func(j *batchv1.Job) {
			_, err := Strip(j)
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			job := job.DeepCopy()
			strip(job)
			got := observe(job, ctj)
			assert.Equal(t, "2026-03-01T12:00:00Z", got.RunNow)
			assert.Equal(t, []trigger.TriggeredHash{}, got.Hashes, "that it stood for nothing is readable")
			assert.Equal(t, []trigger.Change{}, got.Changed)
		})
	}
}

func TestWhatAJobWasAskedForByIsReadFromThoseAloneThatWere(t *testing.T) {
	template := batchv1.JobTemplateSpec{}
	template.Annotations = map[string]string{v1alpha.RunNowAnnotation: "of the template"}
	ctj := watcher(template)
	job := stored(t, ctj, creation(ctj))
	assert.Empty(t, observe(job, ctj).RunNow, "a Job for a change")
	_, err := Strip(job)
	require.NoError(t, err)
	assert.NotContains(t, job.Annotations, v1alpha.RunNowAnnotation)

	job = stored(t, ctj, askedFor(ctj))
	assert.Equal(t, "2026-03-01T12:00:00Z", observe(job, ctj).RunNow, "ours wins")
	delete(job.Annotations, HashesAnnotation)
	assert.Nil(t, observe(job, ctj).Hashes, "what was taken away is not readable")
}
