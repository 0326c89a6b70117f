package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asLauncher is the environment variable that makes this test program the launcher itself.
const asLauncher = "LOCALCLUSTER_TEST_LAUNCHER"

var quiet = log.New(io.Discard, "", 0)

func TestMain(m *testing.M) {
	if os.Getenv(asLauncher) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// launcher is a running `localcluster`.
type launcher struct {
	cmd            *exec.Cmd
	stdin          io.WriteCloser
	stdout, stderr *bytes.Buffer
	ready          chan description // receives the line that `start` prints
	ended          chan struct{}    // closed when it has ended and its output is complete
}

// launch runs `localcluster` with the programs of bin/k8s, a home folder of its own, and an environment that would lead it
// astray if it looked at it.
func launch(t *testing.T, args ...string) *launcher {
	t.Helper()
	assets, err := filepath.Abs("../../bin/k8s")
	if err != nil {
		t.Fatal(err)
	}
	if args[0] != "down" {
		args = append(args, "--assets", assets)
	}
	l := &launcher{
		cmd:    exec.Command(os.Args[0], args...),
		stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{},
		ready: make(chan description, 1), ended: make(chan struct{}),
	}
	l.cmd.Env = append(os.Environ(), asLauncher+"=1",
		"KUBECONFIG=/nonexistent/kubeconfig", "HTTPS_PROXY=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1", "NO_PROXY=")
	l.cmd.Stderr = l.stderr
	if l.stdin, err = l.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(l.ended)
		scanner := bufio.NewScanner(out)
		for scanner.Scan() {
			_, _ = fmt.Fprintln(l.stdout, scanner.Text())
			var d description
			if json.Unmarshal(scanner.Bytes(), &d) == nil {
				l.ready <- d
			}
		}
		_ = l.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = l.cmd.Process.Kill()
		<-l.ended
	})
	return l
}

// wait returns when the launcher has ended.
func (l *launcher) wait(t *testing.T) {
	t.Helper()
	select {
	case <-l.ended:
	case <-time.After(3 * time.Minute):
		t.Fatalf("localcluster %q does not end", l.cmd.Args[1:])
	}
}

// succeed fails the test unless the launcher ends with 0.
func (l *launcher) succeed(t *testing.T) string {
	t.Helper()
	l.wait(t)
	if !l.cmd.ProcessState.Success() {
		t.Fatalf("localcluster %q: %v\n%s", l.cmd.Args[1:], l.cmd.ProcessState, l.stderr)
	}
	return l.stdout.String()
}

// describe returns what `start` prints when it is ready.
func (l *launcher) describe(t *testing.T) description {
	t.Helper()
	select {
	case d := <-l.ready:
		return d
	case <-l.ended:
		t.Fatalf("localcluster %q ended before it was ready: %v\n%s", l.cmd.Args[1:], l.cmd.ProcessState, l.stderr)
	case <-time.After(3 * time.Minute):
		t.Fatalf("localcluster %q does not get ready\n%s", l.cmd.Args[1:], l.stderr)
	}
	return description{}
}

func (l *launcher) signal(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := l.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

func TestAControlPlane(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	auditLog := filepath.Join(t.TempDir(), "audit.log")
	with := launch(t, "start", "--node", "--audit-log", auditLog, "--audit-level", "RequestResponse", "--feature-gates", "WatchList=false")
	beside := launch(t, "start", "--controllers=false", "--apiserver-arg=--v=1")
	d, other := with.describe(t), beside.describe(t)
	api := client(t, d)

	t.Run("runs a Job to its end on the simulated node", func(t *testing.T) {
		const jobs = "/apis/batch/v1/namespaces/default/jobs"
		job := map[string]any{
			"metadata": map[string]any{"name": "hello"},
			"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
				"restartPolicy": "Never",
				"containers":    []any{map[string]any{"name": "hello", "image": "busybox"}},
			}}},
		}
		if _, err := api(http.MethodPost, jobs, job); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a finished Job", func() error {
			body, err := api(http.MethodGet, jobs+"/hello", nil)
			if err == nil && !bytes.Contains(body, []byte(`"succeeded":1`)) {
				err = errors.New("it has not succeeded")
			}
			return err
		})
	})
	t.Run("writes the audit log it was asked for", func(t *testing.T) {
		content, err := os.ReadFile(auditLog)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(content, []byte(`"requestObject":{"kind":"Job"`)) {
			t.Error("without the Job's content")
		}
	})
	t.Run("takes the feature gates it was given", func(t *testing.T) {
		body, err := api(http.MethodGet, "/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(body, []byte(`kubernetes_feature_enabled{name="WatchList",stage="BETA"} 0`)) {
			t.Error("WatchList is on")
		}
	})
	t.Run("is apart from another beside it", func(t *testing.T) {
		if d.URL == other.URL || d.DataDir == other.DataDir {
			t.Errorf("%+v, %+v", d, other)
		}
		mixed := other
		mixed.URL = d.URL
		if _, err := client(t, mixed)(http.MethodGet, "/version", nil); err == nil {
			t.Error("the one accepts the other's administrator")
		}
		if len(other.PIDs) != 2 {
			t.Errorf("without controllers it runs %v", other.PIDs)
		}
	})
	t.Run("ends with an error when one of its programs does", func(t *testing.T) {
		if err := syscall.Kill(other.PIDs["kube-apiserver"], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		beside.wait(t)
		if beside.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(beside.stderr.String(), "kube-apiserver ended: signal: killed") {
			t.Errorf("%v: %s", beside.cmd.ProcessState, beside.stderr)
		}
	})
	t.Run("leaves nothing behind", func(t *testing.T) {
		with.signal(t, os.Interrupt)
		with.succeed(t)
		for _, dir := range []string{d.DataDir, other.DataDir} {
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Errorf("%s: %v", dir, err)
			}
			nothingRuns(t, dir)
		}
		if entries, err := os.ReadDir(home); err != nil || len(entries) > 0 {
			t.Errorf("in the user's home: %v %v", entries, err)
		}
	})
}

