package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nusnewob/kube-changejob/test/bench/figures"
	"github.com/nusnewob/kube-changejob/test/bench/scaling"
)

// scalingPage is the name of the page that shows what is computed, rather than measured.
const scalingPage = "scaling.md"

// scalingBlocks returns the generated parts of that page by their names.
func scalingBlocks(run *figures.Run) (map[string]string, error) {
	units, err := scaling.Of(run)
	switch {
	case errors.Is(err, scaling.ErrNotMeasured):
		return map[string]string{"units": notThese, "clusters": notThese, "simulation": notThese}, nil
	case err != nil:
		return nil, err
	}
	return map[string]string{
		"units":      unitTable(units),
		"clusters":   clusterTable(units),
		"simulation": simulationTable(run, units),
	}, nil
}

func unitTable(u scaling.Units) string {
	return markdown([][]string{
		{"", "costs", "measured as"},
		{"an operator that has nothing to do", number(u.Base) + " MiB", "resident memory by references, at none"},
		{"an object that is referenced", number(u.Reference) + " KiB", "the same, by reference"},
		{"a ChangeTriggeredJob with one reference and one Job", number(u.ChangeTriggeredJob) + " KiB", "resident memory by ChangeTriggeredJobs"},
		{"each further Job that is kept", number(u.Job) + " KiB", "live heap of a Job"},
		{"a KiB of an object that changes nothing", number(1000*u.ReadKiB) + " µs of a processor", "CPU for 1,000 irrelevant changes"},
		{"the same of one with many fields, as a Pod has", number(1000*u.ReadFieldsKiB) + " µs", "the same, of Pods"},
		{"a trigger, until its Job has ended and an older one is deleted", number(u.Trigger) + " ms of a processor", figures.LifeCPU},
		{"a second in which nothing happens", number(u.Rest) + " ms of a processor", "processor time at rest, with 10,000 ChangeTriggeredJobs"},
		{"a start", number(1000*u.StartBase) + " ms", "start, at none"},
		{"a comparison at the start", number(u.Start) + " ms", "the same, by ChangeTriggeredJob"},
		{"a KiB of an object that is covered, at the start", number(1000*u.ListKiB) + " µs", "start by cluster"},
		{"what the API server takes", number(u.Triggers) + " triggers/s", "the bare loop's burst of 10,000"},
	})
}

func clusterTable(u scaling.Units) string {
	rows := [][]string{{
		"", "ChangeTriggeredJobs", "watched objects", "changes/s", "triggers/s",
		"processors", "memory, MiB", "read, KiB/s (before compression)", "requests/s", "start, s", "of what the API server takes",
	}}
	for _, c := range scaling.Clusters() {
		objects, changes := 0, 0.0
		for _, crowd := range c.Crowds {
			objects, changes = objects+crowd.Objects, changes+crowd.Changes
		}
		n := u.Needs(c)
		rows = append(rows, []string{
			c.Name, whole(float64(c.ChangeTriggeredJobs)), whole(float64(objects)), number(changes), number(c.Triggers),
			number(n.CPU), number(n.Memory), number(n.Read), number(n.Requests), number(n.Start), number(100*n.ServerShare) + " %",
		})
	}
	return markdown(rows)
}

// simulationTable shows what was measured of the simulated clusters beside what the formula says of them.
func simulationTable(run *figures.Run, u scaling.Units) string {
	var measured []figures.Figure
	for i := range run.Figures {
		if run.Figures[i].Measure == figures.Simulation {
			measured = append(measured, run.Figures[i])
		}
	}
	if len(measured) == 0 {
		return notThese
	}
	var sizes []int
	var statistics []string
	for i := range measured {
		if f := &measured[i]; !slices.Contains(sizes, f.N) {
			sizes = append(sizes, f.N)
		}
		if f := &measured[i]; !slices.Contains(statistics, f.Statistic) {
			statistics = append(statistics, f.Statistic)
		}
	}
	slices.Sort(sizes)
	slices.Sort(statistics)
	rows := [][]string{{"Nodes", "", "measured", "by the formula", "measured : formula"}}
	for _, n := range sizes {
		says := u.Needs(scaling.Simulated(n)).Compared()
		for _, statistic := range statistics {
			f, ok := run.Find(figures.Simulation, figures.Operator, statistic, n)
			if !ok {
				continue
			}
			rows = append(rows, []string{
				whole(float64(n)), statistic, spread(&f), number(says[statistic]), marked(f.Median() / says[statistic]),
			})
		}
	}
	return markdown(rows)
}

// marked writes what was measured against what the formula says, and marks it where the formula is off by more than one would trust.
func marked(ratio float64) string {
	text := fmt.Sprintf("%.2f", ratio)
	if !(ratio >= 0.7 && ratio <= 1.4) {
		text = "**" + text + "**"
	}
	return text
}
