// Package scaling says what a cluster asks of the operator, from the unit costs that the benchmarks have measured: for clusters that
// no machine at hand can hold.
package scaling

import (
	"errors"
	"fmt"
	"math"

	"github.com/nusnewob/kube-changejob/test/bench/figures"
)

// Units are what one of each costs.
type Units struct {
	// Base is the resident memory of an operator that has nothing to do, in MiB.
	Base float64
	// Reference, ChangeTriggeredJob and Job are what each adds to it, in KiB: an object that is referenced, a ChangeTriggeredJob with its
	// one reference and one Job, and each further Job.
	Reference, ChangeTriggeredJob, Job float64
	// ReadKiB is the processor time for reading a KiB of an object that changes nothing, in ms, and ReadFieldsKiB that of one
	// with as many fields as a Pod has.
	ReadKiB, ReadFieldsKiB float64
	// Trigger is that for a trigger, until its Job has ended and an older one is deleted, in ms, and Rest that of each second in which nothing happens.
	Trigger, Rest float64
	// StartBase is how long a start takes, in s, however little there is to compare, Start what each ChangeTriggeredJob adds, in ms, and
	// ListKiB what each KiB adds that its watches cover: mostly the API server's time. A KiB of objects with many fields
	// adds as much more as it costs more to read.
	StartBase, Start, ListKiB float64
	// Triggers is how many a second the API server takes, from anybody: the bare loop's Jobs/s.
	Triggers float64
}

// ErrNotMeasured says that a run lacks a figure that the units need.
var ErrNotMeasured = errors.New("not measured")

// Of returns the unit costs that a run of the benchmarks has measured. The error is ErrNotMeasured, with the name of
// the measure that is missing.
func Of(run *figures.Run) (Units, error) {
	var u Units
	var errs []error
	slope := func(measure, statistic string, per *float64, scale float64, base *float64) {
		s, offset := line(run, measure, statistic)
		if math.IsNaN(s) {
			errs = append(errs, fmt.Errorf("%s: %w", measure, ErrNotMeasured))
			return
		}
		*per = max(0, s*scale)
		if base != nil {
			*base = offset
		}
	}
	value := func(measure, arm, statistic string, n int, into *float64, scale float64) {
		f, ok := run.Find(measure, arm, statistic, n)
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %w", measure, ErrNotMeasured))
			return
		}
		*into = f.Median() * scale
	}
	slope(figures.ResidentReferences, "", &u.Reference, 1024, &u.Base)
	slope(figures.ResidentStart, "", &u.ChangeTriggeredJob, 1024, nil)
	slope(figures.Start, "", &u.Start, 1000, &u.StartBase)
	slope(figures.StartCluster, figures.Streaming, &u.ListKiB, 1000/figures.CrowdKiB, nil)
	value(figures.HeapJob, figures.Operator, "", 0, &u.Job, 1)
	value(figures.CostCPU, figures.Wide, figures.Unreferenced, 0, &u.ReadKiB, 1.0/1000/figures.UnreferencedKiB)
	value(figures.CostCPU, figures.Wide, figures.UnreferencedPods, 0, &u.ReadFieldsKiB, 1.0/1000/figures.PodKiB)
	value(figures.LifeCPU, figures.Operator, "", 0, &u.Trigger, 1.0/1000)
	value(figures.RestCPU, figures.Operator, "", 10_000, &u.Rest, 1)
	value(figures.Burst, figures.Bare, "", 10_000, &u.Triggers, 1)
	return u, errors.Join(errs...)
}

// line fits the operator's medians of a measure against N.
func line(run *figures.Run, measure, statistic string) (slope, offset float64) {
	var n, values []float64
	for i := range run.Figures {
		if f := &run.Figures[i]; f.Measure == measure && f.Arm == figures.Operator && f.Statistic == statistic {
			n, values = append(n, float64(f.N)), append(values, f.Median())
		}
	}
	return figures.Line(n, values)
}

// Cluster is what the operator has to do in a cluster.
type Cluster struct {
	Name string
	// ChangeTriggeredJobs is how many there are, References how many objects they reference, all together, and History how many Jobs
	// each keeps.
	ChangeTriggeredJobs, References, History int
	// Crowds are what its watches cover.
	Crowds []Crowd
	// Watches is how many there are.
	Watches int
	// Triggers is how many there are a second, and Firsts how many of them are the first of their ChangeTriggeredJob in the process, before
	// which it is read live.
	Triggers, Firsts float64
}

