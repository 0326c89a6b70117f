// Package lifeline ends a process when the process that started it ends, however that came about: a parent that is
// killed with SIGKILL has no moment to stop its children itself.
package lifeline

import (
	"os"
	"strconv"
	"time"
)

// Variable is the environment variable that ties a process to its parent. Its value is the parent's process id.
const Variable = "LOCALCLUSTER_PARENT"

// interval is how often the parent is looked for: an orphan outlives its parent by no more than this.
const interval = 100 * time.Millisecond

// ForChildren returns the environment entry that ties a child of this process to it.
func ForChildren() string {
	return Variable + "=" + strconv.Itoa(os.Getpid())
}

// Watch ends this process with exit code 1 as soon as its parent is gone, if Variable names one, and does nothing
// otherwise. Call it first thing in main; it returns at once.
//
// The operating system gives an orphan another parent, so a changed parent id is the parent's death certificate. It is
// compared with the id the parent itself wrote: one that died before this process came to look is noticed too. A pipe
// would tell as well, but it must be handed down open, which a starter that we do not own (controller-runtime's
// envtest) cannot do; an environment variable passes through it.
func Watch() {
	parent, err := strconv.Atoi(os.Getenv(Variable))
	if err != nil {
		return
	}
	go func() {
		for os.Getppid() == parent {
			time.Sleep(interval)
		}
		os.Exit(1)
	}()
}
