package scale

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/keyedhash"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/jobs"
	"github.com/nusnewob/kube-changejob/test/operator"
)

// TestOperatorsShareTheWorkByNamespaces is what docs/scaling.md says of several operators in one cluster.
func TestOperatorsShareTheWorkByNamespaces(t *testing.T) {
	server := apiserver.Start(t, apiserver.CRDs())
	homes := []string{server.Namespace(t), server.Namespace(t)}
	work := []string{server.Namespace(t), server.Namespace(t)}
	start := func(home, namespaces string) *operator.Process {
		return operator.Start(t, operator.Options{
			KubeConfig: server.KubeConfig, Namespace: home, Args: []string{"--leader-elect", "--watch-namespaces=" + namespaces},
		})
	}
	subject := func(i int) *v1alpha.ChangeTriggeredJob {
		ctj := &v1alpha.ChangeTriggeredJob{}
		require.NoError(t, server.Client.Get(t.Context(), types.NamespacedName{Namespace: work[i], Name: "ctj"}, ctj))
		return ctj
	}
	changes := 0
	change := func(i int) {
		changes++
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: work[i], Name: "config"}}
		patch := fmt.Appendf(nil, `{"data":{"key":"%d"}}`, changes)
		require.NoError(t, server.Client.Patch(t.Context(), object, client.RawPatch(types.MergePatchType, patch)))
	}
	triggers := func(want ...int64) {
		t.Helper()
		for i := range want {
			require.EventuallyWithT(t, func(collect *assert.CollectT) { assert.Equal(collect, want[i], subject(i).Status.TriggerCount) }, patience, tick)
		}
	}

	for _, namespace := range work {
		require.NoError(t, server.Client.Create(t.Context(), &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "config"}, Data: map[string]string{"key": "before"},
		}))
		require.NoError(t, server.Client.Create(t.Context(), &v1alpha.ChangeTriggeredJob{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "ctj"},
			Spec: v1alpha.ChangeTriggeredJobSpec{
				JobTemplate: jobs.Template(), Cooldown: &metav1.Duration{}, OnLoop: v1alpha.IgnoreLoop,
				Resources: []v1alpha.ResourceReference{{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: "config"}},
			},
		}))
	}
	first := start(homes[0], work[0])
	key := &corev1.Secret{}
	require.NoError(t, server.Client.Get(t.Context(), types.NamespacedName{Namespace: homes[0], Name: keyedhash.SecretName}, key))
	require.NoError(t, server.Client.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: homes[1], Name: keyedhash.SecretName, Labels: key.Labels}, Type: key.Type, Data: key.Data,
	}))
	second := start(homes[1], work[1])
	for i := range work {
		require.EventuallyWithT(t, func(collect *assert.CollectT) {
			hashes := subject(i).Status.ResourceHashes
			assert.True(collect, len(hashes) == 1 && hashes[0].Fields[0].Hash != "", "it has its baseline")
		}, patience, tick)
	}
	change(0)
	change(1)
	triggers(1, 1)

	first.Stop(t)
	change(0) // nobody sees it
	second.Stop(t)
	second = start(homes[1], work[0]+","+work[1])
	triggers(2, 1) // the namespace that moved is asked what changed meanwhile, and the other one is not
	change(0)
	change(1)
	triggers(3, 2)
	second.Stop(t)
	for i, want := range []int{3, 2} {
		var list batchv1.JobList
		require.NoError(t, server.Client.List(t.Context(), &list, client.InNamespace(work[i])))
		assert.Len(t, list.Items, want)
	}
}
