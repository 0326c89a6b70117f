package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
)

const (
	servingCertificate = "kube-changejob-webhook-cert"
	// servingSecret is where cert-manager keeps it.
	servingSecret = "kube-changejob-webhook-tls"
)

// certManager skips the test, loudly, on a cluster that has no cert-manager; where make e2e brought it, that is a failure.
func certManager(t *testing.T) {
	t.Helper()
	err := exec.CommandContext(t.Context(), "kubectl", "get", "crd", "certificates.cert-manager.io").Run()
	if err != nil && os.Getenv("E2E_NODE") == "" {
		t.Skip("SKIPPED: this cluster has no cert-manager (https://cert-manager.io)")
	}
	require.NoError(t, err, "cert-manager is not there: make cert-manager-up")
	onFailure(t, "describe", "certificates,certificaterequests,issuers", "--namespace="+operatorNamespace)
}

func TestApplyKustomizeWithCertManager(t *testing.T) {
	certManager(t)
	emptyCluster(t)
	deploy(t, "config/certmanager")
	mine := namespace(t, "e2e-certmanager")
	theAuthorityIsInjected(t)
	aChangeRunsAContainer(t, mine)
	theWebhookRefuses(t, mine)
	admissionGoesOnWhileTheCertificateIsReplaced(t, mine)
	anotherChangeRunsAContainer(t, mine, 2)
	theOperatorMakesItsOwnAgain(t)
	theWebhookRefuses(t, mine)
	anotherChangeRunsAContainer(t, mine, 3)
	certManagerTakesOver(t)
	theWebhookRefuses(t, mine)
	remove(t)
}

// certManagerTakesOver applies config/certmanager over config/default, and deletes what the operator no longer needs, as the page says.
func certManagerTakesOver(t *testing.T) {
	t.Helper()
	before := pods(t)
	deploy(t, "config/certmanager")
	replacedBy(t, before, 1)
	theAuthorityIsInjected(t)
	tidied := regexp.MustCompile("`kubectl (delete -n kube-changejob-system secret/[^`]+)`").FindStringSubmatch(testdata(t, "docs", "installation.md"))
	require.NotNil(t, tidied)
	kubectl(t, strings.Fields(tidied[1])...)
}

// theOperatorMakesItsOwnAgain applies config/default over config/certmanager. cert-manager's Certificates stay, since kubectl prunes nothing, and what
// they issue is in nobody's way; then they are deleted, as the page says.
func theOperatorMakesItsOwnAgain(t *testing.T) {
	t.Helper()
	before := pods(t)
	deploy(t, "config/default")
	replacedBy(t, before, 1)
	own := func(c *assert.CollectT) (secret corev1.Secret) {
		get(t.Context(), c, &secret, "secret/kube-changejob-webhook-cert", "--namespace="+operatorNamespace)
		require.NotEmpty(c, secret.Data[corev1.TLSCertKey])
		require.True(c, bytes.Equal(secret.Data["ca.crt"], trusted(t, c)), "the operator has not said whom to trust")
		return secret
	}
	var made corev1.Secret
	eventually(t, func(c *assert.CollectT) { made = own(c) })
	var issued corev1.Secret
	get(t.Context(), t, &issued, "secret/"+servingSecret, "--namespace="+operatorNamespace)
	kubectl(t, "wait", "--namespace="+operatorNamespace, "--for=condition=Ready", "--timeout=1m", "certificate/"+servingCertificate)

	const tidied = "kubectl delete certificates,issuers -n kube-changejob-system -l app.kubernetes.io/name=kube-changejob"
	require.Contains(t, testdata(t, "docs", "installation.md"), "`"+tidied+"`")
	kubectl(t, strings.Fields(tidied)[1:]...)
	kubectl(t, "delete", "secrets", servingSecret, "kube-changejob-webhook-ca", "--namespace="+operatorNamespace)
	eventually(t, func(c *assert.CollectT) { assert.Equal(c, made.Data, own(c).Data, "it is left alone") })
}

