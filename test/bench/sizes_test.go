package bench

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/bench/figures"
	"github.com/nusnewob/kube-changejob/test/bench/scaling"
	"github.com/nusnewob/kube-changejob/test/operator"
)

// TestSizesAreThoseOfTheFormula asks an API server how large the objects are that the formula of docs/scaling.md counts in KiB, in the
// encoding that the operator asks for.
func TestSizesAreThoseOfTheFormula(t *testing.T) {
	server := apiserver.Start(t, apiserver.CRDs())
	ctx, namespace := t.Context(), server.Namespace(t)
	patched := func(object client.Object, patch string) client.Object {
		require.NoError(t, server.Client.Create(ctx, object))
		require.NoError(t, server.Client.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(patch))))
		return object
	}
	noted := sizedConfig(namespace, "noted", objectBytes)
	noted.Annotations = notes
	patched(noted, `{"data":{"count":"1"}}`)
	require.NoError(t, server.Client.Create(ctx, sizedConfig(namespace, "plain", objectBytes)))
	pod := simulatedPod(namespace, "pod")
	require.NoError(t, server.Client.Create(ctx, pod))
	require.NoError(t, server.Client.Status().Patch(ctx, pod, client.RawPatch(types.MergePatchType, []byte(`{"status":{"message":"1"}}`))))

	operator.Start(t, operator.Options{KubeConfig: server.KubeConfig})
	ctj := subjectOf(namespace, "subject", toConfig(namespace, "plain"), toConfig(namespace, "noted"),
		v1alpha.ResourceReference{APIVersion: "v1", Kind: "Pod", Namespace: namespace, Name: "pod", Fields: []string{"spec"}})
	require.NoError(t, server.Client.Create(ctx, ctj))
	await := func(done func() bool) {
		require.Eventually(t, func() bool {
			return server.Client.Get(ctx, client.ObjectKeyFromObject(ctj), ctj) == nil && done()
		}, timeout, 50*time.Millisecond)
	}
	await(func() bool { return hasBaselines(ctj) })
	require.NoError(t, server.Client.Patch(ctx, noted, client.RawPatch(types.MergePatchType, []byte(`{"data":{"count":"2"}}`))))
	await(func() bool { return ctj.Status.TriggerCount == 1 })

	const json, protobuf = "application/json", "application/vnd.kubernetes.protobuf"
	core := "/api/v1/namespaces/" + namespace
	for name, size := range map[string]struct {
		path, accept string
		want         float64
	}{
		"a Pod of a simulated cluster":                {core + "/pods/pod", json, figures.PodKiB},
		"one that changes and that nobody references": {core + "/configmaps/noted", json, figures.UnreferencedKiB},
		"one of a crowd":                              {core + "/configmaps/plain", json, figures.CrowdKiB},
		"a ChangeTriggeredJob":                        {"/apis/triggers.changejob.dev/v1alpha/namespaces/" + namespace + "/changetriggeredjobs/subject", json, scaling.StatusKiB},
		"a Job":                                       {"/apis/batch/v1/namespaces/" + namespace + "/jobs/" + ctj.Status.LastJobName, protobuf, scaling.JobKiB},
	} {
		kib := float64(bytesOf(t, server, size.path, size.accept)) / 1024
		assert.InEpsilon(t, size.want, kib, 0.1, "%s: %.2f KiB", name, kib)
	}
}

func bytesOf(t *testing.T, server *apiserver.Server, path, accept string) int {
	t.Helper()
	asker, err := rest.HTTPClientFor(server.Config)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSuffix(server.Config.Host, "/")+path, nil)
	require.NoError(t, err)
	request.Header.Set("Accept", accept)
	response, err := asker.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, string(body))
	return len(body)
}
