package manifests

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	_ "github.com/nusnewob/kube-changejob/controllers" // it defines metrics, and so do those that it imports
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/metrics"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	operatorprocess "github.com/nusnewob/kube-changejob/test/operator"
)

const (
	webhookConfig = "kube-changejob-validating-webhook-configuration"
	webhookName   = "kube-changejob-webhook-service.kube-changejob-system.svc"
	// failover is how long a replica waits for a leader that is silent, and then some.
	failover = time.Minute
)

// installation is config/default, or an overlay of it, on an API server of its own, with the operator's processes beside it in place
// of its pods: each has the rights of the ServiceAccount and nothing else, and a folder in place of the volume.
type installation struct {
	*apiserver.Server
}

// replica is one process of the operator.
type replica struct {
	*operatorprocess.Process
	webhook, metricsPort int
	metrics              string
}

func install(t *testing.T, overlay string, namespaces ...string) *installation {
	t.Helper()
	i := &installation{apiserver.Start(t)}
	for _, namespace := range namespaces {
		require.NoError(t, i.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	}
	output, err := i.Kubectl("apply", "-k", filepath.Join(config, overlay)).CombinedOutput()
	require.NoError(t, err, string(output))
	return i
}

// token asks for a token of a ServiceAccount, as a kubelet does.
func (i *installation) token(t *testing.T, namespace, name string) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	request := &authenticationv1.TokenRequest{}
	require.NoError(t, i.Client.SubResource("token").Create(t.Context(), account, request))
	return request.Status.Token
}

// start runs one more replica, and waits until it is ready.
func (i *installation) start(t *testing.T, args ...string) *replica {
	t.Helper()
	kubeconfig, err := clientcmd.Write(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: i.Config.Host, CertificateAuthorityData: i.Config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"operator": {Token: i.token(t, system, operator)}},
		Contexts:       map[string]*clientcmdapi.Context{"c": {Cluster: "c", AuthInfo: "operator"}},
		CurrentContext: "c",
	})
	require.NoError(t, err)
	port, metrics := operatorprocess.FreePort(t), operatorprocess.FreePort(t)
	r := &replica{webhook: port, metricsPort: metrics, metrics: fmt.Sprintf("https://127.0.0.1:%d/metrics", metrics)}
	r.Process = operatorprocess.Launch(t, operatorprocess.Options{
		KubeConfig: kubeconfig, Namespace: system, WebhookCertDir: t.TempDir(), WebhookPort: port,
		Args: append([]string{"--leader-elect", "--webhook-cert=self", "--metrics-bind-address=127.0.0.1:" + strconv.Itoa(metrics)}, args...),
	})
	require.Eventually(t, func() bool {
		response, err := http.Get(r.ProbeURL + "/readyz")
		if err != nil {
			return false
		}
		defer func() { _ = response.Body.Close() }()
		return response.StatusCode == http.StatusOK
	}, time.Minute, tick, "ready")
	return r
}

// route leads the API server to a replica's webhook. There are no nodes that carry a Service's address, so that the
// Service becomes a name of this machine; what the API server demands of the certificate stays the same.
func (i *installation) route(t *testing.T, r *replica) {
	t.Helper()
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "kube-changejob-webhook-service"}}
	require.NoError(t, i.Client.Patch(t.Context(), service, client.RawPatch(types.MergePatchType,
		[]byte(`{"spec":{"type":"ExternalName","externalName":"127.0.0.1","clusterIP":null,"clusterIPs":null}}`))))
	hook := &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: webhookConfig}}
	require.NoError(t, i.Client.Patch(t.Context(), hook, client.RawPatch(types.JSONPatchType,
		fmt.Appendf(nil, `[{"op":"add","path":"/webhooks/0/clientConfig/service/port","value":%d}]`, r.webhook))))
}

// leader is who holds the Lease.
func (i *installation) leader(t *testing.T) string {
	t.Helper()
	lease := &coordinationv1.Lease{}
	require.NoError(t, i.Client.Get(t.Context(), types.NamespacedName{Namespace: system, Name: "kube-changejob-leader"}, lease))
	return *lease.Spec.HolderIdentity
}

// watch creates a ConfigMap and a ChangeTriggeredJob that watches it, as soon as the webhook lets it.
func (i *installation) watch(t *testing.T, namespace string) *v1alpha.ChangeTriggeredJob {
	t.Helper()
	require.NoError(t, i.Client.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "watched"}}))
	ctj := &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "watcher"},
		Spec: v1alpha.ChangeTriggeredJobSpec{
			JobTemplate: v1alpha.JobTemplate{Raw: []byte(`{"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"busybox:1.37"}]}}}}`)},
			Resources:   []v1alpha.ResourceReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "watched", Namespace: namespace}},
			Cooldown:    &metav1.Duration{},
		},
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, i.Client.Create(t.Context(), ctj))
	}, waitFor, tick)
	return ctj
}

