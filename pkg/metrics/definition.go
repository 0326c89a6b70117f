// Package metrics defines metrics so that they can be documented and checked: what each is called and says, and which values its
// labels can have. These are few and known beforehand. No label holds the name or namespace of an object, and nothing of what one contains.
package metrics

import (
	"cmp"
	"slices"
	"sync"
)

// Type is what kind of metric it is, in Prometheus' words.
type Type string

// The types of metrics.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// Other is the value of a label that has none of its known ones.
const Other = "Other"

// Label is a label and the values that it can have.
type Label struct {
	Name string
	// Values are all that there are; Other comes on top where Open is set.
	Values []string
	// Open says that what is counted can be of a kind that is none of Values.
	Open bool
	// Free is what the value is where it is no word out of a list, such as a version.
	Free string
}

// All are the values that the label can have.
func (l Label) All() []string {
	if l.Open {
		return append(slices.Clone(l.Values), Other)
	}
	return l.Values
}

// Definition is what is said of a metric.
type Definition struct {
	Name string
	Type Type
	Help string
	// Labels are at most two; only gauges have two.
	Labels []Label
	// Leader says that only the process which leads has it: others have no such series, rather than one that says 0.
	Leader bool
}

var (
	mu      sync.Mutex
	defined []Definition
)

// define takes a metric into the list of all.
func define(d Definition) Definition {
	mu.Lock()
	defer mu.Unlock()
	defined = append(defined, d)
	return d
}

// Definitions returns what has been defined by the packages that the program is made of, by name.
func Definitions() []Definition {
	mu.Lock()
	defer mu.Unlock()
	return slices.SortedFunc(slices.Values(defined), func(a, b Definition) int { return cmp.Compare(a.Name, b.Name) })
}

// names are the names of the labels.
func (d Definition) names() []string {
	names := make([]string, 0, len(d.Labels))
	for _, l := range d.Labels {
		names = append(names, l.Name)
	}
	return names
}
