package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/test/bench/figures"
	"github.com/nusnewob/kube-changejob/test/bench/scaling"
)

func TestTheScalingPageShowsEachClusterAndWhatWasSimulated(t *testing.T) {
	run, err := figures.Load(filepath.Join("..", "scaling", "testdata", "figures.json"))
	require.NoError(t, err)
	units, err := scaling.Of(run)
	require.NoError(t, err)
	for statistic, value := range units.Needs(scaling.Simulated(50)).Compared() {
		run.Add(figures.Figure{Measure: figures.Simulation, Arm: figures.Operator, Statistic: statistic, N: 50}, 2*value)
	}
	parts, err := scalingBlocks(run)
	require.NoError(t, err)
	for _, c := range scaling.Clusters() {
		assert.Contains(t, parts["clusters"], "| "+c.Name+" |")
	}
	assert.Contains(t, parts["units"], "| a trigger, until its Job has ended and an older one is deleted | 2.00 ms of a processor |")
	rows := strings.Split(parts["simulation"], "\n")[2:]
	assert.Len(t, rows, 5)
	for _, row := range rows {
		assert.True(t, strings.HasSuffix(row, "| **2.00** |"), row)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", scalingPage))
	require.NoError(t, err)
	_, err = fill(string(page), parts)
	assert.NoError(t, err, "it has a place for each part")
}

func TestWhereTheFormulaIsOffIsMarked(t *testing.T) {
	for ratio, want := range map[float64]string{0.69: "**0.69**", 0.7: "0.70", 1: "1.00", 1.4: "1.40", 1.41: "**1.41**", math.NaN(): "**NaN**"} {
		assert.Equal(t, want, marked(ratio))
	}
}

func TestTheScalingPageSaysThatSomethingWasNotMeasured(t *testing.T) {
	parts, err := scalingBlocks(&figures.Run{})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"units": notThese, "clusters": notThese, "simulation": notThese}, parts)
}
