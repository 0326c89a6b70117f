package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// debianTools are the programs that the node takes from Debian, by their packages. A name with a slash is a file, others are
// looked for on the PATH.
var debianTools = []struct{ pkg, program string }{
	{"runc", "runc"},
	{"containernetworking-plugins", cniPlugin},
	{"iptables", "iptables"},
	{"nftables", "nft"},
	{"iproute2", "ip"},
	{"util-linux", "nsenter"},
	{"busybox-static", "busybox"},
}

// cniPlugin stands for the network plugins, which are in one of two folders.
const cniPlugin = "cni/bridge"

// nodePath is where programs are looked for, whatever the user's PATH leaves out: sbin above all.
const nodePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// nodeMachine is what a node needs of a machine.
type nodeMachine struct {
	root     bool
	missing  []string // packages of Debian
	unbuilt  []string // programs of ours
	overlay  bool     // the kernel has overlayfs
	bridge   bool     // and filters what passes bridges
	cgroups  bool     // memory is accounted for somewhere
	overlaid bool     // the folder is itself on an overlayfs
	free     uint64   // bytes of disk
	memory   uint64   // available, in bytes; 0 when unknown
}

const (
	nodeDisk   = 2 * gibibyte
	nodeMemory = 2 * gibibyte
)

// complaints says what the machine lacks for a node, a sentence each.
func (m nodeMachine) complaints() []string {
	var all []string
	if !m.root {
		all = append(all, "a real node needs root: run this as root, or set KUBECONFIG to a cluster of your own")
	}
	if len(m.unbuilt) > 0 {
		all = append(all, fmt.Sprintf("not built: %s; run `make node`", strings.Join(m.unbuilt, ", ")))
	}
	if len(m.missing) > 0 {
		all = append(all, fmt.Sprintf("not installed: %[1]s; run `make node-tools`, or `apt-get install --no-install-recommends %[1]s`",
			strings.Join(m.missing, " ")))
	}
	if !m.overlay {
		all = append(all, "the kernel has no overlayfs: `modprobe overlay`")
	}
	if !m.bridge {
		all = append(all, "the kernel does not filter what passes bridges: `modprobe br_netfilter`")
	}
	if !m.cgroups {
		all = append(all, "no control groups are mounted at /sys/fs/cgroup, neither of version 1 nor of version 2")
	}
	if m.overlaid {
		all = append(all, "the folder is on an overlayfs, on which images cannot be unpacked: choose another with --data-dir")
	}
	if m.free < nodeDisk {
		all = append(all, fmt.Sprintf("%.1f GiB of disk are free, %d GiB are needed", float64(m.free)/gibibyte, nodeDisk/gibibyte))
	}
	if m.memory != 0 && m.memory < nodeMemory {
		all = append(all, fmt.Sprintf("%.1f GiB of memory are available, %d GiB are needed", float64(m.memory)/gibibyte, nodeMemory/gibibyte))
	}
	return all
}

// lookForNode describes this machine.
func lookForNode(o *nodeOptions) nodeMachine {
	m := nodeMachine{root: os.Geteuid() == 0, memory: availableMemory()}
	for _, tool := range debianTools {
		if tool.program == cniPlugin {
			if cniPlugins() == "" {
				m.missing = append(m.missing, tool.pkg)
			}
		} else if _, err := findProgram(tool.program); err != nil {
			m.missing = append(m.missing, tool.pkg)
		}
	}
	for _, program := range []string{
		filepath.Join(o.assets, "kube-apiserver"), filepath.Join(o.programs, "kubelet"), filepath.Join(o.programs, "containerd"),
		filepath.Join(o.programs, "containerd-shim-runc-v2"), filepath.Join(o.programs, "coredns"),
		filepath.Join(o.programs, "registry"), filepath.Join(o.programs, "pause"),
	} {
		if _, err := os.Stat(program); err != nil {
			m.unbuilt = append(m.unbuilt, filepath.Base(program))
		}
	}
	filesystems, _ := os.ReadFile("/proc/filesystems")
	m.overlay = strings.Contains(string(filesystems), "\toverlay\n")
	_, err := os.Stat("/proc/sys/net/bridge/bridge-nf-call-iptables")
	m.bridge = err == nil
	if mounts, err := cgroupMounts(); err == nil {
		m.cgroups = len(mounts) > 0
	}
	m.overlaid = onOverlay(o.dir)
	_, m.free, _ = space(o.dir)
	return m
}

// cniPlugins is the folder with the network plugins, "" when there is none: Debian's, or the usual one elsewhere.
func cniPlugins() string {
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin"} {
		if _, err := os.Stat(filepath.Join(dir, "bridge")); err == nil {
			return dir
		}
	}
	return ""
}

// findProgram looks for a program on the PATH and on nodePath.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	for _, dir := range filepath.SplitList(nodePath) {
		if err == nil {
			break
		}
		path, err = exec.LookPath(filepath.Join(dir, name))
	}
	return path, err
}

// onOverlay tells whether a folder, which need not exist yet, is on an overlayfs.
func onOverlay(path string) bool {
	const overlayMagic = 0x794c7630
	for {
		var fs syscall.Statfs_t
		if err := syscall.Statfs(path, &fs); err == nil {
			return fs.Type == overlayMagic
		}
		if path == filepath.Dir(path) {
			return false
		}
		path = filepath.Dir(path)
	}
}

// verdict is an error that says everything the machine lacks for a node, nil when it lacks nothing.
func (m nodeMachine) verdict() error {
	complaints := m.complaints()
	if len(complaints) == 0 {
		return nil
	}
	return fmt.Errorf("this machine is not ready for a real node:\n  - %s", strings.Join(complaints, "\n  - "))
}
