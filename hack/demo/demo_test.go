package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

const patience = 2 * time.Minute

// program builds the demo, and says what it needs that is not built.
func program(t *testing.T) (path, root string) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	for _, built := range []string{"bin/manager", "bin/localcluster", "bin/k8s/kubectl", "bin/k8s/kwok"} {
		require.FileExists(t, filepath.Join(root, built), "run `make control-plane build` first")
	}
	path = filepath.Join(t.TempDir(), "demo")
	output, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	require.NoError(t, err, "%s", output)
	return path, root
}

func TestTheDemoTellsItsStory(t *testing.T) {
	demo, root := program(t)
	output, err := exec.CommandContext(t.Context(), demo, "--root="+root).CombinedOutput()
	require.NoError(t, err, "%s", output)
	for _, line := range []string{
		"Its node is simulated", "Installed the CRD.", "ms after the change was sent, Job my-first-trigger-",
		`"name":"my-config"`, "The Job succeeded.", "LAST TRIGGERED",
	} {
		assert.Contains(t, string(output), line)
	}
}

func TestTheDemoOnAnotherClusterLeavesNothingBehind(t *testing.T) {
	demo, root := program(t)
	cluster := exec.CommandContext(t.Context(), filepath.Join(root, "bin", "localcluster"), "start", "--node", "--until-stdin-closes",
		"--crds", filepath.Join(root, "config", "crd", "bases"))
	lifeline, err := cluster.StdinPipe()
	require.NoError(t, err)
	announced, err := cluster.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cluster.Start())
	t.Cleanup(func() {
		_ = lifeline.Close()
		_ = cluster.Wait()
	})
	line, err := bufio.NewReader(announced).ReadBytes('\n')
	require.NoError(t, err)
	var description struct {
		KubeConfig string `json:"kubeconfig"`
	}
	require.NoError(t, json.Unmarshal(line, &description))

	output, err := exec.CommandContext(t.Context(), demo, "--root="+root, "--kubeconfig="+description.KubeConfig).CombinedOutput()
	require.NoError(t, err, "%s", output)
	assert.Contains(t, string(output), "The CRD is there already; it is left as it is.")
	assert.Contains(t, string(output), "without the webhook")

	kubectl := func(args ...string) string {
		output, err := exec.Command(filepath.Join(root, "bin", "k8s", "kubectl"), append([]string{"--kubeconfig=" + description.KubeConfig}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", output)
		return string(output)
	}
	assert.Contains(t, kubectl("get", "crd"), "changetriggeredjobs")
	require.Eventually(t, func() bool {
		return !strings.Contains(kubectl("get", "namespaces"), "kube-changejob-demo-")
	}, patience, 200*time.Millisecond)
}

func TestAnInterruptedDemoLeavesNoProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("processes are looked for in /proc")
	}
	demo, root := program(t)
	for name, signal := range map[string]os.Signal{"interrupted": os.Interrupt, "killed": os.Kill} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(demo, "--root="+root)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // its children are found by the session
			output, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			lines := bufio.NewScanner(output)
			for lines.Scan() && lines.Text() != "The operator runs." {
			}
			require.Greater(t, len(session(t, cmd.Process.Pid)), 3, "it runs with its children")
			require.NoError(t, cmd.Process.Signal(signal))
			for lines.Scan() {
			}
			_ = cmd.Wait()
			require.Eventually(t, func() bool { return len(session(t, cmd.Process.Pid)) == 0 }, patience, 50*time.Millisecond)
		})
	}
}

// session returns the processes of a session that are alive.
func session(t *testing.T, leader int) []string {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	var alive []string
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // gone meanwhile
		}
		// pid (name) state parent group session …; the name may hold anything.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if fields[3] == strconv.Itoa(leader) && fields[0] != "Z" {
			alive = append(alive, file)
		}
	}
	return alive
}
