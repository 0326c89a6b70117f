package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/hack/orphan"
	"github.com/nusnewob/kube-changejob/hack/port"
)

// poll is how often something is looked at that is waited for.
const poll = 50 * time.Millisecond

// cluster is where the demo takes place.
type cluster struct {
	client     client.WithWatch
	root       string // the repository
	dir        string // the demo's own files
	kubeconfig string
	namespace  string
	// local is true where the control plane is our own: with a webhook, and a simulated node.
	local bool
	// fail ends the demo, with a reason.
	fail context.CancelCauseFunc
	// undo is what close does, the last first.
	undo []func() error

	certDir     string // of the webhook
	webhookPort int
}

// find starts a local control plane, or connects to the cluster of the given kubeconfig.
func (c *cluster) find(ctx context.Context) error {
	if c.kubeconfig == "" {
		if err := c.startControlPlane(ctx); err != nil {
			return err
		}
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig)
	if err != nil {
		return err
	}
	config.WarningHandler = rest.NoWarnings{}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), apiextensionsv1.AddToScheme(scheme), v1alpha.AddToScheme(scheme)); err != nil {
		return err
	}
	if c.client, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if c.local {
		return nil
	}
	return c.look(ctx)
}

// leaseName is the Lease of an installed operator, in whatever namespace.
const leaseName = "kube-changejob-leader"

// look says what matters about a cluster that is not our own. It is an error where an operator runs there:
// both would serve the example, and neither could compare the other's hashes with its own.
func (c *cluster) look(ctx context.Context) error {
	leases := &coordinationv1.LeaseList{}
	if err := c.client.List(ctx, leases, client.MatchingFields{"metadata.name": leaseName}); err != nil {
		return fmt.Errorf("look for an operator: %w", err)
	}
	for _, lease := range leases.Items {
		if held(lease.Spec, time.Now()) {
			return fmt.Errorf("an operator runs on this cluster already: it holds the Lease %s in namespace %s", lease.Name, lease.Namespace)
		}
	}
	nodes := &corev1.NodeList{}
	if err := c.client.List(ctx, nodes); err != nil {
		return fmt.Errorf("look at the nodes: %w", err)
	}
	if slices.ContainsFunc(nodes.Items, simulated) {
		say("The cluster's node is simulated: Pods complete, but no container runs.")
	}
	return nil
}

// held says whether somebody holds a lease.
func held(lease coordinationv1.LeaseSpec, now time.Time) bool {
	if lease.HolderIdentity == nil || *lease.HolderIdentity == "" || lease.RenewTime == nil || lease.LeaseDurationSeconds == nil {
		return false
	}
	return now.Before(lease.RenewTime.Add(time.Duration(*lease.LeaseDurationSeconds) * time.Second))
}

// simulated says whether a node is one of kwok's.
func simulated(node corev1.Node) bool { return node.Annotations["kwok.x-k8s.io/node"] == "fake" }

// startControlPlane starts etcd, Kubernetes and a simulated node. They end with the pipe that we hold: when the
// demo is killed, too, and then they still remove their files.
func (c *cluster) startControlPlane(ctx context.Context) error {
	say("Starting a local control plane …")
	began := time.Now()
	cmd := exec.Command(filepath.Join(c.root, "bin", "localcluster"), "start", "--node", "--until-stdin-closes")
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	p, err := launch(ctx, filepath.Join(c.dir, "control-plane.log"), cmd, c.fail)
	if err != nil {
		return err
	}
	c.undo = append(c.undo, func() error {
		err := lifeline.Close()
		p.stop()
		return err
	})
	var description struct {
		KubeConfig string `json:"kubeconfig"`
		URL        string `json:"url"`
	}
	line, err := bufio.NewReader(output).ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the control plane did not start: %w", err)
	}
	if err := json.Unmarshal(line, &description); err != nil {
		return fmt.Errorf("the control plane's description: %w", err)
	}
	c.kubeconfig, c.local = description.KubeConfig, true
	say("It is ready after %.1f s, at %s. Its node is simulated: Pods complete, but no container runs.", time.Since(began).Seconds(), description.URL)
	return nil
}

// install brings what the operator needs: its CRD, and on our own control plane its webhook; on another cluster a
// namespace that goes with the demo.
func (c *cluster) install(ctx context.Context) error {
	if err := c.installCRD(ctx); err != nil {
		return err
	}
	if c.local {
		return c.installWebhook(ctx)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "kube-changejob-demo-"}}
	if err := c.client.Create(ctx, namespace); err != nil {
		return fmt.Errorf("create a namespace: %w", err)
	}
	c.namespace = namespace.Name
	c.undo = append(c.undo, func() error { return c.remove(namespace) })
	say("The namespace %s is the demo's own; there is no webhook.", c.namespace)
	return nil
}

