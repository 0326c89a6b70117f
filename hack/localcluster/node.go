package main

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// What a real node is called, and its addresses. It has a network of its own, in which all of them are free.
const (
	nodeName       = "node"
	podNetwork     = "10.244.0.0/16"
	serviceNetwork = "10.96.0.0/16"
	dnsAddress     = "10.96.0.10"
	registryPlain  = "127.0.0.1:5000"
	registrySecure = "127.0.0.1:5443"

	pauseImage   = "registry.k8s.io/pause:3.10"
	coreDNSImage = "registry.k8s.io/coredns/coredns:v1.14.5"
	busyboxImage = "docker.io/library/busybox:latest"
)

var (
	nodeAddress = net.IPv4(10, 201, 0, 1)
	// apiServiceAddress is the Service kubernetes: the first address of serviceNetwork.
	apiServiceAddress = net.IPv4(10, 96, 0, 1)
)

// mirrored are the registries whose images the node takes from its own registry. So it does those of every other; these are
// named so that nothing rests on a fallback.
var mirrored = []string{
	"_default", "docker.io", "quay.io", "registry.k8s.io", "gcr.io", "ghcr.io", "localhost:5000", "localhost:5443",
}

// nodeStateName is the file in a node's folder that holds its description from the moment it is ready.
const nodeStateName = "node.json"

// nodeOptions say what a real node is made from.
type nodeOptions struct {
	options
	// dir is the folder that holds all of it.
	dir string
	// programs is the folder with kubelet, kube-proxy, containerd, its shim, coredns, registry and pause.
	programs string
}

// nodeDescription is what others need to know of a running node.
type nodeDescription struct {
	KubeConfig string `json:"kubeconfig"`
	URL        string `json:"url"`
	DataDir    string `json:"dataDir"`
	// PID is the node's first process: with it everything ends that runs on the node.
	PID int `json:"pid"`
	// Network is the file that names the node's network, for nsenter --net.
	Network string `json:"network"`
	// Cgroup is the node's path in each hierarchy of control groups; its pods are in kubepods beneath it.
	Cgroup  string `json:"cgroup"`
	Address string `json:"address"`
	// Registry and RegistryTLS are the two addresses of the registry that the node pulls every image from, and CA the file with
	// the authority that the second one is to be trusted by.
	Registry    string `json:"registry"`
	RegistryTLS string `json:"registryTLS"`
	CA          string `json:"ca"`
	AuditLog    string `json:"auditLog,omitempty"`
	// Seconds tells when, counted from the beginning, what was ready.
	Seconds map[string]float64 `json:"seconds"`
}

// nodeFlags defines the flags that tell what a node is made from.
func nodeFlags(flags *flag.FlagSet) *nodeOptions {
	o := &nodeOptions{}
	o.controllers, o.authorization = true, "Node,RBAC"
	dataDirFlag(flags, &o.dir)
	flags.StringVar(&o.assets, "assets", defaultAssets(), "folder with the control plane's programs")
	flags.StringVar(&o.programs, "node-assets", filepath.Join(filepath.Dir(defaultAssets()), "node"), "folder with the node's programs")
	flags.Var((*list)(&o.apiServerArgs), "apiserver-arg", "one more argument for kube-apiserver, such as --v=3; may be repeated")
	flags.StringVar(&o.featureGates, "feature-gates", "", "feature gates of kube-apiserver, such as WatchList=false")
	flags.StringVar(&o.auditLog, "audit-log", "", "file for the API server's audit log (default: none is written)")
	flags.StringVar(&o.auditLevel, "audit-level", "Metadata", "what the audit log holds: Metadata or RequestResponse")
	flags.Var((*list)(&o.crds), "crds", "file or folder with custom resource definitions to install; may be repeated")
	return o
}

func dataDirFlag(flags *flag.FlagSet, dir *string) {
	flags.StringVar(dir, "data-dir", ".node", "the node's folder")
}

