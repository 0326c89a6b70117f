package secrecy

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
	"github.com/nusnewob/kube-changejob/pkg/keyedhash"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/jobs"
	"github.com/nusnewob/kube-changejob/test/operator"
)

// pins are the secrets of this test: of the worst kind, for there are no more than 10,000 of them.
var pins = []string{"0000", "1234", "4711", "9999", "0815"}

// place is what a hash in status speaks of.
type place struct {
	uid       types.UID
	reference trigger.ObjectReference
	field     string
}

// TestP4StatusGivesNoGuessableSecretAway has an attacker who reads ChangeTriggeredJobs, Jobs and events, knows all
// there is to know but the key, the values and nothing else, and tries every PIN there is.
func TestP4StatusGivesNoGuessableSecretAway(t *testing.T) {
	server := apiserver.Start(t, apiserver.CRDs())
	operator.Start(t, operator.Options{KubeConfig: server.KubeConfig})
	ctx, namespace := t.Context(), server.Namespace(t)
	var references []v1alpha.ResourceReference
	secretOf := map[string]string{}
	for i, pin := range pins {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprint("card-", i)},
			StringData: map[string]string{"pin": "0123"}} // there is a Job for each in the end
		require.NoError(t, server.Client.Create(ctx, secret))
		secretOf[secret.Name] = pin
		references = append(references, v1alpha.ResourceReference{APIVersion: "v1", Kind: "Secret", Namespace: namespace, Name: secret.Name,
			Fields: []string{"data.pin", "data", "data['pin']"}})
	}
	watches(t, server, namespace, "cards", references)
	watched(t, server, namespace, "cards", 0)
	for name, pin := range secretOf {
		patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"stringData":{"pin":%q}}`, pin))
		require.NoError(t, server.Client.Patch(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}, patch))
	}
	for _, reference := range references { // until status shows each as it is now
		key := operatorKey(t, server)
		digest := digestOf(t, "data.pin", secretOf[reference.Name])
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			ctj := read(c, server, namespace, "cards")
			require.Contains(c, text(ctj.Status), key.Publish(ctj.UID, referenceOf(reference), "data.pin", digest))
			require.Equal(c, "0s", ctj.Spec.Cooldown.Duration.String())
			for _, shown := range ctj.Status.ResourceHashes {
				require.Empty(c, shown.Fields[0].LastTriggeredHash)
			}
		}, patience, tick)
	}

	// What the attacker may read: not the Secrets, nor the operator's namespace.
	attacker := server.ClientFor(t, server.User(t, "attacker"))
	allow(t, server, namespace, "attacker", "triggers.changejob.dev", "changetriggeredjobs")
	allow(t, server, namespace, "attacker", "batch", "jobs")
	allow(t, server, namespace, "attacker", "events.k8s.io", "events")
	ctj := &v1alpha.ChangeTriggeredJob{}
	var spun batchv1.JobList
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, attacker.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "cards"}, ctj))
		require.NoError(c, attacker.List(ctx, &spun, client.InNamespace(namespace)))
	}, patience, tick)
	require.True(t, apierrors.IsForbidden(attacker.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "card-0"}, &corev1.Secret{})))
	require.True(t, apierrors.IsForbidden(attacker.Get(ctx, client.ObjectKey{Namespace: "default", Name: keyedhash.SecretName}, &corev1.Secret{})))
	loot := text(ctj) + text(spun)
	shown := hexadecimal.FindAllString(loot, -1)
	require.GreaterOrEqual(t, len(shown), 2*3*len(pins), "there is enough to look at: status and Jobs")

	var places []place
	for _, reference := range references {
		for _, field := range reference.Fields {
			places = append(places, place{ctj.UID, referenceOf(reference), field})
		}
	}
	assert.Empty(t, crack(t, shown, places, withoutTheKey(t, ctj)), "found without the key")

	key := operatorKey(t, server)
	found := crack(t, shown, places, func(p place, digest fieldpath.Digest) []string {
		return []string{key.Publish(p.uid, p.reference, p.field, digest)[len(key.ID())+1:]}
	})
	for _, p := range places {
		assert.Contains(t, found[p], secretOf[p.reference.Name], "the attack finds what there is to be found, with the key: %v", p)
	}

	// A value that the attacker can choose: in an object of their own, in a ChangeTriggeredJob of their own, beside the
	// Secret in the same one, and in the place of the Secret itself under another UID.
	twin := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "twin"}, Data: map[string]string{}}
	twin.Data["pin"] = base64.StdEncoding.EncodeToString([]byte(pins[0])) // as the Secret's JSON has it
	require.NoError(t, server.Client.Create(ctx, twin))
	copied := v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: "twin", Fields: references[0].Fields}
	watches(t, server, namespace, "mine", []v1alpha.ResourceReference{copied})
	watches(t, server, namespace, "both", []v1alpha.ResourceReference{copied, references[0]})
	theirs := hashesOf(t, ctj, "card-0")
	seen := map[string]string{}
	for _, name := range []string{"mine", "both"} {
		watched(t, server, namespace, name, 0)
		other := read(t, server, namespace, name)
		for _, resource := range other.Status.ResourceHashes {
			for i, hash := range hashesOf(t, other, resource.Name) {
				require.NotContains(t, theirs, hash, "%s shows what card-0 holds", name)
				at := fmt.Sprint(name, " ", resource.Name, " ", i)
				require.NotContains(t, seen, hash, "%s and %s show that they are equal", at, seen[hash])
				seen[hash] = at
			}
		}
	}
	require.Len(t, seen, 9)
}

// hexadecimal finds hashes, whatever stands around them.
var hexadecimal = regexp.MustCompile(`[0-9a-f]{32,}`)

// crack tries every PIN at every place, in each of the ways that guess knows, and returns what it found.
func crack(t *testing.T, shown []string, places []place, guess func(place, fieldpath.Digest) []string) map[place][]string {
	known := map[string]bool{}
	for _, hash := range shown {
		known[hash[:32]] = true
	}
	found := map[place][]string{}
	for _, p := range places {
		for number := range 10_000 {
			pin := fmt.Sprintf("%04d", number)
			for _, hash := range guess(p, digestOf(t, p.field, pin)) {
				if known[hash[:32]] {
					found[p] = append(found[p], pin)
				}
			}
		}
	}
	return found
}

// withoutTheKey knows the scheme, and every key that a careless operator may have used.
func withoutTheKey(t *testing.T, ctj *v1alpha.ChangeTriggeredJob) func(place, fieldpath.Digest) []string {
	id, _, _ := strings.Cut(ctj.Status.ResourceHashes[0].Fields[0].Hash, ":")
	require.NotEmpty(t, id)
	keys := [][]byte{nil, make([]byte, keyedhash.KeySize), []byte(id), []byte(ctj.UID), []byte("kube-changejob"), []byte("kube-changejob/v1/hash")}
	return func(p place, digest fieldpath.Digest) []string {
		var message []byte
		message = append(message, "kube-changejob/v1/hash"...)
		for _, part := range []string{string(p.uid), p.reference.APIVersion, p.reference.Kind, p.reference.Namespace, p.reference.Name, p.field} {
			message = binary.BigEndian.AppendUint64(message, uint64(len(part)))
			message = append(message, part...)
		}
		message = append(message, digest[:]...)
		plain := sha256.Sum256(message)
		guesses := []string{hex.EncodeToString(digest[:]), hex.EncodeToString(plain[:])}
		for _, key := range keys {
			for _, said := range [][]byte{message, digest[:]} {
				mac := hmac.New(sha256.New, key)
				mac.Write(said)
				guesses = append(guesses, hex.EncodeToString(mac.Sum(nil)))
			}
		}
		return guesses
	}
}

// digestOf is the digest of a field of a Secret with this PIN.
func digestOf(t *testing.T, field, pin string) fieldpath.Digest {
	path, err := fieldpath.Compile(field)
	require.NoError(t, err)
	return path.Digest(fmt.Appendf(nil, `{"data":{"pin":%q}}`, base64.StdEncoding.EncodeToString([]byte(pin))))
}

func referenceOf(r v1alpha.ResourceReference) trigger.ObjectReference {
	return trigger.ObjectReference{APIVersion: r.APIVersion, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}
}

func hashesOf(t *testing.T, ctj *v1alpha.ChangeTriggeredJob, name string) (hashes []string) {
	for _, resource := range ctj.Status.ResourceHashes {
		for _, field := range resource.Fields {
			if resource.Name == name {
				hashes = append(hashes, field.Hash)
			}
		}
	}
	require.NotEmpty(t, hashes)
	return hashes
}

func text(object any) string {
	data, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// watches creates a ChangeTriggeredJob without a cooldown.
func watches(t *testing.T, server *apiserver.Server, namespace, name string, references []v1alpha.ResourceReference, edits ...func(*v1alpha.ChangeTriggeredJobSpec)) {
	t.Helper()
	ctj := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha.ChangeTriggeredJobSpec{JobTemplate: jobs.Template(), Cooldown: &metav1.Duration{}, OnLoop: v1alpha.IgnoreLoop, Resources: references}}
	for _, edit := range edits {
		edit(&ctj.Spec)
	}
	require.NoError(t, server.Client.Create(t.Context(), ctj))
}

func read(t require.TestingT, server *apiserver.Server, namespace, name string) *v1alpha.ChangeTriggeredJob {
	ctj := &v1alpha.ChangeTriggeredJob{}
	require.NoError(t, server.Client.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: name}, ctj))
	return ctj
}

// watched waits until every field has been seen and count Jobs have run.
func watched(t *testing.T, server *apiserver.Server, namespace, name string, count int64) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		ctj := read(c, server, namespace, name)
		require.Equal(c, count, ctj.Status.TriggerCount)
		require.Len(c, ctj.Status.ResourceHashes, len(ctj.Spec.Resources))
		for _, resource := range ctj.Status.ResourceHashes {
			for _, field := range resource.Fields {
				require.NotEmpty(c, field.Hash)
			}
		}
	}, patience, tick)
}

// operatorKey is the key that the operator's Secret holds.
func operatorKey(t require.TestingT, server *apiserver.Server) *keyedhash.Key {
	key, err := keyedhash.NewKey(keySecret(t, server).Data[keyedhash.DataKey])
	require.NoError(t, err)
	return key
}

func keySecret(t require.TestingT, server *apiserver.Server) *corev1.Secret {
	secret := &corev1.Secret{}
	require.NoError(t, server.Client.Get(context.Background(), client.ObjectKey{Namespace: "default", Name: keyedhash.SecretName}, secret))
	return secret
}

// allow lets a user read everything of a resource in a namespace.
func allow(t *testing.T, server *apiserver.Server, namespace, user, group, resource string) {
	meta := metav1.ObjectMeta{Namespace: namespace, Name: user + "-" + resource}
	for _, object := range []client.Object{
		&rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{"get", "list", "watch"}}}},
		&rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}},
	} {
		require.NoError(t, server.Client.Create(t.Context(), object))
	}
}
