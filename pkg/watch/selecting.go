package watch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tidwall/gjson"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
)

// MaxObjects is how many of the selected objects an Observation has.
const MaxObjects = 50

// namespaces are the objects whose labels say in which namespaces a selector selects. Of them, nothing but that they
// are selected counts.
var (
	namespaces    = schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}
	namespacePath = mustCompile("metadata.name")
)

func mustCompile(expr string) *fieldpath.Path {
	path, err := fieldpath.Compile(expr)
	if err != nil {
		panic(err)
	}
	return path
}

// selecting is a reference that selects objects.
type selecting struct {
	owner *owner
	given Reference
	kind  *kind
	// where is the part of the selection of Namespaces; nil where namespaces are named, or all are meant.
	where *part
	// parts are what is selected, by namespace; all namespaces are one part, under the empty name.
	parts map[string]*part
	// came and went are when a namespace last came to be among those, and ceased to be.
	came, went moment
	// since is when the reference was given.
	since time.Time
}

// part is a reference's interest in a selection.
type part struct {
	selection *selection
	holds     []hold
	// since is when the last of holds was taken up.
	since time.Time
}

// selectorText is a selector as a scope has it: * where everything is selected, which no selector is written as.
func selectorText(selector labels.Selector) string {
	if selector == nil {
		return ""
	}
	if text := selector.String(); text != "" {
		return text
	}
	return "*"
}

// sameSelection says whether two references select the same, whatever paths count.
func (r Reference) sameSelection(other Reference) bool {
	return r.GroupVersionKind == other.GroupVersionKind && r.Namespace == other.Namespace && r.Name == other.Name &&
		selectorText(r.Selector) == selectorText(other.Selector) &&
		slices.Equal(r.Namespaces, other.Namespaces) &&
		selectorText(r.NamespaceSelector) == selectorText(other.NamespaceSelector) &&
		r.condition() == other.condition()
}

// condition is the text of the reference's `when`; empty where it has none.
func (r Reference) condition() string {
	if r.When == nil {
		return ""
	}
	return r.When.String()
}

// acquireSelection makes o an owner of what the reference selects. What it has had before, by former, it keeps.
func (e *Engine) acquireSelection(o *owner, given Reference, former []reference) reference {
	s := &selecting{owner: o, given: given, kind: e.kindOf(given.GroupVersionKind), parts: map[string]*part{}, since: e.Clock.Now()}
	s.came = e.next() // what was before is not known
	s.went = s.came
	var before *selecting
	for _, r := range former {
		if r.selecting != nil && r.selecting.given.sameSelection(given) {
			before = r.selecting
			s.since, s.came, s.went = before.since, before.came, before.went
		}
	}
	s.kind.selecting[s] = struct{}{}
	s.kind.dirty = true
	if given.NamespaceSelector != nil && !given.NamespaceSelector.Empty() {
		k := e.kindOf(namespaces)
		key := scope{selector: selectorText(given.NamespaceSelector), metadataOnly: true}
		var held *part
		if before != nil {
			held = before.where
		}
		s.where = s.take(k.selection(key, given.NamespaceSelector), Reference{Paths: []*fieldpath.Path{namespacePath}}, held)
		s.where.selection.followers[s] = struct{}{}
	}
	s.followFrom(before)
	return reference{selecting: s}
}

// misfit says why the reference cannot be one of its kind, as far as that is known.
func (s *selecting) misfit() error {
	k := s.kind
	if k.resource == nil {
		return nil
	}
	named := len(s.given.Namespaces) > 0 || s.given.NamespaceSelector != nil
	if !k.resource.listable {
		return ErrNotListable
	}
	if k.resource.namespaced != named {
		return &ScopeError{Namespaced: k.resource.namespaced}
	}
	for _, namespace := range s.given.Namespaces {
		if !isPathSegment(namespace) {
			return fmt.Errorf("%q cannot be the name of a namespace", namespace)
		}
	}
	return nil
}

// wanted are the namespaces to select in.
func (s *selecting) wanted() map[string]bool {
	wanted := map[string]bool{}
	switch {
	case s.kind.resource == nil || s.misfit() != nil:
	case s.where != nil:
		for name := range s.where.selection.members {
			if isPathSegment(name.Name) {
				wanted[name.Name] = true
			}
		}
	case len(s.given.Namespaces) > 0:
		for _, namespace := range s.given.Namespaces {
			wanted[namespace] = true
		}
	default:
		wanted[""] = true
	}
	return wanted
}

