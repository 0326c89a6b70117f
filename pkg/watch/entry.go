package watch

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
)

// entry is one referenced object. However many owners reference it, it is kept once.
type entry struct {
	kind *kind
	name types.NamespacedName
	// selection is set where the entry is that of a selection, which has no name.
	selection *selection
	// references counts those of all owners.
	references int
	// paths is replaced, never changed, so that a reader may go on with what it was.
	paths []*watchedPath

	state State
	since time.Time
	err   error
	// unfit is true where the reference's namespace does not fit the kind: no scope covers it.
	unfit bool

	// joined is when the object was first referenced.
	joined moment
	// confirmed is true once a read that began after joined has told of the object.
	confirmed bool
	exists    bool
	// version is the resource version of what is stored: the object's, or that of the list or deletion
	// that told of its absence.
	version string
	// stored is when version was stored.
	stored moment

	// read is when the latest read began that has told of the object.
	read moment
	// waiting are the owners who joined after read, in that order.
	waiting []waiter
	// unread says why what joined could not be read; nil where it can be, or has not been tried.
	unread error
}

// waiter is an owner for whom the object is to be read anew.
type waiter struct {
	owner  *owner
	joined moment
}

// watchedPath is one path of an object, and its digest; or a `when`, and what that comes to.
type watchedPath struct {
	path *fieldpath.Path
	// when is set in place of path.
	when *condition
	of   *entry
	// place is where it stands among the entry's paths.
	place  int
	owners []*owner
	// joined is when the path was first referenced.
	joined moment
	// known is true once a read that began after joined has told the digest.
	known  bool
	digest fieldpath.Digest
	// updated is when the path last came to select another thing in a selected object.
	updated moment
	// since is when known last changed.
	since time.Time
}

// sight is one version of an object, or its absence, as it was seen.
type sight struct {
	version string
	exists  bool
	// digests are those of paths: the entry's when the object was reduced.
	paths   []*watchedPath
	digests []fieldpath.Digest
	// read is when the read began that saw it, all of whose answer was then the latest; 0 for an event
	// of a watch, which may be late.
	read moment
}

// watch returns the entry's path, and adds it where nobody has referenced it before.
func (ent *entry) watch(p *watchedPath) *watchedPath {
	for _, known := range ent.paths {
		if known.same(p) {
			return known
		}
	}
	e := ent.kind.engine
	p.of, p.place, p.joined, p.since = ent, len(ent.paths), e.next(), e.Clock.Now()
	p.updated = p.joined
	if p.when != nil {
		p.when.begin(p.joined)
	}
	ent.paths = append(slices.Clip(slices.Clone(ent.paths)), p)
	return p
}

// drop forgets the paths that nobody references any more. The last ones take their places, so that the others keep theirs.
func (ent *entry) drop() {
	unused := func(p *watchedPath) bool { return len(p.owners) == 0 }
	if !slices.ContainsFunc(ent.paths, unused) {
		return
	}
	kept := slices.Clone(ent.paths)
	for i := 0; i < len(kept); {
		if !unused(kept[i]) {
			i++
			continue
		}
		last := len(kept) - 1
		kept[i], kept[last].place = kept[last], i
		kept[last] = nil
		kept = kept[:last]
	}
	ent.paths = kept
}

// watched says whether somebody still references the path.
func (p *watchedPath) watched() bool {
	paths := p.of.paths
	return p.place < len(paths) && paths[p.place] == p
}

// forget takes o off those who wait.
func (ent *entry) forget(o *owner) {
	ent.waiting = slices.DeleteFunc(ent.waiting, func(w waiter) bool { return w.owner == o })
}

// await has an owner told when the object has been read anew.
func (ent *entry) await(o *owner) {
	ent.forget(o)
	if len(ent.waiting) == 0 {
		ent.unread = nil // what kept others from reading it may be over long since
	}
	ent.waiting = append(ent.waiting, waiter{owner: o, joined: ent.kind.engine.tick})
}

// narrowest is the narrowest scope that serves the entry.
func (ent *entry) narrowest() scope {
	if ent.selection != nil {
		return ent.selection.key
	}
	return objectScope(ent.name)
}

