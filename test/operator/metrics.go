package operator

import (
	"bufio"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Metrics is what a metrics endpoint says: a value for each name with its labels, as they are written there.
type Metrics map[string]float64

// ParseMetrics reads what a metrics endpoint says, in Prometheus' text format.
func ParseMetrics(text io.Reader) (Metrics, error) {
	m := Metrics{}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		end := strings.LastIndex(line, " ")
		if end < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if value, err := strconv.ParseFloat(line[end+1:], 64); err == nil {
			m[line[:end]] = value
		}
	}
	return m, lines.Err()
}

// Sum adds up the series of a name whose labels contain all of these, each written as in name="value".
func (m Metrics) Sum(name string, labels ...string) (sum float64) {
series:
	for series, value := range m {
		if series != name && !strings.HasPrefix(series, name+"{") {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(series, "{"+label) && !strings.Contains(series, ","+label) {
				continue series
			}
		}
		sum += value
	}
	return sum
}

// Metrics returns what the operator's metrics endpoint says. It needs Options.Metrics.
func (p *Process) Metrics() (Metrics, error) {
	response, err := (&http.Client{Timeout: 10 * time.Second}).Get(p.MetricsURL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	return ParseMetrics(response.Body)
}
