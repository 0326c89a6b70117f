package trigger

import (
	"strings"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// A reference to an object may have a `when`: its changes count while that is true, and wait until then. What waits is pending, but
// nobody's occasion: no Job is told of it, and none stands for it, so that its baseline stays. Neither is what has yet to be looked
// at, after a start or after an edit by which the expression is another one: what that comes to now is not known, which is said
// once it lasts. Of a selection, `when` is a part of what is selected, and nothing waits.

// saysWhen reports whether an entry of status says that its reference waits.
func saysWhen(entry *v1alpha.ResourceHash) bool { return entry.WaitingForWhen != "" }

// wantsUnread reports whether a reference that waits is to go on, as it is not known what the spec says of it.
func wantsUnread(in Input, entry *v1alpha.ResourceHash) bool {
	return entry != nil && in.Spec != nil && in.Spec.Undecoded() != nil
}

// recallWhen takes in what status says, which holds until the object is seen.
func (r *reference) recallWhen(entry *v1alpha.ResourceHash) {
	if r.hasWhen && entry != nil {
		r.whenResult = oneOf(entry.WaitingForWhen)
	}
}

// seeWhen takes in what the expression comes to; empty is true.
func (r *reference) seeWhen(result v1alpha.WhenResult) {
	if r.hasWhen {
		r.whenResult = oneOf(result)
	}
}

// oneOf is a result that there is: any other stands for one that is not known.
func oneOf(result v1alpha.WhenResult) v1alpha.WhenResult {
	switch result {
	case "", v1alpha.WhenFalse, v1alpha.WhenFailed:
		return result
	default:
		return v1alpha.WhenUnknown
	}
}

// waits reports whether the reference is pending, and waits for its `when`.
func (r *reference) waits() bool { return r.whenResult != "" && r.pending() }

// unasked reports whether the reference is pending, and waits for a look that tells what its `when` comes to.
func (r *reference) unasked() bool { return r.hasWhen && r.unseen && r.pending() }

// held reports whether the reference is pending, and no Job stands for it: it waits for its `when`, or for what that comes to.
func (r *reference) held() bool { return r.waits() || r.unasked() }

// due reports whether the reference is pending, and its changes count now.
func (r *reference) due() bool { return r.pending() && !r.held() }

// dueRefs returns the references for which a Job may run, in the order of the spec.
func (s *state) dueRefs() []*reference { return s.where((*reference).due) }

// waiting returns those that wait for their `when`.
func (s *state) waiting() []*reference { return s.where((*reference).waits) }

// whenWords say what a `when` comes to that holds a reference back, the first to be told first.
var whenWords = []struct {
	result v1alpha.WhenResult
	says   string
}{
	{v1alpha.WhenFalse, "which is false"},
	{v1alpha.WhenFailed, "which could not be evaluated"},
	{v1alpha.WhenUnknown, "which is not known"},
}

// messageWaiting says which references wait for their `when`, and why. Nothing of an object is in it.
func messageWaiting(waiting []*reference) string {
	var parts []string
	for _, word := range whenWords {
		var in []*reference
		for _, ref := range waiting {
			if ref.whenResult == word.result {
				in = append(in, ref)
			}
		}
		if len(in) > 0 {
			parts = append(parts, "waiting for the when of "+describe(in)+", "+word.says)
		}
	}
	return strings.Join(parts, "; ")
}
