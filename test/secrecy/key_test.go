package secrecy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/keyedhash"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/operator"
)

// TestTheKeyOutlivesItsSecretAndItsLossMakesNoStorm follows the key through two replicas' first start, the deletion of
// its Secret, a change of leaders, and at last its loss and replacement: what is pending stays so, the rest takes a
// new baseline, and no Job runs for that.
func TestTheKeyOutlivesItsSecretAndItsLossMakesNoStorm(t *testing.T) {
	server := apiserver.Start(t, apiserver.CRDs())
	ctx, namespace := t.Context(), server.Namespace(t)
	options := operator.Options{KubeConfig: server.KubeConfig, Args: []string{"--leader-elect"}}
	for _, name := range []string{"calm", "waiting"} {
		require.NoError(t, server.Client.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			StringData: map[string]string{"password": "before"}}))
		watches(t, server, namespace, name, []v1alpha.ResourceReference{
			{APIVersion: "v1", Kind: "Secret", Namespace: namespace, Name: name, Fields: []string{"data"}},
		}, func(s *v1alpha.ChangeTriggeredJobSpec) { s.Suspend = new(name == "waiting") })
	}
	change := func(name, value string) {
		t.Helper()
		patch := client.RawPatch(types.MergePatchType, []byte(`{"stringData":{"password":"`+value+`"}}`))
		require.NoError(t, server.Client.Patch(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}, patch))
	}
	// made waits until all hashes are those of the key, and nothing else is pending than what is to be.
	made := func(key *keyedhash.Key, calm int64) {
		t.Helper()
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			for _, name := range []string{"calm", "waiting"} {
				field := read(c, server, namespace, name).Status.ResourceHashes[0].Fields[0]
				require.True(c, strings.HasPrefix(field.Hash, key.ID()+":"), "%s: %s", name, field.Hash)
				require.Equal(c, name == "waiting", field.LastTriggeredHash != "", "%s is pending: %s", name, field.LastTriggeredHash)
			}
			require.Equal(c, calm, read(c, server, namespace, "calm").Status.TriggerCount)
			require.Zero(c, read(c, server, namespace, "waiting").Status.TriggerCount)
		}, patience, tick)
	}

	first, second := operator.Launch(t, options), operator.Launch(t, options)
	for _, name := range []string{"calm", "waiting"} {
		watched(t, server, namespace, name, 0)
	}
	change("waiting", "after")
	key, stored := operatorKey(t, server), keySecret(t, server)
	made(key, 0)
	deleteKey(t, server)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		again := keySecret(c, server)
		require.NotEqual(c, stored.UID, again.UID)
		require.Equal(c, stored.Data, again.Data, "the key in use is written again")
	}, patience, tick)
	change("calm", "2")
	made(key, 1)

	// Whichever leads goes first; then it is the other one's turn, with the same key.
	leader, other := first, second
	if !strings.Contains(first.Log(), "Triggered") {
		leader, other = second, first
	}
	leader.Stop(t)
	change("calm", "3")
	made(key, 2)
	require.Contains(t, other.Log(), "Triggered")
	other.Stop(t)

	// Lost: nobody has it any more.
	deleteKey(t, server)
	third := operator.Start(t, options)
	lost := operatorKey(t, server)
	require.NotEqual(t, key.ID(), lost.ID())
	made(lost, 2)
	warned := func(about string) int {
		var list eventsv1.EventList
		require.NoError(t, server.Client.List(ctx, &list, client.InNamespace(namespace)))
		times := 0
		for _, event := range list.Items {
			if event.Reason == "UnknownHashes" && event.Regarding.Name == about {
				times++
				if event.Series != nil {
					times += int(event.Series.Count) - 1
				}
			}
		}
		return times
	}
	require.Eventually(t, func() bool { return warned("calm") == 1 && warned("waiting") == 1 }, patience, tick, "one Warning for each")
	third.Stop(t)

	// Replaced, by another installation's, say.
	deleteKey(t, server)
	require.NoError(t, server.Client.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: keyedhash.SecretName},
		Data: map[string][]byte{keyedhash.DataKey: slices.Repeat([]byte{7}, keyedhash.KeySize)}}))
	fourth := operator.Start(t, options)
	made(operatorKey(t, server), 2)

	// What waited all along triggers once, and changes go on being answered.
	resume, err := json.Marshal(map[string]any{"spec": map[string]any{"suspend": false}})
	require.NoError(t, err)
	require.NoError(t, server.Client.Patch(ctx, read(t, server, namespace, "waiting"), client.RawPatch(types.MergePatchType, resume)))
	watched(t, server, namespace, "waiting", 1)
	change("calm", "4")
	watched(t, server, namespace, "calm", 3)
	var list batchv1.JobList
	require.NoError(t, server.Client.List(ctx, &list, client.InNamespace(namespace)))
	assert.Len(t, list.Items, 4, "no Job for a key")

	for _, p := range []*operator.Process{first, second, third, fourth} {
		for _, secret := range []*corev1.Secret{stored, keySecret(t, server)} {
			assert.NotContains(t, p.Log(), string(secret.Data[keyedhash.DataKey]))
		}
	}
}

// deleteKey deletes the Secret of the key, or does nothing where it is gone.
func deleteKey(t *testing.T, server *apiserver.Server) {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: keyedhash.SecretName}}
	if err := server.Client.Delete(t.Context(), secret); err != nil {
		require.True(t, apierrors.IsNotFound(err), err)
	}
}