// removeTimeout is how long a namespace, and what is in it, may take to go.
const removeTimeout = time.Minute

// remove deletes an object and waits until it is gone, even when the demo was interrupted.
func (c *cluster) remove(object client.Object) error {
	ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
	defer cancel()
	if err := c.client.Delete(ctx, object); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %s: %w", object.GetName(), err)
	}
	err := c.until(ctx, object.GetName()+" to be gone", func() bool {
		return apierrors.IsNotFound(c.client.Get(ctx, client.ObjectKeyFromObject(object), object))
	})
	if err != nil {
		return err
	}
	say("Deleted %s.", object.GetName())
	return nil
}

func (c *cluster) installCRD(ctx context.Context) error {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := c.load("config/crd/bases/triggers.changejob.dev_changetriggeredjobs.yaml", crd); err != nil {
		return err
	}
	switch err := c.client.Create(ctx, crd); {
	case apierrors.IsAlreadyExists(err):
		say("The CRD is there already; it is left as it is.")
	case err != nil:
		return fmt.Errorf("install the CRD: %w", err)
	case !c.local:
		say("Installed the CRD.")
		c.undo = append(c.undo, func() error { return c.remove(crd) })
	}
	return c.until(ctx, "the CRD to be served", func() bool {
		return c.client.List(ctx, &v1alpha.ChangeTriggeredJobList{}) == nil
	})
}

// installWebhook makes a certificate, and leads the API server to the webhook that the operator will serve.
func (c *cluster) installWebhook(ctx context.Context) error {
	loopback := net.IPv4(127, 0, 0, 1)
	certificate, key, err := cert.GenerateSelfSignedCertKey("localhost", []net.IP{loopback}, nil)
	if err != nil {
		return fmt.Errorf("make the webhook's certificate: %w", err)
	}
	c.certDir = filepath.Join(c.dir, "webhook")
	if err := os.Mkdir(c.certDir, 0o700); err != nil {
		return err
	}
	for name, data := range map[string][]byte{"tls.crt": certificate, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(c.certDir, name), data, 0o600); err != nil {
			return err
		}
	}
	if c.webhookPort, err = port.Free(); err != nil {
		return err
	}
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := c.load("config/webhook/manifests.yaml", configuration); err != nil {
		return err
	}
	for i := range configuration.Webhooks {
		hook := &configuration.Webhooks[i].ClientConfig
		url := fmt.Sprintf("https://%s%s", net.JoinHostPort(loopback.String(), strconv.Itoa(c.webhookPort)), *hook.Service.Path)
		hook.Service, hook.URL, hook.CABundle = nil, &url, certificate
	}
	if err := c.client.Create(ctx, configuration); err != nil {
		return fmt.Errorf("install the webhook: %w", err)
	}
	say("Installed the CRD and the webhook.")
	return nil
}

// load reads a manifest of the repository.
func (c *cluster) load(file string, into any) error {
	data, err := os.ReadFile(filepath.Join(c.root, file))
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(data, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// startOperator runs bin/manager and waits until it is ready.
func (c *cluster) startOperator(ctx context.Context) error {
	port, err := port.Free()
	if err != nil {
		return err
	}
	probes := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	cmd := exec.Command(filepath.Join(c.root, "bin", "manager"),
		"--kubeconfig="+c.kubeconfig, "--namespace="+c.namespace, "--watch-namespaces="+c.namespace, "--health-probe-bind-address="+probes)
	cmd.Env = append(os.Environ(), fmt.Sprintf("ENABLE_WEBHOOKS=%t", c.local), "WATCH_NAMESPACE=", "POLL_INTERVAL=")
	if c.local {
		cmd.Args = append(cmd.Args, "--webhook-cert=files", "--webhook-cert-dir="+c.certDir, fmt.Sprintf("--webhook-port=%d", c.webhookPort))
	}
	orphan.Prevent(cmd)
	p, err := launch(ctx, filepath.Join(c.dir, "operator.log"), cmd, c.fail)
	if err != nil {
		return err
	}
	c.undo = append(c.undo, func() error {
		p.stop()
		return nil
	})
	err = c.until(ctx, "the operator to be ready", func() bool {
		response, err := (&http.Client{Timeout: time.Second}).Get("http://" + probes + "/readyz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	if err != nil {
		return err
	}
	say("The operator runs.")
	return nil
}

// until waits until something holds.
func (c *cluster) until(ctx context.Context, what string, holds func() bool) error {
	for !holds() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		case <-time.After(poll):
		}
	}
	return nil
}

// close undoes what was done.
func (c *cluster) close() error {
	var err error
	for len(c.undo) > 0 {
		last := len(c.undo) - 1
		err = errors.Join(err, c.undo[last]())
		c.undo = c.undo[:last]
	}
	return err
}
