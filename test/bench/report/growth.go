package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/nusnewob/kube-changejob/test/bench/figures"
)

// rate is the unit of measures of which more is better: what grows with the size is the time for all of it.
const rate = "Jobs/s"

// growth is how a figure grows with the size: with its exponent-th power.
type growth struct {
	measure, statistic, arm, of string
	exponent                    float64
}

// ours says whether an arm is the operator itself.
func ours(arm string) bool { return arm == figures.Operator || arm == figures.Wide }

// growthOf returns the growth of everything that was measured at several sizes.
func growthOf(run *figures.Run) []growth {
	var all []growth
	for _, section := range sections {
		if section.apart {
			continue
		}
		for _, measure := range section.measures {
			series := seriesOf(run, measure)
			for _, s := range series {
				if exponent := s.exponent(); !math.IsNaN(exponent) {
					all = append(all, growth{measure, s.statistic, s.arm, dimensionsOf(series).of, exponent})
				}
			}
		}
	}
	return all
}

// exponent is fitted through the medians. It is NaN for fewer than two sizes; 0 where the figure is 0 at all of them.
func (s *series) exponent() float64 {
	var sizes, values []float64
	flat := true
	for _, f := range s.figures {
		if f.N == 0 {
			continue // it has no logarithm
		}
		value := f.Median()
		flat = flat && value == 0
		if f.Unit == rate && value > 0 {
			value = float64(f.N) / value
		}
		sizes, values = append(sizes, float64(f.N)), append(values, value)
	}
	if flat && len(sizes) > 1 {
		return 0
	}
	return figures.Exponent(sizes, values)
}

// growthTable shows the exponents, arms side by side.
func growthTable(all []growth) string {
	var columns []string
	for _, arm := range arms {
		if slices.ContainsFunc(all, func(g growth) bool { return g.arm == arm }) {
			columns = append(columns, arm)
		}
	}
	rows := [][]string{append([]string{"what grows", "with"}, columns...)}
	at := map[[2]string]int{}
	for _, g := range all {
		key := [2]string{g.measure, g.statistic}
		if at[key] == 0 {
			what := sentence(g.measure)
			if strings.HasPrefix(g.measure, figures.Burst) || strings.HasPrefix(g.measure, figures.FanOut) { // it is a rate
				what += ": the time for all"
			}
			if g.statistic != "" {
				what += " (" + g.statistic + ")"
			}
			at[key] = len(rows)
			rows = append(rows, append([]string{what, g.of}, make([]string, len(columns))...))
		}
		if column := slices.Index(columns, g.arm); column >= 0 {
			text := power(g.exponent)
			if ours(g.arm) && g.exponent > steepest {
				text = "**" + text + "**"
			}
			rows[at[key]][2+column] = text
		}
	}
	return markdown(rows)
}

// power writes an exponent; more digits than two would be noise.
func power(exponent float64) string {
	if text := fmt.Sprintf("%.2f", exponent); text != "-0.00" {
		return text
	}
	return "0.00"
}
