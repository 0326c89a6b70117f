package job

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// HashesAnnotation holds an entry for each field that the trigger stood for, separated by spaces:
//
//	[*]<short id>=[<hash>]
//
// The short id is made from the field's object and path, so that 256 fields with long names stay small. The
// star marks a field that was pending: unlike the account for people, this one is never cut. A field without
// a hash is there for its star alone.
//
// The form is frozen: a release must be able to read the Jobs of those before it.
const (
	pendingMark   = "*"
	shortIDSize   = 6 // bytes; shown as twice as many characters
	maxHashLength = 128
)

// record is what HashesAnnotation says, by short id.
type record map[string]entry

type entry struct {
	hash    string
	pending bool
}

// place is one field of one object.
type place struct {
	object trigger.ObjectReference
	field  string
}

// shortID names a place in HashesAnnotation. Two places of one ChangeTriggeredJob with the same short id are
// possible, if hardly ever by chance; decodeHashes refuses what has an id twice.
func shortID(p place) string {
	parts := []string{p.object.APIVersion, p.object.Kind, p.object.Namespace, p.object.Name, p.field}
	if p.object.Selection != "" { // one part more, so that it is no object's
		parts = append(parts, p.object.Selection)
	}
	var message []byte
	for _, part := range parts {
		message = binary.BigEndian.AppendUint64(message, uint64(len(part)))
		message = append(message, part...)
	}
	sum := sha256.Sum256(message)
	return hex.EncodeToString(sum[:shortIDSize])
}

// encodeHashes returns the value of HashesAnnotation.
func encodeHashes(c *trigger.Creation) string {
	entries := make(map[place]entry, len(c.Hashes))
	order := make([]place, 0, len(c.Hashes))
	put := func(p place, e entry) {
		if _, known := entries[p]; !known {
			order = append(order, p)
		}
		entries[p] = e
	}
	for _, h := range c.Hashes {
		// A hash that cannot be written here is left out: the Job says nothing of this field, which keeps
		// the baseline that it has.
		if isHash(h.Hash) {
			put(place{h.Reference, h.Field}, entry{hash: h.Hash})
		}
	}
	for _, change := range c.Changed {
		for _, field := range change.Fields {
			p := place{change.ObjectReference, field}
			put(p, entry{hash: entries[p].hash, pending: true})
		}
	}

	var text strings.Builder
	for i, p := range order {
		if i > 0 {
			text.WriteByte(' ')
		}
		if entries[p].pending {
			text.WriteString(pendingMark)
		}
		text.WriteString(shortID(p))
		text.WriteByte('=')
		text.WriteString(entries[p].hash)
	}
	return text.String()
}

// decodeHashes reads HashesAnnotation; ok is false for what encodeHashes cannot have written of a trigger that stood for
// anything.
func decodeHashes(text string) (r record, ok bool) {
	r = record{}
	for part := range strings.SplitSeq(text, " ") {
		id, hash, found := strings.Cut(part, "=")
		id, pending := strings.CutPrefix(id, pendingMark)
		_, twice := r[id]
		if !found || twice || !isShortID(id) || hash != "" && !isHash(hash) || hash == "" && !pending {
			return nil, false
		}
		r[id] = entry{hash: hash, pending: pending}
	}
	return r, true
}

func isShortID(s string) bool {
	return len(s) == 2*shortIDSize && strings.Trim(s, "0123456789abcdef") == ""
}

// isHash says whether s may stand as a hash in status: short enough, and of no other characters than hashes
// and the words for absent and unknown have.
func isHash(s string) bool {
	if s == "" || len(s) > maxHashLength {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != ':' {
			return false
		}
	}
	return true
}
