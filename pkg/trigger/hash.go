package trigger

import "strings"

// hashID returns the id of the key that made a published hash ("<id>:<sum>"); ok is false for what has
// none, such as the bare sums of an older release.
func hashID(hash string) (id string, ok bool) {
	id, _, ok = strings.Cut(hash, ":")
	return id, ok
}

// madeWith reports whether hash can be compared with any hash of the key with this id.
func madeWith(id, hash string) bool {
	own, ok := hashID(hash)
	return hash == Absent || ok && own == id
}

// canCompare reports whether it can be told from two hashes whether they stand for the same state. Absent
// differs from every keyed hash, whichever the key; Unknown differs from everything. Nothing is known
// about a hash without an id: an older release may have hashed what is absent, too.
func canCompare(a, b string) bool {
	if a == b || a == Unknown || b == Unknown {
		return true
	}
	idA, okA := hashID(a)
	idB, okB := hashID(b)
	switch {
	case a == Absent:
		return okB
	case b == Absent:
		return okA
	default:
		return okA && okB && idA == idB
	}
}
