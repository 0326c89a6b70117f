package fieldpath

import (
	"bytes"
	"strconv"

	"github.com/tidwall/gjson"
)

// Values returns the values that the path selects in object, each as canonical JSON, in the order of their places;
// none where the path's digest is Absent. It is for people who want to see what a path leads to: what counts as a
// change is the digest, which knows the places, too.
func (p *Path) Values(object []byte) [][]byte {
	d := documents.Get().(*document)
	defer d.release()
	if !d.read(object) {
		return nil
	}
	return d.values(nil, 0, p.steps)
}

// values appends what steps select from node n. It goes the same ways as pick.
func (d *document) values(found [][]byte, n int, steps []step) [][]byte {
	if len(steps) == 0 {
		if d.nodes[n].standing == void {
			return found
		}
		d.out = d.out[:0]
		d.write(n)
		return append(found, bytes.Clone(d.out))
	}
	if !d.isObject(n) && !d.isArray(n) {
		return found
	}
	step, rest := steps[0], steps[1:]
	switch {
	case step.move == get:
		return d.valuesAt(found, n, gjson.Get(d.raw(n), step.path), rest)
	case step.move == each && d.isObject(n):
		from, to := d.pushMembers(n)
		for i := from; i < to; i++ {
			found = d.values(found, d.order[i], rest)
		}
		d.popMembers(from)
		return found
	case !d.isArray(n):
		return found
	case step.move == each:
		for c := n + 1; c < d.behind(n); c = d.behind(c) {
			found = d.values(found, c, rest)
		}
		return found
	case step.move == matches:
		for _, offset := range gjson.Get(d.raw(n), step.path).Indexes {
			found = d.values(found, d.find(n, offset), rest)
		}
		return found
	case step.move == first:
		return d.valuesAt(found, n, gjson.Get(d.raw(n), step.path), rest)
	default:
		return append(found, strconv.AppendInt(nil, int64(d.length(n)), 10))
	}
}

// valuesAt appends what steps select from where gjson arrived inside node n.
func (d *document) valuesAt(found [][]byte, n int, at gjson.Result, steps []step) [][]byte {
	if !at.Exists() {
		return found
	}
	return d.values(found, d.find(n, at.Index), steps)
}