// Crowd is all objects of a kind that the operator's watches cover.
type Crowd struct {
	Kind    string
	Objects int
	// KiB is how large one is, and Changes how many a second change in what nobody references.
	KiB, Changes float64
	// ManyFields is true of objects that have many fields for their size, as Pods do; a ConfigMap has few.
	ManyFields bool
}

// Needs is what a cluster asks of the operator, and the operator of the API server.
type Needs struct {
	// CPU is how many processors are busy.
	CPU float64
	// Memory is the resident memory, in MiB.
	Memory float64
	// Read is what the API server sends, in KiB/s, before it is compressed.
	Read float64
	// Requests is how many there are a second.
	Requests float64
	// Start is how many seconds a start takes, from the lease on.
	Start float64
	// ServerShare is the part of the triggers that the API server of the benchmarks would take at the most.
	ServerShare float64
}

const (
	// StatusKiB is how large a ChangeTriggeredJob is, as the API server sends it, with its status.
	StatusKiB = 3.0
	// JobKiB is how large a Job is, likewise.
	JobKiB = 3.0
	// Updates is how often the Job controller updates a Job that succeeds: when its Pod is there, when it is ready, when it has
	// ended, and when that is counted.
	Updates = 4
	// writes are the requests of a trigger: a Job, a status, the status once more when the Job has ended, and the deletion of the oldest Job.
	writes = 4.0
	// statuses is how often the watch tells of a status, and tellings how often a Job is told of: to the one who creates it, and to the watch when it
	// is created, updated and deleted.
	statuses, tellings = 2.0, 3.0 + Updates
	// events are those of a second, at most, that tell of triggers.
	events = 10.0
	// renewal is how long the API server keeps a watch open on average, in seconds, and lease how often the lease is renewed.
	renewal, lease = 450.0, 2.0
)

// Needs returns what a cluster asks for.
func (u Units) Needs(c Cluster) Needs {
	jobs := float64(c.ChangeTriggeredJobs * max(0, c.History-1))
	more := float64(max(0, c.References-c.ChangeTriggeredJobs))
	listing, reading, streamed := 0.0, 0.0, 0.0
	for _, crowd := range c.Crowds {
		read, list := u.ReadKiB, u.ListKiB
		if crowd.ManyFields {
			read, list = u.ReadFieldsKiB, u.ListKiB*u.ReadFieldsKiB/u.ReadKiB
		}
		listing += float64(crowd.Objects) * crowd.KiB * list
		reading += crowd.Changes * crowd.KiB * read
		streamed += crowd.Changes * crowd.KiB
	}
	return Needs{
		CPU:         (u.Rest + reading + c.Triggers*u.Trigger) / 1000,
		Memory:      u.Base + (float64(c.ChangeTriggeredJobs)*u.ChangeTriggeredJob+more*u.Reference+jobs*u.Job)/1024,
		Read:        streamed + c.Triggers*(statuses*StatusKiB+tellings*JobKiB),
		Requests:    c.Triggers*writes + c.Firsts + min(events, c.Triggers) + float64(c.Watches)/renewal + 1/lease,
		Start:       u.StartBase + (float64(c.ChangeTriggeredJobs)*u.Start+listing)/1000,
		ServerShare: c.Triggers / u.Triggers,
	}
}

// Simulated is the cluster of so many Nodes that the formula is checked against: 30 Pods and 2 ChangeTriggeredJobs for each Node, of two
// ConfigMaps and a Pod each, in a namespace for ten Nodes; every four seconds one Pod of each Node changes its status, and every hundred a
// ConfigMap of each Node changes what is referenced, in a minute never twice for the same ChangeTriggeredJob.
func Simulated(nodes int) Cluster {
	return Cluster{
		Name:                fmt.Sprintf("%d Nodes", nodes),
		ChangeTriggeredJobs: 2 * nodes, References: 6 * nodes, History: 1,
		Crowds: []Crowd{
			{Kind: "Pods", Objects: 30 * nodes, KiB: figures.PodKiB, Changes: float64(nodes) / 4, ManyFields: true},
			{Kind: "ConfigMaps", Objects: 4 * nodes, KiB: 1.5},
		},
		Watches: 4, Triggers: float64(nodes) / 100, Firsts: float64(nodes) / 100,
	}
}

// What is compared of a simulated cluster with its Needs.
const (
	CPU      = "processor time, ms/s"
	Memory   = "resident memory, MiB"
	Read     = "read, KiB/s"
	Requests = "requests/s"
	Start    = "start, s"
)

// Compared returns what is needed by the names of what is compared.
func (n Needs) Compared() map[string]float64 {
	return map[string]float64{CPU: 1000 * n.CPU, Memory: n.Memory, Read: n.Read, Requests: n.Requests, Start: n.Start}
}
