package scaling

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/test/bench/figures"
)

// measured is a run that is made up: its figures lie on lines, of the slopes that TestUnitsComeFromWhatWasMeasured names.
func measured(t *testing.T) *figures.Run {
	run, err := figures.Load("testdata/figures.json")
	require.NoError(t, err)
	require.NotEmpty(t, run.Figures)
	return run
}

func TestUnitsComeFromWhatWasMeasured(t *testing.T) {
	u, err := Of(measured(t))
	require.NoError(t, err)
	for name, c := range map[string]struct{ want, got float64 }{
		"an operator that has nothing to do, MiB": {50, u.Base},
		"a referenced object, KiB":                {2, u.Reference},
		"a ChangeTriggeredJob, KiB":               {8, u.ChangeTriggeredJob},
		"a Job, KiB":                              {3, u.Job},
		"a KiB that changes nothing, ms":          {0.01, u.ReadKiB},
		"the same of many fields, ms":             {0.02, u.ReadFieldsKiB},
		"a trigger, ms":                           {2, u.Trigger},
		"a second of nothing, ms":                 {2, u.Rest},
		"a start, s":                              {0.1, u.StartBase},
		"a KiB that is listed, ms":                {0.1, u.ListKiB},
		"a comparison at the start, ms":           {0.2, u.Start},
		"triggers a second":                       {250, u.Triggers},
	} {
		assert.InDelta(t, c.want, c.got, 1e-6, name)
	}
}

func TestWhatWasNotMeasuredIsNamed(t *testing.T) {
	run := measured(t)
	for i := range run.Figures {
		missing := *run
		measure := run.Figures[i].Measure
		missing.Figures = nil
		for _, f := range run.Figures {
			if f.Measure != measure {
				missing.Figures = append(missing.Figures, f)
			}
		}
		_, err := Of(&missing)
		require.ErrorIs(t, err, ErrNotMeasured)
		assert.ErrorContains(t, err, measure)
	}
}

func TestNeeds(t *testing.T) {
	u, err := Of(measured(t))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		cluster Cluster
		want    Needs
	}{
		"nothing to do": {Cluster{}, Needs{Memory: 50, CPU: 0.002, Requests: 0.5, Start: 0.1}},
		"many ChangeTriggeredJobs with three references and five Jobs each": {
			Cluster{ChangeTriggeredJobs: 1024, References: 3 * 1024, History: 5},
			Needs{Memory: 50 + 8 + 4 + 12, CPU: 0.002, Requests: 0.5, Start: 0.1 + 1024*0.0002},
		},
		"many objects that change and that nobody references": {
			Cluster{Crowds: []Crowd{{Objects: 50_000, KiB: 10, Changes: 500}, {Objects: 500_000, KiB: 1}}, Watches: 9},
			Needs{Memory: 50, CPU: 0.052, Read: 5000, Requests: 0.52, Start: 100.1},
		},
		"the same of objects with many fields, which cost twice as much to read": {
			Cluster{Crowds: []Crowd{{Objects: 50_000, KiB: 10, Changes: 500, ManyFields: true}, {Objects: 500_000, KiB: 1, ManyFields: true}}, Watches: 9},
			Needs{Memory: 50, CPU: 0.102, Read: 5000, Requests: 0.52, Start: 200.1},
		},
		"triggers": {
			Cluster{Triggers: 50},
			Needs{Memory: 50, CPU: 0.102, Read: 1350, Requests: 210.5, Start: 0.1, ServerShare: 0.2},
		},
		"few triggers, each with its event": {
			Cluster{Triggers: 5},
			Needs{Memory: 50, CPU: 0.012, Read: 135, Requests: 25.5, Start: 0.1, ServerShare: 0.02},
		},
		"the first ones of a process, before each of which is a live read": {
			Cluster{Triggers: 5, Firsts: 5},
			Needs{Memory: 50, CPU: 0.012, Read: 135, Requests: 30.5, Start: 0.1, ServerShare: 0.02},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := u.Needs(c.cluster)
			for what, pair := range map[string][2]float64{
				"CPU": {c.want.CPU, got.CPU}, "memory": {c.want.Memory, got.Memory}, "read": {c.want.Read, got.Read},
				"requests": {c.want.Requests, got.Requests}, "start": {c.want.Start, got.Start}, "share": {c.want.ServerShare, got.ServerShare},
			} {
				assert.InDelta(t, pair[0], pair[1], 1e-6, what)
			}
		})
	}
}
