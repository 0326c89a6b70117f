package bundle

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/operator-framework/api/crds"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// server knows ClusterServiceVersions, though nobody acts on them.
var server = apiserver.OnDemand(apiserver.CRD(crds.ClusterServiceVersion()),
	apiserver.CRDs("bundle/manifests/triggers.changejob.dev_changetriggeredjobs.yaml"))

func TestMain(m *testing.M) { os.Exit(apiserver.MainOnDemand(m, server)) }

func TestAnAPIServerAcceptsEveryManifestAndEveryExample(t *testing.T) {
	bundle := load(t)
	var examples []*unstructured.Unstructured
	var raw []map[string]any
	require.NoError(t, json.Unmarshal([]byte(bundle.CSV.Annotations["alm-examples"]), &raw))
	for _, object := range raw {
		examples = append(examples, &unstructured.Unstructured{Object: object})
	}

	api := server.Server(t).Client
	namespace := server.Server(t).Namespace(t)
	for _, object := range append(bundle.Objects, examples...) {
		if object.GetKind() == "CustomResourceDefinition" {
			continue // It is there: the examples are accepted.
		}
		namespaced, err := api.IsObjectNamespaced(object)
		require.NoError(t, err)
		if namespaced {
			object.SetNamespace(namespace)
		}
		require.NoError(t, api.Create(t.Context(), object, client.DryRunAll, client.FieldValidation("Strict")),
			"%s %s", object.GetKind(), object.GetName())
	}
}