// complete checks the options and makes paths absolute.
func (o *nodeOptions) complete() error {
	var err error
	for _, path := range []*string{&o.dir, &o.programs} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	if err := o.options.complete(); err != nil {
		return err
	}
	for _, path := range append([]string{o.dir, o.programs, o.assets, o.auditLog}, o.crds...) {
		if folder := replacedBy(path); folder != "" {
			return fmt.Errorf("%s is in %s, which the node has its own of: choose another place", path, folder)
		}
	}
	return nil
}

// replaced are the folders of the machine that the node sees its own of, so that it leaves nothing in them.
var replaced = []string{"/run", "/var/run", "/var/lib", "/var/log"}

// replacedBy returns which of the replaced folders a path is in, "" for none.
func replacedBy(path string) string {
	for _, folder := range replaced {
		if path == folder || strings.HasPrefix(path, folder+"/") {
			return folder
		}
	}
	return ""
}

// nodeCgroup is the name of the control group of the node in dir. Two nodes of one machine are told apart by their folders.
func nodeCgroup(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return "localcluster-" + hex.EncodeToString(sum[:4])
}

// readNode returns the description of the node that is ready in dir; the error is fs.ErrNotExist when none is.
func readNode(dir string) (*nodeDescription, error) {
	content, err := os.ReadFile(filepath.Join(dir, nodeStateName))
	if err != nil {
		return nil, err
	}
	d := &nodeDescription{}
	return d, json.Unmarshal(content, d)
}

// environment is what a command gets that works with the node: the caller's environment, with the node's kubeconfig,
// authority and programs, and without proxies, which lead nowhere from the node's network.
func (d *nodeDescription) environment(caller []string, programs ...string) []string {
	var env []string
	path := "/usr/sbin:/usr/bin:/sbin:/bin"
	for _, entry := range caller {
		name, value, _ := strings.Cut(entry, "=")
		switch strings.ToLower(name) {
		case "path":
			path = value
		case "kubeconfig", "ssl_cert_file", "curl_ca_bundle", "http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy":
		default:
			env = append(env, entry)
		}
	}
	return append(env,
		"PATH="+strings.Join(append(programs, path), ":"),
		"KUBECONFIG="+d.KubeConfig,
		"SSL_CERT_FILE="+d.CA, "CURL_CA_BUNDLE="+d.CA,
		"CONTAINERD_ADDRESS="+filepath.Join(d.DataDir, "host/run/containerd/containerd.sock"))
}

//go:embed nodeconfig
var nodeConfig embed.FS

// nodeSettings are what the files in nodeconfig are filled in with.
type nodeSettings struct {
	Dir, Node, Cgroup, CNIPlugins, Registry, PodNetwork, DNS string
	PauseImage, CoreDNSImage, BusyboxImage                   string
}

func (o *nodeOptions) settings(cniPlugins string) nodeSettings {
	return nodeSettings{
		Dir: o.dir, Node: nodeName, Cgroup: nodeCgroup(o.dir), CNIPlugins: cniPlugins,
		Registry: registryPlain, PodNetwork: podNetwork, DNS: dnsAddress,
		PauseImage: pauseImage, CoreDNSImage: coreDNSImage, BusyboxImage: busyboxImage,
	}
}

// write fills a file of nodeconfig in and writes it to path.
func (s nodeSettings) write(path, name string) (err error) {
	parsed, err := template.ParseFS(nodeConfig, "nodeconfig/"+name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return parsed.Execute(file, s)
}

// writeAll writes the configuration of the node's programs.
func (s nodeSettings) writeAll() error {
	files := map[string]string{
		"containerd.toml": "containerd.toml", "cni/pods.conflist": "cni.conflist",
		"kubelet.yaml": "kubelet.yaml", "kube-proxy.yaml": "kube-proxy.yaml",
		"coredns.yaml": "coredns.yaml", "check.yaml": "check.yaml",
	}
	for _, registry := range mirrored {
		files["hosts/"+registry+"/hosts.toml"] = "hosts.toml"
	}
	for path, name := range files {
		if err := s.write(filepath.Join(s.Dir, path), name); err != nil {
			return err
		}
	}
	// Names of the machine's own world lead nowhere from here.
	return os.WriteFile(filepath.Join(s.Dir, "resolv.conf"), nil, 0o644)
}
