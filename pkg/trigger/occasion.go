package trigger

// occasion is what a Job would run for now.
type occasion struct {
	reason Reason
	// what says it, for people.
	what string
	// pending are the references that are pending and do not wait for their `when`, in the order of the spec. For a first run there need not be any.
	pending []*reference
}

// occasion returns what a Job would run for now; ok is false where there is nothing.
func (s *state) occasion() (o occasion, ok bool) {
	o = occasion{reason: ReasonChange, pending: s.dueRefs()}
	switch {
	case s.firstRun && len(s.refs) > 0:
		o.reason, o.what = ReasonFirstRun, "created with runOnCreate"
	case len(o.pending) == 0:
		return occasion{}, false
	case s.retrying():
		o.reason, o.what = ReasonRetry, "Job "+s.lastJobName+" failed"
	default:
		o.what = describe(o.pending) + " changed"
	}
	return o, true
}

// changed names what a Job of the occasion is told that has changed: of a first run, all there is to look at.
func (s *state) changed(o occasion) []Change {
	if o.reason != ReasonFirstRun {
		return changes(o.pending)
	}
	all := make([]Change, 0, len(s.refs))
	for i := range s.refs {
		ref := &s.refs[i]
		change := Change{ObjectReference: ref.ObjectReference}
		for j := range ref.fields {
			change.Fields = append(change.Fields, ref.fields[j].path)
		}
		all = append(all, change)
	}
	return all
}
