package watch

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// source lists and watches a collection for one Reflector.
type source struct {
	collection
	// name restricts the collection to one object, unless it is empty.
	name   string
	reduce reducer
	// reading is called when a read of the whole present state begins, watching when a watch was
	// established, broken when one that was to go on was not, which is tried again.
	reading  func()
	watching func(streamingList bool)
	broken   func(err error)
	sleep    func(ctx context.Context, duration time.Duration) bool
	// dropped counts the events of objects that nobody references; nil counts none.
	dropped *atomic.Uint64

	// A Reflector does not wait for its own goroutines; these two let wait do so.
	listing sync.Mutex
	streams sync.WaitGroup
}

func (s *source) listerWatcher() cache.ListerWatcher {
	return &cache.ListWatch{ListWithContextFunc: s.list, WatchFuncWithContext: s.watch}
}

// wait returns when nothing of what a Reflector started runs any more. The Reflector and its context must
// have ended.
func (s *source) wait() {
	s.listing.Lock()
	s.listing.Unlock() //nolint:staticcheck // the lock was waited for, not needed
	s.streams.Wait()
}

// list ignores the Reflector's options: it asks for version "0", which may be as stale as the API server's
// cache, so that a restart would see an old state, and then a new one, and trigger.
func (s *source) list(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) {
	s.listing.Lock()
	defer s.listing.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	list, err := s.listAll(ctx)
	if err != nil {
		return nil, err // not list: an interface that holds a nil pointer is not nil
	}
	return list, nil
}

// listAll reads the whole present state.
func (s *source) listAll(ctx context.Context) (*objectList, error) {
	return s.collection.list(ctx, s.name, s.reading, s.reduce)
}

func (s *source) watch(ctx context.Context, options metav1.ListOptions) (apiwatch.Interface, error) {
	streamingList := options.SendInitialEvents != nil && *options.SendInitialEvents
	if streamingList {
		// The Reflector asks for a state no older than what it has seen. Other reads may have seen
		// newer ones, so ask for the latest.
		options.ResourceVersion = ""
		s.reading()
	}
	options.Watch = true
	ctx, cancel := context.WithCancel(ctx)
	body, err := s.open(ctx, s.name, options)
	if err != nil {
		err = s.refused(ctx, err, streamingList)
		cancel()
		return nil, err
	}
	s.watching(streamingList)
	st := &stream{
		events: eventStream{s: newSplitter(body), reduce: s.reduce, dropped: s.dropped, initial: streamingList},
		body:   body,
		cancel: cancel,
		done:   ctx.Done(),
		result: make(chan apiwatch.Event),
	}
	s.streams.Go(st.run)
	return st, nil
}

// refused returns what the Reflector is to be told of a watch that was not established.
func (s *source) refused(ctx context.Context, err error, streamingList bool) error {
	switch {
	case ctx.Err() != nil:
	case streamingList:
		// Some errors a Reflector would meet again and again without a pause, others after one of up to
		// a minute, even if its context ends. With an error that it does not know it falls back to a
		// list, whose error it returns.
		s.sleep(ctx, retryAfter(err))
		return errors.New(err.Error())
	case utilnet.IsConnectionRefused(err) || apierrors.IsTooManyRequests(err):
		// The Reflector does not return these, but tries again for as long as it takes.
		s.broken(err)
		s.sleep(ctx, retryAfter(err))
	}
	return err
}

// stream is a running watch.
type stream struct {
	events eventStream
	body   io.Closer
	cancel context.CancelFunc
	done   <-chan struct{}
	result chan apiwatch.Event
}

// ResultChan implements watch.Interface.
func (s *stream) ResultChan() <-chan apiwatch.Event { return s.result }

// Stop implements watch.Interface. It ends the request.
func (s *stream) Stop() { s.cancel() }

func (s *stream) run() {
	defer close(s.result)
	defer func() { _ = s.body.Close() }()
	defer s.cancel()
	for {
		event, err := s.events.next()
		if malformed := (*malformedError)(nil); errors.As(err, &malformed) || (err != nil && s.events.initial) {
			// Going on from the same version would meet the same again: say so, and the Reflector
			// lists anew. So it does where a streaming list has no end; else it would begin again
			// without a pause. Any other error is the connection's, and the watch goes on where it was.
			status := apierrors.NewInternalError(err).Status()
			event, err = apiwatch.Event{Type: apiwatch.Error, Object: &status}, nil
		}
		if err != nil {
			return
		}
		select {
		case s.result <- event:
		case <-s.done:
			return
		}
	}
}
