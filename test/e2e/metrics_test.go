package e2e

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// metricsAreForThoseWhoMayReadThem asks for the operator's metrics without a token, and with that of an account which is bound to
// the role for it. Where the Service's address is not reached from here, that is only said.
func metricsAreForThoseWhoMayReadThem(t *testing.T, namespace string) {
	t.Helper()
	if os.Getenv("E2E_NODE") == "" {
		t.Log("SKIPPED: who may read the metrics is checked on the node of make e2e alone")
		return
	}
	var service corev1.Service
	get(t.Context(), t, &service, "service/kube-changejob-controller-manager-metrics-service", "--namespace="+operatorNamespace)
	kubectl(t, "create", "serviceaccount", "reader", "--namespace="+namespace)
	kubectl(t, "create", "clusterrolebinding", "e2e-metrics", "--clusterrole=kube-changejob-metrics-reader", "--serviceaccount="+namespace+":reader")
	token := strings.TrimSpace(kubectl(t, "create", "token", "reader", "--namespace="+namespace))
	status, _ := readMetrics(t, service.Spec.ClusterIP, "")
	assert.Equal(t, http.StatusUnauthorized, status)
	status, text := readMetrics(t, service.Spec.ClusterIP, token)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, text, "controller_runtime_reconcile_total")
	kubectl(t, "delete", "clusterrolebinding", "e2e-metrics")
}

func readMetrics(t *testing.T, address, token string) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+":8443/metrics", nil)
	require.NoError(t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	// It makes its certificate itself, at each start.
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}
