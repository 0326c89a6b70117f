package text

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
)

func TestAWaitForItsWhenIsTold(t *testing.T) {
	w := writer(Unlimited)
	w.reference(&report.Reference{ObjectReference: configMap("app-config"), Pending: true, PendingSince: ago(time.Minute), WaitingForWhen: v1alpha.WhenFailed,
		Changes: []v1alpha.ChangeType{v1alpha.ChangeCreated, v1alpha.ChangeDeleted}, Fields: []report.Field{{Field: "data", State: report.FieldCreated, Exists: true}}}, "")
	assert.Equal(t, "ConfigMap default/app-config, pending for 60s, waits for its when, which could not be evaluated (counts when created or deleted)\n"+
		"  Created      data\n", w.String())
}

func TestAWhenIsToldWithTheObject(t *testing.T) {
	w := writer(Unlimited)
	w.look(&report.CheckReference{ObjectReference: configMap("app-config"), Exists: report.ExistsNo, When: string(v1alpha.WhenFailed)})
	w.look(&report.CheckReference{ObjectReference: configMap("other"), Exists: report.ExistsYes, When: report.WhenTrue,
		Fields: []report.CheckField{{Field: "data", Values: 1, Selected: []report.Selected{{Type: "null"}}}}})
	assert.Equal(t, "  ConfigMap default/app-config: does not exist\n    when: cannot be evaluated now, so that a change waits\n"+
		"  ConfigMap default/other: exists\n    when: true now, so that a change counts\n    data: null\n", w.String())
}
