package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// node is a real node of this process, control plane included.
type node struct {
	*cluster
	nodeOptions
	settings nodeSettings
	began    time.Time
	seconds  map[string]float64
}

// newNode prepares a node and starts nothing.
func newNode(o nodeOptions) (*node, error) {
	n := &node{nodeOptions: o, settings: o.settings(cniPlugins()), began: time.Now(), seconds: map[string]float64{}}
	if err := n.settings.writeAll(); err != nil {
		return nil, err
	}
	controlPlane, err := newCluster(o.dir, n.controlPlane())
	if err != nil {
		return nil, err
	}
	n.cluster = controlPlane
	return n, n.certificates()
}

const (
	frontProxyName    = "front-proxy"
	kubeletClientName = "kubelet-client"
	kubeletServerName = "kubelet-server"
	registryName      = "registry"
)

// controlPlane are the options of a control plane that has a node: it is reached from pods, and reaches them.
func (n *node) controlPlane() options {
	o := n.nodeOptions.options
	p := &pki{dir: filepath.Join(n.nodeOptions.dir, "pki")}
	o.apiServerArgs = append([]string{
		"--bind-address=0.0.0.0", "--advertise-address=" + nodeAddress.String(), "--endpoint-reconciler-type=lease",
		"--enable-admission-plugins=NodeRestriction",
		"--kubelet-client-certificate=" + p.cert(kubeletClientName), "--kubelet-client-key=" + p.key(kubeletClientName),
		"--kubelet-certificate-authority=" + p.cert("ca"),
		"--kubelet-preferred-address-types=InternalIP",
		// Aggregated APIs: the API server calls them as itself and passes on for whom.
		"--requestheader-client-ca-file=" + p.cert("front-proxy-ca"),
		"--requestheader-allowed-names=" + frontProxyName,
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		"--proxy-client-cert-file=" + p.cert(frontProxyName), "--proxy-client-key-file=" + p.key(frontProxyName),
		"--enable-aggregator-routing",
	}, o.apiServerArgs...)
	o.controllerArgs = []string{
		"--use-service-account-credentials",
		"--cluster-signing-cert-file=" + p.cert("ca"), "--cluster-signing-key-file=" + p.key("ca"),
	}
	return o
}

// certificates adds to those of a control plane what a node needs.
func (n *node) certificates() error {
	frontProxyCA, frontProxyCAPair, err := newAuthority("localcluster front proxy")
	if err != nil {
		return err
	}
	if err := n.pki.write("front-proxy-ca", frontProxyCAPair); err != nil {
		return err
	}
	for name, issue := range map[string]func() (keyPair, error){
		apiServerName:     func() (keyPair, error) { return n.pki.ca.server(apiServerName, nodeAddress, apiServiceAddress) },
		frontProxyName:    func() (keyPair, error) { return frontProxyCA.client(frontProxyName) },
		kubeletClientName: func() (keyPair, error) { return n.pki.ca.client("kube-apiserver-kubelet-client", "system:masters") },
		kubeletServerName: func() (keyPair, error) { return n.pki.ca.server("system:node:"+nodeName, nodeAddress) },
		registryName:      func() (keyPair, error) { return n.pki.ca.server(registryName, nodeAddress) },
	} {
		pair, err := issue()
		if err != nil {
			return err
		}
		if err := n.pki.write(name, pair); err != nil {
			return err
		}
	}
	return nil
}

// start starts everything and returns once a first Job has run.
func (n *node) start(ctx context.Context) (*nodeDescription, error) {
	if err := n.startRegistry(ctx); err != nil {
		return nil, err
	}
	images := make(chan error, 1)
	go func() { images <- n.makeImages(ctx) }()
	if err := n.startContainerd(ctx); err != nil {
		return nil, err
	}
	etcdPort, err := n.startEtcd(ctx)
	if err != nil {
		return nil, err
	}
	if err := n.startAPIServer(ctx, etcdPort); err != nil {
		return nil, err
	}
	n.reached("API server ready")
	if err := n.startControllers(ctx); err != nil {
		return nil, err
	}
	if err := n.startScheduler(); err != nil {
		return nil, err
	}
	kubelet, err := n.startKubelet()
	if err != nil {
		return nil, err
	}
	if err := <-images; err != nil {
		return nil, err
	}
	if err := n.kubectl(ctx, "apply", "--server-side", "--filename="+filepath.Join(n.settings.Dir, "coredns.yaml")); err != nil {
		return nil, err
	}
	if err := n.installCRDs(ctx); err != nil {
		return nil, err
	}
	if err := kubelet.await(ctx, "ready node", func(ctx context.Context) error {
		body, err := n.get(ctx, "/api/v1/nodes/"+nodeName)
		if err != nil {
			return err
		}
		return nodeReady(body)
	}); err != nil {
		return nil, err
	}
	n.reached("node Ready")
	if err := kubelet.await(ctx, "cluster DNS", func(ctx context.Context) error {
		body, err := n.get(ctx, "/apis/apps/v1/namespaces/kube-system/deployments/coredns")
		if err != nil {
			return err
		}
		return statusCount(body, "availableReplicas")
	}); err != nil {
		return nil, err
	}
	if err := n.check(ctx, kubelet); err != nil {
		return nil, err
	}
	return &nodeDescription{
		KubeConfig: n.kubeconfigFile(), URL: n.url, DataDir: n.settings.Dir,
		Cgroup: n.settings.Cgroup, Address: nodeAddress.String(),
		Registry: local(registryPlain), RegistryTLS: local(registrySecure), CA: n.pki.cert("ca"),
		AuditLog: n.cluster.auditLog, Seconds: n.seconds,
	}, nil
}

