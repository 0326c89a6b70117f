package figures

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheMiddleOfTheRounds(t *testing.T) {
	for sentence, c := range map[string]struct {
		rounds           []float64
		least, mid, most float64
	}{
		"none":        {nil, 0, 0, 0},
		"one":         {[]float64{3}, 3, 3, 3},
		"an odd one":  {[]float64{9, 1, 2}, 1, 2, 9},
		"an even one": {[]float64{9, 1, 2, 4}, 1, 3, 9},
	} {
		t.Run(sentence, func(t *testing.T) {
			f := Figure{Rounds: c.rounds}
			assert.Equal(t, []float64{c.least, c.mid, c.most}, []float64{f.Min(), f.Median(), f.Max()})
		})
	}
}

func TestAQuantileIsOneOfTheValues(t *testing.T) {
	values := make([]float64, 0, 100)
	for i := 100; i > 0; i-- {
		values = append(values, float64(i))
	}
	for q, want := range map[float64]float64{0: 1, 0.5: 50, 0.95: 95, 0.99: 99, 1: 100} {
		assert.InDelta(t, want, Quantile(values, q), 0, "%g", q)
	}
	assert.Zero(t, Quantile(nil, 0.5))
}

func TestRatiosAreTakenRoundByRound(t *testing.T) {
	ratio := Ratio(Figure{Measure: "m", Unit: "ms", Rounds: []float64{2, 9, 1}}, Figure{Rounds: []float64{1, 3}})
	assert.Equal(t, Figure{Measure: "m", Unit: "×", Rounds: []float64{2, 3}}, ratio)
}

func TestTheExponentOfGrowth(t *testing.T) {
	n := []float64{0, 10, 100, 1000}
	assert.InDelta(t, 1, Exponent(n, []float64{5, 30, 300, 3000}), 1e-9)
	assert.InDelta(t, 2, Exponent(n, []float64{0, 1e2, 1e4, 1e6}), 1e-9)
	assert.InDelta(t, 0, Exponent(n, []float64{7, 7, 7, 7}), 1e-9)
	assert.True(t, math.IsNaN(Exponent(n[:2], []float64{1, 1})))
	slope, offset := Line([]float64{1, 2, 3}, []float64{5, 7, 9})
	assert.InDelta(t, 2, slope, 1e-9)
	assert.InDelta(t, 3, offset, 1e-9)
}

func TestARatioIsOfOneRun(t *testing.T) {
	figure := func(measure, arm, statistic string, n int, commit string) Figure {
		return Figure{Measure: measure, Arm: arm, Statistic: statistic, N: n, Commit: commit}
	}
	run := &Run{Figures: []Figure{figure("burst", Operator, "", 100, "new")}}
	run.Keep([]Figure{
		figure("burst", Operator, "", 100, "old"), figure("burst", Bare, "", 100, "old"), figure("burst", Bare, "", 1000, "old"),
		figure("burst", Bare, "p99", 100, "old"), figure("start", Operator, "", 100, "old"),
	})
	assert.Equal(t, []Figure{
		figure("burst", Operator, "", 100, "new"), figure("burst", Bare, "", 1000, "old"),
		figure("burst", Bare, "p99", 100, "old"), figure("start", Operator, "", 100, "old"),
	}, run.Figures)
}

func TestARunIsWhatItWasAfterItWasSaved(t *testing.T) {
	file := filepath.Join(t.TempDir(), "folder", "run.json")
	run, err := Load(file)
	require.NoError(t, err)
	assert.Empty(t, run.Figures)
	run.Machine = Machine{CPU: "two of them", CPUs: 2}
	for round := range 2 {
		for _, arm := range []string{Operator, Bare} {
			run.Add(Figure{Measure: "burst", Arm: arm, Unit: "Jobs/s", N: 1000, Of: "references"}, float64(round))
		}
	}
	require.NoError(t, run.Save(file))
	saved, err := Load(file)
	require.NoError(t, err)
	assert.Equal(t, run, saved)
	f, ok := saved.Find("burst", Operator, "", 1000)
	assert.True(t, ok)
	assert.Equal(t, []float64{0, 1}, f.Rounds)
	_, ok = saved.Find("burst", Operator, "", 100)
	assert.False(t, ok)
}