func (i *installation) change(t *testing.T, namespace, value string) {
	t.Helper()
	watched := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "watched"}}
	require.NoError(t, i.Client.Patch(t.Context(), watched, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"data":{"key":%q}}`, value))))
}

// await waits until so many triggers have been, each with a Job, and everything is seen.
func (i *installation) await(t *testing.T, ctj *v1alpha.ChangeTriggeredJob, triggers int, patience time.Duration) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, i.Client.Get(t.Context(), client.ObjectKeyFromObject(ctj), ctj))
		require.True(c, meta.IsStatusConditionTrue(ctj.Status.Conditions, trigger.ConditionAvailable))
		require.EqualValues(c, triggers, ctj.Status.TriggerCount)
	}, patience, tick)
	jobs := &batchv1.JobList{}
	require.NoError(t, i.Client.List(t.Context(), jobs, client.InNamespace(ctj.Namespace), client.MatchingLabels{job.OwnerLabel: ctj.Name}))
	assert.Len(t, jobs.Items, triggers)
}

// caBundle is the CA that the API server trusts the webhook by.
func (i *installation) caBundle(t *testing.T) []byte {
	t.Helper()
	hook := &admissionv1.ValidatingWebhookConfiguration{}
	require.NoError(t, i.Client.Get(t.Context(), client.ObjectKey{Name: webhookConfig}, hook))
	return hook.Webhooks[0].ClientConfig.CABundle
}

// endCertificate puts the serving certificate into a state in which it must be renewed, as its age does.
func (i *installation) endCertificate(t *testing.T) {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "kube-changejob-webhook-cert"}}
	require.NoError(t, i.Client.Patch(t.Context(), secret, client.RawPatch(types.MergePatchType, []byte(`{"data":{"tls.crt":null,"tls.key":null}}`))))
}

// admit has ChangeTriggeredJobs admitted, without an end and without storing one, until stop is called, which
// returns the first refusal.
func (i *installation) admit(t *testing.T, like *v1alpha.ChangeTriggeredJob) (stop func() error, admitted *atomic.Int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	admitted = &atomic.Int64{}
	go func() {
		for ctx.Err() == nil {
			one := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: like.Namespace, Name: "one-more"}, Spec: like.Spec}
			if err := i.Client.Create(ctx, one, client.DryRunAll); err != nil && ctx.Err() == nil {
				done <- err
				return
			}
			admitted.Add(1)
		}
		done <- nil
	}()
	return func() error { cancel(); return <-done }, admitted
}

// certificate is what the replica's webhook serves.
func (r *replica) certificate(t *testing.T) *x509.Certificate {
	t.Helper()
	dialer := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // a test's own process
	connection, err := dialer.DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", r.webhook))
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	return connection.(*tls.Conn).ConnectionState().PeerCertificates[0]
}

// get requests the metrics with a token, without one where it is empty.
func (r *replica) get(t *testing.T, token string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.metrics, nil)
	require.NoError(t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	// Its certificate is made at each start, and signed by nobody.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // a test's own process
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(content)
}

// TestTheInstalledOperatorWorks runs the operator with what config/default gives it, and no more; its steps build
// on each other.
func TestTheInstalledOperatorWorks(t *testing.T) {
	i := install(t, "default")
	step := func(name string, run func(t *testing.T)) {
		t.Helper()
		require.True(t, t.Run(name, run), name)
	}
	// Replicas outlive the step that starts them.
	first := i.start(t)
	i.route(t, first)
	namespace := i.Namespace(t)
	var ctj *v1alpha.ChangeTriggeredJob

	step("the CA in the webhook configuration vouches for the Service's name", func(t *testing.T) {
		secret := &corev1.Secret{}
		require.NoError(t, i.Client.Get(t.Context(), types.NamespacedName{Namespace: system, Name: "kube-changejob-webhook-cert"}, secret))
		block, _ := pem.Decode(secret.Data["tls.crt"])
		require.NotNil(t, block)
		certificate, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		roots := x509.NewCertPool()
		require.True(t, roots.AppendCertsFromPEM(i.caBundle(t)))
		_, err = certificate.Verify(x509.VerifyOptions{DNSName: webhookName, Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		require.NoError(t, err)
	})

	step("the API server asks the webhook, and one change gets one Job", func(t *testing.T) {
		ctj = i.watch(t, namespace)
		wrong := ctj.DeepCopy()
		wrong.Name, wrong.ResourceVersion = "wrong", ""
		wrong.Spec.Resources[0].Kind = "configmap"
		assert.ErrorContains(t, i.Client.Create(t.Context(), wrong), "resource kind does not exist")

		i.await(t, ctj, 0, waitFor)
		i.change(t, namespace, "one")
		i.await(t, ctj, 1, waitFor)
	})

	step("a certificate is renewed, and no admission fails", func(t *testing.T) {
		ca := i.caBundle(t)
		stop, admitted := i.admit(t, ctj)
		for range 3 {
			before := first.certificate(t)
			i.endCertificate(t)
			require.Eventually(t, func() bool { return !first.certificate(t).Equal(before) }, waitFor, tick, "another certificate is served")
			asked := admitted.Load()
			require.Eventually(t, func() bool { return admitted.Load() > asked+10 }, waitFor, tick, "admission goes on")
		}
		require.NoError(t, stop())
		assert.Equal(t, ca, i.caBundle(t), "the CA stays")
		t.Logf("%d ChangeTriggeredJobs were admitted while the certificate was renewed three times", admitted.Load())
	})

	step("who may write ChangeTriggeredJobs gains by it nothing that RBAC keeps from them", func(t *testing.T) {
		author := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "author"}
		require.NoError(t, i.Client.Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "author"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "kube-changejob-changetriggeredjob-editor-role"},
			Subjects:   []rbacv1.Subject{author},
		}))
		c := i.ClientFor(t, i.User(t, author.Name))
		theirs := ctj.DeepCopy()
		theirs.ObjectMeta = metav1.ObjectMeta{Namespace: namespace, Name: "theirs"}
		require.EventuallyWithT(t, func(collect *assert.CollectT) {
			err := c.Create(t.Context(), theirs.DeepCopy())
			require.ErrorContains(collect, err, `user "author" may not create jobs.batch in the namespace "`+namespace+`"`)
			require.ErrorContains(collect, err, `user "author" may not get configmaps "watched" in the namespace "`+namespace+`"`)
		}, waitFor, tick)
		for _, suspend := range []string{"true", "null"} {
			patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"suspend":`+suspend+`}}`))
			require.NoError(t, c.Patch(t.Context(), ctj, patch))
		}
	})

	step("metrics are for those who may get them", func(t *testing.T) {
		for _, name := range []string{"stranger", "scraper"} {
			require.NoError(t, i.Client.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}))
		}
		require.NoError(t, i.Client.Create(t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "scraper"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "kube-changejob-metrics-reader"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "scraper"}},
		}))
		status, _ := first.get(t, "")
		assert.Equal(t, http.StatusUnauthorized, status)
		status, _ = first.get(t, i.token(t, namespace, "stranger"))
		assert.Equal(t, http.StatusForbidden, status)
		status, body := first.get(t, i.token(t, namespace, "scraper"))
		assert.Equal(t, http.StatusOK, status)
		assert.Contains(t, body, "controller_runtime_reconcile_total")

		said, err := operatorprocess.ParseMetrics(strings.NewReader(body))
		require.NoError(t, err)
		assert.InDelta(t, 1, said.Sum("changejob_leading"), 0)
		assert.InDelta(t, 1, said.Sum("changejob_triggers_total", `reason="Change"`), 0)
		assert.GreaterOrEqual(t, said.Sum("changejob_changetriggeredjobs"), 1.0)
		assert.GreaterOrEqual(t, said.Sum("changejob_watches", `state="synced"`), 1.0)
		for _, d := range metrics.Definitions() {
			assert.Contains(t, body, "# TYPE "+d.Name+" "+string(d.Type)+"\n")
		}
	})

	step("neither webhook nor metrics speak TLS before 1.2", func(t *testing.T) {
		for name, port := range map[string]int{"webhook": first.webhook, "metrics": first.metricsPort} {
			for version, spoken := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
				dialer := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: version}}
				connection, err := dialer.DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
				if err == nil {
					_ = connection.Close()
				}
				assert.Equal(t, spoken, err == nil, "%s, %s: %v", name, tls.VersionName(version), err)
			}
		}
	})

	second := i.start(t)

	step("of two replicas one acts", func(t *testing.T) {
		leader := i.leader(t)
		i.change(t, namespace, "two")
		i.await(t, ctj, 2, waitFor)
		assert.Equal(t, leader, i.leader(t))

		status, body := second.get(t, i.token(t, namespace, "scraper"))
		require.Equal(t, http.StatusOK, status)
		assert.Contains(t, body, "\nchangejob_leading 0\n")
		for _, d := range metrics.Definitions() {
			assert.Equal(t, !d.Leader, strings.Contains(body, "# TYPE "+d.Name+" "), "%s, of one that does not lead", d.Name)
		}
	})

	step("the other takes over from a leader that was killed, and answers what changed in between", func(t *testing.T) {
		leader := i.leader(t)
		first.Kill(t)
		i.change(t, namespace, "three")
		i.await(t, ctj, 3, failover)
		assert.NotEqual(t, leader, i.leader(t))
	})

	step("with --watch-namespaces, the ChangeTriggeredJobs of others are left alone", func(t *testing.T) {
		second.Stop(t)
		within := i.Namespace(t)
		i.route(t, i.start(t, "--watch-namespaces="+within))
		i.change(t, namespace, "four")
		inside := i.watch(t, within)
		i.await(t, inside, 0, waitFor)
		i.change(t, within, "one")
		i.await(t, inside, 1, waitFor)
		i.await(t, ctj, 3, waitFor)
	})

	step("all of it was done with what the installation allows", func(t *testing.T) {
		for _, r := range []*replica{first, second} {
			assert.NotContains(t, r.Log(), "forbidden")
		}
	})
}
