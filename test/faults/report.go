package faults

import (
	"fmt"
	"io"
	"log"
	"slices"
	"strings"
	"sync"
	"testing"
)

// quiet is for servers whose clients are cut off on purpose.
var quiet = log.New(io.Discard, "", 0)

// report is what the tests have done: each fault, how often it was injected, and what held nevertheless.
type report struct {
	mu   sync.Mutex
	rows []*row
}

// row is one test.
type row struct {
	test      string
	invariant string
	mu        sync.Mutex
	faults    map[string]int
	notes     []string
	failed    bool
}

var reported report

// begin adds a test to the report.
func (r *report) begin(t *testing.T, invariant string) *row {
	entry := &row{test: t.Name(), invariant: invariant, faults: map[string]int{}}
	t.Cleanup(func() { entry.failed = t.Failed() })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = append(r.rows, entry)
	return entry
}

// injected counts faults.
func (r *row) injected(fault string, times int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults[fault] += times
}

// note adds a figure.
func (r *row) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// String is what is printed at the end.
func (r *report) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var text strings.Builder
	total := 0
	for _, entry := range r.rows {
		held := "held"
		if entry.failed {
			held = "DID NOT HOLD"
		}
		fmt.Fprintf(&text, "%s\n    %s: %s\n", entry.test, held, entry.invariant)
		faults := make([]string, 0, len(entry.faults))
		for fault := range entry.faults {
			faults = append(faults, fault)
		}
		slices.Sort(faults)
		for _, fault := range faults {
			fmt.Fprintf(&text, "    %6d × %s\n", entry.faults[fault], fault)
			total += entry.faults[fault]
		}
		for _, note := range entry.notes {
			fmt.Fprintf(&text, "             %s\n", note)
		}
	}
	fmt.Fprintf(&text, "%d faults injected\n", total)
	return text.String()
}
