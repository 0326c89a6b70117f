package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestWhatAMachineLacksForANode(t *testing.T) {
	good := nodeMachine{root: true, overlay: true, bridge: true, cgroups: true, free: 10 * gibibyte, memory: 8 * gibibyte}
	for name, test := range map[string]struct {
		change func(*nodeMachine)
		want   []string
	}{
		"a good machine lacks nothing":      {func(*nodeMachine) {}, nil},
		"an unknown memory is no complaint": {func(m *nodeMachine) { m.memory = 0 }, nil},
		"without root": {func(m *nodeMachine) { m.root = false },
			[]string{"a real node needs root: run this as root, or set KUBECONFIG to a cluster of your own"}},
		"without what Debian has": {func(m *nodeMachine) { m.missing = []string{"runc", "nftables"} },
			[]string{"not installed: runc nftables; run `make node-tools`, or `apt-get install --no-install-recommends runc nftables`"}},
		"without our programs": {func(m *nodeMachine) { m.unbuilt = []string{"kubelet", "coredns"} },
			[]string{"not built: kubelet, coredns; run `make node`"}},
		"without overlayfs":  {func(m *nodeMachine) { m.overlay = false }, []string{"the kernel has no overlayfs: `modprobe overlay`"}},
		"without the bridge": {func(m *nodeMachine) { m.bridge = false }, []string{"the kernel does not filter what passes bridges: `modprobe br_netfilter`"}},
		"without control groups": {func(m *nodeMachine) { m.cgroups = false },
			[]string{"no control groups are mounted at /sys/fs/cgroup, neither of version 1 nor of version 2"}},
		"in a container's own file system": {func(m *nodeMachine) { m.overlaid = true },
			[]string{"the folder is on an overlayfs, on which images cannot be unpacked: choose another with --data-dir"}},
		"with too little of everything": {func(m *nodeMachine) { m.free, m.memory = gibibyte, gibibyte/2 },
			[]string{"1.0 GiB of disk are free, 2 GiB are needed", "0.5 GiB of memory are available, 2 GiB are needed"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := good
			test.change(&m)
			if got := m.complaints(); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestThisMachineIsLookedAtForANode(t *testing.T) {
	m := lookForNode(&nodeOptions{dir: filepath.Join(t.TempDir(), "no", "such", "folder"), programs: "/nonexistent"})
	if m.root != (os.Geteuid() == 0) || m.free == 0 {
		t.Errorf("%+v", m)
	}
	if got := strings.Join(m.unbuilt, " "); got != "kube-apiserver kubelet containerd containerd-shim-runc-v2 coredns registry pause" {
		t.Errorf("not built: %s", got)
	}
}

func TestMountedControlGroups(t *testing.T) {
	const head = "24 30 0:22 / /proc rw,relatime - proc proc rw\n30 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n"
	for name, test := range map[string]struct {
		mounts      string
		all, joined []cgroupMount
	}{
		"none": {head, nil, nil},
		"version 2": {head + "35 24 0:30 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n",
			[]cgroupMount{{"/sys/fs/cgroup", true}}, []cgroupMount{{"/sys/fs/cgroup", true}}},
		"version 1 beside version 2, which is not joined": {
			head + "36 24 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n37 24 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			[]cgroupMount{{"/sys/fs/cgroup/memory", false}, {"/sys/fs/cgroup/unified", true}},
			[]cgroupMount{{"/sys/fs/cgroup/memory", false}}},
		"one that something else mounted elsewhere": {head + "38 24 0:33 / /other/cgroup rw - cgroup2 cgroup2 rw\n", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			all := parseCgroupMounts(test.mounts)
			if !reflect.DeepEqual(all, test.all) || !reflect.DeepEqual(joined(all), test.joined) {
				t.Errorf("got %v, of which %v are joined", all, joined(all))
			}
		})
	}
}

func TestAFolderOfOthersIsNoNode(t *testing.T) {
	dir := t.TempDir()
	for what, place := range map[string]string{"an empty one": dir, "none": filepath.Join(dir, "none")} {
		if pid, err := nodeHolder(place); pid != 0 || err != nil {
			t.Errorf("%s: %d, %v", what, pid, err)
		}
	}
	// A file of the name of our lock makes it no node.
	file := filepath.Join(dir, lockName)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"up":   nodeUpCommand(t.Context(), []string{"--data-dir", dir}),
		"down": removeNode(t.Context(), dir),
	} {
		if err == nil {
			t.Errorf("%s takes it for one", what)
		}
	}
	if err := removeNode(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "it is left alone") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(claimNode(dir), removeNode(t.Context(), dir)); err != nil {
		t.Errorf("one of our own: %v", err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("one of our own is still there: %v", err)
	}
}
