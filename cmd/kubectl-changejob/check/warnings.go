package check

import (
	"slices"
	"sync"
)

// Warnings collects what an API server warns of. It is a rest.WarningHandler.
type Warnings struct {
	mutex sync.Mutex
	texts []string
}

// HandleWarningHeader takes in a warning; each is kept once.
func (w *Warnings) HandleWarningHeader(code int, _, text string) {
	const miscellaneous = 299
	if code != miscellaneous || text == "" {
		return
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if !slices.Contains(w.texts, text) {
		w.texts = append(w.texts, text)
	}
}

// Take returns what was collected, and forgets it.
func (w *Warnings) Take() []string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	texts := w.texts
	w.texts = nil
	return texts
}
