package faults

import "fmt"

// gauges are what must not grow.
type gauges struct {
	goroutines, watches, queue int
	memory                     float64 // MiB, resident
}

func (w *world) gauges() (gauges, error) {
	m, err := w.process.Metrics()
	if err != nil {
		return gauges{}, err
	}
	return gauges{
		goroutines: int(m.Sum("go_goroutines")), watches: w.proxy.watching(), queue: int(m.Sum("workqueue_depth")),
		memory: m.Sum("process_resident_memory_bytes") / (1 << 20),
	}, nil
}

func (g gauges) String() string {
	return fmt.Sprintf("%d goroutines, %d watches, %.0f MiB resident, %d in the queue", g.goroutines, g.watches, g.memory, g.queue)
}
