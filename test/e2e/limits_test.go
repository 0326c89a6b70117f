package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// thePodIsWithinItsLimits reads from its cgroup what the operator's pod has used at most. Where the node is another machine
// there is no such cgroup, which is only said.
func thePodIsWithinItsLimits(t *testing.T) {
	t.Helper()
	var pods corev1.PodList
	get(t.Context(), t, &pods, "pods", "--namespace="+operatorNamespace, "--selector=control-plane=controller-manager")
	require.Len(t, pods.Items, 1)
	require.Zero(t, pods.Items[0].Status.ContainerStatuses[0].RestartCount)
	limits := pods.Items[0].Spec.Containers[0].Resources.Limits
	memory, ok := cgroupValue(string(pods.Items[0].UID), "memory.max_usage_in_bytes", "memory.peak")
	if !ok {
		t.Log("the operator's cgroup is not on this machine: its use of memory and CPU is not checked")
		return
	}
	assert.Less(t, memory, limits.Memory().Value())
	nanoseconds, _ := cgroupValue(string(pods.Items[0].UID), "cpuacct.usage", "")
	t.Logf("the operator's pod used %.1f MiB of memory at most (limit %s), and %.2f s of CPU", float64(memory)/(1<<20), limits.Memory(), float64(nanoseconds)/1e9)
}

// cgroupValue reads a number from the cgroup of a pod, in whichever of the files there is.
func cgroupValue(uid string, files ...string) (value int64, found bool) {
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() || found || !strings.Contains(entry.Name(), uid) {
			return nil
		}
		for _, file := range files {
			data, err := os.ReadFile(filepath.Join(path, file))
			if err != nil {
				continue
			}
			if value, err = strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64); err == nil {
				found = true
			}
		}
		return nil
	})
	return value, found
}
