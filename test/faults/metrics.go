package faults

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// metrics returns what the operator's metrics endpoint says, the sum over all labels of each name.
func (w *world) metrics() (map[string]float64, error) {
	response, err := (&http.Client{Timeout: 10 * time.Second}).Get(w.process.MetricsURL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	sums := map[string]float64{}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		name, _, _ := strings.Cut(line, " ")
		name, _, _ = strings.Cut(name, "{")
		value, err := strconv.ParseFloat(line[strings.LastIndex(line, " ")+1:], 64)
		if err == nil && !strings.HasPrefix(line, "#") {
			sums[name] += value
		}
	}
	return sums, lines.Err()
}

// gauges are what must not grow.
type gauges struct {
	goroutines, watches, queue int
	memory                     float64 // MiB, resident
}

func (w *world) gauges() (gauges, error) {
	m, err := w.metrics()
	if err != nil {
		return gauges{}, err
	}
	return gauges{
		goroutines: int(m["go_goroutines"]), watches: w.proxy.watching(), queue: int(m["workqueue_depth"]),
		memory: m["process_resident_memory_bytes"] / (1 << 20),
	}, nil
}

func (g gauges) String() string {
	return fmt.Sprintf("%d goroutines, %d watches, %.0f MiB resident, %d in the queue", g.goroutines, g.watches, g.memory, g.queue)
}
