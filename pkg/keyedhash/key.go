// Package keyedhash makes the hashes that status and Jobs show in place of digests, and keeps the key they
// are made with.
//
// A plain digest of a value that is easy to guess gives the value away: whoever reads it tries the guesses.
// A published hash is made with a key that only the operator has, and is bound to the place it speaks of, so
// that it tells whether the value at that place changed, and nothing else: equal values in two places have
// different hashes.
package keyedhash

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// KeySize is the length of a key, in bytes.
const KeySize = 32

// The scheme is frozen: stored hashes are compared with those that later releases make. A change of
// anything that goes into a hash needs another scheme, which ids then name.
const (
	scheme = "v1"
	// hashSize is how much of the HMAC a hash shows, in bytes.
	hashSize = 16
	// What the key is used for starts each message, so that an id is no part of any hash.
	domainID   = "kube-changejob/v1/id"
	domainHash = "kube-changejob/v1/hash"
)

// Key is what hashes are made with. It is immutable and safe for concurrent use. However it is printed, it
// shows its id alone.
type Key struct {
	secret [KeySize]byte
	id     string
	macs   sync.Pool
}

// state is what making one hash needs; it is pooled, since hashes are made for every field of a reconcile.
type state struct {
	mac     hash.Hash
	message []byte
	sum     []byte
}

// NewKey returns the key with the given bytes, or an error that says how many there are where they are not
// KeySize; the error shows none of them.
func NewKey(secret []byte) (*Key, error) {
	if len(secret) != KeySize {
		return nil, fmt.Errorf("a key of %d bytes, want %d", len(secret), KeySize)
	}
	k := &Key{}
	copy(k.secret[:], secret)
	k.macs.New = func() any { return &state{mac: hmac.New(sha256.New, k.secret[:])} }

	mac := hmac.New(sha256.New, k.secret[:])
	mac.Write([]byte(domainID))
	k.id = scheme + "-" + hex.EncodeToString(mac.Sum(nil)[:4])
	return k, nil
}

// generate returns KeySize random bytes.
func generate() []byte {
	secret := make([]byte, KeySize)
	_, _ = rand.Read(secret) // It never fails: where the system has no randomness, the program ends.
	return secret
}

// bytes returns a copy of the key.
func (k *Key) bytes() []byte { return bytes.Clone(k.secret[:]) }

// ID names the scheme and the key, for example v1-0a1b2c3d. It is the part of a hash before the colon; a
// stored hash with another id cannot be compared with one of this key.
func (k *Key) ID() string { return k.id }

// Format prints the id, whatever the verb, so that no log line can show the key.
func (k *Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.id) }

// selectionPart is the place of the selection among the parts of a hash.
const selectionPart = 6

// Publish returns the hash that stands for digest at one place: a field of an object that the
// ChangeTriggeredJob with this UID references, or of all or one of those that it selects. It is <id>:<32 hexadecimal digits>, or trigger.Absent for
// fieldpath.Absent.
func (k *Key) Publish(uid types.UID, ref trigger.ObjectReference, field string, digest fieldpath.Digest) string {
	if digest == fieldpath.Absent {
		return trigger.Absent
	}
	s := k.macs.Get().(*state)
	defer k.macs.Put(s)

	m := s.message[:0]
	m = append(m, domainHash...)
	for i, part := range [...]string{string(uid), ref.APIVersion, ref.Kind, ref.Namespace, ref.Name, field, ref.Selection} {
		if i == selectionPart && part == "" {
			break // of an object that is named; the scheme is older than selections
		}
		// The length before each part keeps "ab","c" and "a","bc" apart.
		m = binary.BigEndian.AppendUint64(m, uint64(len(part)))
		m = append(m, part...)
	}
	m = append(m, digest[:]...)
	s.message = m

	s.mac.Reset()
	s.mac.Write(m)
	s.sum = s.mac.Sum(s.sum[:0])

	out := make([]byte, 0, len(k.id)+1+2*hashSize)
	out = append(out, k.id...)
	out = append(out, ':')
	return string(hex.AppendEncode(out, s.sum[:hashSize]))
}
