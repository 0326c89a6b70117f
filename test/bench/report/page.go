package main

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/nusnewob/kube-changejob/test/bench/figures"
)

// section is a part of the page, and the measures whose tables and plots stand in it.
type section struct {
	name     string
	measures []string
	// apart is set where the sides are compared with each other, and nothing is said of how a figure grows with the size.
	apart bool
}

var sections = []section{
	{name: "latency", measures: []string{figures.LatencySingle, figures.LatencyHalf, figures.LatencyStream}},
	{name: "burst", measures: []string{figures.Burst, figures.BurstJobs, figures.BurstFirst, figures.FanOut, figures.FanOutFirst, figures.FanOutJobs, figures.TriggerCPU, figures.SingleCPU, figures.LifeCPU}},
	{name: "start", measures: []string{figures.Start, figures.StartProcess, figures.StartCluster, figures.StartBytes}},
	{name: "memory", measures: []string{
		figures.PeakCluster, figures.ResidentCluster, figures.PeakReferences, figures.ResidentReferences, figures.OwnReferences,
		figures.ResidentStart, figures.Heap, figures.HeapJob,
	}},
	{name: "cost", measures: []string{figures.CostCPU, figures.CostEvents, figures.CostReconciles, figures.CostRequests}},
	{name: "threshold", measures: []string{figures.ThresholdResident, figures.ThresholdUnreferenced, figures.ThresholdWithout}, apart: true},
	{name: "rest", measures: []string{figures.Idle, figures.RestCPU, figures.Watches}},
}

const (
	nothing   = "No figures are there yet; `make bench` takes them."
	notThese  = "Not measured yet."
	blankLine = "\n\n"
)

// known returns an error for a figure that no section shows: what is measured and not told would be lost.
func known(run *figures.Run) error {
	for i := range run.Figures {
		measure := run.Figures[i].Measure
		if measure == figures.Simulation {
			continue // it stands on a page of its own
		}
		if !slices.ContainsFunc(sections, func(s section) bool { return slices.Contains(s.measures, measure) }) {
			return fmt.Errorf("no section of the report has %q", measure)
		}
	}
	return nil
}

// blocks returns the generated parts by their names.
func blocks(run *figures.Run, plots string) map[string]string {
	parts := map[string]string{"machine": nothing, "targets": notThese, "growth": notThese}
	if len(run.Figures) > 0 {
		parts["machine"] = machineLine(run)
		parts["targets"] = targetTable(run)
		if growths := growthOf(run); len(growths) > 0 {
			parts["growth"] = growthTable(growths)
		}
	}
	for _, s := range sections {
		var tables []string
		for _, measure := range s.measures {
			if len(seriesOf(run, measure)) == 0 {
				continue
			}
			tables = append(tables, table(run, measure))
			if p := pictured(run, measure); p != nil {
				tables = append(tables, fmt.Sprintf("![%s](%s/%s)", p.alt(), plots, plotName(measure)))
			}
		}
		parts[s.name] = notThese
		if len(tables) > 0 {
			parts[s.name] = strings.Join(tables, blankLine)
		}
	}
	return parts
}

// machineLine says where the figures were taken, and how often each.
func machineLine(run *figures.Run) string {
	m := run.Machine
	least, most := len(run.Figures[0].Rounds), 0
	for i := range run.Figures {
		least, most = min(least, len(run.Figures[i].Rounds)), max(most, len(run.Figures[i].Rounds))
	}
	times := fmt.Sprint(most)
	if least != most {
		times = fmt.Sprintf("%d to %d", least, most)
	}
	plural := "s"
	if most == 1 {
		plural = ""
	}
	return fmt.Sprintf("Measured on %d CPUs (%s) with %d GiB of memory, Kubernetes %s, Go %s; %s round%s of each.%s",
		m.CPUs, m.CPU, m.MemoryGiB, m.Kubernetes, m.Go, times, plural, origin(run))
}

// origin says of which commits and days the figures are, in the order of the days.
func origin(run *figures.Run) string {
	type source struct{ date, commit string }
	count := map[source]int{}
	unknown := 0
	for i := range run.Figures {
		if f := &run.Figures[i]; f.Commit == "" {
			unknown++
		} else {
			count[source{f.Date, f.Commit}]++
		}
	}
	sources := slices.SortedFunc(maps.Keys(count), func(a, b source) int {
		return cmp.Or(cmp.Compare(a.date, b.date), cmp.Compare(a.commit, b.commit))
	})
	var parts []string
	for _, s := range sources {
		parts = append(parts, fmt.Sprintf("%d of commit `%s` on %s", count[s], s.commit, s.date))
	}
	if unknown > 0 {
		parts = append(parts, fmt.Sprintf("%d of a commit that was not kept", unknown))
	}
	return fmt.Sprintf(" Of the %d figures, %s.", len(run.Figures), strings.Join(parts, ", "))
}

var marker = regexp.MustCompile(`<!-- (begin|end) ([a-z-]+) -->`)

// fill puts each part between the markers that bear its name. The page must have each pair once, and no other.
func fill(page string, parts map[string]string) (string, error) {
	var filled strings.Builder
	open, rest := "", 0
	seen := map[string]bool{}
	for _, at := range marker.FindAllStringSubmatchIndex(page, -1) {
		begins, name := page[at[2]:at[3]] == "begin", page[at[4]:at[5]]
		content, ok := parts[name]
		switch {
		case !ok:
			return "", fmt.Errorf("nothing is called %q", name)
		case begins && open != "":
			return "", fmt.Errorf("%q begins within %q", name, open)
		case begins && seen[name]:
			return "", fmt.Errorf("%q is there twice", name)
		case !begins && open != name:
			return "", fmt.Errorf("%q ends, and has not begun", name)
		case begins:
			filled.WriteString(page[rest:at[1]])
			filled.WriteString(blankLine + content + blankLine)
			open, seen[name] = name, true
		default:
			open, rest = "", at[0]
		}
	}
	if open != "" {
		return "", fmt.Errorf("%q does not end", open)
	}
	for name := range parts {
		if !seen[name] {
			return "", fmt.Errorf("it has no place for %q", name)
		}
	}
	filled.WriteString(page[rest:])
	return filled.String(), nil
}
