// Package figures is what a run of the benchmarks has measured: it goes to a file as JSON, and from there to the documentation.
package figures

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// The sides that are compared.
const (
	// Operator is kube-changejob's own program, with the flags of production.
	Operator = "kube-changejob"
	// Bare is a loop that does the least that an operator must which remembers its baseline: one watch, and per change one
	// Job create and one status patch.
	Bare = "bare loop"
	// Create is that loop without the status patch.
	Create = "creates alone"
	// Informer is the operator's watch as it would be with client-go's dynamic informer.
	Informer = "dynamic informer"
	// Metadata is the operator's watch as it would be with controller-runtime's metadata informer, and a get per event.
	Metadata = "metadata and get"
	// Wide is the operator whose watches are forced to cover the cluster.
	Wide = "kube-changejob, wide"
	// Single is the operator that watches whatever is referenced one by one.
	Single = "kube-changejob, single watches"
	// List is a program that lists and decodes what the operator must, and ends.
	List = "list and decode"
)

// Figure is one thing that was measured on one side at one size, in each of several rounds.
type Figure struct {
	// Measure is what is measured, such as "latency, one at a time".
	Measure string `json:"measure"`
	// Arm is the side: Operator, Bare, …
	Arm string `json:"arm"`
	// Statistic says what of it, such as "p50", where there are several; else it is empty.
	Statistic string `json:"statistic,omitempty"`
	// Unit is that of the rounds, such as "ms" or "Jobs/s".
	Unit string `json:"unit"`
	// N is the size, such as the number of references; 0 where there is only one. Of says what N counts.
	N  int    `json:"n,omitempty"`
	Of string `json:"of,omitempty"`
	// Commit is what was measured, and Date the day on which it was. They are empty for what was measured before they were kept.
	Commit string `json:"commit,omitempty"`
	Date   string `json:"date,omitempty"`
	// Rounds are the values, one for each round, in the order in which they were taken.
	Rounds []float64 `json:"rounds"`
}

// Run is one run of the benchmarks.
type Run struct {
	Machine Machine  `json:"machine"`
	Figures []Figure `json:"figures"`
}

// Machine is where it ran.
type Machine struct {
	CPU        string `json:"cpu"`
	CPUs       int    `json:"cpus"`
	MemoryGiB  int    `json:"memoryGiB"`
	Go         string `json:"go"`
	Kubernetes string `json:"kubernetes"`
}

// Load reads a run; one that has not been saved yet has no figures.
func Load(file string) (*Run, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return &Run{}, nil
	}
	if err != nil {
		return nil, err
	}
	run := &Run{}
	if err := json.Unmarshal(content, run); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return run, nil
}

// Save writes the run, sorted, so that two runs can be compared line by line.
func (r *Run) Save(file string) error {
	slices.SortStableFunc(r.Figures, func(a, b Figure) int {
		return cmp.Or(cmp.Compare(a.Measure, b.Measure), cmp.Compare(a.N, b.N), cmp.Compare(a.Statistic, b.Statistic), cmp.Compare(a.Arm, b.Arm))
	})
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return err
	}
	return os.WriteFile(file, append(content, '\n'), 0o600)
}

// Add appends a value to the figure that is the same but for its rounds.
func (r *Run) Add(f Figure, value float64) {
	for i := range r.Figures {
		if same(&r.Figures[i], &f) {
			r.Figures[i].Rounds = append(r.Figures[i].Rounds, value)
			return
		}
	}
	f.Rounds = []float64{value}
	r.Figures = append(r.Figures, f)
}

// Keep adds the figures of an older run that this one has not taken. One of a measure, statistic and size that this run has taken of any
// side is not among them: a ratio must be of one run.
func (r *Run) Keep(older []Figure) {
	type subject struct {
		measure, statistic string
		n                  int
	}
	taken := map[subject]bool{}
	for i := range r.Figures {
		f := &r.Figures[i]
		taken[subject{f.Measure, f.Statistic, f.N}] = true
	}
	for _, f := range older {
		if !taken[subject{f.Measure, f.Statistic, f.N}] {
			r.Figures = append(r.Figures, f)
		}
	}
}

func same(a, b *Figure) bool {
	return a.Measure == b.Measure && a.Arm == b.Arm && a.Statistic == b.Statistic && a.Unit == b.Unit && a.N == b.N
}

// Find returns the figure; ok is false where it was not measured.
func (r *Run) Find(measure, arm, statistic string, n int) (f Figure, ok bool) {
	for i := range r.Figures {
		if f := r.Figures[i]; f.Measure == measure && f.Arm == arm && f.Statistic == statistic && f.N == n {
			return f, true
		}
	}
	return Figure{}, false
}

// Min is the least of the rounds; 0 where there is none.
func (f *Figure) Min() float64 {
	if len(f.Rounds) == 0 {
		return 0
	}
	return slices.Min(f.Rounds)
}

// Max is the greatest of the rounds; 0 where there is none.
func (f *Figure) Max() float64 {
	if len(f.Rounds) == 0 {
		return 0
	}
	return slices.Max(f.Rounds)
}

// Median is the middle one of the rounds, of an even number the mean of the two in the middle; 0 where there is none.
func (f *Figure) Median() float64 { return Median(f.Rounds) }

// Median is the middle one of the values, of an even number the mean of the two in the middle; 0 where there is none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Quantile returns the smallest of the values that at least the part q of them does not exceed; 0 where there is none.
func Quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}

// Ratio compares two figures round by round, for what disturbs one side in a round disturbs the other, too. The result
// has as many rounds as the one with fewer.
func Ratio(of, to Figure) Figure {
	ratio := of
	ratio.Unit = "×"
	ratio.Rounds = nil
	for i := range min(len(of.Rounds), len(to.Rounds)) {
		ratio.Rounds = append(ratio.Rounds, of.Rounds[i]/to.Rounds[i])
	}
	return ratio
}

// Exponent is the slope of value against n, both as logarithms, by least squares: 1 is linear growth, 0 none. It is NaN for
// fewer than two sizes. Sizes and values that have no logarithm are left out.
func Exponent(n, values []float64) float64 {
	var x, y []float64
	for i := range min(len(n), len(values)) {
		if n[i] > 0 && values[i] > 0 {
			x, y = append(x, math.Log(n[i])), append(y, math.Log(values[i]))
		}
	}
	slope, _ := Line(x, y)
	return slope
}

// Line fits y = slope*x + offset by least squares; both are NaN for fewer than two different x.
func Line(x, y []float64) (slope, offset float64) {
	var sumX, sumY, sumXX, sumXY float64
	n := float64(min(len(x), len(y)))
	for i := range min(len(x), len(y)) {
		sumX, sumY = sumX+x[i], sumY+y[i]
		sumXX, sumXY = sumXX+x[i]*x[i], sumXY+x[i]*y[i]
	}
	spread := n*sumXX - sumX*sumX
	if spread <= 0 {
		return math.NaN(), math.NaN()
	}
	slope = (n*sumXY - sumX*sumY) / spread
	return slope, (sumY - slope*sumX) / n
}
