package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// options say what runs in a control plane.
type options struct {
	// assets is the folder with etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl and kwok.
	assets string
	// apiServer is the path of kube-apiserver where it is not the one in assets.
	apiServer string
	// apiServerArgs are appended to kube-apiserver's arguments; of a flag given twice the last one counts.
	apiServerArgs []string
	featureGates  string
	// auditLog is the file for the audit log, "" for none, and auditLevel how much of each request it holds: Metadata or
	// RequestResponse.
	auditLog, auditLevel string
	// controllers runs kube-controller-manager.
	controllers bool
	// node runs kube-scheduler and kwok with one simulated node, on which a Job's pods complete.
	node bool
	// authorization are the API server's authorization modes, "" for RBAC alone.
	authorization string
	// controllerArgs are appended to kube-controller-manager's arguments.
	controllerArgs []string
	// crds are files and folders of custom resource definitions to install.
	crds []string
}

// description is what others need to know of a running control plane: `start` prints it, as one line, when it is ready.
type description struct {
	KubeConfig string         `json:"kubeconfig"`
	URL        string         `json:"url"`
	DataDir    string         `json:"dataDir"`
	PID        int            `json:"pid"`
	PIDs       map[string]int `json:"pids"`
}

// cluster is a control plane of this process.
type cluster struct {
	options
	dir    string
	pki    *pki
	url    string
	client *http.Client // the administrator's

	processes []*process    // in the order of their start
	ended     chan *process // receives each that ends
}

// newCluster prepares a control plane in dir, in which an earlier one may have left its data, and starts nothing.
func newCluster(dir string, o options) (*cluster, error) {
	pki, err := newPKI(filepath.Join(dir, "pki"))
	if err != nil {
		return nil, err
	}
	return &cluster{options: o, dir: dir, pki: pki, ended: make(chan *process, 8)}, nil
}

