package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
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

// demo is the program, built, and a temporary folder for it alone.
type demo struct{ path, root, temp string }

// program builds the demo, and says what it needs that is not built.
func program(t *testing.T) demo {
	t.Helper()
	root, err := apiserver.Root()
	require.NoError(t, err)
	for _, built := range []string{"bin/manager", "bin/localcluster", "bin/k8s/kubectl", "bin/k8s/kwok"} {
		require.FileExists(t, filepath.Join(root, built), "run `make control-plane build` first")
	}
	d := demo{path: filepath.Join(root, "bin", "test", "demo"), root: root, temp: t.TempDir()}
	output, err := exec.Command("go", "build", "-o", d.path, ".").CombinedOutput()
	require.NoError(t, err, "%s", output)
	return d
}

// command is a run of the demo, in a session of its own: by that its processes are found.
func (d demo) command(args ...string) *exec.Cmd {
	cmd := exec.Command(d.path, append([]string{"--root=" + d.root}, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+d.temp)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// signalAt runs the demo until it says a line, sends it a signal, and returns its exit code and the processes that
// had been running then. It returns when the demo's own process has ended.
func (d demo) signalAt(t *testing.T, line string, signal os.Signal, args ...string) (code int, running []string, session int) {
	t.Helper()
	cmd := d.command(args...)
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(output)
	for lines.Scan() && lines.Text() != line {
	}
	running = processes(t, cmd.Process.Pid)
	require.NoError(t, cmd.Process.Signal(signal))
	for lines.Scan() {
	}
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode(), running, cmd.Process.Pid
}

func (d demo) files(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(d.temp, "*"))
	require.NoError(t, err)
	return files
}

func TestTheDemoTellsItsStory(t *testing.T) {
	d := program(t)
	output, err := d.command().CombinedOutput()
	require.NoError(t, err, "%s", output)
	for _, line := range []string{
		"Its node is simulated", "Installed the CRD and the webhook.", "ms after the change was sent, Job my-first-trigger-",
		`"name":"my-config"`, "The Job succeeded.", "LAST TRIGGERED",
	} {
		assert.Contains(t, string(output), line)
	}
	assert.Empty(t, d.files(t), "nothing is left in the temporary folder")
}

func TestTheDemoOnAnotherClusterLeavesItAsItWas(t *testing.T) {
	d := program(t)
	kubeconfig := startCluster(t, d.root)
	kubectl := func(args ...string) string {
		output, err := exec.Command(filepath.Join(d.root, "bin", "k8s", "kubectl"), append([]string{"--kubeconfig=" + kubeconfig}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", output)
		return string(output)
	}
	before := kubectl("get", "namespaces,crds", "-o", "name")

	output, err := d.command("--kubeconfig=" + kubeconfig).CombinedOutput()
	require.NoError(t, err, "%s", output)
	for _, line := range []string{
		"node is simulated", "Installed the CRD.", "there is no webhook", "ms after the change was sent", "The Job succeeded.", "LAST TRIGGERED",
	} {
		assert.Contains(t, string(output), line)
	}
	assert.Equal(t, before, kubectl("get", "namespaces,crds", "-o", "name"))

	kubectl("apply", "-f", filepath.Join(d.root, "config", "crd", "bases"))
	before = kubectl("get", "namespaces,crds", "-o", "name")

	// The CRD is the user's now.
	output, err = d.command("--kubeconfig=" + kubeconfig).CombinedOutput()
	require.NoError(t, err, "%s", output)
	assert.Contains(t, string(output), "The CRD is there already; it is left as it is.")
	assert.Equal(t, before, kubectl("get", "namespaces,crds", "-o", "name"))

	code, _, _ := d.signalAt(t, "It is Available: the baseline is taken.", os.Interrupt, "--kubeconfig="+kubeconfig)
	assert.Equal(t, exitInterrupted, code)
	assert.Equal(t, before, kubectl("get", "namespaces,crds", "-o", "name"), "an interrupted demo cleans up as well")

	// An operator is installed.
	lease := exec.Command(filepath.Join(d.root, "bin", "k8s", "kubectl"), "--kubeconfig="+kubeconfig, "create", "-f", "-")
	lease.Stdin = strings.NewReader(fmt.Sprintf(`{"apiVersion":"coordination.k8s.io/v1","kind":"Lease",
		"metadata":{"name":%q,"namespace":"kube-system"},
		"spec":{"holderIdentity":"another","leaseDurationSeconds":3600,"renewTime":%q}}`, leaseName, time.Now().UTC().Format("2006-01-02T15:04:05.000000Z07:00")))
	output, err = lease.CombinedOutput()
	require.NoError(t, err, "%s", output)
	output, err = d.command("--kubeconfig=" + kubeconfig).CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(output), "an operator runs on this cluster already")
	assert.Equal(t, before, kubectl("get", "namespaces,crds", "-o", "name"))
}

func TestADemoThatEndsEarlyLeavesNoProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("processes are looked for in /proc")
	}
	t.Run("interrupted", func(t *testing.T) {
		d := program(t)
		code, running, session := d.signalAt(t, "The operator runs.", os.Interrupt)
		assert.Greater(t, len(running), 6, "the demo, the launcher, etcd, Kubernetes, kwok, the operator: %s", running)
		assert.Equal(t, exitInterrupted, code)
		assert.Empty(t, processes(t, session), "all have ended before the demo has")
		assert.Empty(t, d.files(t))
	})
	t.Run("killed", func(t *testing.T) {
		d := program(t)
		_, running, session := d.signalAt(t, "The operator runs.", os.Kill)
		assert.Greater(t, len(running), 6, "%s", running)
		require.Eventually(t, func() bool { return len(processes(t, session)) == 0 }, patience, 50*time.Millisecond)
		assert.Len(t, d.files(t), 1, "its own folder alone is left, with the logs")
	})
}

func TestAnotherClusterIsTakenFromTheCommandLineAlone(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	recipe := func(args ...string) string {
		cmd := exec.Command("make", append([]string{"--dry-run", "--no-print-directory", "demo"}, args...)...)
		cmd.Dir = root
		// What an outer make was given is not given to this one.
		cmd.Env = append(os.Environ(), "KUBECONFIG=/the/users", "MAKEFLAGS=", "MAKEOVERRIDES=")
		output, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", output)
		return string(output)
	}
	assert.NotContains(t, recipe(), "--kubeconfig")
	assert.Contains(t, recipe(), "localcluster build")
	assert.Contains(t, recipe("KUBECONFIG=/a given/one"), "--kubeconfig='/a given/one'")
	assert.NotContains(t, recipe("KUBECONFIG=/a given/one"), "localcluster build", "it needs no control plane of its own")
}

// startCluster starts a control plane that ends with the test, and returns the path of its kubeconfig.
func startCluster(t *testing.T, root string) string {
	t.Helper()
	cluster := exec.Command(filepath.Join(root, "bin", "localcluster"), "start", "--node", "--until-stdin-closes")
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
	return description.KubeConfig
}

// processes returns the command lines of those in a session that are alive.
func processes(t *testing.T, session int) []string {
	t.Helper()
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
		if fields[3] == strconv.Itoa(session) && fields[0] != "Z" {
			command, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			alive = append(alive, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return alive
}
