package fieldpath

import (
	"crypto/sha256"
	"strconv"

	"github.com/tidwall/gjson"
)

// Digest is the SHA-256 of the canonical JSON of what a path selects in an object. Absent, the zero value,
// stands for nothing selected: object or field does not exist.
type Digest [sha256.Size]byte

// Absent is the digest of what does not exist.
var Absent Digest

// IsAbsent reports whether d stands for nothing selected.
func (d Digest) IsAbsent() bool { return d == Absent }

// Digest returns the digest of what the path selects in object, the JSON of one object.
// It never panics and never fails: bytes that are not a JSON object, or that nest deeper than 10,000
// levels, digest as Absent.
func (p *Path) Digest(object []byte) Digest {
	var digest [1]Digest
	digestInto(digest[:], object, []*Path{p})
	return digest[0]
}

// Digests returns the digest of each path in object, in the order of paths. It reads the object once, and
// is otherwise the same as calling Digest for each.
func Digests(object []byte, paths []*Path) []Digest {
	digests := make([]Digest, len(paths))
	digestInto(digests, object, paths)
	return digests
}

// digestInto sets the digest of each path; digests are all Absent before.
func digestInto(digests []Digest, object []byte, paths []*Path) {
	d := documents.Get().(*document)
	defer d.release()
	if !d.read(object) {
		return
	}
	for i, path := range paths {
		d.out = d.out[:0]
		if d.pick(0, path.steps) {
			digests[i] = sha256.Sum256(d.out)
		}
	}
}

// step is one move of a compiled path.
type step struct {
	move move
	// path is the gjson path of the step, where it has one.
	path string
}

type move uint8

const (
	// get follows keys and indexes.
	get move = iota
	// each goes to every element.
	each
	// matches goes to every element that a gjson query finds.
	matches
	// first goes to the first element that a gjson query finds.
	first
	// count selects the number of elements.
	count
)

// pick appends the canonical form of what steps select from node n to d.out, and reports whether they
// select anything; if they do not, d.out is as before.
func (d *document) pick(n int, steps []step) bool {
	if len(steps) == 0 {
		if d.nodes[n].standing == void {
			return false
		}
		d.write(n)
		return true
	}
	// gjson would look for braces inside a string, too.
	if !d.isObject(n) && !d.isArray(n) {
		return false
	}
	step, rest := steps[0], steps[1:]
	switch {
	case step.move == get:
		found := gjson.Get(d.raw(n), step.path)
		return found.Exists() && d.pick(d.find(n, found.Index), rest)
	case step.move == each && d.isObject(n):
		return d.pickMembers(n, rest)
	case !d.isArray(n):
		return false
	case step.move == each:
		return d.pickElements(n, rest)
	case step.move == matches:
		return d.pickMatches(n, gjson.Get(d.raw(n), step.path).Indexes, rest)
	case step.move == first:
		found := gjson.Get(d.raw(n), step.path)
		return found.Exists() && d.pick(d.find(n, found.Index), rest)
	default:
		d.out = strconv.AppendInt(d.out, int64(d.length(n)), 10)
		return true
	}
}

func (d *document) pickElements(n int, rest []step) bool {
	list := d.openList()
	place := 0
	for c := n + 1; c < d.behind(n); c = d.behind(c) {
		entry := len(d.out)
		d.out = append(strconv.AppendInt(d.out, int64(place), 10), ':')
		d.closeEntry(entry, d.pick(c, rest))
		place++
	}
	return d.closeList(list)
}

func (d *document) pickMembers(n int, rest []step) bool {
	list := d.openList()
	from, to := d.pushMembers(n)
	for i := from; i < to; i++ {
		entry := len(d.out)
		d.writeKey(d.order[i])
		d.closeEntry(entry, d.pick(d.order[i], rest))
	}
	d.popMembers(from)
	return d.closeList(list)
}

// pickMatches picks from the elements of n that start at the given offsets, counted from the start of n.
func (d *document) pickMatches(n int, offsets []int, rest []step) bool {
	list := d.openList()
	for place, offset := range offsets {
		entry := len(d.out)
		d.out = append(strconv.AppendInt(d.out, int64(place), 10), ':')
		d.closeEntry(entry, d.pick(d.find(n, offset), rest))
	}
	return d.closeList(list)
}

func (d *document) openList() (list int) {
	d.out = append(d.out, '(')
	return len(d.out)
}

// closeEntry ends the entry of a list that starts at entry, or takes it back if its place is empty.
func (d *document) closeEntry(entry int, found bool) {
	if found {
		d.out = append(d.out, ',')
	} else {
		d.out = d.out[:entry]
	}
}

// closeList ends a list, or takes it back if all its places are empty; it reports which.
func (d *document) closeList(list int) bool {
	if len(d.out) == list {
		d.out = d.out[:list-1]
		return false
	}
	d.out = append(d.out, ')')
	return true
}
