package command

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// patience is how long anything may take that does not hang.
const patience = 30 * time.Second

// deaf is an API server that accepts requests and never answers one; asked has something once it was asked.
func deaf(t *testing.T) (url string, asked <-chan struct{}) {
	arrived, end := make(chan struct{}, 100), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-end
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(end) })
	return server.URL, arrived
}

// exitCode runs a command and returns its exit code; -1 where it does not end. The function is called while it runs.
func exitCode(t *testing.T, in io.Reader, args []string, meanwhile func(interrupt func())) int {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, args, Environment{Streams: genericiooptions.IOStreams{In: in, Out: &bytes.Buffer{}, ErrOut: &bytes.Buffer{}}})
	}()
	meanwhile(interrupt)
	select {
	case code := <-ended:
		return code
	case <-time.After(patience):
		return -1
	}
}

func TestAnInterruptEndsWhatWaits(t *testing.T) {
	t.Run("for the standard input", func(t *testing.T) {
		typed, keyboard := io.Pipe()
		t.Cleanup(func() { _ = keyboard.Close() })
		code := exitCode(t, typed, []string{"check", "-"}, func(interrupt func()) {
			_, _ = keyboard.Write([]byte("kind:")) // it reads
			interrupt()
		})
		assert.Equal(t, interrupted, code)
	})
	for name, args := range map[string][]string{
		"for the API server's discovery": {"list"},
		"for the Job of a run":           {"run", "some", "--wait"},
	} {
		t.Run(name, func(t *testing.T) {
			url, asked := deaf(t)
			code := exitCode(t, nil, append(args, "--kubeconfig=/dev/null", "--server="+url, "--namespace=some"), func(interrupt func()) {
				<-asked
				interrupt()
			})
			assert.Equal(t, interrupted, code)
		})
	}
}

func TestAShellDoesNotWaitForAClusterThatDoesNotAnswer(t *testing.T) {
	for name, words := range map[string][]string{
		"names":      {"describe", ""},
		"namespaces": {"list", "--namespace", ""},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := deaf(t)
			assert.Equal(t, 0, exitCode(t, nil, append([]string{"__complete", "--kubeconfig=/dev/null", "--server=" + url}, words...), func(func()) {}))
		})
	}
}
