package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/nusnewob/kube-changejob/test/bench/figures"
)

// number writes a value with three digits, or all of them before the point, thousands apart.
func number(v float64) string {
	switch size := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case size >= 99.95 || v == 0:
		return whole(v)
	case size >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case size >= 0.9995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'f', min(6, 2-int(math.Floor(math.Log10(size)))), 64)
	}
}

// whole writes a value without a fraction.
func whole(v float64) string { return thousands(strconv.FormatFloat(v, 'f', 0, 64)) }

// thousands puts commas into the digits of a whole number.
func thousands(digits string) string {
	sign := ""
	if rest, negative := strings.CutPrefix(digits, "-"); negative {
		sign, digits = "-", rest
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// spread writes the median of the rounds, and behind it the least and the greatest where they differ. What is counted has no
// fractions.
func spread(f *figures.Figure) string {
	if len(f.Rounds) == 0 {
		return ""
	}
	write := number
	if !slices.ContainsFunc(append([]float64{f.Median()}, f.Rounds...), func(v float64) bool { return v != math.Trunc(v) }) {
		write = whole
	}
	least, middle, most := write(f.Min()), write(f.Median()), write(f.Max())
	if least == middle && middle == most {
		return middle
	}
	return fmt.Sprintf("%s (%s – %s)", middle, least, most)
}

// sentence makes the first letter a capital one.
func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
