package lifeline_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nusnewob/kube-changejob/hack/localcluster/lifeline"
)

// role is the environment variable that makes this test program a parent or a child.
const role = "LIFELINE_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "parent":
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), role+"=child", lifeline.ForChildren())
		child.Stdout = os.Stdout
		if err := child.Start(); err != nil {
			panic(err)
		}
	case "child":
		lifeline.Watch()
		fmt.Println(os.Getpid())
	}
	time.Sleep(time.Minute)
}

func TestAChildEndsWithItsParentEvenWhenThatIsKilled(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), role+"=parent")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if err := syscall.Kill(child, 0); err != nil {
		t.Fatalf("the child is gone before its parent: %v", err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := endsWithin(child, 10*time.Second); err != nil {
		_ = syscall.Kill(child, syscall.SIGKILL)
		t.Fatal(err)
	}
	_ = parent.Wait()
}

func TestAProcessWhoseParentIsGoneAlreadyEndsToo(t *testing.T) {
	child := exec.Command(os.Args[0])
	// Process ids end far below this one: it is nobody's.
	child.Env = append(os.Environ(), role+"=child", lifeline.Variable+"=2147483647")
	var exit *exec.ExitError
	if err := child.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("it ended with %v", err)
	}
}

func endsWithin(pid int, limit time.Duration) error {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid) {
			return nil
		}
	}
	return fmt.Errorf("process %d still runs after %s", pid, limit)
}

// zombie tells whether a process has ended and only waits for its new parent to take notice.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}
