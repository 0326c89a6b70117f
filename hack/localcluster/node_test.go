package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestWhereANodeCannotBe(t *testing.T) {
	for path, want := range map[string]string{
		"/home/me/.node": "", "/home/me/run": "", "/runner/.node": "", "": "",
		"/run": "/run", "/run/node": "/run", "/var/run/node": "/var/run",
		"/var/lib/ci/tree/.node": "/var/lib", "/var/library": "", "/var/tmp/node": "",
	} {
		if got := replacedBy(path); got != want {
			t.Errorf("%q: got %q", path, got)
		}
	}
}

func TestNodesAreToldApartByTheirFolders(t *testing.T) {
	a, b := nodeCgroup("/a/.node"), nodeCgroup("/b/.node")
	if a == b || a != nodeCgroup("/a/.node") {
		t.Errorf("%s and %s", a, b)
	}
}

func TestWhatACommandOnTheNodeSees(t *testing.T) {
	d := nodeDescription{KubeConfig: "/n/kubeconfig", CA: "/n/ca.crt", DataDir: "/n"}
	got := d.environment([]string{
		"HOME=/home/me", "PATH=/my/bin", "KUBECONFIG=/home/me/.kube/config", "HTTPS_PROXY=http://proxy", "no_proxy=*", "IMG=x",
		"SSL_CERT_FILE=/etc/ca", "all_proxy=socks5://proxy",
	}, "/bin/k8s", "/bin/node")
	want := []string{
		"HOME=/home/me", "IMG=x", "PATH=/bin/k8s:/bin/node:/my/bin", "KUBECONFIG=/n/kubeconfig", "SSL_CERT_FILE=/n/ca.crt",
		"CURL_CA_BUNDLE=/n/ca.crt", "CONTAINERD_ADDRESS=/n/host/run/containerd/containerd.sock",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestTheConfigurationIsFilledIn(t *testing.T) {
	o := &nodeOptions{dir: t.TempDir()}
	if err := o.settings("/usr/lib/cni").writeAll(); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		content, err := os.ReadFile(filepath.Join(o.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	for file, want := range map[string]string{
		"containerd.toml":                 `config_path = "` + o.dir + `/hosts"`,
		"kubelet.yaml":                    `cgroupRoot: "/` + nodeCgroup(o.dir) + `"`,
		"kube-proxy.yaml":                 "mode: nftables",
		"coredns.yaml":                    `clusterIP: "10.96.0.10"`,
		"check.yaml":                      `image: "docker.io/library/busybox:latest"`,
		"hosts/ghcr.io/hosts.toml":        `[host."http://127.0.0.1:5000"]`,
		"hosts/_default/hosts.toml":       `[host."http://127.0.0.1:5000"]`,
		"hosts/quay.io/hosts.toml":        `"pull", "resolve"`,
		"hosts/docker.io/hosts.toml":      `"pull", "resolve"`,
		"hosts/localhost:5000/hosts.toml": `"pull", "resolve"`,
	} {
		if !strings.Contains(read(file), want) {
			t.Errorf("%s is without %s:\n%s", file, want, read(file))
		}
	}
	if !json.Valid([]byte(read("cni/pods.conflist"))) {
		t.Errorf("the network's configuration is no JSON:\n%s", read("cni/pods.conflist"))
	}
}

func TestTheReportTellsTheTimesInTheirOrder(t *testing.T) {
	d := nodeDescription{
		DataDir: "/n", Registry: "localhost:5000", RegistryTLS: "localhost:5443",
		Seconds: map[string]float64{"first Job complete": 12.68, "API server ready": 4.3, "node Ready": 5.83},
	}
	want := "API server ready 4.3 s, node Ready 5.8 s, first Job complete 12.7 s."
	if got := d.report("is ready"); !strings.Contains(got, want) {
		t.Errorf("got %q", got)
	}
}
