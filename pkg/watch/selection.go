package watch

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
)

// DefaultMaxMatched is the default of Options.MaxMatched.
const DefaultMaxMatched = 10000

// selection is what one selector selects in one namespace, or in all of them. However many owners select so, it is
// kept once. As an entry it has paths, owners, a state, and a moment at which it was read; its version is the one up to
// which everything of the selection is known.
type selection struct {
	entry
	// key is the narrowest scope that serves the selection.
	key    scope
	labels labels.Selector
	// members are the selected objects.
	members map[types.NamespacedName]member
	// gone are the versions at which objects left before the selection is confirmed: the read that is to do so may still tell of
	// them. There are at most as many as may be selected.
	gone map[types.NamespacedName]string
	// tooMany is true from when there were more members than may be, until a read finds fewer; none are kept then.
	// retrying is true while a goroutine sees to that read.
	tooMany, retrying bool
	// came and went are when an object last came into the selection, and left it, as far as is known.
	came, went moment
	// followers select in the namespaces that are the selection's members.
	followers map[*selecting]struct{}

	sums sums
}

// member is a selected object.
type member struct {
	version string
	// digests are those of paths: the selection's when the object was reduced.
	paths   []*watchedPath
	digests []fieldpath.Digest
}

// digest returns the digest of a path, which stands where it stands among the selection's, unless those were others when the object
// was reduced.
func (m member) digest(p *watchedPath) (fieldpath.Digest, bool) {
	i := p.place
	if i >= len(m.paths) || m.paths[i] != p {
		i = slices.Index(m.paths, p)
	}
	if i < 0 {
		return fieldpath.Absent, false
	}
	return m.digests[i], true
}

// with returns the member with what another sight of the same version tells besides, of what is still referenced.
func (m member) with(other member) member {
	whole := member{version: m.version, paths: slices.Clip(m.paths), digests: slices.Clip(m.digests)}
	for i, p := range other.paths {
		if _, seen := m.digest(p); !seen && p.watched() {
			whole.paths = append(whole.paths, p)
			whole.digests = append(whole.digests, other.digests[i])
		}
	}
	return whole
}

// memberOf keeps of a reduced object what is the selection's.
func (s *selection) memberOf(o *object) member {
	others := func(p *watchedPath) bool { return p.of != &s.entry }
	if !slices.ContainsFunc(o.paths, others) {
		return member{version: o.ResourceVersion, paths: o.paths, digests: o.digests}
	}
	m := member{version: o.ResourceVersion} // it was reduced for another selection, too
	for i, p := range o.paths {
		if !others(p) {
			m.paths, m.digests = append(m.paths, p), append(m.digests, o.digests[i])
		}
	}
	return m
}

// selection returns the kind's selection of that key, and adds it where nobody has selected so before.
func (k *kind) selection(key scope, selector labels.Selector) *selection {
	s := k.selections[key]
	if s == nil {
		s = &selection{
			entry: entry{kind: k, joined: k.engine.next(), state: k.state, since: k.engine.Clock.Now(), err: k.err},
			key:   key, labels: selector, followers: map[*selecting]struct{}{},
			members: map[types.NamespacedName]member{}, gone: map[types.NamespacedName]string{},
		}
		s.selection = s
		k.selections[key] = s
		if k.served(&s.entry) {
			s.state, s.err = Synced, nil
		}
	}
	return s
}

// show applies the answer of a read of the selection, which began at a given moment: its items are all that was selected
// at a version.
//
// A read that began after what is stored was stored is later than it, as is one of a later version. Any other may be
// overtaken by events: those decide for the objects that they told of, and for the rest of it the read tells what
// nobody had asked for before. Where there were too many, their events are not kept: only a read that a watch goes on
// from (follows), and that is later than all others, can end that. Any other tells nothing then. A read that has not kept all (refused) has found too many, however few are left: of those that
// it was told to be gone meanwhile it cannot tell whether it had kept them.
func (s *selection) show(items map[types.NamespacedName]*object, refused bool, version string, read moment, follows bool, wake wakeups) {
	e := s.kind.engine
	if read < s.joined {
		return // it was not looked for
	}
	order, err := resourceversion.CompareResourceVersion(version, s.version)
	later := read > s.stored || err != nil || order >= 0
	if s.tooMany && (!follows || !later || read <= s.read) {
		return
	}
	s.tell(read, wake)
	switch {
	case refused || len(items) > e.MaxMatched:
		s.overflow(wake)
	case s.tooMany:
		s.tooMany = false
		s.version, s.stored = version, e.next()
		s.replace(s.merge(items, version, true), wake)
		s.wakeAll(wake)
	default:
		members := s.merge(items, version, later)
		if later {
			s.version, s.stored = version, e.next()
		}
		s.replace(members, wake)
	}
	if !s.confirmed {
		s.confirmed = true
		clear(s.gone)
		s.wakeAll(wake)
	}
	for _, p := range s.paths {
		if !p.known && read > p.joined {
			p.known, p.since = true, e.Clock.Now()
			p.wakeAll(wake)
		}
	}
}

