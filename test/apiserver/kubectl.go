package apiserver

import (
	"os"
	"os/exec"
	"path/filepath"
)

// Kubectl returns the command `kubectl args…` on this server, as its administrator; it is yet to be run. Its home folder is one
// that goes with the server: kubectl neither reads nor writes the kubeconfig and the caches of whoever runs the tests.
func (s *Server) Kubectl(args ...string) *exec.Cmd {
	home := filepath.Join(s.Env.ControlPlane.APIServer.CertDir, "kubectl")
	kubeconfig := filepath.Join(home, "kubeconfig")
	cmd := exec.Command(filepath.Join(s.assets, "kubectl"), append([]string{"--kubeconfig", kubeconfig}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+home, "KUBECONFIG="+kubeconfig, "KUBECACHEDIR="+filepath.Join(home, "cache"))
	if err := os.MkdirAll(home, 0o700); err != nil {
		cmd.Err = err
	} else if err := os.WriteFile(kubeconfig, s.KubeConfig, 0o600); err != nil {
		cmd.Err = err
	}
	return cmd
}
