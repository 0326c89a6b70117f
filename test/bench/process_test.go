package bench

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

const (
	// stillFor is how long a process must have done nothing to be taken to have dealt with everything.
	stillFor = 300 * time.Millisecond
	// nothing is how much processor time it may use in that time all the same: the runtime looks around.
	nothing = 3 * time.Millisecond
)

// skipWithoutProc skips the benchmark where the system does not tell what a process uses.
func skipWithoutProc(b *testing.B) {
	if _, err := os.Stat("/proc/self/schedstat"); err != nil {
		b.Skip("what a process uses is read from /proc")
	}
}

// memoryMiB reads VmHWM, the peak of the resident memory, or VmRSS, what it is now.
func memoryMiB(b *testing.B, pid int, what string) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(b, err)
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, what+":"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			require.NoError(b, err)
			return kib / 1024
		}
	}
	b.Fatalf("no %s", what)
	return 0
}

// cpuTime is the processor time that a process has used, user and system. /proc/PID/stat tells it in hundredths of a second; its threads'
// schedstat tell it in nanoseconds. Those of threads that have ended are missing, but Go's stay.
func cpuTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	require.NoError(b, err)
	require.NotEmpty(b, threads, "the process has ended")
	var sum time.Duration
	for _, thread := range threads {
		content, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		onCPU, _, _ := strings.Cut(string(content), " ")
		ns, err := strconv.ParseInt(onCPU, 10, 64)
		require.NoError(b, err)
		sum += time.Duration(ns)
	}
	return sum
}

// awaitStill waits until a process has nothing left to do, and returns the processor time that it has used until then.
func awaitStill(b *testing.B, pid int) time.Duration {
	b.Helper()
	ticker := time.NewTicker(stillFor)
	defer ticker.Stop()
	deadline := time.After(stagePatience)
	for before := cpuTime(b, pid); ; {
		select {
		case <-ticker.C:
		case <-deadline:
			b.Fatal("the process never has nothing to do")
		}
		now := cpuTime(b, pid)
		if now-before <= nothing {
			return now
		}
		before = now
	}
}

// processes are some whose processor time is measured at the same time: their ids, by what they are called.
type processes map[string]int

// using begins to measure; what it returns tells what each of them has used since then.
func (p processes) using(b *testing.B) (used func() map[string]time.Duration) {
	b.Helper()
	sum := map[string]time.Duration{}
	for who, pid := range p {
		sum[who] = -cpuTime(b, pid)
	}
	return func() map[string]time.Duration {
		for who, pid := range p {
			sum[who] += cpuTime(b, pid)
		}
		return sum
	}
}

// ofThousand is the processor time for a thousand of what so many took, in ms.
func ofThousand(used time.Duration, count int) float64 {
	return 1000 * used.Seconds() * 1000 / float64(count)
}

// child is the id of the process that runs a program for this one.
func child(b *testing.B, program string) int {
	b.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(b, err)
	for _, file := range all {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		var pid, parent int
		var name string
		var state rune
		if _, err := fmt.Sscanf(string(content), "%d %s %c %d", &pid, &name, &state, &parent); err == nil &&
			name == "("+program+")" && parent == os.Getpid() {
			return pid
		}
	}
	b.Fatalf("no %s runs for this process", program)
	return 0
}

// countingProxy passes connections on to the API server, as they are, encrypted, and counts the bytes of the answers. That takes
// processor time: where time is measured, it is not used.
type countingProxy struct {
	// KubeConfig is that of the server, by way of the proxy.
	KubeConfig []byte

	target string
	read   atomic.Int64
}

func newCountingProxy(b *testing.B, server *apiserver.Server) *countingProxy {
	b.Helper()
	host := server.Config.Host
	if parsed, err := url.Parse(host); err == nil && parsed.Host != "" {
		host = parsed.Host
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	b.Cleanup(func() { _ = listener.Close() })

	config, err := clientcmd.Load(server.KubeConfig)
	require.NoError(b, err)
	name, _, err := net.SplitHostPort(host)
	require.NoError(b, err)
	for _, cluster := range config.Clusters {
		cluster.Server, cluster.TLSServerName = "https://"+listener.Addr().String(), name
	}
	p := &countingProxy{target: host}
	p.KubeConfig, err = clientcmd.Write(*config)
	require.NoError(b, err)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go p.pass(connection)
		}
	}()
	return p
}

func (p *countingProxy) pass(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	_, _ = io.Copy(io.MultiWriter(client, p), server)
}

// Write counts what is read.
func (p *countingProxy) Write(data []byte) (int, error) {
	p.read.Add(int64(len(data)))
	return len(data), nil
}

// readMiB is how much has been read.
func (p *countingProxy) readMiB() float64 { return float64(p.read.Load()) / (1 << 20) }
