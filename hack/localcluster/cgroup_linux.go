package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cgroupMount is a mounted hierarchy of control groups.
type cgroupMount struct {
	path    string
	unified bool // version 2
}

// cgroupMounts returns the hierarchies that are mounted on this machine.
func cgroupMounts() ([]cgroupMount, error) {
	content, err := os.ReadFile("/proc/self/mountinfo")
	return parseCgroupMounts(string(content)), err
}

// parseCgroupMounts reads them from a mountinfo file.
func parseCgroupMounts(mountinfo string) (all []cgroupMount) {
	for _, line := range strings.Split(mountinfo, "\n") {
		before, after, ok := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(kind) == 0 {
			continue
		}
		if path := fields[4]; strings.HasPrefix(path, "/sys/fs/cgroup") && (kind[0] == "cgroup" || kind[0] == "cgroup2") {
			all = append(all, cgroupMount{path, kind[0] == "cgroup2"})
		}
	}
	return all
}

// joined are the hierarchies that a process of the node joins: all of version 1, and that of version 2 where it is the only one.
func joined(all []cgroupMount) (some []cgroupMount) {
	for _, mount := range all {
		if !mount.unified || len(all) == 1 {
			some = append(some, mount)
		}
	}
	return some
}

// joinCgroup makes this process, and so all that it starts, a member of the group. The group is made if need be.
func joinCgroup(group string) error {
	mounts, err := cgroupMounts()
	if err != nil {
		return err
	}
	for _, mount := range joined(mounts) {
		dir := mount.path
		for _, name := range strings.Split(group, "/") {
			parent := dir
			dir = filepath.Join(dir, name)
			if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
			if mount.unified {
				delegate(parent)
			} else if err := inheritCPUSet(parent, dir); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0); err != nil {
			return fmt.Errorf("joining %s: %w", dir, err)
		}
	}
	return nil
}

// delegate lets the groups in a group of version 2 use the controllers that kubelet asks for. What does not work here kubelet
// complains of: a kernel may lack one of them, and a group with processes passes none on.
func delegate(group string) {
	for _, controller := range []string{"cpu", "cpuset", "memory", "pids", "hugetlb"} {
		_ = os.WriteFile(filepath.Join(group, "cgroup.subtree_control"), []byte("+"+controller), 0)
	}
}

// inheritCPUSet gives a new group of version 1 its parent's processors and memory: it has none, and takes no process so.
func inheritCPUSet(parent, dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		own, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || len(bytes.TrimSpace(own)) > 0 {
			continue // it is no cpuset, or has what it needs
		}
		content, err := os.ReadFile(filepath.Join(parent, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0); err != nil {
			return err
		}
	}
	return nil
}

// removeCgroup kills all members of the group and of those beneath it, and removes them.
func removeCgroup(group string) error {
	mounts, err := cgroupMounts()
	if err != nil {
		return err
	}
	deadline := time.Now().Add(20 * time.Second)
	for _, mount := range mounts {
		dir := filepath.Join(mount.path, group)
		for {
			err := removeGroups(dir)
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return err
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

// removeGroups tries it once; a process that was killed is still a member for an instant.
func removeGroups(dir string) error {
	var groups []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && entry.IsDir() {
			groups = append(groups, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	for i := len(groups) - 1; i >= 0; i-- {
		members, _ := os.ReadFile(filepath.Join(groups[i], "cgroup.procs"))
		for _, member := range strings.Fields(string(members)) {
			// A pid of 0 is a process that cannot be seen from here; nothing but ourselves is 0 to kill.
			if pid, err := strconv.Atoi(member); err == nil && pid > 0 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if err := syscall.Rmdir(groups[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the control group %s: %w", groups[i], err)
		}
	}
	return nil
}
