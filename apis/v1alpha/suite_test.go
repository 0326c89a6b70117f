package v1alpha_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/test/apiserver"
)

const (
	waitFor = 30 * time.Second
	tick    = 50 * time.Millisecond
)

const crdFile = "../../config/crd/bases/triggers.changejob.dev_changetriggeredjobs.yaml"

// The API server of this package's tests, with the CRD as `kubectl apply` installed it.
var (
	server *apiserver.Server
	k8s    client.Client
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	var err error
	if server, err = apiserver.New(); err != nil {
		return failed(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			code = failed(err)
		}
	}()
	k8s = server.Client
	if out, err := tryKubectl("apply", "-f", crdFile); err != nil {
		return failed(fmt.Errorf("%w\n%s", err, out))
	}
	// Discovery and the schemas that kubectl explain reads lag behind the CRD for a moment.
	var out string
	deadline := time.Now().Add(waitFor)
	for out, err = tryKubectl("explain", "ctj.spec"); err != nil; out, err = tryKubectl("explain", "ctj.spec") {
		if time.Now().After(deadline) {
			return failed(fmt.Errorf("%w\n%s", err, out))
		}
		time.Sleep(tick)
	}
	return m.Run()
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// tryKubectl runs kubectl as the cluster's administrator and returns all that it printed.
func tryKubectl(args ...string) (string, error) {
	out, err := server.Kubectl(args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("kubectl %s: %w", strings.Join(args, " "), err)
	}
	return string(out), err
}

func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := tryKubectl(args...)
	require.NoError(t, err, out)
	return out
}

func namespace(t *testing.T) string { return server.Namespace(t) }

// minimal is the smallest ChangeTriggeredJob that is accepted.
func minimal(namespace, name string) *v1alpha.ChangeTriggeredJob {
	return &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha.ChangeTriggeredJobSpec{
			JobTemplate: v1alpha.NewJobTemplate(batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{
				Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
					Containers:    []corev1.Container{{Name: "hello", Image: "busybox:1.37"}},
					RestartPolicy: corev1.RestartPolicyNever,
				}},
			}}),
			Resources: []v1alpha.ResourceReference{{
				APIVersion: "v1", Kind: "ConfigMap", Name: "my-config", Namespace: namespace,
			}},
		},
	}
}

// object is minimal as a tree of maps, in which a test can write what the Go types would not.
func object(t *testing.T, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	tree, err := runtime.DefaultUnstructuredConverter.ToUnstructured(minimal(namespace, name))
	require.NoError(t, err)
	delete(tree, "status")
	object := &unstructured.Unstructured{Object: tree}
	object.SetGroupVersionKind(v1alpha.GroupVersion.WithKind("ChangeTriggeredJob"))
	return object
}

// set writes value at a dotted path; a number is an index of a list that is there.
func set(t *testing.T, tree map[string]any, value any, path ...any) {
	t.Helper()
	var at any = tree
	for i, step := range path {
		last := i == len(path)-1
		switch step := step.(type) {
		case string:
			object, ok := at.(map[string]any)
			require.True(t, ok, "%v is no object", path[:i])
			if last {
				object[step] = value
				continue
			}
			if object[step] == nil {
				object[step] = map[string]any{}
			}
			at = object[step]
		case int:
			list, ok := at.([]any)
			require.True(t, ok, "%v is no list", path[:i])
			if last {
				list[step] = value
				continue
			}
			at = list[step]
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }
