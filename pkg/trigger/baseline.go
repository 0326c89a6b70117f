package trigger

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// syncPatience is how long a reference may be without a consistent view before that is shown, and before a
// trigger is made for what was known of it last. A restart is over well before.
const syncPatience = 30 * time.Second

// reference is what is known of one referenced object, or of all that a selector selects: what status has kept, and
// what is observed now.
type reference struct {
	ObjectReference
	fields []field
	// changes are those that count; none where all do.
	changes []v1alpha.ChangeType
	// exists says whether the object exists, existed whether it did when the last Job ran, and wasThere whether it did when
	// it was last decided on. tracksExistence is true where status is to say so.
	exists, existed, wasThere existence
	tracksExistence           bool
	// hasWhen is true where a change counts only while an expression is true, and whenResult is what that comes to; empty is true.
	hasWhen    bool
	whenResult v1alpha.WhenResult
	// mark is what the process remembers of a selection.
	mark Mark
	// selected is what is known of the objects one by one, where a selector selects them.
	selected selected
	// trouble is the condition reason why the object cannot be seen; empty where it can.
	trouble string
	// message is for people; empty where the object exists and can be seen.
	message string
	// unseen is true while there is no view of the object and it is too early to say so: what status
	// said stays, and no trigger is made for it.
	unseen bool
	// shownAt is when it will be said of what is unseen; zero where that is not known.
	shownAt time.Time
	// pendingSince is when the reference was first seen pending, as status has it; zero where that is not
	// known, and where a trigger has answered since what was pending.
	pendingSince time.Time
	// changedTime is when a pending field was last seen to change; zero where that is not known.
	changedTime time.Time
	// loops is how many times in a row the reference was pending again by a Job.
	loops int32
}

// field is one field path of a reference.
type field struct {
	path string
	// hash stands for the last known state; empty until the field has been seen.
	hash string
	// baseline stands for the state that the last trigger stood for, or of the first look where none has
	// been triggered since; empty until there is one.
	baseline string
	// seen is true where hash is what is observed now.
	seen bool
	// was is hash as it was when it was last decided on; empty where it had not been seen.
	was string
}

// pending reports whether the state is known to differ from the one that the last Job ran for.
func (f *field) pending() bool {
	return f.baseline != "" && f.hash != "" && f.hash != f.baseline
}

// see takes in an observed hash, and reports whether it could be compared with the baseline.
//
// A baseline made with another key says nothing about the present state. What was pending stays pending,
// lest a change is lost. The rest takes the present state as its baseline, lest a replaced key, or an upgrade
// from a release that hashed otherwise, starts a Job for everything there is.
func (f *field) see(hash string) bool {
	known := true
	switch {
	case f.baseline == "": // first sight: nothing to compare with, so nothing has changed
		f.baseline = hash
	case canCompare(f.baseline, hash):
	case f.pending():
		f.baseline, known = Unknown, false
	default:
		f.baseline, known = hash, false
	}
	f.hash, f.seen = hash, true
	return known
}

// answer makes the last known state the baseline: a trigger stands for it. What was never seen cannot be
// answered, and keeps its baseline.
func (f *field) answer() {
	if f.hash != "" {
		f.baseline = f.hash
	}
}

// pending reports whether one of the fields is.
func (r *reference) pending() bool { return len(r.pendingFields()) > 0 }

// pendingFields returns the paths of the fields that are pending.
func (r *reference) pendingFields() []string {
	var paths []string
	for i := range r.fields {
		if r.fields[i].pending() {
			paths = append(paths, r.fields[i].path)
		}
	}
	return paths
}

// lacksBaseline reports whether some field has none, so that a change of it could not be noticed.
func (r *reference) lacksBaseline() bool {
	return slices.ContainsFunc(r.fields, func(f field) bool { return f.baseline == "" })
}

// awaitsFirstLook reports whether the reference was never seen, and it is too early to say so.
func (r *reference) awaitsFirstLook() bool { return r.unseen && r.lacksBaseline() }

