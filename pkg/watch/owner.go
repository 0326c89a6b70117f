package watch

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
)

// owner is who references objects.
type owner struct {
	name       types.NamespacedName
	references []reference
}

// reference is a Reference as it is kept.
type reference struct {
	// selecting is set where objects are selected: then there is nothing else.
	selecting *selecting

	entry *entry
	// paths are those that count, and then the `when`, where there is one.
	paths []hold
	// since is when the last of paths was taken up.
	since time.Time
}

// hold is an owner's interest in a path.
type hold struct {
	path *watchedPath
	// joined is when the owner took it up. Only a read that began later tells this owner what the path
	// selects: a watch may lag, and what came by it first would look like a change when the rest follows.
	joined moment
}

func (r reference) equal(given Reference) bool {
	if r.selecting != nil || given.Selector != nil {
		return r.selecting != nil && given.Selector != nil && r.selecting.given.sameSelection(given) &&
			slices.EqualFunc(r.selecting.given.watched(), given.watched(), (*watchedPath).same)
	}
	return r.entry.kind.gvk == given.GroupVersionKind &&
		r.entry.name == types.NamespacedName{Namespace: given.Namespace, Name: given.Name} &&
		slices.EqualFunc(r.paths, given.watched(), func(h hold, given *watchedPath) bool { return h.path.same(given) })
}

// refersTo returns the owner's reference to an object; its entry is nil where there is none.
func refersTo(references []reference, ent *entry) reference {
	for _, r := range references {
		if r.entry == ent {
			return r
		}
	}
	return reference{}
}

// Set replaces what owner references. It does not block on the API server, and costs little when
// nothing changed. References that name the same object must have been merged.
func (e *Engine) Set(name types.NamespacedName, references []Reference) {
	e.mu.RLock()
	o := e.owners[name]
	unchanged := o != nil && slices.EqualFunc(o.references, references, reference.equal)
	e.mu.RUnlock()
	if unchanged {
		return
	}

	e.mu.Lock()
	defer e.mu.Unlock()
	e.set(name, references)
	signal(e.replan)
}

// SetAll is Set for many owners at once, whose references are planned together: were they given one by one, the first
// would be watched object by object, only to be watched as a whole when the others have come.
func (e *Engine) SetAll(references map[types.NamespacedName][]Reference) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for name, given := range references {
		e.set(name, given)
	}
	signal(e.replan)
}

func (e *Engine) set(name types.NamespacedName, references []Reference) {
	o := e.owners[name]
	if o == nil {
		o = &owner{name: name}
		e.owners[name] = o
	}
	former := o.references
	o.references = make([]reference, 0, len(references))
	for _, given := range references {
		o.references = append(o.references, e.acquire(o, given, former))
	}
	e.release(o, former)
}

// Remove forgets owner. A watch that serves nobody any more is stopped.
func (e *Engine) Remove(name types.NamespacedName) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if o := e.owners[name]; o != nil {
		delete(e.owners, name)
		former := o.references
		o.references = nil
		e.release(o, former)
		signal(e.replan)
	}
}

// Observe returns what is known of the references given to Set, in the same order; ok is false where
// owner is unknown.
func (e *Engine) Observe(name types.NamespacedName) (observations []Observation, ok bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	o := e.owners[name]
	if o == nil {
		return nil, false
	}
	observations = make([]Observation, 0, len(o.references))
	for _, r := range o.references {
		observations = append(observations, r.observe())
	}
	return observations, true
}

// Scope says whether the objects of a kind live in namespaces. The error is ErrKindUnknown until discovery has answered
// for a kind that some owner references, and ErrNotListable where its objects can never be read; OnChange tells an owner of
// an answer only where its reference does not fit.
func (e *Engine) Scope(gvk schema.GroupVersionKind) (namespaced bool, err error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	k := e.kinds[gvk]
	if k == nil || k.resource == nil {
		return false, ErrKindUnknown
	}
	if !k.resource.listable {
		return false, ErrNotListable
	}
	return k.resource.namespaced, nil
}

func (r reference) observe() Observation {
	if r.selecting != nil {
		return r.selecting.observe()
	}
	o := visible(r.entry, r.paths, r.since)
	condition := whenOf(r.paths)
	if o.State == KindNotServed && condition != nil {
		o.When = resultOf(condition.absent())
	}
	if o.State != Synced {
		return o
	}
	if condition != nil {
		o.When = resultOf(condition.digest)
	}
	o.Exists, o.Digests = r.entry.exists, make([]fieldpath.Digest, 0, len(r.paths))
	for _, h := range pathsOf(r.paths) {
		o.Digests = append(o.Digests, h.path.digest)
	}
	return o
}

// kindOf returns the kind, and adds it where nobody has referenced it before.
func (e *Engine) kindOf(gvk schema.GroupVersionKind) *kind {
	k := e.kinds[gvk]
	if k == nil {
		k = newKind(e, gvk)
		e.kinds[gvk] = k
	}
	return k
}

// acquire makes o an owner of the reference's paths. Those that it has had before, by former, it keeps.
func (e *Engine) acquire(o *owner, given Reference, former []reference) reference {
	if given.Selector != nil {
		return e.acquireSelection(o, given, former)
	}
	k := e.kindOf(given.GroupVersionKind)
	ent := k.entry(types.NamespacedName{Namespace: given.Namespace, Name: given.Name})
	before := refersTo(former, ent)
	wanted := given.watched()
	r := reference{entry: ent, paths: make([]hold, 0, len(wanted)), since: before.since}
	joins := false
	for _, path := range wanted {
		p := ent.watch(path)
		p.owners = append(p.owners, o)
		i := slices.IndexFunc(before.paths, func(h hold) bool { return h.path == p })
		if i >= 0 {
			r.paths = append(r.paths, before.paths[i])
			continue
		}
		r.paths = append(r.paths, hold{path: p, joined: e.next()})
		joins = true
	}
	if joins {
		r.since = e.Clock.Now()
		ent.await(o)
	}
	ent.references++
	k.dirty = true
	k.join(ent)
	return r
}

// release takes o off the references' paths, and forgets what nobody references any more.
func (e *Engine) release(o *owner, references []reference) {
	for _, r := range references {
		if r.selecting != nil {
			r.selecting.releaseAll()
			continue
		}
		for _, h := range r.paths {
			i := slices.Index(h.path.owners, o)
			h.path.owners = slices.Delete(h.path.owners, i, i+1)
		}
		ent := r.entry
		if refersTo(o.references, ent).entry == nil {
			ent.forget(o)
		}
		ent.drop()
		if ent.references--; ent.references == 0 {
			delete(ent.kind.entries, ent.name)
		}
		ent.kind.dirty = true
	}
}
