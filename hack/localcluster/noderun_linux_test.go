package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// testNode is the environment variable that asks for the tests that start a real node; `make test-node` sets it.
const testNode = "LOCALCLUSTER_TEST_NODE"

// realNode is a node of a test, in a folder of its own.
type realNode struct {
	*testing.T
	dir string
}

// newRealNode skips the test where a node cannot run. However the test ends, nothing of the node is left.
func newRealNode(t *testing.T) *realNode {
	t.Helper()
	if os.Getenv(testNode) == "" {
		t.Skip("SKIPPED: `make test-node` runs this, as root on Linux")
	}
	programs, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	n := &realNode{t, filepath.Join(t.TempDir(), "node")}
	o := &nodeOptions{options: options{assets: filepath.Join(programs, "k8s")}, dir: n.dir, programs: filepath.Join(programs, "node")}
	if err := lookForNode(o).verdict(); err != nil {
		t.Skipf("SKIPPED, a real node was NOT tested: %v", err)
	}
	t.Cleanup(func() { _, _ = n.launcher("node-down").CombinedOutput() })
	return n
}

// launcher is a command of bin/localcluster about the node; its environment would lead it astray if it looked at it.
func (n *realNode) launcher(command string, args ...string) *exec.Cmd {
	cmd := exec.Command("../../bin/localcluster", append([]string{command, "--data-dir=" + n.dir}, args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG=/nonexistent/kubeconfig", "HTTPS_PROXY=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1", "NO_PROXY=")
	return cmd
}

func (n *realNode) run(cmd *exec.Cmd) string {
	n.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		n.Fatalf("%q: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

func (n *realNode) up(args ...string) string {
	n.Helper()
	out := n.run(n.launcher("node-up", args...))
	n.Log(out)
	return out
}

func (n *realNode) down() string {
	n.Helper()
	return n.run(n.launcher("node-down"))
}

// exec runs a command in the node's network.
func (n *realNode) exec(command ...string) string {
	n.Helper()
	return n.run(n.launcher("node-exec", append([]string{"--"}, command...)...))
}

func (n *realNode) describe() *nodeDescription {
	n.Helper()
	d, err := readNode(n.dir)
	if err != nil {
		n.Fatal(err)
	}
	return d
}

// apply applies a manifest.
func (n *realNode) apply(manifest string) {
	n.Helper()
	cmd := n.launcher("node-exec", "--", "kubectl", "apply", "--filename=-")
	cmd.Stdin = strings.NewReader(manifest)
	n.run(cmd)
}

// job runs a command in a Job's container to its end and returns what it printed.
func (n *realNode) job(name, image, command string) string {
	n.Helper()
	n.apply(fmt.Sprintf(`
apiVersion: batch/v1
kind: Job
metadata: {name: %s}
spec:
  backoffLimit: 3
  template:
    spec:
      restartPolicy: Never
      containers:
      - {name: main, image: %q, command: [sh, -ec, %q]}
`, name, image, command))
	n.exec("kubectl", "wait", "--for=condition=Complete", "--timeout=120s", "job/"+name)
	return n.exec("kubectl", "logs", "job/"+name)
}

// traces are what a node could leave on the machine, or change of it.
func (n *realNode) traces() (all []string) {
	n.Helper()
	read := func(file string) string {
		content, err := os.ReadFile(file)
		if err != nil {
			n.Fatal(err)
		}
		return strings.TrimSpace(string(content))
	}
	for _, mount := range strings.Split(read("/proc/self/mountinfo"), "\n") {
		all = append(all, "mount "+mount)
	}
	for what, command := range map[string][]string{"network": {"ip", "netns", "list"}, "link": {"ip", "-oneline", "-brief", "link"}, "route": {"ip", "route"}} {
		for _, line := range strings.Split(n.run(exec.Command(command[0], command[1:]...)), "\n") {
			all = append(all, what+" "+line)
		}
	}
	for name := range tunables {
		all = append(all, "setting "+name+"="+read(filepath.Join("/proc/sys", name)))
	}
	all = append(all, "setting ip_forward="+read("/proc/sys/net/ipv4/ip_forward"))
	for _, path := range []string{
		"/run/containerd", "/run/netns", "/run/xtables.lock", "/var/lib/containerd", "/var/lib/kubelet", "/var/lib/cni", "/var/log/pods", "/var/log/containers",
		"/opt/cni", "/opt/containerd", "/etc/cni", "/etc/containerd", "/etc/kubernetes", "/usr/libexec/kubernetes", n.dir,
	} {
		if _, err := os.Lstat(path); err == nil {
			all = append(all, "file "+path)
		}
	}
	mounts, err := cgroupMounts()
	if err != nil {
		n.Fatal(err)
	}
	for _, mount := range mounts {
		for _, name := range []string{nodeCgroup(n.dir), "kubepods"} {
			if _, err := os.Stat(filepath.Join(mount.path, name)); err == nil {
				all = append(all, "control group "+filepath.Join(mount.path, name))
			}
		}
	}
	for pid, program := range programs(n.T, n.dir) {
		all = append(all, "process "+pid+" "+program)
	}
	sort.Strings(all)
	return all
}

// nothingIsLeft fails the test unless the machine is very soon as it was before.
func (n *realNode) nothingIsLeft(before []string) {
	n.Helper()
	eventually(n.T, "machine as it was", func() error {
		if more, less := difference(before, n.traces()); len(more)+len(less) > 0 {
			return fmt.Errorf("left: %q; gone: %q", more, less)
		}
		return nil
	})
}

// difference returns what is in b and not in a, and what is in a and not in b.
func difference(a, b []string) (more, less []string) {
	in := func(all []string, one string) bool {
		i := sort.SearchStrings(all, one)
		return i < len(all) && all[i] == one
	}
	for _, one := range b {
		if !in(a, one) {
			more = append(more, one)
		}
	}
	for _, one := range a {
		if !in(b, one) {
			less = append(less, one)
		}
	}
	return more, less
}

func TestNode(t *testing.T) {
	n := newRealNode(t)
	before := n.traces()
	auditLog := filepath.Join(t.TempDir(), "audit.log")
	if out := n.up("--audit-log="+auditLog, "--crds=../../config/crd/bases"); !strings.Contains(out, "is ready") {
		t.Errorf("it says %q", out)
	}
	first := n.describe()

	t.Run("runs a Job's container, and shows its log", func(t *testing.T) {
		n := &realNode{t, n.dir}
		if out := n.job("hello", "busybox", "echo I am $(id -un), 6 times 7 is $((6*7))"); out != "I am root, 6 times 7 is 42\n" {
			t.Errorf("the log is %q", out)
		}
	})
	t.Run("resolves the name of a Service in a pod, and leads to it", func(t *testing.T) {
		n := &realNode{t, n.dir}
		n.apply(`
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: web
    image: busybox
    command: [sh, -c, "mkdir /www && echo it is served > /www/index.html && exec httpd -f -p 8080 -h /www"]
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`)
		n.exec("kubectl", "wait", "--for=condition=Ready", "--timeout=120s", "pod/web")
		address := n.exec("kubectl", "get", "service", "web", "--output=jsonpath={.spec.clusterIP}")
		out := n.job("visit", "busybox", "nslookup -type=a web.default.svc.cluster.local; until timeout 5 wget -qO- http://web; do sleep 1; done")
		if !strings.Contains(out, "Address: "+address) || !strings.HasSuffix(out, "it is served\n") {
			t.Errorf("the log is %q", out)
		}
		if out := n.exec("kubectl", "exec", "web", "--", "cat", "/www/index.html"); out != "it is served\n" {
			t.Errorf("within it: %q", out)
		}
	})
	t.Run("pulls an image by the name of another registry", func(t *testing.T) {
		n := &realNode{t, n.dir}
		for i, image := range []struct{ format, name string }{
			{"tarball", "ghcr.io/example/app:v1"}, {"oci", "quay.io/example/app:v2"}, {"tarball", "localhost:5000/example/app:v3"},
		} {
			archive := filepath.Join(t.TempDir(), "image")
			n.exec("crane", "pull", "--format="+image.format, "localhost:5000/library/busybox:latest", archive)
			if out := n.run(n.launcher("node-push", archive, image.name)); !strings.Contains(out, "example/app@sha256:") {
				t.Errorf("the push says %q", out)
			}
			if out := n.job(fmt.Sprintf("pulled-%d", i), image.name, "echo from "+image.name); out != "from "+image.name+"\n" {
				t.Errorf("the log is %q", out)
			}
		}
	})
	t.Run("serves the registry with TLS too", func(t *testing.T) {
		n := &realNode{t, n.dir}
		plain, secure := n.exec("crane", "digest", first.Registry+"/pause:3.10"), n.exec("crane", "digest", first.RegistryTLS+"/pause:3.10")
		if plain != secure || !strings.HasPrefix(plain, "sha256:") {
			t.Errorf("%q and %q", plain, secure)
		}
	})
	t.Run("lets API server and kubelet know whom they talk to", func(t *testing.T) {
		n := &realNode{t, n.dir}
		if out := n.exec("kubectl", "get", "--raw", "/api/v1/nodes/"+nodeName+"/proxy/healthz"); out != "ok" {
			t.Errorf("kubelet says %q", out)
		}
		can := n.launcher("node-exec", "--", "kubectl", "auth", "can-i", "list", "secrets", "--as=system:node:"+nodeName, "--as-group=system:nodes")
		if out, err := can.CombinedOutput(); err == nil {
			t.Errorf("a node may list all Secrets: %s", out)
		}
	})
	t.Run("reaches no address outside", func(t *testing.T) {
		cmd := n.launcher("node-exec", "--", "ip", "route", "get", "192.0.2.1")
		if out, err := cmd.CombinedOutput(); err == nil {
			t.Errorf("there is a way out: %s", out)
		}
	})
	t.Run("has what it was given: custom resources, an audit log", func(t *testing.T) {
		n := &realNode{t, n.dir}
		n.exec("kubectl", "get", "changetriggeredjobs")
		content, err := os.ReadFile(auditLog)
		if err != nil || !bytes.Contains(content, []byte(`"username":"system:node:node"`)) {
			t.Errorf("the audit log is without kubelet: %v", err)
		}
	})
	t.Run("is there once, however often it is asked for", func(t *testing.T) {
		n := &realNode{t, n.dir}
		began := time.Now()
		if out := n.up(); !strings.Contains(out, "runs already") || n.describe().PID != first.PID {
			t.Errorf("the second time it says %q", out)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("which takes %s", took)
		}
	})
	t.Run("changes nothing of the machine while it runs", func(t *testing.T) {
		n := &realNode{t, n.dir}
		eventually(t, "unchanged machine", func() error {
			more, less := difference(before, n.traces())
			more = slices.DeleteFunc(more, func(trace string) bool {
				return trace == "file "+n.dir || strings.HasPrefix(trace, "process ") || strings.HasPrefix(trace, "control group ")
			})
			if len(more)+len(less) > 0 {
				return fmt.Errorf("more: %q; less: %q", more, less)
			}
			return nil
		})
		for name, value := range tunables {
			if got := n.run(n.launcher("node-exec", "--inside", "--", "cat", "/proc/sys/"+name)); got != value+"\n" {
				t.Errorf("on the node %s is %s", name, got)
			}
		}
	})
	t.Run("accounts for its memory in its control group", func(t *testing.T) {
		for _, file := range []string{"/sys/fs/cgroup/memory/" + first.Cgroup + "/memory.usage_in_bytes", "/sys/fs/cgroup/" + first.Cgroup + "/memory.current"} {
			content, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			bytes, err := strconv.Atoi(strings.TrimSpace(string(content)))
			if err != nil || bytes < 100<<20 {
				t.Errorf("%s says %s", file, content)
			}
			t.Logf("the node uses %d MiB of memory, files that are cached for it included", bytes>>20)
			return
		}
		t.Error("no control group tells it")
	})
	if out := n.down(); !strings.Contains(out, "stopped and removed") {
		t.Errorf("it says %q", out)
	}
	n.nothingIsLeft(before)
	if out := n.down(); !strings.Contains(out, "No node") {
		t.Errorf("the second time it says %q", out)
	}
	exec := n.launcher("node-exec", "--", "true")
	if out, err := exec.CombinedOutput(); err == nil || !strings.Contains(string(out), "no node runs in") {
		t.Errorf("a command for it: %v, %s", err, out)
	}
}

// TestNodeThatIsKilled ends a node by force in each way.
func TestNodeThatIsKilled(t *testing.T) {
	n := newRealNode(t)
	before := n.traces()

	n.up()
	first := n.describe().PID
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	nothingRuns(t, n.dir)
	n.up() // which takes away what the first one left
	if second := n.describe().PID; second == first {
		t.Errorf("the same process %d", second)
	}
	for pid, program := range programs(t, n.dir) {
		if program == "kubelet" {
			id, _ := strconv.Atoi(pid)
			_ = syscall.Kill(id, syscall.SIGKILL)
		}
	}
	nothingRuns(t, n.dir) // a node without a kubelet is none
	n.down()
	n.nothingIsLeft(before)

	// It does not get ready: what it says of that stays, and nothing else.
	failed := n.launcher("node-up", "--apiserver-arg=--no-such-flag")
	if out, err := failed.CombinedOutput(); err == nil || !strings.Contains(string(out), "unknown flag: --no-such-flag") {
		t.Errorf("%v: %s", err, out)
	}
	eventually(t, "folder that stays, and nothing else", func() error {
		if more, _ := difference(before, n.traces()); len(more) != 1 || more[0] != "file "+n.dir {
			return fmt.Errorf("left: %q", more)
		}
		return nil
	})
	n.down()
	n.nothingIsLeft(before)

	// Its folder is taken away under it.
	n.up()
	if err := removeAll(n.dir); err != nil {
		t.Fatal(err)
	}
	n.down()
	n.nothingIsLeft(before)

	// It is interrupted while it starts.
	cmd := n.launcher("node-up")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitProgram(t, n.dir, "kube-apiserver")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Errorf("%v: %s", err, &out)
	}
	n.nothingIsLeft(before)
}
