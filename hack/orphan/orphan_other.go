//go:build !linux

// Package orphan keeps child processes from outliving a parent that is killed.
package orphan

import "os/exec"

// Prevent does nothing here: the system has no means for it.
func Prevent(*exec.Cmd) {}
