package controllers

import (
	"testing"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/test/jobs"
)

func TestAStatusIsWrittenOnWhatItWasDecidedOnAndWithoutTheSpec(t *testing.T) {
	ctj := &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "ctj", UID: "uid", ResourceVersion: "7", Labels: map[string]string{"label": "value"},
		},
		Spec:   v1alpha.ChangeTriggeredJobSpec{JobTemplate: jobs.Template()},
		Status: v1alpha.ChangeTriggeredJobStatus{LastJobStatus: v1alpha.JobActive, TriggerCount: 1},
	}
	assert.Equal(t, &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "ctj", UID: "uid", ResourceVersion: "7"},
		Status:     v1alpha.ChangeTriggeredJobStatus{TriggerCount: 2},
	}, statusUpdate(ctj, &v1alpha.ChangeTriggeredJobStatus{TriggerCount: 2}))
}
