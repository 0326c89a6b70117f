package apiserver_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// asVictim makes this test program start an API server, tell its folder and wait to be killed.
const asVictim = "APISERVER_TEST_VICTIM"

func TestMain(m *testing.M) {
	if os.Getenv(asVictim) == "" {
		os.Exit(m.Run())
	}
	server, err := apiserver.New()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(server.Env.ControlPlane.APIServer.CertDir)
	fmt.Println(server.Env.ControlPlane.Etcd.DataDir)
	time.Sleep(time.Hour)
}

func TestAKilledTestProcessLeavesNoServerBehind(t *testing.T) {
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), asVictim+"=1", "TMPDIR="+t.TempDir())
	victim.Stderr = os.Stderr
	out, err := victim.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, victim.Start())
	lines := bufio.NewScanner(out)
	var folders []string
	for len(folders) < 2 && lines.Scan() {
		folders = append(folders, lines.Text())
	}
	running := func() (found int) {
		commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, file := range commands {
			content, err := os.ReadFile(file)
			if err != nil {
				continue // ended meanwhile
			}
			for _, folder := range folders {
				if bytes.Contains(content, []byte(folder)) {
					found++
				}
			}
		}
		return found
	}
	require.Len(t, folders, 2)
	require.Equal(t, 2, running(), "etcd and kube-apiserver")
	require.NoError(t, victim.Process.Kill())
	_ = victim.Wait()
	require.Eventually(t, func() bool { return running() == 0 }, 30*time.Second, 20*time.Millisecond)
}
