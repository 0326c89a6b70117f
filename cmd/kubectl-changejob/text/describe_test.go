package text

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

func TestWhatChangedIsSaidInALine(t *testing.T) {
	selected := trigger.Change{
		ObjectReference: trigger.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "team", Selection: "app=web"}, Fields: []string{"data"},
	}
	cases := map[string]struct {
		trigger report.Trigger
		want    string
	}{
		"nothing":              {report.Trigger{}, none},
		"what cannot be known": {report.Trigger{ChangedUnknown: true}, "unknown"},
		"an object, without the namespace where one is at home, and what was left out": {
			report.Trigger{Changed: []job.Change{{Change: trigger.Change{
				ObjectReference: trigger.ObjectReference{Kind: "ConfigMap", Namespace: "home", Name: "app"}, Fields: []string{"data", "immutable"},
			}}}, OmittedFields: 2},
			"ConfigMap app (data, immutable); and 2 more fields",
		},
		"objects that a selector selects": {
			report.Trigger{Changed: []job.Change{{Change: selected, Objects: []trigger.ObjectChange{
				{Namespace: "team", Name: "web-1", Change: trigger.ObjectUpdated, Fields: []string{"data"}},
				{Namespace: "team", Name: "web-2", Change: trigger.ObjectRemoved},
				{Namespace: "other", Name: "web-3", Change: trigger.ObjectAdded},
			}}}},
			"ConfigMap team/[app=web] (data) in web-1, web-2 (removed), other/web-3 (added)",
		},
		"objects of which nothing is known": {
			report.Trigger{Changed: []job.Change{{Change: selected, UnnamedObjects: 3}}},
			"ConfigMap team/[app=web] (data) in perhaps 3 more objects",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, changed(&c.trigger, "home")) })
	}
}
