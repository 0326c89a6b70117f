package job

import (
	"encoding/json"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// Account is what a Job says for people of its trigger. Nothing is decided by it.
type Account struct {
	// Number is the number of the trigger; 0 where the Job is not the one that its number gives.
	Number int64
	// Reason is why the trigger happened; empty where the Job does not say.
	Reason trigger.Reason
	// Changed are the objects that had changed, with the paths of their fields.
	Changed []Change
	// OmittedFields is the number of changed fields that the Job does not name, for want of room.
	OmittedFields int
	// Unreadable is true where what changed is not told in a way that can be read.
	Unreadable bool
}

// ReadAccount returns what the Job of ctj says of its trigger. The Job must not have been through Strip.
func ReadAccount(job *batchv1.Job, ctj *v1alpha.ChangeTriggeredJob) Account {
	read := Account{Number: number(job, ctj), Reason: trigger.Reason(job.Annotations[ReasonAnnotation])}
	var said account
	if json.Unmarshal([]byte(job.Annotations[ChangedAnnotation]), &said) != nil || said.OmittedFields < 0 {
		read.Unreadable = true
		return read
	}
	read.Changed, read.OmittedFields = said.Resources, said.OmittedFields
	return read
}
