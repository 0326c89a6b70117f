package fieldpath

import (
	"math"
	"sort"
	"strings"
	"sync"
	"unsafe"
)

// maxDepth is how deep JSON may nest; encoding/json, and with it every API server, has the same limit.
const maxDepth = 10_000

// document is one JSON object, read once: gjson finds the values that a path selects, and the document
// tells what they contain. It also holds the buffers for writing them, for the next document to use again.
type document struct {
	src string
	// nodes are the values in the order in which they start, each container before its contents.
	nodes []node
	// order is a stack of members in canonical order.
	order []int
	// out is the canonical form being written.
	out []byte
}

// node is one JSON value. An object may have a value for every three of its bytes: keep it small.
type node struct {
	// start and end are the value's place in the source.
	start, end int32
	// next is the index of the first node behind this one and all that it contains.
	next int32
	// foreign is true for a string that is not in canonical form.
	foreign bool
	// standing says whether the value counts.
	standing standing
	// key is the canonical form of an object member's key, without quotes.
	key string
}

// Buffers of up to this size are kept for the next document: those that an object of the usual kind needs.
const (
	maxPooledNodes = 1 << 14
	maxPooledBytes = 1 << 20
)

var documents = sync.Pool{New: func() any { return new(document) }}

// read sets d to the JSON object in object, which must not change until release; it returns false if there
// is none.
func (d *document) read(object []byte) bool {
	// The string shares the bytes, which saves a copy of each object of each watch event. Nothing of it
	// outlives the call that the bytes were given to.
	d.src = unsafe.String(unsafe.SliceData(object), len(object)) //nolint:gosec // see above
	start := d.space(0)
	if len(d.src) > math.MaxInt32 || start == len(d.src) || d.src[start] != '{' {
		return false
	}
	end := d.value(start, "", 0)
	if end < 0 || d.space(end) != len(d.src) {
		return false
	}
	d.judge()
	return true
}

// release gives d back for another object, and forgets this one.
func (d *document) release() {
	clear(d.nodes)
	*d = document{nodes: kept(d.nodes, maxPooledNodes), order: kept(d.order, maxPooledNodes), out: kept(d.out, maxPooledBytes)}
	documents.Put(d)
}

// kept is an empty buffer to use again, or none where it has grown beyond a limit.
func kept[T any](buffer []T, limit int) []T {
	if cap(buffer) > limit {
		return nil
	}
	return buffer[:0]
}

// behind returns the first node behind n and all that it contains.
func (d *document) behind(n int) int { return int(d.nodes[n].next) }

func (d *document) isObject(n int) bool { return d.src[d.nodes[n].start] == '{' }

func (d *document) isArray(n int) bool { return d.src[d.nodes[n].start] == '[' }

// raw is the source of node n.
func (d *document) raw(n int) string { return d.src[d.nodes[n].start:d.nodes[n].end] }

// length counts the values directly in node n.
func (d *document) length(n int) int {
	length := 0
	for c := n + 1; c < d.behind(n); c = d.behind(c) {
		length++
	}
	return length
}

// find returns the node inside n that starts at offset, counted from the start of n.
func (d *document) find(n, offset int) int {
	inside := d.nodes[n+1 : d.behind(n)]
	start := int(d.nodes[n].start) + offset
	return n + 1 + sort.Search(len(inside), func(i int) bool { return int(inside[i].start) >= start })
}

// The readers below take the offset at which something starts, and return the offset behind it, or -1 if
// it is not there as RFC 8259 has it.

func (d *document) value(at int, key string, depth int) int {
	if at == len(d.src) || depth > maxDepth {
		return -1
	}
	n := len(d.nodes)
	d.nodes = append(d.nodes, node{start: int32(at), key: key}) //nolint:gosec // read lets nothing longer in
	var end int
	switch d.src[at] {
	case '{':
		end = d.object(at, depth)
	case '[':
		end = d.array(at, depth)
	case '"':
		end, d.nodes[n].foreign = scanString(d.src, at)
	case 't':
		end = d.literal(at, "true")
	case 'f':
		end = d.literal(at, "false")
	case 'n':
		end = d.literal(at, "null")
	default:
		end = d.number(at)
	}
	d.nodes[n].end, d.nodes[n].next = int32(end), int32(len(d.nodes)) //nolint:gosec // the same
	if key == "metadata" && end >= 0 {
		d.members(n, d.judgeInner)
	}
	return end
}

func (d *document) object(at, depth int) int {
	at = d.space(at + 1)
	if d.is(at, '}') {
		return at + 1
	}
	for d.is(at, '"') {
		end, foreign := scanString(d.src, at)
		if end < 0 {
			return -1
		}
		key := d.src[at+1 : end-1]
		if foreign {
			key = string(appendCanonical(nil, key))
		}
		at = d.space(end)
		if !d.is(at, ':') {
			return -1
		}
		end = d.value(d.space(at+1), key, depth+1)
		if end < 0 {
			return -1
		}
		at = d.space(end)
		if d.is(at, '}') {
			return at + 1
		}
		if !d.is(at, ',') {
			return -1
		}
		at = d.space(at + 1)
	}
	return -1
}

func (d *document) array(at, depth int) int {
	at = d.space(at + 1)
	if d.is(at, ']') {
		return at + 1
	}
	for {
		end := d.value(at, "", depth+1)
		if end < 0 {
			return -1
		}
		at = d.space(end)
		if d.is(at, ']') {
			return at + 1
		}
		if !d.is(at, ',') {
			return -1
		}
		at = d.space(at + 1)
	}
}

func (d *document) literal(at int, word string) int {
	if !strings.HasPrefix(d.src[at:], word) {
		return -1
	}
	return at + len(word)
}

func (d *document) number(at int) int {
	if d.is(at, '-') {
		at++
	}
	if d.is(at, '0') {
		at++
	} else if at = d.digits(at); at < 0 {
		return -1
	}
	if d.is(at, '.') {
		if at = d.digits(at + 1); at < 0 {
			return -1
		}
	}
	if d.is(at, 'e') || d.is(at, 'E') {
		at++
		if d.is(at, '+') || d.is(at, '-') {
			at++
		}
		at = d.digits(at)
	}
	return at
}

// digits reads one digit or more.
func (d *document) digits(at int) int {
	end := at
	for end < len(d.src) && isDigit(d.src[end]) {
		end++
	}
	if end == at {
		return -1
	}
	return end
}

// space reads whitespace, of which there may be none.
func (d *document) space(at int) int {
	for at < len(d.src) && (d.src[at] == ' ' || d.src[at] == '\n' || d.src[at] == '\t' || d.src[at] == '\r') {
		at++
	}
	return at
}

// is reports whether c stands at the offset.
func (d *document) is(at int, c byte) bool { return at < len(d.src) && d.src[at] == c }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
