package keyedhash

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

const uid = types.UID("6f1c2b7e-0b5a-4c39-9f6e-2a54b1d0c001")

var web = trigger.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "default", Name: "web"}

// counting is the key 00 01 02 … 1f.
func counting(t testing.TB) *Key {
	t.Helper()
	secret := make([]byte, KeySize)
	for i := range secret {
		secret[i] = byte(i)
	}
	key, err := NewKey(secret)
	require.NoError(t, err)
	return key
}

func digestOf(value string) fieldpath.Digest { return sha256.Sum256([]byte(value)) }

// These were computed by another program from the description of the scheme. They never change: stored
// hashes of every release are compared with those that this one makes.
func TestTheSchemeIsFrozen(t *testing.T) {
	key := counting(t)
	assert.Equal(t, "v1-0e5f4111", key.ID())
	assert.Equal(t, "v1-0e5f4111:b246a046fa7be111f608a6ab4e7a4f30", key.Publish(uid, web, "spec.replicas", digestOf("3")))
	selected := trigger.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "default", Selection: "app=web"}
	assert.Equal(t, "v1-0e5f4111:c8ae9f38b30dd2a60b74f1ca5a20812b", key.Publish(uid, selected, "spec.replicas", digestOf("3")))
	node := trigger.ObjectReference{APIVersion: "v1", Kind: "Node", Name: "worker-1"}
	assert.Equal(t, "v1-0e5f4111:9ceadf1f374840195c99a104cb809a6f", key.Publish(uid, node, "*", digestOf("{}")))
}

func TestAbsenceIsPublishedAsSuch(t *testing.T) {
	assert.Equal(t, trigger.Absent, counting(t).Publish(uid, web, "spec.replicas", fieldpath.Absent))
}

func TestAHashIsBoundToItsPlace(t *testing.T) {
	key := counting(t)
	other, err := NewKey(bytes.Repeat([]byte{7}, KeySize))
	require.NoError(t, err)

	change := func(f func(*trigger.ObjectReference)) trigger.ObjectReference {
		ref := web
		f(&ref)
		return ref
	}
	value := digestOf("3")
	hashes := map[string]string{
		"the place itself":     key.Publish(uid, web, "spec.replicas", value),
		"another value":        key.Publish(uid, web, "spec.replicas", digestOf("4")),
		"another field":        key.Publish(uid, web, "spec.paused", value),
		"another CTJ":          key.Publish(uid+"2", web, "spec.replicas", value),
		"another key":          other.Publish(uid, web, "spec.replicas", value),
		"another name":         key.Publish(uid, change(func(r *trigger.ObjectReference) { r.Name = "api" }), "spec.replicas", value),
		"another namespace":    key.Publish(uid, change(func(r *trigger.ObjectReference) { r.Namespace = "prod" }), "spec.replicas", value),
		"another kind":         key.Publish(uid, change(func(r *trigger.ObjectReference) { r.Kind = "StatefulSet" }), "spec.replicas", value),
		"another version":      key.Publish(uid, change(func(r *trigger.ObjectReference) { r.APIVersion = "apps/v2" }), "spec.replicas", value),
		"parts shifted by one": key.Publish(uid, change(func(r *trigger.ObjectReference) { r.Name = "webs" }), "pec.replicas", value),
		"a selection":          key.Publish(uid, change(func(r *trigger.ObjectReference) { r.Selection = "app=web" }), "spec.replicas", value),
		"another selection":    key.Publish(uid, change(func(r *trigger.ObjectReference) { r.Selection = "app=db" }), "spec.replicas", value),
		"parts swapped":        key.Publish(uid, change(func(r *trigger.ObjectReference) { r.Name, r.Namespace = r.Namespace, r.Name }), "spec.replicas", value),
	}
	seen := map[string]string{}
	for name, hash := range hashes {
		assert.Empty(t, seen[hash], "%s has the hash of %s", name, seen[hash])
		seen[hash] = name
		assert.Regexp(t, `^v1-[0-9a-f]{8}:[0-9a-f]{32}$`, hash, name)
	}
	assert.NotEqual(t, key.ID(), other.ID(), "ids name the key")
}

func TestAKeyServesManyAtOnce(t *testing.T) {
	key := counting(t)
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			field := strings.Repeat("f", worker*100)
			want := counting(t).Publish(uid, web, field, digestOf("x"))
			for range 200 {
				assert.Equal(t, want, key.Publish(uid, web, field, digestOf("x")))
			}
		})
	}
	group.Wait()
}

func TestAKeyOfTheWrongLengthIsRefused(t *testing.T) {
	for _, n := range []int{0, 1, KeySize - 1, KeySize + 1, 44} {
		key, err := NewKey(bytes.Repeat([]byte("S"), n))
		assert.Nil(t, key)
		require.ErrorContains(t, err, fmt.Sprintf("%d bytes, want 32", n))
		assert.NotContains(t, err.Error(), "SS", "no byte of the key is shown")
	}
}

func TestAKeyIsNeverPrinted(t *testing.T) {
	const secret = "tell nobody, I am a secret key!!"
	raw := []byte(secret)
	key, err := NewKey(raw)
	require.NoError(t, err)

	hexed := fmt.Sprintf("%x", secret)
	listed := strings.Trim(fmt.Sprintf("%d", raw), "[]")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, shown := range []string{fmt.Sprintf(verb, key), fmt.Sprintf(verb, []any{key})} {
			assert.Contains(t, shown, key.ID(), verb)
			assert.NotContains(t, shown, secret, verb)
			assert.NotContains(t, strings.ToLower(shown), hexed, verb)
			assert.NotContains(t, shown, listed, verb)
		}
	}
	encoded, err := json.Marshal([]any{key}) // as a logger that knows nothing of it would
	require.NoError(t, err)
	assert.JSONEq(t, `[{}]`, string(encoded))
}

func TestTwoGeneratedKeysDiffer(t *testing.T) {
	first, second := generate(), generate()
	assert.Len(t, first, KeySize)
	assert.NotEqual(t, first, second)
}

func FuzzPublish(f *testing.F) {
	f.Add("spec.replicas", []byte("x"))
	f.Add("", []byte{})
	f.Add("::", []byte(nil))
	key := counting(f)
	f.Fuzz(func(t *testing.T, field string, value []byte) {
		id, sum, found := strings.Cut(key.Publish(uid, web, field, sha256.Sum256(value)), ":")
		assert.True(t, found)
		assert.Equal(t, key.ID(), id, "what stands before the colon is the id")
		assert.Regexp(t, `^[0-9a-f]{32}$`, sum)
	})
}

func BenchmarkPublish(b *testing.B) {
	key := counting(b)
	value := digestOf("3")
	b.ReportAllocs()
	for b.Loop() {
		key.Publish(uid, web, "spec.template.spec.containers[*].image", value)
	}
}