// follow takes up what is to be selected now, and lets go of what is not. It is called when it becomes known how the kind
// is served, and when namespaces have come into their selection or left it.
func (s *selecting) follow() { s.followFrom(nil) }

func (s *selecting) followFrom(before *selecting) {
	k := s.kind
	wanted := s.wanted()
	for namespace := range wanted {
		if s.parts[namespace] != nil {
			continue
		}
		var held *part
		if before != nil {
			held = before.parts[namespace]
		}
		if held == nil {
			s.came = k.engine.next()
		}
		key := scope{namespace: namespace, selector: selectorText(s.given.Selector)}
		s.parts[namespace] = s.take(k.selection(key, s.given.Selector), s.given, held)
	}
	for namespace, p := range s.parts {
		if !wanted[namespace] {
			delete(s.parts, namespace)
			s.release(p)
			s.went = k.engine.next()
		}
	}
	if before != nil {
		for namespace := range before.parts {
			if !wanted[namespace] {
				s.went = k.engine.next()
			}
		}
	}
	k.dirty = true
	signal(k.engine.replan)
}

// take makes the owner one of the selection's. What it held before it keeps.
func (s *selecting) take(sel *selection, given Reference, held *part) *part {
	e := s.kind.engine
	taken := &part{selection: sel, since: e.Clock.Now()}
	joins := false
	for _, path := range given.watched() {
		p := sel.watch(path)
		p.owners = append(p.owners, s.owner)
		if held != nil && held.selection == sel {
			if i := slices.IndexFunc(held.holds, func(h hold) bool { return h.path == p }); i >= 0 {
				taken.holds = append(taken.holds, held.holds[i])
				continue
			}
		}
		taken.holds = append(taken.holds, hold{path: p, joined: e.next()})
		joins = true
	}
	if joins {
		sel.await(s.owner)
	} else {
		taken.since = held.since
	}
	if condition := whenOf(taken.holds); condition != nil {
		began := e.next()
		for _, h := range pathsOf(taken.holds) {
			condition.when.takeUp(h.path, began)
		}
	}
	sel.references++
	sel.kind.dirty = true
	sel.kind.join(&sel.entry)
	return taken
}

// release gives up the owner's interest in a selection.
func (s *selecting) release(p *part) {
	sel := p.selection
	if condition := whenOf(p.holds); condition != nil {
		for _, h := range pathsOf(p.holds) {
			condition.when.giveUp(h.path)
		}
	}
	for _, h := range p.holds {
		i := slices.Index(h.path.owners, s.owner)
		h.path.owners = slices.Delete(h.path.owners, i, i+1)
	}
	if !slices.ContainsFunc(sel.paths, func(p *watchedPath) bool { return slices.Contains(p.owners, s.owner) }) {
		sel.forget(s.owner)
	}
	sel.drop()
	if sel.references--; sel.references == 0 {
		delete(sel.kind.selections, sel.key)
	}
	sel.kind.dirty = true
}

// releaseAll gives up the whole reference.
func (s *selecting) releaseAll() {
	delete(s.kind.selecting, s)
	s.kind.dirty = true
	if s.where != nil {
		delete(s.where.selection.followers, s)
		s.release(s.where)
	}
	for _, p := range s.parts {
		s.release(p)
	}
}