// TestNothingIsLeft ends a control plane in each way at each stage of its start.
func TestNothingIsLeft(t *testing.T) {
	ways := map[string]func(*testing.T, *launcher){
		"Ctrl-C":                     func(t *testing.T, l *launcher) { l.signal(t, os.Interrupt) },
		"SIGTERM":                    func(t *testing.T, l *launcher) { l.signal(t, syscall.SIGTERM) },
		"a closed terminal":          func(t *testing.T, l *launcher) { l.signal(t, syscall.SIGHUP) },
		"kill -9":                    func(t *testing.T, l *launcher) { l.signal(t, os.Kill) },
		"the end of who holds stdin": func(_ *testing.T, l *launcher) { _ = l.stdin.Close() },
	}
	stages := map[string]func(*testing.T, *launcher, string){
		"at once":                  func(*testing.T, *launcher, string) {},
		"once etcd runs":           func(t *testing.T, _ *launcher, dir string) { awaitProgram(t, dir, "etcd") },
		"once the API server runs": func(t *testing.T, _ *launcher, dir string) { awaitProgram(t, dir, "kube-apiserver") },
		"once the controllers run": func(t *testing.T, _ *launcher, dir string) { awaitProgram(t, dir, "kube-controller-manager") },
		"once everything is ready": func(t *testing.T, l *launcher, _ string) { l.describe(t) },
	}
	// Tests that are run by nohup ignore a closed terminal, and so would what they start until it asks for that signal. What
	// is asked for here is no longer ignored there.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangups) })
	for way, end := range ways {
		for stage, reach := range stages {
			t.Run(way+" "+stage, func(t *testing.T) {
				dir := t.TempDir()
				l := launch(t, "start", "--node", "--until-stdin-closes", "--data-dir", dir)
				reach(t, l, dir)
				end(t, l)
				l.wait(t)
				if way != "kill -9" && stage != "at once" && !l.cmd.ProcessState.Success() {
					t.Errorf("%v: %s", l.cmd.ProcessState, l.stderr)
				}
				nothingRuns(t, dir)
				if _, err := os.Stat(filepath.Join(dir, stateName)); err == nil && way != "kill -9" {
					t.Error("the description is still there")
				}
			})
		}
	}
}

