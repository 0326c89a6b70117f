package watch

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
	"github.com/nusnewob/kube-changejob/pkg/when"
)

// What a `when` comes to is kept beside the digests, as one: it becomes known, and wakes whom it concerns, as they do. An object whose
// content alters neither is nobody's news.

// condition is a `when` that is watched.
type condition struct {
	expression *when.Expression
	// absent is what it comes to where the object does not exist, as a digest.
	absent fieldpath.Digest
	// came and went are when it last came to be true of a selected object, and ceased to be.
	came, went moment
	// pairs are the paths that are watched together with it, by the same owner in one selection: of the others nobody asks what they
	// select in the objects of which it is true.
	pairs map[*watchedPath]*pairing
}

// begin is called when the first reference has it watched: what was before is not known.
func (c *condition) begin(now moment) {
	c.absent = resultDigest(c.expression.EvaluateFor(when.Object{}))
	c.forget(now)
}

// forget is called when it is not known what has happened up to now.
func (c *condition) forget(now moment) {
	c.came, c.went = now, now
	for _, pair := range c.pairs {
		pair.updated = now
	}
}

// absent is the digest where the object does not exist.
func (p *watchedPath) absent() fieldpath.Digest {
	if p.when != nil {
		return p.when.absent
	}
	return fieldpath.Absent
}

// resultDigest is a result as a digest.
func resultDigest(result when.Result) fieldpath.Digest {
	var digest fieldpath.Digest
	digest[0] = byte(result) + 1
	return digest
}

// resultOf is the result that a digest stands for; what is not known has failed.
func resultOf(digest fieldpath.Digest) when.Result {
	for _, result := range []when.Result{when.False, when.True} {
		if digest == resultDigest(result) {
			return result
		}
	}
	return when.Failed
}

// watched returns what a reference has watched of its objects: its paths, and then its `when`.
func (r Reference) watched() []*watchedPath {
	all := make([]*watchedPath, 0, len(r.Paths)+1)
	for _, path := range r.Paths {
		all = append(all, &watchedPath{path: path})
	}
	if r.When != nil {
		all = append(all, &watchedPath{when: &condition{expression: r.When}})
	}
	return all
}

// same says whether both are the same path, or the same expression.
func (p *watchedPath) same(other *watchedPath) bool {
	if p.when != nil || other.when != nil {
		return p.when != nil && other.when != nil && p.when.expression.String() == other.when.expression.String()
	}
	return p.path.String() == other.path.String()
}

// whenOf is the path of the `when` among what a reference holds; nil where it has none.
func whenOf(holds []hold) *watchedPath {
	if len(holds) == 0 || holds[len(holds)-1].path.when == nil {
		return nil
	}
	return holds[len(holds)-1].path
}

// pathsOf are the holds without that of the `when`.
func pathsOf(holds []hold) []hold {
	if whenOf(holds) == nil {
		return holds
	}
	return holds[:len(holds)-1]
}

// digestsOf makes the digests of paths, and evaluates what is to be. However many expressions there are, the object is decoded once.
func digestsOf(json []byte, kind schema.GroupVersionKind, paths []*watchedPath) []fieldpath.Digest {
	compiled := make([]*fieldpath.Path, 0, len(paths))
	for _, p := range paths {
		if p.when == nil {
			compiled = append(compiled, p.path)
		}
	}
	digests := fieldpath.Digests(json, compiled)
	if len(digests) == len(paths) {
		return digests
	}
	object, all := when.Decode(json, kind), make([]fieldpath.Digest, len(paths))
	for i, p := range paths {
		if p.when != nil {
			all[i] = resultDigest(p.when.expression.EvaluateFor(object))
			continue
		}
		all[i], digests = digests[0], digests[1:]
	}
	return all
}

// mayBeAdmitted says whether the object is admitted, or it is not known of it.
func (m member) mayBeAdmitted(condition *watchedPath) bool {
	_, seen := m.digest(condition)
	return !seen || m.admits(condition)
}

// admits says whether an object is one of those that a reference selects: with a `when`, only while that is true of it.
func (m member) admits(condition *watchedPath) bool {
	if condition == nil {
		return true
	}
	digest, _ := m.digest(condition)
	return resultOf(digest) == when.True
}
