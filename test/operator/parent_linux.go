package operator

import (
	"os/exec"
	"syscall"
)

// dieWithParent ends the process with a test process that is killed.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
