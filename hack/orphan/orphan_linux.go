// Package orphan keeps child processes from outliving a parent that is killed.
package orphan

import (
	"os/exec"
	"syscall"
)

// Prevent makes the system end the command's process when this process ends, in whatever way. It is to be
// called before the command starts. It does nothing where the system has no such means.
func Prevent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
