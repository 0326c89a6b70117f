package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/nusnewob/kube-changejob/test/bench/figures"
)

// arms are the sides in the order of the columns.
var arms = []string{
	figures.Operator, figures.Single, figures.Wide, figures.Bare, figures.Create, figures.Informer, figures.Metadata, figures.List,
}

// place is where an arm stands among the others; one that is not known stands last.
func place(arm string) int {
	if i := slices.Index(arms, arm); i >= 0 {
		return i
	}
	return len(arms)
}

// series is what was measured on one side, at every size.
type series struct {
	arm, statistic string
	figures        []figures.Figure // by size
}

// seriesOf returns what was measured, arms in their order.
func seriesOf(run *figures.Run, measure string) []series {
	var all []series
	for i := range run.Figures {
		f := run.Figures[i]
		if f.Measure != measure || len(f.Rounds) == 0 {
			continue
		}
		at := slices.IndexFunc(all, func(s series) bool { return s.arm == f.Arm && s.statistic == f.Statistic })
		if at < 0 {
			at, all = len(all), append(all, series{arm: f.Arm, statistic: f.Statistic})
		}
		all[at].figures = append(all[at].figures, f)
	}
	for _, s := range all {
		slices.SortFunc(s.figures, func(a, b figures.Figure) int { return cmp.Compare(a.N, b.N) })
	}
	slices.SortFunc(all, func(a, b series) int {
		return cmp.Or(cmp.Compare(place(a.arm), place(b.arm)), cmp.Compare(a.arm, b.arm), cmp.Compare(a.statistic, b.statistic))
	})
	return all
}

// dimensions are what the figures of a measure differ in.
type dimensions struct {
	arms, statistics []string
	sizes            []int
	of, unit         string
}

func dimensionsOf(all []series) dimensions {
	d := dimensions{of: "N"}
	for _, s := range all {
		if !slices.Contains(d.arms, s.arm) {
			d.arms = append(d.arms, s.arm)
		}
		if !slices.Contains(d.statistics, s.statistic) {
			d.statistics = append(d.statistics, s.statistic)
		}
		for _, f := range s.figures {
			d.unit = f.Unit
			if f.Of != "" {
				d.of = f.Of
			}
			if !slices.Contains(d.sizes, f.N) {
				d.sizes = append(d.sizes, f.N)
			}
		}
	}
	slices.Sort(d.statistics)
	slices.Sort(d.sizes)
	return d
}

// sized says whether there are sizes to tell apart.
func (d dimensions) sized() bool { return len(d.sizes) > 1 || d.sizes[0] != 0 }

// parted says whether there are statistics to tell apart.
func (d dimensions) parted() bool { return len(d.statistics) > 1 || d.statistics[0] != "" }

// table shows a measure: sizes and statistics as rows, arms side by side, and the operator against the bare loop.
func table(run *figures.Run, measure string) string {
	d := dimensionsOf(seriesOf(run, measure))
	compared := slices.Contains(d.arms, figures.Operator) && slices.Contains(d.arms, figures.Bare)
	var head []string
	if d.sized() {
		head = append(head, d.of)
	}
	if d.parted() {
		head = append(head, "")
	}
	head = append(head, d.arms...)
	if compared {
		head = append(head, "× the bare loop")
	}
	rows := [][]string{head}
	for _, n := range d.sizes {
		for _, statistic := range d.statistics {
			var row []string
			if d.sized() {
				row = append(row, thousands(fmt.Sprint(n)))
			}
			if d.parted() {
				row = append(row, statistic)
			}
			measured := false
			for _, arm := range d.arms {
				f, ok := run.Find(measure, arm, statistic, n)
				measured = measured || ok
				row = append(row, spread(&f))
			}
			if compared {
				f, _ := quotient(measure, figures.Operator, figures.Bare, statistic, n)(run)
				row = append(row, spread(&f))
			}
			if measured {
				rows = append(rows, row)
			}
		}
	}
	return fmt.Sprintf("**%s**, in %s: median (least – greatest)", sentence(measure), d.unit) + blankLine + markdown(rows)
}

// markdown writes rows as a table; the first is its head.
func markdown(rows [][]string) string {
	var lines []string
	for i, row := range rows {
		lines = append(lines, "| "+strings.Join(row, " | ")+" |")
		if i == 0 {
			lines = append(lines, strings.Repeat("|---", len(row))+"|")
		}
	}
	return strings.Join(lines, "\n")
}