// references puts together what status kept and what is observed. It returns the references of the spec in
// their order (what has left the spec is forgotten), and whether a kept hash could not be compared.
func references(in Input, stored *v1alpha.ChangeTriggeredJobStatus) (refs []reference, incomparable bool) {
	kept := keptFields(stored.ResourceHashes)
	selections := firstEntries(stored.ResourceHashes, saysSelection)
	messages := make(map[ObjectReference]string, len(stored.ResourceHashes))
	for i := range stored.ResourceHashes {
		messages[objectOf(&stored.ResourceHashes[i])] = stored.ResourceHashes[i].Message
	}
	since := keptTimes(stored.ResourceHashes, in.Now, pendingSinceOf)
	changed := keptTimes(stored.ResourceHashes, in.Now, changedTimeOf)
	existence := firstEntries(stored.ResourceHashes, saysExistence)
	waiting := firstEntries(stored.ResourceHashes, saysWhen)
	deferred := in.Deferred.over(stored)
	putOff := followedOf(deferred)
	observed := make(map[ObjectReference]*Observation, len(in.Observations))
	for i := range in.Observations {
		observed[in.Observations[i].Reference] = &in.Observations[i]
	}
	for _, wanted := range References(in.Spec, stored) {
		ref := reference{ObjectReference: wanted.Reference, fields: make([]field, 0, len(wanted.Fields)), changes: wanted.Changes}
		for _, path := range wanted.Fields {
			f := kept[fieldKey{wanted.Reference, path}]
			f.path = path
			ref.fields = append(ref.fields, f)
		}
		ref.selected.recall(selections[wanted.Reference], wanted.Fields)
		ref.hasWhen = wanted.When != "" && !ref.selects() || wantsUnread(in, waiting[ref.ObjectReference])
		ref.recallWhen(waiting[ref.ObjectReference])
		ref.recallExistence(existence[ref.ObjectReference])
		// Of a spec that cannot work, it is not known what it asks for.
		ref.tracksExistence = len(ref.changes) > 0 || in.Invalid != "" && existence[ref.ObjectReference] != nil
		if i := slices.IndexFunc(in.Marks, func(m Mark) bool { return m.Reference == ref.ObjectReference }); i >= 0 {
			ref.mark = in.Marks[i]
		}
		ref.follow(putOff)
		ref.pendingSince, ref.changedTime = since[ref.ObjectReference], changed[ref.ObjectReference]
		if !ref.observe(observed[ref.ObjectReference], in.Now, messages[ref.ObjectReference]) {
			incomparable = true
		}
		if in.Invalid == "" {
			ref.disregard()
		}
		refs = append(refs, ref)
	}
	remember(refs, deferred, in.Now)
	return refs, incomparable
}

// observe takes in what is seen of the object, and reports whether all of it could be compared. What cannot be
// seen is never a change: the last known hash stays (rule 3). keptMessage is what status says of the reference.
func (r *reference) observe(o *Observation, now time.Time, keptMessage string) bool {
	if o == nil {
		r.unseen, r.message = true, keptMessage
		return true
	}
	switch o.Visibility {
	case Visible:
		r.seeWhen(o.WaitingForWhen)
		switch {
		case o.Exists:
		case r.selects():
			r.message = messageNoneSelected
		default:
			r.message = messageAbsent
		}
	case Forbidden:
		r.seeWhen(v1alpha.WhenUnknown)
		r.trouble, r.message = ReasonForbidden, messageForbidden
		if r.selects() {
			r.message = messageForbiddenAll
		}
		return true
	case TooMany:
		r.trouble, r.message = ReasonTooManyObjects, messageTooMany
		return true
	case KindNotServed: // and so the object does not exist
		r.seeWhen(o.WaitingForWhen)
		r.trouble, r.message = ReasonKindNotServed, messageKindNotServed
	case VersionNotServed:
		r.seeWhen(v1alpha.WhenUnknown)
		r.trouble, r.message = ReasonKindNotServed, messageVersionNotServed
		return true
	default:
		if shownAt := o.Since.Add(syncPatience); now.Before(shownAt) {
			r.unseen, r.shownAt, r.message = true, shownAt, keptMessage
		} else {
			r.seeWhen(v1alpha.WhenUnknown)
			r.trouble, r.message = ReasonNotSynced, messageNotSynced
			if r.selects() {
				r.message = messageNotSyncedAll
			}
		}
		return true
	}
	r.exists = existenceOf(o.Exists && o.Visibility == Visible)
	hashes := make(map[string]string, len(o.Fields))
	for i, path := range o.Fields[:min(len(o.Fields), len(o.Hashes))] {
		hashes[path] = o.Hashes[i]
	}
	all := true
	changedTime := r.soFar(now)
	for i := range r.fields {
		hash := hashes[r.fields[i].path]
		if o.Visibility == KindNotServed {
			hash = Absent
		}
		if hash != "" && !r.fields[i].see(hash) {
			all, r.changedTime = false, changedTime
		}
	}
	if r.selects() {
		r.selected.see(o)
	}
	return all
}