// observe returns what is known of the selected objects, all of them together.
func (s *selecting) observe() Observation {
	k := s.kind
	o := Observation{State: k.state, Since: s.since, Err: k.err}
	if k.since.After(o.Since) {
		o.Since = k.since
	}
	if k.resource == nil {
		return o
	}
	if err := s.misfit(); err != nil {
		o.State, o.Err = NotSynced, err
		return o
	}
	o.State, o.Err = Synced, nil
	selected := 0 // by their labels alone
	parts := slices.SortedFunc(maps.Values(s.parts), func(a, b *part) int {
		return cmp.Compare(a.selection.key.namespace, b.selection.key.namespace)
	})
	for _, p := range append(slices.Clip(parts), s.where) {
		if p == nil {
			continue
		}
		seen := visible(&p.selection.entry, p.holds, p.since)
		if p.selection.state == Synced && p.selection.tooMany {
			seen.State, seen.Err = TooMany, nil // for who has joined since, too
		}
		if severity[seen.State] > severity[o.State] {
			o.State, o.Err = seen.State, seen.Err
		}
		if seen.Since.After(o.Since) {
			o.Since = seen.Since
		}
		if p != s.where {
			selected += len(p.selection.members)
			o.Matched += p.selection.count(whenOf(p.holds))
		}
	}
	if o.State == Synced && selected > k.engine.MaxMatched {
		o.State = TooMany
	}
	if o.State != Synced {
		o.Matched = 0
		return o
	}
	o.Exists = o.Matched > 0
	s.digests(parts, &o)
	s.moments(parts, &o)
	return o
}

// moments sets when the selected objects last changed, and in which ways.
func (s *selecting) moments(parts []*part, o *Observation) {
	came, went, updated := s.came, s.went, moment(0)
	for _, p := range parts {
		partCame, partWent := p.selection.came, p.selection.went
		if condition := whenOf(p.holds); condition != nil {
			partCame, partWent = condition.when.came, condition.when.went
		}
		came, went = max(came, partCame), max(went, partWent)
		for _, h := range pathsOf(p.holds) {
			updated = max(updated, h.path.lastUpdated(whenOf(p.holds)))
		}
	}
	o.Moment = uint64(s.kind.engine.tick)
	o.LastCreated, o.LastUpdated, o.LastDeleted = uint64(came), uint64(updated), uint64(went)
}

// severity tells which of several states is the whole reference's.
var severity = map[State]int{Synced: 0, NotSynced: 1, TooMany: 2, VersionNotServed: 3, KindNotServed: 4, Forbidden: 5}

// digests sets the digests of the whole selection, and of its first objects.
func (s *selecting) digests(parts []*part, o *Observation) {
	o.Digests = make([]fieldpath.Digest, len(s.given.Paths))
	for i := range s.given.Paths {
		var all []namespaceSum
		for _, p := range parts {
			all = append(all, p.selection.sum(p.holds[i].path, whenOf(p.holds))...)
		}
		o.Digests[i] = digestOf(all)
	}
	for _, p := range parts {
		paths := pathsOf(p.holds)
		for _, name := range p.selection.first(MaxObjects-len(o.Objects), whenOf(p.holds)) {
			first := Object{Namespace: name.Namespace, Name: name.Name, Digests: make([]fieldpath.Digest, len(paths))}
			for i, h := range paths {
				first.Digests[i], _ = p.selection.members[name].digest(h.path)
			}
			o.Objects = append(o.Objects, first)
		}
	}
}

// visible returns the state in which an owner sees what it holds.
func visible(ent *entry, holds []hold, since time.Time) Observation {
	o := Observation{State: ent.state, Since: ent.since, Err: ent.err}
	if o.State != Synced {
		return o
	}
	if since.After(o.Since) {
		o.Since = since
	}
	known := ent.confirmed
	for _, h := range holds {
		known = known && h.path.known && h.joined < ent.read
		if h.path.since.After(o.Since) {
			o.Since = h.path.since
		}
	}
	if !known {
		o.State, o.Err = NotSynced, ent.unread
		if isForbidden(o.Err) {
			o.State = Forbidden
		}
	}
	return o
}

// showSelected applies the answer of a read of a scope to the selections that it covers.
func (k *kind) showSelected(s scope, all listing, version string, read moment, follows bool, wake wakeups) {
	byNamespace := map[string]map[types.NamespacedName]*object{"": all.objects}
	for name, o := range all.objects {
		if name.Namespace == "" {
			continue
		}
		if byNamespace[name.Namespace] == nil {
			byNamespace[name.Namespace] = map[types.NamespacedName]*object{}
		}
		byNamespace[name.Namespace][name] = o
	}
	k.covered(s, func(ent *entry) {
		sel := ent.selection
		sel.show(byNamespace[sel.key.namespace], all.refused[sel], version, read, follows, wake)
	})
}