func TestInTheBackground(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dev")
	t.Cleanup(func() { launch(t, "down", "--data-dir", dir).wait(t) })
	up := func() string {
		return launch(t, "up", "--data-dir", dir, "--crds", "../../config/crd/bases").succeed(t)
	}
	state := func() (d description) {
		content, err := os.ReadFile(filepath.Join(dir, stateName))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(content, &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	if out := up(); !strings.Contains(out, "is ready") || !strings.Contains(out, filepath.Join(dir, "kubeconfig")) {
		t.Errorf("it says %q", out)
	}
	first := state()
	if _, err := client(t, first)(http.MethodGet, "/apis/triggers.changejob.dev/v1alpha/changetriggeredjobs", nil); err != nil {
		t.Error(err)
	}
	if _, err := client(t, first)(http.MethodPost, "/api/v1/namespaces", map[string]any{"metadata": map[string]any{"name": "kept"}}); err != nil {
		t.Error(err)
	}
	if out := up(); !strings.Contains(out, "runs already") || state().PID != first.PID {
		t.Errorf("the second time it says %q", out)
	}
	second := launch(t, "start", "--data-dir", dir)
	if second.wait(t); !strings.Contains(second.stderr.String(), errLocked.Error()) {
		t.Errorf("another in the same folder: %s", second.stderr)
	}

	// Killed, it is started again with what it held.
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	nothingRuns(t, dir)
	if out := up(); !strings.Contains(out, "is ready") {
		t.Errorf("after a kill it says %q", out)
	}
	if _, err := client(t, state())(http.MethodGet, "/api/v1/namespaces/kept", nil); err != nil {
		t.Error(err)
	}

	if out := launch(t, "down", "--data-dir", dir).succeed(t); !strings.Contains(out, "stopped and removed") {
		t.Errorf("it says %q", out)
	}
	nothingRuns(t, dir)
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder: %v", err)
	}
	if out := launch(t, "down", "--data-dir", dir).succeed(t); !strings.Contains(out, "No control plane") {
		t.Errorf("it says %q", out)
	}
}

func TestATemporaryFolderOfAKilledControlPlaneIsRemovedByTheNext(t *testing.T) {
	temp := t.TempDir()
	left := filepath.Join(temp, temporaryPrefix+"left")
	young := filepath.Join(temp, temporaryPrefix+"young")
	running := filepath.Join(temp, temporaryPrefix+"running")
	for _, dir := range []string{left, young, running} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		held, err := lock(dir)
		if err != nil {
			t.Fatal(err)
		}
		if dir == running {
			defer func() { _ = held.Close() }()
		} else {
			_ = held.Close()
		}
		if dir != young {
			old := time.Now().Add(-time.Hour)
			if err := os.Chtimes(filepath.Join(dir, lockName), old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	sweep(temp)
	for dir, there := range map[string]bool{left: false, young: true, running: true} {
		if _, err := os.Stat(dir); (err == nil) != there {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestATakenPortIsNotTheEnd(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	script := "#!/bin/sh\nif mkdir first 2>/dev/null; then echo listen: bind: address already in use; exit 1; fi\nexec sleep 60\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	c := &cluster{dir: dir, ended: make(chan *process, 1)}
	defer c.stop()
	var ports []int
	port, err := c.listen(t.Context(), "program", program,
		func(port int) []string { ports = append(ports, port); return nil },
		func(context.Context, int) error {
			if len(ports) < 2 {
				return errors.New("not yet")
			}
			return nil
		})
	if err != nil || len(ports) != 2 || port != ports[1] || len(c.processes) != 1 {
		t.Errorf("port %d of %v, %d processes: %v", port, ports, len(c.processes), err)
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"a node without controllers": {[]string{"start", "--node", "--controllers=false"}, "--node needs --controllers"},
		"an unknown audit level":     {[]string{"start", "--audit-level=All"}, `"All" is neither Metadata nor RequestResponse`},
		"a background without place": {[]string{"up"}, "up needs --data-dir"},
		"no programs":                {[]string{"start", "--assets=/nonexistent"}, "no programs in /nonexistent: run `make control-plane`"},
		"an unknown command":         {[]string{"restart"}, `unknown command "restart"`},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), test.args); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// client returns a function that asks the control plane as its administrator.
func client(t *testing.T, d description) func(method, path string, body any) ([]byte, error) {
	t.Helper()
	config, err := (&pki{dir: filepath.Join(d.DataDir, "pki")}).tlsConfig("ca", adminName)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(config)
	t.Cleanup(c.CloseIdleConnections)
	return func(method, path string, body any) ([]byte, error) {
		return request(t.Context(), c, method, d.URL+path, body)
	}
}

// programs returns the names of the programs that run with dir in their arguments, by process id.
func programs(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(commands) == 0 {
		t.Skip("without /proc processes cannot be found")
	}
	for _, file := range commands {
		content, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(content, []byte(dir)) {
			continue
		}
		program, _, _ := strings.Cut(string(content), "\x00")
		found[filepath.Base(filepath.Dir(file))] = filepath.Base(program)
	}
	return found
}

func awaitProgram(t *testing.T, dir, name string) {
	t.Helper()
	eventually(t, "running "+name, func() error {
		running := programs(t, dir)
		for _, program := range running {
			if program == name {
				return nil
			}
		}
		return fmt.Errorf("running: %v", running)
	})
}

// nothingRuns fails the test unless every program of the control plane in dir ends very soon.
func nothingRuns(t *testing.T, dir string) {
	t.Helper()
	eventually(t, "end of all programs", func() error {
		if running := programs(t, dir); len(running) > 0 {
			return fmt.Errorf("running: %v", running)
		}
		return nil
	})
}

func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("no %s: %v", what, err)
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