// theAuthorityIsInjected waits until cert-manager has told the API server whom to trust at the webhook. Where somebody was trusted before, it adds its own.
func theAuthorityIsInjected(t *testing.T) {
	t.Helper()
	kubectl(t, "wait", "--namespace="+operatorNamespace, "--for=condition=Ready", "--timeout=1m", "certificate/"+servingCertificate)
	eventually(t, func(c *assert.CollectT) {
		var secret corev1.Secret
		get(t.Context(), c, &secret, "secret/"+servingSecret, "--namespace="+operatorNamespace)
		require.NotEmpty(c, secret.Data["ca.crt"])
		require.True(c, bytes.Contains(trusted(t, c), secret.Data["ca.crt"]), "cert-manager has not injected the authority")
	})
}

// trusted is the authority that the API server trusts at the webhook.
func trusted(t *testing.T, c require.TestingT) []byte {
	t.Helper()
	var hooks admissionv1.ValidatingWebhookConfiguration
	get(t.Context(), c, &hooks, "validatingwebhookconfiguration/kube-changejob-validating-webhook-configuration")
	require.Len(c, hooks.Webhooks, 1)
	return hooks.Webhooks[0].ClientConfig.CABundle
}

// admissionGoesOnWhileTheCertificateIsReplaced deletes the Secret of the serving certificate. cert-manager issues another by
// the same authority; until the operator serves that, and then, the webhook answers.
func admissionGoesOnWhileTheCertificateIsReplaced(t *testing.T, namespace string) {
	t.Helper()
	var before, after corev1.Secret
	get(t.Context(), t, &before, "secret/"+servingSecret, "--namespace="+operatorNamespace)
	began := time.Now()
	kubectl(t, "delete", "secret", servingSecret, "--namespace="+operatorNamespace)
	eventually(t, func(c *assert.CollectT) {
		after = corev1.Secret{}
		get(t.Context(), c, &after, "secret/"+servingSecret, "--namespace="+operatorNamespace)
		require.NotEmpty(c, after.Data[corev1.TLSCertKey])
		require.NotEqual(c, before.Data[corev1.TLSCertKey], after.Data[corev1.TLSCertKey])
	})
	assert.True(t, bytes.Equal(before.Data["ca.crt"], after.Data["ca.crt"]), "the authority stays")
	t.Logf("the certificate was issued anew after %.1f s", time.Since(began).Seconds())
	for asked := 1; ; asked++ {
		theWebhookRefuses(t, namespace)
		if os.Getenv("E2E_NODE") == "" {
			t.Log("SKIPPED: which certificate the webhook serves is checked on the node of make e2e alone")
			break
		}
		if block, _ := pem.Decode(after.Data[corev1.TLSCertKey]); served(t, before.Data["ca.crt"]).Equal(parsed(t, block)) {
			t.Logf("the operator served it after %.1f s; asked %d times meanwhile, the webhook always answered", time.Since(began).Seconds(), asked)
			break
		}
		require.Less(t, time.Since(began), patience, "the old certificate is served still")
	}
	assert.True(t, bytes.Equal(before.Data["ca.crt"], trusted(t, t)), "the authority is trusted still")
}

func parsed(t *testing.T, block *pem.Block) *x509.Certificate {
	t.Helper()
	require.NotNil(t, block)
	certificate, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	return certificate
}

// served is the certificate that the webhook serves, which the authority must have signed.
func served(t *testing.T, authority []byte) *x509.Certificate {
	t.Helper()
	var service corev1.Service
	get(t.Context(), t, &service, "service/kube-changejob-webhook-service", "--namespace="+operatorNamespace)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(authority))
	dialer := &tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: service.Name + "." + operatorNamespace + ".svc"}}
	connection, err := dialer.DialContext(t.Context(), "tcp", service.Spec.ClusterIP+":443")
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	return connection.(*tls.Conn).ConnectionState().PeerCertificates[0]
}