// eventSelected applies what a watch told of one object to the selections that it is in, or was.
func (r *run) eventSelected(o *object, exists bool, wake wakeups) {
	counts := &r.kind.engine.counts
	became := &counts.dropped
	key := r.scope
	for _, key.namespace = range namespacesOf(o.Namespace) {
		sel := r.kind.selections[key]
		if sel == nil || !r.scope.selects(key) || !r.current() {
			continue
		}
		if sel.event(o, exists, wake) {
			became = &counts.unchanged
		} else if became == &counts.dropped {
			became = &counts.outdated
		}
	}
	if len(wake) > 0 {
		became = &counts.changed
	}
	became.Add(1)
}

// namespacesOf are those by which an object can be selected: all, and its own.
func namespacesOf(namespace string) []string {
	if namespace == "" {
		return []string{""}
	}
	return []string{"", namespace}
}

// query is the selector as the API server is asked with it.
func (s scope) query() string {
	if s.selector == "*" {
		return ""
	}
	return s.selector
}

// narrower says whether narrower scopes can stand in for one that cannot be had, if not for all that it serves.
func (k *kind) narrower(s scope) bool {
	if s.selector == "" {
		return !s.single()
	}
	for key := range k.selections {
		if key != s && s.selects(key) {
			return true
		}
	}
	return false
}

// standIn has narrower scopes serve the selections that have one, while a wide scope cannot be had that another needs: it
// goes on trying.
func (k *kind) standIn(r *run) {
	if d, denied := k.denied[r.scope]; denied && !d.tried {
		return
	}
	e := k.engine
	k.denied[r.scope] = denial{until: e.Clock.Now().Add(10 * e.PollInterval), wait: 10 * e.PollInterval}
	k.plan()
	signal(e.replan)
}

// reducer reduces the objects of the run's scope.
func (r *run) reducer(t *tally) reducer {
	if r.scope.selector == "" {
		return r.kind.reduce
	}
	return func(event apiwatch.EventType, o raw) *object { return r.reduceSelected(event, o, t) }
}

// servedSelection is a selection that a run serves, as it was when an object was read.
type servedSelection struct {
	*selection
	paths   []*watchedPath
	tooMany bool
}

// reduceSelected reduces an object to the digests of those who select it, or to nothing where nobody does.
func (r *run) reduceSelected(event apiwatch.EventType, o raw, t *tally) *object {
	e, k := r.kind.engine, r.kind
	if o.name == "" {
		e.Log.Info("ignored an object without a name", "kind", k.gvk.String())
		return nil
	}
	kept := &object{}
	kept.Namespace, kept.Name, kept.ResourceVersion = o.namespace, o.name, o.resourceVersion
	var served [2]servedSelection
	count := 0
	key := r.scope
	e.mu.RLock()
	for _, key.namespace = range namespacesOf(o.namespace) {
		if sel := k.selections[key]; sel != nil && r.scope.selects(key) {
			served[count] = servedSelection{sel, sel.paths, sel.tooMany}
			count++
		}
	}
	// It is asked together with tooMany: in between, a read that ends both would have an event dropped that is newer than the read.
	reading := t.reading()
	e.mu.RUnlock()
	if count == 0 {
		return nil
	}
	// An extension API server may not know selectors, and tell of everything: that is neither kept nor counted.
	if selector := served[0].labels; event != apiwatch.Deleted && !selector.Empty() && !selector.Matches(labelsOf(o.json)) {
		if reading && event == apiwatch.Added {
			return nil
		}
		kept.left = true
	}
	selected := false
	for _, s := range served[:count] {
		if s.tooMany && !reading || !kept.left && !t.admits(event, s.selection, e.MaxMatched) {
			continue
		}
		selected = true
		if kept.paths == nil {
			kept.paths = s.paths // which all members share
		} else {
			kept.paths = slices.Concat(kept.paths, s.paths)
		}
	}
	if !selected {
		return nil
	}
	if event == apiwatch.Deleted || kept.left {
		kept.paths = nil
		return kept
	}
	kept.digests = k.digests(o.json, kept.paths)
	return kept
}

// labelsOf returns the labels of an object.
func labelsOf(json []byte) labels.Set {
	set := labels.Set{}
	gjson.GetBytes(json, "metadata.labels").ForEach(func(key, value gjson.Result) bool {
		set[key.String()] = value.String()
		return true
	})
	return set
}