// start starts everything and returns when it is ready. On an error, the context's end included, some of it may run:
// call stop in any case.
func (c *cluster) start(ctx context.Context) (*description, error) {
	etcdPort, err := c.startEtcd(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.startAPIServer(ctx, etcdPort); err != nil {
		return nil, err
	}
	if c.controllers {
		if err := c.startControllers(ctx); err != nil {
			return nil, err
		}
	}
	if c.node {
		if err := c.startNode(ctx); err != nil {
			return nil, err
		}
	}
	if err := c.installCRDs(ctx); err != nil {
		return nil, err
	}
	d := &description{
		KubeConfig: c.kubeconfigFile(), URL: c.url, DataDir: c.dir,
		PID: os.Getpid(), PIDs: map[string]int{},
	}
	for _, p := range c.processes {
		d.PIDs[p.name] = p.cmd.Process.Pid
	}
	return d, nil
}

// stop stops everything that runs, in about a second.
func (c *cluster) stop() {
	for i := len(c.processes) - 1; i >= 0; i-- {
		p := c.processes[i]
		// Only etcd has something to lose, and not even much: its log of writes survives a kill.
		if p.name == etcdName {
			p.stop(3 * time.Second)
		} else {
			p.stop(0)
		}
	}
}

func (c *cluster) kubeconfigFile() string { return filepath.Join(c.dir, "kubeconfig") }

func (c *cluster) spawn(name, path string, args ...string) (*process, error) {
	p, err := spawn(c.dir, name, path, args...)
	if err != nil {
		return nil, err
	}
	c.processes = append(c.processes, p)
	return p, nil
}

// notify reports the process's end to c.ended. It is called once the process is known to serve: until then await reports.
func (c *cluster) notify(p *process) {
	go func() {
		<-p.done
		c.ended <- p
	}()
}

// listen starts a program that listens on a port and waits until it serves. A free port can be taken by another before
// the program gets to it: then it tries the next one.
func (c *cluster) listen(ctx context.Context, name, path string, args func(port int) []string,
	ready func(ctx context.Context, port int) error) (int, error) {
	for attempt := 1; ; attempt++ {
		port, err := freePort()
		if err != nil {
			return 0, err
		}
		p, err := c.spawn(name, path, args(port)...)
		if err != nil {
			return 0, err
		}
		err = p.await(ctx, "answer of "+name, func(ctx context.Context) error { return ready(ctx, port) })
		if err == nil {
			c.notify(p)
			return port, nil
		}
		if attempt == 3 || !p.portTaken() {
			return 0, err
		}
		c.processes = c.processes[:len(c.processes)-1]
	}
}

func (c *cluster) startEtcd(ctx context.Context) (int, error) {
	config, err := c.pki.tlsConfig("etcd-ca", etcdClientName)
	if err != nil {
		return 0, err
	}
	client := newClient(config)
	defer client.CloseIdleConnections()
	return c.listen(ctx, etcdName, filepath.Join(c.assets, "etcd"),
		func(port int) []string {
			url := fmt.Sprintf("https://127.0.0.1:%d", port)
			return []string{
				"--data-dir=" + filepath.Join(c.dir, "etcd"),
				"--listen-client-urls=" + url, "--advertise-client-urls=" + url,
				"--listen-peer-urls=http://127.0.0.1:0",
				"--cert-file=" + c.pki.cert(etcdName), "--key-file=" + c.pki.key(etcdName),
				"--trusted-ca-file=" + c.pki.cert("etcd-ca"), "--client-cert-auth",
				// What a power cut takes here is missed by nobody, and writes are several times faster.
				"--unsafe-no-fsync",
				"--quota-backend-bytes=8589934592",
				"--log-level=warn",
			}
		},
		func(ctx context.Context, port int) error {
			_, err := request(ctx, client, http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/health", port), nil)
			return err
		})
}

func (c *cluster) startAPIServer(ctx context.Context, etcdPort int) error {
	path := c.apiServer
	if path == "" {
		path = filepath.Join(c.assets, "kube-apiserver")
	}
	audit, err := c.auditArgs()
	if err != nil {
		return err
	}
	if err := c.pki.kubeconfig(c.kubeconfigFile(), adminName, ""); err != nil {
		return err
	}
	config, err := c.pki.tlsConfig("ca", adminName)
	if err != nil {
		return err
	}
	c.client = newClient(config)
	port, err := c.listen(ctx, apiServerName, path,
		func(port int) []string {
			args := []string{
				fmt.Sprintf("--etcd-servers=https://127.0.0.1:%d", etcdPort),
				"--etcd-cafile=" + c.pki.cert("etcd-ca"),
				"--etcd-certfile=" + c.pki.cert(etcdClientName), "--etcd-keyfile=" + c.pki.key(etcdClientName),
				"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
				// Without these two it looks for an address of the machine to tell pods, and there are neither pods nor,
				// on a machine without a network, such an address.
				"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
				"--tls-cert-file=" + c.pki.cert(apiServerName), "--tls-private-key-file=" + c.pki.key(apiServerName),
				"--client-ca-file=" + c.pki.cert("ca"),
				"--authorization-mode=" + cmp.Or(c.authorization, "RBAC"),
				"--service-account-issuer=https://kubernetes.default.svc",
				"--service-account-key-file=" + c.pki.key(serviceAccountsName),
				"--service-account-signing-key-file=" + c.pki.key(serviceAccountsName),
				"--service-cluster-ip-range=10.96.0.0/16",
				"--allow-privileged",
				// Priority and fairness stays on, with seats enough that a benchmark measures its subject.
				"--max-requests-inflight=3000", "--max-mutating-requests-inflight=1000",
				"--profiling=false",
			}
			if c.featureGates != "" {
				args = append(args, "--feature-gates="+c.featureGates)
			}
			return append(append(args, audit...), c.apiServerArgs...)
		},
		func(ctx context.Context, port int) error {
			_, err := request(ctx, c.client, http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/readyz", port), nil)
			return err
		})
	if err != nil {
		return err
	}
	c.url = fmt.Sprintf("https://127.0.0.1:%d", port)
	return c.pki.kubeconfig(c.kubeconfigFile(), adminName, c.url)
}

// auditArgs writes the audit policy and returns the flags that name it.
func (c *cluster) auditArgs() ([]string, error) {
	if c.auditLog == "" {
		return nil, nil
	}
	policy := filepath.Join(c.dir, "audit-policy.yaml")
	content := fmt.Sprintf("apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: %s}]\n", c.auditLevel)
	if err := os.WriteFile(policy, []byte(content), 0o600); err != nil {
		return nil, err
	}
	return []string{"--audit-policy-file=" + policy, "--audit-log-path=" + c.auditLog, "--audit-log-maxsize=4096"}, nil
}

// startWithKubeconfig starts a program that works for the API server, as a user of its own name.
func (c *cluster) startWithKubeconfig(name string, args ...string) (*process, error) {
	kubeconfig := filepath.Join(c.dir, name+".kubeconfig")
	if err := c.pki.kubeconfig(kubeconfig, name, c.url); err != nil {
		return nil, err
	}
	return c.spawn(name, filepath.Join(c.assets, name), append([]string{"--kubeconfig=" + kubeconfig}, args...)...)
}

func (c *cluster) startControllers(ctx context.Context) error {
	p, err := c.startWithKubeconfig("kube-controller-manager", append([]string{
		"--service-account-private-key-file=" + c.pki.key(serviceAccountsName),
		"--root-ca-file=" + c.pki.cert("ca"),
		"--leader-elect=false", "--secure-port=0",
		"--kube-api-qps=1000", "--kube-api-burst=2000",
	}, c.controllerArgs...)...)
	if err != nil {
		return err
	}
	c.notify(p)
	// Pods are refused until their namespace has its service account, which the controllers make.
	return p.await(ctx, "service account", func(ctx context.Context) error {
		_, err := c.get(ctx, "/api/v1/namespaces/default/serviceaccounts/default")
		return err
	})
}

// simulatedNode is the name of the node whose pods kwok plays.
const simulatedNode = "simulated-node"

func (c *cluster) startScheduler() error {
	scheduler, err := c.startWithKubeconfig("kube-scheduler",
		"--leader-elect=false", "--secure-port=0", "--kube-api-qps=1000", "--kube-api-burst=2000")
	if err != nil {
		return err
	}
	c.notify(scheduler)
	return nil
}

func (c *cluster) startNode(ctx context.Context) error {
	if err := c.startScheduler(); err != nil {
		return err
	}
	kwok, err := c.startWithKubeconfig("kwok", "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake")
	if err != nil {
		return err
	}
	c.notify(kwok)
	node := map[string]any{
		"apiVersion": "v1", "kind": "Node",
		"metadata": map[string]any{
			"name":        simulatedNode,
			"annotations": map[string]string{"kwok.x-k8s.io/node": "fake"},
			"labels": map[string]string{
				"kubernetes.io/hostname": simulatedNode, "kubernetes.io/os": "linux", "kubernetes.io/arch": runtime.GOARCH,
			},
		},
	}
	var status *statusError
	_, err = request(ctx, c.client, http.MethodPost, c.url+"/api/v1/nodes", node)
	if err != nil && (!errors.As(err, &status) || status.code != http.StatusConflict) {
		return err
	}
	return kwok.await(ctx, "ready node", func(ctx context.Context) error {
		body, err := c.get(ctx, "/api/v1/nodes/"+simulatedNode)
		if err != nil {
			return err
		}
		return nodeReady(body)
	})
}

// nodeReady tells whether the node, as JSON, is ready and takes pods.
func nodeReady(body []byte) error {
	var node struct {
		Spec struct {
			Taints []struct{ Key string }
		}
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	if err := json.Unmarshal(body, &node); err != nil {
		return err
	}
	if len(node.Spec.Taints) > 0 {
		return fmt.Errorf("the node has taint %s", node.Spec.Taints[0].Key)
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == "Ready" && condition.Status == "True" {
			return nil
		}
	}
	return errors.New("the node is not ready")
}

// installCRDs applies the custom resource definitions of c.crds and waits until their kinds are served.
func (c *cluster) installCRDs(ctx context.Context) error {
	for _, path := range c.crds {
		if err := c.kubectl(ctx, "apply", "--server-side", "--force-conflicts", "--filename="+path); err != nil {
			return err
		}
	}
	if len(c.crds) == 0 {
		return nil
	}
	// A definition is Established a moment before its objects can be asked for: so ask for them.
	return c.processes[len(c.processes)-1].await(ctx, "answer for the custom resources", func(ctx context.Context) error {
		body, err := c.get(ctx, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
		if err != nil {
			return err
		}
		paths, err := customResourcePaths(body)
		if err != nil {
			return err
		}
		for _, path := range paths {
			if _, err := c.get(ctx, path+"?limit=1"); err != nil {
				return err
			}
		}
		return nil
	})
}

// customResourcePaths returns the path of every served version of every definition in a list of them, as JSON.
func customResourcePaths(body []byte) (paths []string, err error) {
	var list struct {
		Items []struct {
			Spec struct {
				Group    string
				Names    struct{ Plural string }
				Versions []struct {
					Name   string
					Served bool
				}
			}
		}
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, err
	}
	for _, item := range list.Items {
		for _, version := range item.Spec.Versions {
			if version.Served {
				paths = append(paths, "/apis/"+item.Spec.Group+"/"+version.Name+"/"+item.Spec.Names.Plural)
			}
		}
	}
	return paths, nil
}

// kubectl runs kubectl as the administrator.
func (c *cluster) kubectl(ctx context.Context, args ...string) error {
	return runProgram(ctx, c.dir, "kubectl", filepath.Join(c.assets, "kubectl"), append(args, "--kubeconfig="+c.kubeconfigFile())...)
}

// runProgram runs a program to its end, in dir, with its output in dir/NAME.log.
func runProgram(ctx context.Context, dir, name, path string, args ...string) error {
	p, err := spawn(dir, name, path, args...)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		p.stop(0)
		return ctx.Err()
	}
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("%s %s: %s", name, strings.Join(args, " "), tail(p.log))
	}
	return nil
}

func (c *cluster) get(ctx context.Context, path string) ([]byte, error) {
	return request(ctx, c.client, http.MethodGet, c.url+path, nil)
}

// newClient returns a client that uses no proxy, whatever the environment says.
func newClient(config *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config}, Timeout: 10 * time.Second}
}

// statusError is an answer other than success.
type statusError struct {
	code int
	body string
}

func (e *statusError) Error() string { return fmt.Sprintf("status %d: %s", e.code, e.body) }

// request sends body, if there is one, as JSON and returns the answer's body; an answer other than success is a statusError.
func request(ctx context.Context, client *http.Client, method, url string, body any) ([]byte, error) {
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		return nil, &statusError{resp.StatusCode, string(answer)}
	}
	return answer, nil
}
