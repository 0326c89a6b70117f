package figures

// What is measured. Each has the unit that its comment names.
const (
	// LatencySingle is the time from a change to its Job, in ms, with one change at a time. Statistics: p50, p95, p99.
	LatencySingle = "latency, one at a time"
	// LatencyStream is the same at 100 changes a second.
	LatencyStream = "latency at 100 changes/s"
	// LatencyHalf is the same at 50.
	LatencyHalf = "latency at 50 changes/s"
	// Burst is how many Jobs/s come of N references that change at once.
	Burst = "burst"
	// BurstFirst is the same for the first Jobs of a process, before each of which the operator reads live.
	BurstFirst = "burst, the first of a process"
	// FanOutFirst is FanOut for the first Jobs of a process.
	FanOutFirst = "fan-out, the first of a process"
	// BurstJobs is Burst with the Job controller on, and the garbage collector.
	BurstJobs = "burst, Job controller on"
	// FanOut is how many Jobs/s come of one object that changes and N ChangeTriggeredJobs that watch it.
	FanOut = "fan-out"
	// FanOutJobs is FanOut with the Job controller on.
	FanOutJobs = "fan-out, Job controller on"
	// Start is the time, in s, from the lease acquired (for the list: from its start) until the last of N ChangeTriggeredJobs
	// over 10 kinds is compared with its baseline.
	Start = "start"
	// StartProcess is the same from the start of the process, whose lease is free; for the list until its end.
	StartProcess = "start, the whole process"
	// StartBytes is how many MiB are read for it.
	StartBytes = "start, bytes read"
	// Streaming and Paged are how a watch reads what there is when it begins.
	Streaming = "streaming lists"
	Paged     = "paged lists"
	// PeakCluster is the peak resident memory (VmHWM), in MiB, with 10 referenced objects beside N that nobody
	// references, in a watch that covers them all. Statistics: Streaming, Paged.
	PeakCluster = "peak memory by cluster"
	// ResidentCluster is the resident memory (VmRSS) at rest then, in MiB.
	ResidentCluster = "resident memory by cluster"
	// PeakReferences is the peak resident memory, in MiB, with N referenced objects.
	PeakReferences = "peak memory by references"
	// ResidentReferences is the resident memory at rest then, in MiB.
	ResidentReferences = "resident memory by references"
	// OwnReferences is what of that is heap and stacks (RssAnon), in MiB: the rest are pages of the program's file, which the kernel
	// drops and reads again where memory is short.
	OwnReferences = "memory of its own by references"
	// Heap is what N references add to the live heap of pkg/watch, in KiB.
	Heap = "live heap of pkg/watch"
	// CostCPU is the processor time for 1,000 changes that select nothing, in ms. Statistics: Unreferenced, UnreferencedPods, Heartbeats,
	// StatusChurn.
	CostCPU = "CPU for 1,000 irrelevant changes"
	// CostRequests is how many requests the API server gets for them. Statistics as for CostCPU.
	CostRequests = "requests for 1,000 irrelevant changes"
	// CostReconciles is how many reconciles they cause. Statistics as for CostCPU.
	CostReconciles = "reconciles for 1,000 irrelevant changes"
	// CostEvents is how many watch events arrive for them. Statistics as for CostCPU.
	CostEvents = "watch events for 1,000 irrelevant changes"
	// Idle is how many requests a minute come from N ChangeTriggeredJobs while nothing changes, leases and renewals of
	// watches aside. Statistics: "requests", "leases and watches".
	Idle = "idle requests per minute"
	// Watches is how many watches are open at the server with N references in one namespace, in ten, or in as many namespaces. Statistics:
	// "one namespace", "ten namespaces", "a namespace each".
	Watches = "watches open"
)

// What N referenced objects of a namespace cost that are watched one by one, or in one watch. Statistics: Itself, APIServer.
const (
	// ThresholdResident is the resident memory at rest, in MiB.
	ThresholdResident = "single watches or one, resident memory"
	// ThresholdUnreferenced is the processor time, in ms, for 1,000 changes of objects of that kind and namespace that nobody references.
	ThresholdUnreferenced = "single watches or one, CPU for 1,000 changes of what nobody references"
	// ThresholdWithout is the same for 1,000 changes of what is referenced that alter nothing that counts.
	ThresholdWithout = "single watches or one, CPU for 1,000 changes of what is referenced, without effect"
)

// The changes that select nothing.
const (
	// Unreferenced are changes of objects of a watched kind that nobody references.
	Unreferenced = "unreferenced objects"
	// UnreferencedPods are such changes of Pods: for their size, these have many more fields, which cost time to read.
	UnreferencedPods = "unreferenced Pods"
	// Heartbeats are those of a watched Node's conditions.
	Heartbeats = "heartbeats of a Node"
	// StatusChurn are changes of status beside a watched field of spec.
	StatusChurn = "status beside a watched field"
)

// The processes that use processor time for a burst.
const (
	// Itself is the process that is measured.
	Itself = "the process itself"
	// APIServer is the API server.
	APIServer = "API server"
	// Etcd is the API server's store.
	Etcd = "etcd"
	// Observer is the benchmark, which sees the Jobs and the statuses.
	Observer = "the observer"
)

// What the scaling of the operator is computed from, besides.
const (
	// ResidentStart is the resident memory at rest, in MiB, after a start with N ChangeTriggeredJobs of one reference and one Job each.
	ResidentStart = "resident memory by ChangeTriggeredJobs"
	// HeapJob is the live heap of a Job in the operator's cache, in KiB.
	HeapJob = "live heap of a Job"
	// TriggerCPU is the processor time for 1,000 triggers, in ms, in a burst. Statistics: Itself, APIServer, Etcd, Observer.
	TriggerCPU = "CPU for 1,000 triggers"
	// SingleCPU is the same with one change at a time: nothing is done for several of them at once.
	SingleCPU = "CPU for 1,000 triggers, one at a time"
	// LifeCPU is the same from the change until the Job has ended and the one before it is deleted.
	LifeCPU = "CPU for 1,000 triggers and the ends of their Jobs"
	// RestCPU is the processor time, in ms/s, with N ChangeTriggeredJobs while nothing changes.
	RestCPU = "processor time at rest"
	// StartCluster is the time, in s, from the start of the process until everything is compared, with 10 referenced objects beside N that
	// nobody references, in a watch that covers them all. Statistics as for PeakCluster.
	StartCluster = "start by cluster"
	// Simulation is what a simulated cluster of size N was measured to ask for. Statistics: those of Simulated.
	Simulation = "simulated cluster"
	// UnreferencedKiB is how large the objects are that Unreferenced are changes of.
	UnreferencedKiB = 5.5
	// PodKiB is how large the Pods are, here and in simulated clusters.
	PodKiB = 4.8
	// CrowdKiB is how large those are that StartCluster and the memory by cluster are measured beside.
	CrowdKiB = 4.4
)