// merge returns the members that a read leaves.
func (s *selection) merge(items map[types.NamespacedName]*object, version string, later bool) map[types.NamespacedName]member {
	members := make(map[types.NamespacedName]member, len(items))
	for name, o := range items {
		seen := s.memberOf(o)
		known, selected := s.members[name]
		switch {
		case selected && known.version == seen.version:
			seen = seen.with(known)
		case later:
		case selected && newer(known.version, seen.version):
			seen = known
		case !selected && (s.confirmed || newer(s.gone[name], seen.version)):
			continue // it has left since
		}
		members[name] = seen
	}
	if !later {
		for name, known := range s.members {
			if _, listed := members[name]; !listed && newer(known.version, version) {
				members[name] = known
			}
		}
	}
	return members
}

// newer says whether one version is known to be newer than another.
func newer(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order > 0
}

// replace stores the members, and wakes those whose paths select another thing in one of them than before.
func (s *selection) replace(members map[types.NamespacedName]member, wake wakeups) {
	var came, went []member
	for name, m := range members {
		known, selected := s.members[name]
		if !selected {
			came = append(came, m)
			continue
		}
		s.compare(known, m, wake)
	}
	for name, known := range s.members {
		if _, stays := members[name]; !stays {
			went = append(went, known)
		}
	}
	s.members = members
	if len(came) > 0 || len(went) > 0 {
		s.moved(came, went, wake)
	}
}

// compare wakes those whose paths select another thing in one version of a member than in another.
func (s *selection) compare(known, now member, wake wakeups) {
	e := s.kind.engine
	start := e.tick
	for _, p := range s.paths {
		before, seenBefore := known.digest(p)
		after, seen := now.digest(p)
		if before != after || seen != seenBefore {
			s.sums.forget(p.when != nil)
			p.updated = e.next()
			if p.when != nil && (now.admits(p) || !seen) {
				p.when.came = p.updated
			}
			if p.when != nil && (known.admits(p) || !seenBefore) {
				p.when.went = p.updated
			}
			p.wakeAll(wake)
		}
	}
	if e.tick == start {
		return // nothing has changed
	}
	for _, p := range s.paths {
		if p.when != nil && known.mayBeAdmitted(p) && now.mayBeAdmitted(p) {
			p.when.update(start)
		}
	}
}

// moved is called when objects have come into the selection or left it.
func (s *selection) moved(came, went []member, wake wakeups) {
	now := s.kind.engine.next()
	if len(came) > 0 {
		s.came = now
	}
	if len(went) > 0 {
		s.went = now
	}
	for _, p := range s.paths {
		if p.when == nil {
			continue
		}
		admitted := func(m member) bool { return m.mayBeAdmitted(p) }
		if slices.ContainsFunc(came, admitted) {
			p.when.came = now
		}
		if slices.ContainsFunc(went, admitted) {
			p.when.went = now
		}
	}
	s.sums.forget(true)
	s.wakeAll(wake)
	for f := range s.followers {
		f.follow()
	}
}

// event applies what a watch told of one object, and says whether that was news.
//
// Events come in the order of their versions: up to that of what is stored, everything is known.
func (s *selection) event(o *object, exists bool, wake wakeups) (news bool) {
	if s.tooMany {
		return false
	}
	if order, err := resourceversion.CompareResourceVersion(o.ResourceVersion, s.version); err == nil && order <= 0 {
		return false
	}
	s.version, s.stored = o.ResourceVersion, s.kind.engine.next()
	name := types.NamespacedName{Namespace: o.Namespace, Name: o.Name}
	known, selected := s.members[name]
	if !exists {
		s.left(name, o.ResourceVersion)
		if selected {
			delete(s.members, name)
			s.moved(nil, []member{known}, wake)
		}
		return true
	}
	now := s.memberOf(o)
	s.members[name] = now
	switch {
	case selected:
		s.compare(known, now, wake)
	case len(s.members) > s.kind.engine.MaxMatched:
		s.overflow(wake)
		return true
	default:
		s.moved([]member{now}, nil, wake)
	}
	for _, p := range s.paths {
		if _, seen := now.digest(p); p.known && !seen {
			// It was reduced before the path joined, and its version cannot be compared with that of the read since.
			p.known, p.since = false, s.kind.engine.Clock.Now()
			p.joined = s.kind.engine.next()
			s.kind.join(&s.entry)
		}
	}
	return true
}

// left remembers an object that has left before the selection is confirmed. Where that takes so long that there are too many, as
// it does for ever where the operator may watch and not list, what is remembered is forgotten together with the reads that are under
// way, and the selection is read anew with its watch.
func (s *selection) left(name types.NamespacedName, version string) {
	if s.confirmed {
		return
	}
	if s.gone[name] = version; len(s.gone) <= s.kind.engine.MaxMatched {
		return
	}
	clear(s.gone)
	s.joined = s.kind.engine.next()
	if r := s.kind.server(&s.entry); r != nil && r.again != nil {
		r.again()
	}
}