// scopes are those that cover the entry, the widest first.
func (ent *entry) scopes() []scope {
	if ent.selection == nil {
		return scopesOf(ent.name)
	}
	if key := ent.selection.key; key != key.widest() {
		return []scope{key.widest(), key}
	}
	return []scope{ent.selection.key}
}

// lives says whether somebody still references the entry, and it can be had.
func (ent *entry) lives() bool {
	if ent.selection != nil {
		return ent.kind.selections[ent.selection.key] == ent.selection
	}
	return ent.kind.entries[ent.name] == ent && !ent.unfit
}

// complete says whether everything that is referenced of the object is known, to all owners. Of a selection that is too large, nothing
// is to be known until it is read anew as a whole.
func (ent *entry) complete() bool {
	if ent.selection != nil && ent.selection.tooMany {
		return true
	}
	return ent.confirmed && len(ent.waiting) == 0 && !slices.ContainsFunc(ent.paths, func(p *watchedPath) bool { return !p.known })
}

// apply stores what was seen, unless something newer is stored.
//
// What is first known of a path must come from a read that began after the path was referenced. A watch can
// lag: were its event taken for the first sight of a path, the events behind it would look like changes made
// since, and trigger. And a read that began before may have dropped the object as nobody's.
func (ent *entry) apply(s sight, wake wakeups) {
	e := ent.kind.engine
	if s.read != 0 && s.read < ent.joined && !s.exists {
		return // it was not looked for
	}
	ent.tell(s.read, wake)
	if !s.supersedes(ent) {
		return // what is stored is no older
	}
	now := e.Clock.Now()
	if s.exists != ent.exists {
		ent.wakeAll(wake)
	}
	ent.exists, ent.version, ent.stored = s.exists, s.version, e.next()
	if s.read > ent.joined && !ent.confirmed {
		ent.confirmed = true
		ent.wakeAll(wake)
	}
	set := func(p *watchedPath, digest fieldpath.Digest) {
		if !p.known && s.read < p.joined {
			return
		}
		if p.known && p.digest == digest {
			return
		}
		if !p.known {
			p.known, p.since = true, now
		}
		p.digest = digest
		p.wakeAll(wake)
	}
	if s.exists {
		for i, p := range s.paths {
			set(p, s.digests[i])
		}
		return
	}
	for _, p := range ent.paths {
		set(p, p.absent())
	}
}

// tell wakes those who waited for a read that began then.
func (ent *entry) tell(read moment, wake wakeups) {
	if read <= ent.read {
		return
	}
	ent.read, ent.unread = read, nil
	told := 0
	for told < len(ent.waiting) && ent.waiting[told].joined < read {
		wake[ent.waiting[told].owner] = struct{}{}
		told++
	}
	if ent.waiting = slices.Delete(ent.waiting, 0, told); len(ent.waiting) == 0 {
		ent.waiting = nil
	}
}

// cannotRead tells those who wait why the object cannot be read.
func (ent *entry) cannotRead(err error, wake wakeups) {
	if sameText(ent.unread, err) {
		return
	}
	ent.unread = err
	for _, w := range ent.waiting {
		wake[w.owner] = struct{}{}
	}
}

// supersedes says whether the sight is to replace what the entry holds.
//
// A read that began after what is stored was stored is later than it, whatever the versions say: they go back
// when etcd is restored from a backup. For anything else they decide. Versions that cannot be compared say
// nothing, and a watch's events come in order.
func (s sight) supersedes(ent *entry) bool {
	if s.read > ent.stored {
		return true
	}
	order, err := resourceversion.CompareResourceVersion(s.version, ent.version)
	return err != nil || order > 0 || (order == 0 && s.read != 0)
}

// setState sets what is known of the entry's visibility.
func (ent *entry) setState(state State, err error, wake wakeups) {
	if ent.state == state && sameText(ent.err, err) {
		return
	}
	if ent.state != state {
		ent.since = ent.kind.engine.Clock.Now()
	}
	ent.state, ent.err = state, err
	ent.wakeAll(wake)
}

func (ent *entry) wakeAll(wake wakeups) {
	for _, p := range ent.paths {
		p.wakeAll(wake)
	}
}

func (p *watchedPath) wakeAll(wake wakeups) {
	for _, o := range p.owners {
		wake[o] = struct{}{}
	}
}

func sameText(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Error() == b.Error()
}