// local names a loopback address as image names have it.
func local(address string) string { return strings.Replace(address, "127.0.0.1", "localhost", 1) }

// reached notes, and says, when something was ready.
func (n *node) reached(what string) {
	n.seconds[what] = float64(time.Since(n.began).Milliseconds()) / 1000
	fmt.Printf("%s after %.1f s\n", what, n.seconds[what])
}

func (n *node) program(name string) string { return filepath.Join(n.programs, name) }

func (n *node) startRegistry(ctx context.Context) error {
	data := filepath.Join(n.settings.Dir, "registry")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	p, err := n.spawn(registryName, n.program("registry"), "serve",
		"--data="+data, "--http="+registryPlain,
		"--https="+registrySecure, "--cert="+n.pki.cert(registryName), "--key="+n.pki.key(registryName))
	if err != nil {
		return err
	}
	n.notify(p)
	return p.await(ctx, "answer of the registry", func(ctx context.Context) error {
		return errors.Join(dial(ctx, "tcp", registryPlain), dial(ctx, "tcp", registrySecure))
	})
}

func dial(ctx context.Context, network, address string) error {
	connection, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	return connection.Close()
}

func (n *node) startContainerd(ctx context.Context) error {
	p, err := n.spawn("containerd", n.program("containerd"), "--config="+filepath.Join(n.settings.Dir, "containerd.toml"))
	if err != nil {
		return err
	}
	n.notify(p)
	return p.await(ctx, "answer of containerd", func(ctx context.Context) error {
		return dial(ctx, "unix", "/run/containerd/containerd.sock")
	})
}

// startKubelet starts kubelet, which it returns, and kube-proxy.
func (n *node) startKubelet() (*process, error) {
	for name, user := range map[string][]string{
		"kubelet": {"system:node:" + nodeName, "system:nodes"}, "kube-proxy": {"system:kube-proxy", "system:node-proxier"},
	} {
		if err := n.pki.kubeconfig(filepath.Join(n.settings.Dir, name+".kubeconfig"), user[0], n.url, user[1:]...); err != nil {
			return nil, err
		}
	}
	kubelet, err := n.spawn("kubelet", n.program("kubelet"),
		"--config="+filepath.Join(n.settings.Dir, "kubelet.yaml"),
		"--kubeconfig="+filepath.Join(n.settings.Dir, "kubelet.kubeconfig"),
		"--hostname-override="+nodeName, "--node-ip="+nodeAddress.String())
	if err != nil {
		return nil, err
	}
	n.notify(kubelet)
	proxy, err := n.spawn("kube-proxy", n.program("kube-proxy"), "--config="+filepath.Join(n.settings.Dir, "kube-proxy.yaml"))
	if err != nil {
		return nil, err
	}
	n.notify(proxy)
	return kubelet, nil
}

// check runs a first Job to its end and removes it.
func (n *node) check(ctx context.Context, kubelet *process) error {
	if err := n.kubectl(ctx, "apply", "--server-side", "--filename="+filepath.Join(n.settings.Dir, "check.yaml")); err != nil {
		return err
	}
	if err := kubelet.await(ctx, "finished Job", func(ctx context.Context) error {
		body, err := n.get(ctx, "/apis/batch/v1/namespaces/kube-system/jobs/node-check")
		if err != nil {
			return err
		}
		return statusCount(body, "succeeded")
	}); err != nil {
		return err
	}
	n.reached("first Job complete")
	return n.kubectl(ctx, "delete", "job", "--namespace=kube-system", "--wait=false", "node-check")
}

// statusCount tells whether a count in an object's status is above zero.
func statusCount(body []byte, name string) error {
	var object struct{ Status map[string]any }
	if err := json.Unmarshal(body, &object); err != nil {
		return err
	}
	if count, ok := object.Status[name].(float64); !ok || count < 1 {
		return fmt.Errorf("its status has no %s", name)
	}
	return nil
}
