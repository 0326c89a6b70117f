package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/test/bench/figures"
)

// requireUpToDate fails where a folder does not have exactly what the report of the figures is.
func requireUpToDate(t *testing.T, source, page, folder, command string) {
	want, err := report(source, page)
	require.NoError(t, err)
	for name, content := range want {
		is, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err, "it is missing: run '%s'", command)
		require.Equal(t, string(content), string(is), "%s is stale: run '%s'", name, command)
	}
	plots, err := filepath.Glob(filepath.Join(folder, plotsOf(page), "*.svg"))
	require.NoError(t, err)
	for _, file := range plots {
		name, err := filepath.Rel(folder, file)
		require.NoError(t, err)
		assert.Contains(t, want, name, "it is left over: run '%s'", command)
	}
}

func TestTheDocumentationIsUpToDateWithItsFigures(t *testing.T) {
	docs := filepath.Join("..", "..", "..", "docs")
	for _, page := range []string{"performance.md", scalingPage} {
		requireUpToDate(t, filepath.Join(docs, "performance", "figures.json"), filepath.Join(docs, page), docs, "make bench-report")
	}
}

func TestTheReportOfARunThatIsMadeUp(t *testing.T) {
	requireUpToDate(t, "testdata/figures.json", "testdata/page.md", "testdata/golden",
		"cd test/bench/report && go run . -figures testdata/figures.json -page testdata/page.md -into testdata/golden")
}

func TestAReportOfAReportIsTheSame(t *testing.T) {
	first, err := report("testdata/figures.json", "testdata/page.md")
	require.NoError(t, err)
	again, err := report("testdata/figures.json", "testdata/golden/page.md")
	require.NoError(t, err)
	assert.Equal(t, string(first["page.md"]), string(again["page.md"]))
}

func TestPlotsOfAnOlderReportGo(t *testing.T) {
	folder := t.TempDir()
	old, figuresFile := filepath.Join(folder, "page", "old.svg"), filepath.Join(folder, "page", "figures.json")
	require.NoError(t, os.Mkdir(filepath.Dir(old), 0o750))
	for _, file := range []string{old, figuresFile} {
		require.NoError(t, os.WriteFile(file, nil, 0o600))
	}
	require.NoError(t, write("testdata/figures.json", "testdata/page.md", folder))
	assert.NoFileExists(t, old)
	assert.FileExists(t, figuresFile)
	assert.FileExists(t, filepath.Join(folder, "page", "burst.svg"))
}

func TestPlotsNameNeitherFilesNorHosts(t *testing.T) {
	files, err := report("testdata/figures.json", "testdata/page.md")
	require.NoError(t, err)
	require.Greater(t, len(files), 3)
	for name, content := range files {
		if strings.HasSuffix(name, ".svg") {
			text := strings.NewReplacer("http://www.w3.org/2000/svg", "", "http://www.w3.org/1999/xlink", "").Replace(string(content))
			for _, unwanted := range []string{"http", "url(", "@font-face", "data:", "href"} {
				assert.NotContains(t, text, unwanted, name)
			}
			assert.Less(t, len(content), 32<<10, name)
		}
	}
}

func TestWithoutFiguresEachPartSaysSo(t *testing.T) {
	for name, content := range blocks(&figures.Run{}, "page") {
		assert.NotContains(t, content, "\n", name)
		assert.Contains(t, []string{nothing, notThese}, content, name)
	}
}

func TestAMeasureThatNoSectionShowsIsAnError(t *testing.T) {
	run := &figures.Run{}
	run.Add(figures.Figure{Measure: figures.Burst, Arm: figures.Bare}, 1)
	require.NoError(t, known(run))
	run.Add(figures.Figure{Measure: "what nobody has thought of", Arm: figures.Bare}, 1)
	require.ErrorContains(t, known(run), "what nobody has thought of")
}

func TestPartsAreFilledBetweenTheirMarkers(t *testing.T) {
	parts := map[string]string{"one": "1", "two": "2"}
	filled, err := fill("a <!-- begin two -->old<!-- end two --> b <!-- begin one --><!-- end one --> c", parts)
	require.NoError(t, err)
	assert.Equal(t, "a <!-- begin two -->\n\n2\n\n<!-- end two --> b <!-- begin one -->\n\n1\n\n<!-- end one --> c", filled)
	for _, page := range []string{
		"<!-- begin one --><!-- end one -->",
		"<!-- begin one --><!-- begin two --><!-- end two --><!-- end one -->",
		"<!-- begin one --><!-- end one --><!-- begin two -->",
		"<!-- begin one --><!-- end one --><!-- end two --><!-- begin two -->",
		"<!-- begin one --><!-- end two --><!-- begin two --><!-- end one -->",
		"<!-- begin one --><!-- end one --><!-- begin two --><!-- end two --><!-- begin two --><!-- end two -->",
		"<!-- begin one --><!-- end one --><!-- begin two --><!-- end two --><!-- begin three --><!-- end three -->",
	} {
		_, err := fill(page, parts)
		assert.Error(t, err, page)
	}
}

func TestNumbersHaveThreeDigits(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 0.0123: "0.0123", 0.5: "0.500", 0.9999: "1.00", 1: "1.00", 1.234: "1.23", 9.999: "10.0", 12.34: "12.3", 99.99: "100",
		123.4: "123", 1234: "1,234", 1234567: "1,234,567", -1234: "-1,234", -0.25: "-0.250",
	} {
		assert.Equal(t, want, number(value), value)
	}
	assert.Equal(t, "2", spread(&figures.Figure{Rounds: []float64{2, 2}}))
	assert.Equal(t, "2 (1 – 4)", spread(&figures.Figure{Rounds: []float64{2, 1, 4}}))
	assert.Equal(t, "2.50 (1.00 – 4.00)", spread(&figures.Figure{Rounds: []float64{2.5, 1, 4}}))
}

func TestAxesShowWholePowersOfTen(t *testing.T) {
	for _, c := range [][4]float64{{50, 57, 10, 100}, {100, 10_000, 100, 10_000}, {1, 1, 1, 10}, {0.02, 3, 0.01, 10}} {
		from, to := decades(c[0], c[1])
		assert.Equal(t, c[2:], []float64{from, to})
	}
	labels := map[string]float64{}
	for _, tick := range ticks(0.01, 1000) {
		if tick.Label != "" {
			labels[tick.Label] = tick.Value
		}
	}
	assert.Equal(t, []string{"0.01", "0.1", "1", "1,000", "10", "100"}, slices.Sorted(maps.Keys(labels)))
}

func TestAnSVGHasShortNumbersAndOneFont(t *testing.T) {
	assert.Equal(t, `<svg font-family="Liberation Sans, Arial, Helvetica, sans-serif" width="1pt"><path d="M1.5,0L10.13,-2Z"/>`+
		`<text x="0" style="font-size:9px">0.001</text>`,
		string(tidy([]byte(`<svg width="1pt"><path d="M1.5,-1.3e-16L10.125,-2.0001Z"/>`+
			`<text x="0.0001" style="font-family:Liberation Sans;font-variant:normal;font-weight:normal;font-style:normal;font-size:9px">0.001</text>`))))
}
