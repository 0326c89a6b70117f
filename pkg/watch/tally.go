package watch

import (
	"sync"

	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// tally counts what a read keeps of each selection, so that no more is kept of one that is too large than shows it. Its
// zero value counts nothing.
type tally struct {
	mu     sync.Mutex
	counts map[*selection]int
	// refused are the selections of which not all is kept.
	refused map[*selection]bool
}

func (t *tally) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts, t.refused = map[*selection]int{}, map[*selection]bool{}
}

// end returns the selections of which the read has not kept all.
func (t *tally) end() (refused map[*selection]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	refused, t.counts, t.refused = t.refused, nil, nil
	return refused
}

// reading says whether a read is under way. Of a run's, that does not change while the engine's lock is held.
func (t *tally) reading() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts != nil
}

// admits says whether a read that is under way is to keep what it is told of an object of the selection.
//
// Only an object that is added is one more. A streaming list may tell of changes and deletions, too, before it ends: were one of them
// refused, the object would be stored as it was before, as of the version of the whole. What is deleted takes nothing off, since it may
// be one that was refused. Once something was refused, the rest does not matter: there are too many.
func (t *tally) admits(event apiwatch.EventType, s *selection, limit int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		return true
	}
	if event == apiwatch.Added {
		if t.counts[s]++; t.counts[s] > limit+1 {
			t.refused[s] = true
		}
	}
	return !t.refused[s]
}
