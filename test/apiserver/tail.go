package apiserver

import "sync"

// tailSize is how much of a program's log is kept to explain its failure, in bytes.
const tailSize = 4096

// tail is a writer that keeps the last tailSize bytes written to it.
type tail struct {
	mu   sync.Mutex
	last []byte
}

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = append(w.last, p...)
	if over := len(w.last) - tailSize; over > 0 {
		w.last = append([]byte(nil), w.last[over:]...)
	}
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.last)
}
