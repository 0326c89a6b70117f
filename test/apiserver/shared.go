package apiserver

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// Shared is an API server that the tests of a package share. It is started by the first test that asks for it: a
// run that asks for none, such as that of a fuzzing worker, starts none.
type Shared struct {
	start   func() error
	started *Server
}

// OnDemand returns a shared server with these options, which is yet to be started.
func OnDemand(opts ...Option) *Shared {
	s := &Shared{}
	s.start = sync.OnceValue(func() (err error) {
		s.started, err = New(opts...)
		return err
	})
	return s
}

// Server returns the server. It fails the test when it cannot be started.
func (s *Shared) Server(t testing.TB) *Server {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	return s.started
}

// MainOnDemand runs m's tests and stops those of the servers that they have started. It returns the exit code for
// TestMain to give to os.Exit.
func MainOnDemand(m *testing.M, servers ...*Shared) int {
	code := m.Run()
	for _, s := range servers {
		if s.started == nil {
			continue
		}
		if err := s.started.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the API server:", err)
			code = max(code, 1)
		}
	}
	return code
}