// fieldKey identifies one field of one object.
type fieldKey struct {
	object ObjectReference
	path   string
}

// firstEntries returns the first entry of each object or selection that holds is true of: an older release may have written an object
// twice. Mostly there is none, and nothing to return.
func firstEntries(entries []v1alpha.ResourceHash, holds func(*v1alpha.ResourceHash) bool) map[ObjectReference]*v1alpha.ResourceHash {
	var first map[ObjectReference]*v1alpha.ResourceHash
	for i := range entries {
		if !holds(&entries[i]) {
			continue
		}
		if first == nil {
			first = map[ObjectReference]*v1alpha.ResourceHash{}
		}
		if object := objectOf(&entries[i]); first[object] == nil {
			first[object] = &entries[i]
		}
	}
	return first
}

// keptTimes returns a time of each object or selection, as far as status says it.
func keptTimes(entries []v1alpha.ResourceHash, now time.Time, of func(*v1alpha.ResourceHash) *metav1.Time) map[ObjectReference]time.Time {
	said := firstEntries(entries, func(entry *v1alpha.ResourceHash) bool { return !of(entry).IsZero() })
	if len(said) == 0 {
		return nil
	}
	times := make(map[ObjectReference]time.Time, len(said))
	for object, entry := range said {
		times[object] = mendClock(of(entry).Time, now)
	}
	return times
}

// keptFields returns what status says of each field. Where an older release wrote an object twice, the first
// entry that knows a field counts.
func keptFields(entries []v1alpha.ResourceHash) map[fieldKey]field {
	kept := make(map[fieldKey]field, len(entries))
	for i := range entries {
		for _, stored := range entries[i].Fields {
			key := fieldKey{objectOf(&entries[i]), stored.Field}
			if kept[key].baseline != "" {
				continue
			}
			f := field{hash: stored.Hash, baseline: stored.LastTriggeredHash, was: stored.Hash}
			if f.baseline == "" {
				f.baseline = f.hash
			}
			kept[key] = f
		}
	}
	return kept
}

// resourceHashes is the references as status has them: lastTriggeredHash only where it differs from hash.
func resourceHashes(refs []reference, now time.Time, settles bool) []v1alpha.ResourceHash {
	entries := make([]v1alpha.ResourceHash, 0, len(refs))
	room := maxDetails
	for i := range refs {
		ref := &refs[i]
		entry := v1alpha.ResourceHash{
			APIVersion: ref.APIVersion, Kind: ref.Kind, Namespace: ref.Namespace, Name: ref.Name, Selection: ref.Selection,
			Message:   ref.message,
			LoopCount: ref.loops,
		}
		if ref.pending() {
			entry.PendingSince = &metav1.Time{Time: ref.since(now)}
			last := ref.lastChange(now)
			if settles && last.After(entry.PendingSince.Time) || ref.onlyUnknown() && !last.IsZero() {
				entry.ChangedTime = &metav1.Time{Time: last}
			}
		}
		ref.describeExistence(&entry)
		if ref.waits() {
			entry.WaitingForWhen = ref.whenResult
		}
		for _, f := range ref.fields {
			stored := v1alpha.FieldHash{Field: f.path, Hash: f.hash}
			if f.baseline != f.hash {
				stored.LastTriggeredHash = f.baseline
			}
			entry.Fields = append(entry.Fields, stored)
		}
		if ref.selects() {
			ref.takeStock()
			room -= ref.selected.describe(&entry, room)
		}
		entries = append(entries, entry)
	}
	return entries
}

func objectOf(entry *v1alpha.ResourceHash) ObjectReference {
	return ObjectReference{
		APIVersion: entry.APIVersion, Kind: entry.Kind, Namespace: entry.Namespace, Name: entry.Name, Selection: entry.Selection,
	}
}
