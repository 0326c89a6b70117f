package watch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/tidwall/gjson"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
)

// object is what passes through a Reflector in place of a Kubernetes object: enough metadata for the
// Reflector, and the digests that the object was reduced to. It lives no longer than it takes to store them.
type object struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	// digests are those of paths: what was referenced of the object when it was reduced.
	paths   []*watchedPath
	digests []fieldpath.Digest
}

// DeepCopyObject implements runtime.Object. Nobody changes an object, so that it may be shared.
func (o *object) DeepCopyObject() runtime.Object { return o }

// objectList is a list of what is kept of the objects in it.
type objectList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []runtime.Object
}

// DeepCopyObject implements runtime.Object.
func (l *objectList) DeepCopyObject() runtime.Object { return l }

// Format implements fmt.Formatter: a Reflector's errors print what it was given, and digests are not for logs.
func (o *object) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "an object") }

// Format implements fmt.Formatter.
func (l *objectList) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "a list") }

// raw is one object as the API server sent it. Its bytes are valid only during the call that it is given to.
type raw struct {
	namespace, name, resourceVersion string
	json                             []byte
}

// reducer reduces an object to what is kept of it, or to nil where nobody references it. It is called for
// every object that is listed or changed, those that nobody references included.
type reducer func(event apiwatch.EventType, o raw) *object

func parse(json []byte) raw {
	return raw{
		namespace:       gjson.GetBytes(json, "metadata.namespace").String(),
		name:            gjson.GetBytes(json, "metadata.name").String(),
		resourceVersion: gjson.GetBytes(json, "metadata.resourceVersion").String(),
		json:            json,
	}
}

// buffers are for one object's bytes at a time. A rare huge one is not kept.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

const maxPooled = 1 << 20

func withBuffer(use func(buffer []byte) (grown []byte, err error)) error {
	buffer := buffers.Get().(*[]byte)
	grown, err := use((*buffer)[:0])
	if cap(grown) <= maxPooled {
		*buffer = grown
		buffers.Put(buffer)
	}
	return err
}

// page is what is known of a list, or of one page of it, apart from its items.
type page struct {
	resourceVersion, next string
}

// decodeList reads a list, and gives each item to keep as soon as it is complete, so that no more than one is
// in memory.
func decodeList(r io.Reader, keep func(raw)) (page, error) {
	var p page
	isList := false
	s := newSplitter(r)
	err := withBuffer(func(buffer []byte) ([]byte, error) {
		read := func(use func(json []byte)) error {
			value, err := s.value(buffer[:0])
			if err != nil {
				return err
			}
			buffer = value
			use(value)
			return nil
		}
		err := s.members(func(key string) error {
			switch key {
			case "items":
				isList = true
				return s.elements(func() error {
					return read(func(json []byte) { keep(parse(json)) })
				})
			case "metadata":
				return read(func(json []byte) {
					p.resourceVersion = gjson.GetBytes(json, "resourceVersion").String()
					p.next = gjson.GetBytes(json, "continue").String()
				})
			default:
				return read(func([]byte) {})
			}
		})
		return buffer, err
	})
	if err == nil && !isList {
		// Else it would say of every object that it does not exist.
		err = errNoList
	}
	if err != nil {
		return page{}, fmt.Errorf("read a list: %w", err)
	}
	return p, nil
}

// initialEventsEnd is the path of the annotation without which a streaming list never ends.
const initialEventsEnd = `metadata.annotations.k8s\.io/initial-events-end`

// eventStream decodes a watch.
type eventStream struct {
	s      *splitter
	reduce reducer
	// dropped counts the events of objects that nobody references; nil counts none.
	dropped *atomic.Uint64
	// initial is true until the bookmark that ends the initial events of a streaming list. Before it, the
	// versions of objects come in no order.
	initial bool
	// passed is the resource version of the newest event that was dropped.
	passed string
	ended  error
}

// next returns the next event that matters, or an error when the stream has ended.
//
// Events of objects that nobody references are dropped here. Their resource versions matter all the same:
// should the watch break, it is to go on where it was. So the last of them comes as a bookmark before the
// end of the stream is told.
func (e *eventStream) next() (apiwatch.Event, error) {
	for e.ended == nil {
		event, err := e.decode()
		if err == nil && event.Object != nil {
			e.passed = ""
			return event, nil
		}
		e.ended = err
	}
	if e.passed != "" {
		bookmark := &object{ObjectMeta: metav1.ObjectMeta{ResourceVersion: e.passed}}
		e.passed = ""
		return apiwatch.Event{Type: apiwatch.Bookmark, Object: bookmark}, nil
	}
	return apiwatch.Event{}, e.ended
}

// decode reads one event; its Object is nil where it does not matter.
func (e *eventStream) decode() (event apiwatch.Event, err error) {
	// Wait without holding a buffer: most watches are silent most of the time.
	if _, err := e.s.next(); err != nil {
		return event, err
	}
	err = withBuffer(func(buffer []byte) ([]byte, error) {
		var eventType string
		var body []byte
		err := e.s.members(func(key string) error {
			start := len(buffer)
			value, err := e.s.value(buffer)
			if err != nil {
				return err
			}
			buffer = value
			switch value := value[start:]; key {
			case "type":
				eventType = gjson.ParseBytes(value).String()
			case "object":
				body = value
			}
			return nil
		})
		if err == nil {
			event, err = e.event(apiwatch.EventType(eventType), body)
		}
		return buffer, err
	})
	if err != nil {
		return apiwatch.Event{}, fmt.Errorf("read an event: %w", err)
	}
	return event, nil
}

func (e *eventStream) event(eventType apiwatch.EventType, body []byte) (apiwatch.Event, error) {
	switch eventType {
	case apiwatch.Error:
		status := &metav1.Status{}
		if json.Unmarshal(body, status) != nil {
			return apiwatch.Event{}, &malformedError{"an error event without a status"}
		}
		*status = discreetStatus(*status)
		if e.initial {
			// See source.refused: the Reflector is to fall back to a list.
			*status = apierrors.NewInternalError(errors.New(status.Message)).Status()
		}
		return apiwatch.Event{Type: apiwatch.Error, Object: status}, nil

	case apiwatch.Bookmark:
		bookmark := &object{ObjectMeta: metav1.ObjectMeta{ResourceVersion: parse(body).resourceVersion}}
		if gjson.GetBytes(body, initialEventsEnd).String() == "true" {
			bookmark.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
			e.initial = false
		}
		return apiwatch.Event{Type: apiwatch.Bookmark, Object: bookmark}, nil

	case apiwatch.Added, apiwatch.Modified, apiwatch.Deleted:
		o := parse(body)
		kept := e.reduce(eventType, o)
		if kept == nil {
			if !e.initial {
				e.passed = o.resourceVersion
				if e.dropped != nil {
					e.dropped.Add(1)
				}
			}
			return apiwatch.Event{}, nil
		}
		return apiwatch.Event{Type: eventType, Object: kept}, nil

	default:
		return apiwatch.Event{}, &malformedError{"an unknown type of event"}
	}
}