// overflow keeps nothing more of a selection that is too large, and sees to it that it is read again from time to time.
func (s *selection) overflow(wake wakeups) {
	e := s.kind.engine
	if !s.tooMany {
		s.tooMany = true
		s.members = map[types.NamespacedName]member{}
		clear(s.gone)
		s.moved(nil, nil, wake)
		s.came = e.next() // what happens from now on is not known
		s.went = s.came
		for _, p := range s.paths {
			if p.updated = s.came; p.when != nil {
				p.when.forget(s.came)
			}
		}
		e.Log.Info("a selector selects too many objects", "kind", s.kind.gvk.String(), "scope", s.key.String(), "limit", e.MaxMatched)
	}
	if s.retrying {
		return
	}
	s.retrying = e.spawn(func() {
		for again := true; again && e.sleep(e.ctx, 10*e.PollInterval); {
			e.update(func(wakeups) { again = s.readAnew() })
		}
	})
}

// readAnew has the run that serves the selection begin anew, since what is gone of it is not known. It returns false
// where that is not needed any more.
func (s *selection) readAnew() bool {
	if !s.tooMany || s.kind.selections[s.key] != s {
		s.retrying = false
		return false
	}
	if r := s.kind.server(&s.entry); r != nil && r.again != nil {
		r.again()
	}
	return true
}

// sums are what a selection comes to, as long as that is not changed. They have a lock of their own, since those who
// observe have the engine's for reading.
type sums struct {
	mu sync.Mutex
	// names are those of the members, sorted, by the `when` that leaves some of them out; nil is none.
	names  map[*watchedPath][]types.NamespacedName
	byPath map[sumKey][]namespaceSum
}

// sumKey is a path, and the `when` that leaves out some of the objects.
type sumKey struct{ path, when *watchedPath }

// namespaceSum stands for what a path selects in the selected objects of one namespace.
type namespaceSum struct {
	namespace string
	sum       [sha256.Size]byte
}

// forget is called under the engine's lock when digests have changed, or also which objects are selected.
func (s *sums) forget(names bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byPath = nil
	if names {
		s.names = nil
	}
}

// sorted returns the names of the members of which a `when` is true, or of all, in order; the caller has the lock of the sums.
func (s *selection) sorted(condition *watchedPath) []types.NamespacedName {
	names, known := s.sums.names[condition]
	if !known {
		for name, m := range s.members {
			if m.admits(condition) {
				names = append(names, name)
			}
		}
		slices.SortFunc(names, func(a, b types.NamespacedName) int {
			return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
		})
		if s.sums.names == nil {
			s.sums.names = map[*watchedPath][]types.NamespacedName{}
		}
		s.sums.names[condition] = names
	}
	return names
}

// first returns the names of the first members, by namespace and name, of which a `when` is true.
func (s *selection) first(count int, condition *watchedPath) []types.NamespacedName {
	s.sums.mu.Lock()
	defer s.sums.mu.Unlock()
	names := s.sorted(condition)
	return names[:min(count, len(names))]
}

// count returns of how many members a `when` is true.
func (s *selection) count(condition *watchedPath) int {
	if condition == nil {
		return len(s.members)
	}
	s.sums.mu.Lock()
	defer s.sums.mu.Unlock()
	return len(s.sorted(condition))
}

// sum returns what stands for a path, by namespace, in the members of which a `when` is true. However many owners ask, it is made once.
func (s *selection) sum(p, condition *watchedPath) []namespaceSum {
	s.sums.mu.Lock()
	defer s.sums.mu.Unlock()
	key := sumKey{p, condition}
	if made, ok := s.sums.byPath[key]; ok {
		return made
	}
	var made []namespaceSum
	var message []byte
	end := func() {
		if len(made) > 0 {
			made[len(made)-1].sum = sha256.Sum256(message)
		}
		message = message[:0]
	}
	for _, name := range s.sorted(condition) {
		if len(made) == 0 || made[len(made)-1].namespace != name.Namespace {
			end()
			made = append(made, namespaceSum{namespace: name.Namespace})
		}
		digest, _ := s.members[name].digest(p)
		message = appendText(message, name.Name)
		message = append(message, digest[:]...)
	}
	end()
	if s.sums.byPath == nil {
		s.sums.byPath = map[sumKey][]namespaceSum{}
	}
	s.sums.byPath[key] = made
	return made
}

// appendText appends a text with its length, so that no two lists of texts are the same bytes.
func appendText(message []byte, text string) []byte {
	message = binary.BigEndian.AppendUint64(message, uint64(len(text)))
	return append(message, text...)
}

// selectionDomain is the beginning of what is hashed, so that no object has the digest of a selection.
const selectionDomain = "kube-changejob/v1/selection"

// digestOf returns the digest that stands for a path in all that is selected: by the names of the objects and their
// digests, whatever watches they come from. That of nothing is Absent.
//
// It is frozen, as all that hashes in status are made of.
func digestOf(sums []namespaceSum) fieldpath.Digest {
	if len(sums) == 0 {
		return fieldpath.Absent
	}
	slices.SortFunc(sums, func(a, b namespaceSum) int { return cmp.Compare(a.namespace, b.namespace) })
	message := []byte(selectionDomain)
	for _, s := range sums {
		message = appendText(message, s.namespace)
		message = append(message, s.sum[:]...)
	}
	return sha256.Sum256(message)
}
