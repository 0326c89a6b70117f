package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// A node is apart from its machine: its processes have process ids, mounts and a network of their own. Its first process
// holds them: when that ends, however that came about, the kernel ends all others, and mounts and network are gone with
// them. What the kernel keeps are the control groups, and the node's folder.

// isolation is what the first process is started with.
var isolation = &syscall.SysProcAttr{
	Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
	Setsid:     true, // it outlives this terminal
}

// tunables are settings of the whole machine that kubelet writes unless it finds its values. So it finds them, and the machine's stay.
var tunables = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// isolate makes, for the node's first process, the mounts of the node in dir.
func isolate(dir string) error {
	// Nothing mounted here shows up outside, and the other way round.
	if err := mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE); err != nil {
		return err
	}
	for _, folder := range replaced {
		if info, err := os.Lstat(folder); err != nil || info.Mode()&fs.ModeSymlink != 0 {
			continue // /var/run mostly leads to /run
		}
		own := filepath.Join(dir, "host", folder)
		if err := os.MkdirAll(own, 0o755); err != nil {
			return err
		}
		if err := mount(own, folder, "", syscall.MS_BIND); err != nil {
			return err
		}
	}
	if err := mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC); err != nil {
		return err
	}
	for name, value := range tunables {
		own, target := filepath.Join(dir, "host", "sysctl", name), filepath.Join("/proc/sys", name)
		if _, err := os.Stat(target); err != nil {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(own), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(own, []byte(value+"\n"), 0o600); err != nil {
			return err
		}
		if err := mount(own, target, "", syscall.MS_BIND); err != nil {
			return err
		}
	}
	// Kubernetes passes mounts on between node and containers.
	return mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED)
}

func mount(source, target, kind string, flags uintptr) error {
	if err := syscall.Mount(source, target, kind, flags, ""); err != nil {
		return fmt.Errorf("mounting %s: %w", target, err)
	}
	return nil
}

// buildNetwork makes the network of the node that this process is of.
func buildNetwork() error {
	for _, command := range []string{
		"link set lo up",
		// Some kernels have no dummy device; a bridge without ports carries an address as well.
		"link add kube0 type bridge",
		"address add " + nodeAddress.String() + "/32 dev kube0",
		"link set kube0 up",
		// The node's own processes reach Services through it. There is no other way out: an address outside is refused at once.
		"route add " + serviceNetwork + " dev kube0 src " + nodeAddress.String(),
	} {
		if out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", command, err, out)
		}
	}
	// Both are the network's own, not the machine's.
	for name, value := range map[string]string{
		"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1",
	} {
		if err := os.WriteFile(filepath.Join("/proc/sys", name), []byte(value), 0); err != nil {
			return err
		}
	}
	return nil
}

// firstProcess starts a command and clears away all that ends on the node, until the command ends, which is an error.
func firstProcess(argv, env []string) error {
	child, err := os.StartProcess("/proc/self/exe", argv, &os.ProcAttr{
		Env: env, Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		return err
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return err
		case pid == child.Pid:
			return fmt.Errorf("%s ended with %d", argv[1], status.ExitStatus())
		}
	}
}
