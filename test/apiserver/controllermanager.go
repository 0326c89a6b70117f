package apiserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// StartControllerManager runs kube-controller-manager against the server until the test ends, with the named controllers
// only ("job-controller", "namespace-controller", …), with those that are on by default when none is named. It returns at once:
// the controllers act a second or two later. The test fails when it stops by itself.
func (s *Server) StartControllerManager(t testing.TB, controllers ...string) {
	t.Helper()
	program := filepath.Join(s.assets, "kube-controller-manager")
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%s has no kube-controller-manager: run `make control-plane`, or unset %s", s.assets, AssetsVariable)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, s.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	if len(controllers) == 0 {
		controllers = []string{"*"}
	}
	log := &tail{}
	cmd := exec.Command(program,
		"--kubeconfig="+kubeconfig,
		"--controllers="+strings.Join(controllers, ","),
		"--service-account-private-key-file="+filepath.Join(s.Env.ControlPlane.GetAPIServer().CertDir, "sa-signer.key"),
		"--leader-elect=false",
		"--secure-port=0",
		"--kube-api-qps=1000", "--kube-api-burst=2000")
	cmd.Stderr = attached(log)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		select {
		case err := <-ended:
			t.Errorf("kube-controller-manager stopped by itself: %v\n%s", err, log)
			return
		default:
		}
		// It holds nothing worth an orderly end; a killed one is gone at once.
		_ = cmd.Process.Kill()
		select {
		case err := <-ended:
			t.Logf("kube-controller-manager: %v", err)
		case <-time.After(stopTimeout):
			t.Errorf("kube-controller-manager (process %d) does not end", cmd.Process.Pid)
		}
	})
}
