package job

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	batchv1 "k8s.io/api/batch/v1"

	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

func TestWhatAJobSaysForPeople(t *testing.T) {
	ctj := watcher()
	whole := Account{Number: 7, Reason: trigger.ReasonChange, Changed: withObjects(creation(ctj).Changed, nil, 0)}
	for does, test := range map[string]struct {
		spoil func(*batchv1.Job)
		want  func(*Account)
	}{
		"a Job of ours says number, reason and what changed": {},
		"another number than its name's is not believed": {
			func(j *batchv1.Job) { j.Annotations[TriggerAnnotation] = "8" },
			func(a *Account) { a.Number = 0 },
		},
		"what was cut is counted": {
			func(j *batchv1.Job) {
				j.Annotations[ChangedAnnotation] = strings.Replace(j.Annotations[ChangedAnnotation], `"omittedFields":0`, `"omittedFields":3`, 1)
			},
			func(a *Account) { a.OmittedFields = 3 },
		},
		"less than nothing cannot have been cut": {
			func(j *batchv1.Job) { j.Annotations[ChangedAnnotation] = `{"resources":[],"omittedFields":-1}` },
			func(a *Account) { a.Changed, a.Unreadable = nil, true },
		},
		"what cannot be read is said to be so": {
			func(j *batchv1.Job) { j.Annotations[ChangedAnnotation] = "{" },
			func(a *Account) { a.Changed, a.Unreadable = nil, true },
		},
		"and so is what is missing": {
			func(j *batchv1.Job) { j.Annotations = nil },
			func(a *Account) { *a = Account{Unreadable: true} },
		},
	} {
		t.Run(does, func(t *testing.T) {
			job, want := built(t, ctj, creation(ctj)), whole
			if test.spoil != nil {
				test.spoil(job)
				test.want(&want)
			}
			assert.Equal(t, want, ReadAccount(job, ctj))
		})
	}
}
