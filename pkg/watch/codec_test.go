package watch

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// keepNamed keeps objects whose name begins with "keep".
func keepNamed(_ apiwatch.EventType, o raw) *object {
	if !strings.HasPrefix(o.name, "keep") {
		return nil
	}
	return &object{ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: o.name, ResourceVersion: o.resourceVersion}}
}

func item(name, version string) string {
	return fmt.Sprintf(`{"metadata":{"name":%q,"namespace":"ns","resourceVersion":%q},"data":{"a":"b"}}`, name, version)
}

func event(eventType, object string) string {
	return fmt.Sprintf(`{"type":%q,"object":%s}`+"\n", eventType, object)
}

func TestDecodeList(t *testing.T) {
	for sentence, c := range map[string]struct {
		list  string
		page  page
		names []string
	}{
		"items come one by one, in order": {
			list:  `{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[` + item("a", "1") + `,` + item("b", "2") + `]}`,
			page:  page{resourceVersion: "7"},
			names: []string{"a", "b"},
		},
		"a page says how to go on": {
			list:  `{"metadata":{"resourceVersion":"7","continue":"token","remainingItemCount":3},"items":[` + item("a", "1") + `]}`,
			page:  page{resourceVersion: "7", next: "token"},
			names: []string{"a"},
		},
		"the metadata may come last": {
			list:  `{"items":[` + item("a", "1") + `],"metadata":{"resourceVersion":"7"}}`,
			page:  page{resourceVersion: "7"},
			names: []string{"a"},
		},
		"no items is an empty list": {list: `{"metadata":{"resourceVersion":"7"},"items":null}`, page: page{resourceVersion: "7"}},
		"an item that is no object has no name": {
			list:  `{"metadata":{},"items":[null,[1],"x",{"metadata":[]},` + item("a", "1") + `]}`,
			names: []string{"", "", "", "", "a"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			var names []string
			p, err := decodeList(strings.NewReader(c.list), func(o raw) { names = append(names, o.name) })
			require.NoError(t, err)
			require.Equal(t, c.page, p)
			require.Equal(t, c.names, names)
		})
	}
}

func TestDecodeListFailsWhereTheListIsCutOff(t *testing.T) {
	list := `{"metadata":{"resourceVersion":"7"},"items":[` + item("secret", "1") + `]}`
	for end := range len(list) {
		_, err := decodeList(strings.NewReader(list[:end]), func(raw) {})
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, list[:end])
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestDecodeListTakesNothingElseForAList(t *testing.T) {
	for _, answer := range []string{`{}`, `{"kind":"Status","status":"Success","code":200}`, `{"metadata":{"resourceVersion":"7"}}`} {
		_, err := decodeList(strings.NewReader(answer), func(raw) {})
		require.ErrorIs(t, err, errNoList, answer)
	}
}

// told is what a stream tells, as text.
func told(stream string, initial bool) (events []string, end error) {
	s := &eventStream{s: newSplitter(strings.NewReader(stream)), reduce: keepNamed, initial: initial}
	for {
		event, err := s.next()
		if err != nil {
			return events, err
		}
		switch o := event.Object.(type) {
		case *object:
			text := fmt.Sprintf("%s %s@%s", event.Type, o.Name, o.ResourceVersion)
			if o.Annotations[metav1.InitialEventsAnnotationKey] == "true" {
				text += " end of initial events"
			}
			events = append(events, text)
		case *metav1.Status:
			events = append(events, fmt.Sprintf("%s %d", event.Type, o.Code))
		}
	}
}

func TestEventStream(t *testing.T) {
	initialEnd := event("BOOKMARK", `{"metadata":{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}}`)
	for sentence, c := range map[string]struct {
		stream  string
		initial bool
		events  []string
	}{
		"referenced objects pass": {
			stream: event("ADDED", item("keep", "1")) + event("MODIFIED", item("keep", "2")) + event("DELETED", item("keep", "3")),
			events: []string{"ADDED keep@1", "MODIFIED keep@2", "DELETED keep@3"},
		},
		"the version of dropped events is told at the end": {
			stream: event("ADDED", item("keep", "1")) + event("MODIFIED", item("other", "2")) + event("DELETED", item("other", "3")),
			events: []string{"ADDED keep@1", "BOOKMARK @3"},
		},
		"a newer event makes the version of dropped ones needless": {
			stream: event("MODIFIED", item("other", "2")) + event("MODIFIED", item("keep", "3")),
			events: []string{"MODIFIED keep@3"},
		},
		"initial events come in no order, so that their versions say nothing": {
			stream: event("ADDED", item("other", "5")) + event("ADDED", item("keep", "1")) + event("ADDED", item("other", "4")),
			events: []string{"ADDED keep@1"}, initial: true,
		},
		"the end of the initial events is told": {
			stream: event("ADDED", item("other", "5")) + initialEnd + event("MODIFIED", item("other", "10")),
			events: []string{"BOOKMARK @9 end of initial events", "BOOKMARK @10"}, initial: true,
		},
		"an error passes": {stream: event("ERROR", `{"kind":"Status","code":410,"reason":"Expired"}`), events: []string{"ERROR 410"}},
		"but not before the list is whole: the Reflector is to list, then": {
			stream: event("ERROR", `{"kind":"Status","code":410,"reason":"Expired"}`), events: []string{"ERROR 500"}, initial: true,
		},
		"the object may come first":    {stream: `{"object":` + item("keep", "1") + `,"type":"ADDED"}`, events: []string{"ADDED keep@1"}},
		"unknown members are ignored":  {stream: `{"type":"ADDED","more":[{}],"object":` + item("keep", "1") + `}`, events: []string{"ADDED keep@1"}},
		"an object without a name":     {stream: event("ADDED", `{"metadata":{"resourceVersion":"4"}}`), events: []string{"BOOKMARK @4"}},
		"an object that is no object":  {stream: event("ADDED", `null`) + event("ADDED", item("keep", "1")), events: []string{"ADDED keep@1"}},
		"a bookmark tells its version": {stream: event("BOOKMARK", `{"metadata":{"resourceVersion":"9"}}`), events: []string{"BOOKMARK @9"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			events, end := told(c.stream, c.initial)
			require.ErrorIs(t, end, io.EOF)
			require.Equal(t, c.events, events)
		})
	}
}

func TestEventStreamEndsWithAnError(t *testing.T) {
	for sentence, c := range map[string]struct {
		stream    string
		malformed bool
	}{
		"where it is cut off":            {stream: event("ADDED", item("keep", "1")) + `{"type":"ADDED","object":{"secret`},
		"where an event is no object":    {stream: event("ADDED", item("keep", "1")) + `["secret"]`, malformed: true},
		"where a type is unknown":        {stream: event("ADDED", item("keep", "1")) + event("SECRET", `{}`), malformed: true},
		"where an error has no status":   {stream: event("ADDED", item("keep", "1")) + event("ERROR", `"secret"`), malformed: true},
		"where brackets do not fit":      {stream: event("ADDED", item("keep", "1")) + `{"type":"ADDED"]secret`, malformed: true},
		"where a key has no value":       {stream: event("ADDED", item("keep", "1")) + `{"type"}secret`, malformed: true},
		"where a member is not a member": {stream: event("ADDED", item("keep", "1")) + `{secret}`, malformed: true},
	} {
		t.Run(sentence, func(t *testing.T) {
			events, end := told(c.stream, false)
			require.Equal(t, []string{"ADDED keep@1"}, events)
			var malformed *malformedError
			require.Equal(t, c.malformed, errors.As(end, &malformed))
			require.NotContains(t, strings.ToLower(end.Error()), "secret")
		})
	}
}

func TestWhatPassesThroughAReflectorIsNeverPrinted(t *testing.T) {
	list := &objectList{}
	list.Items = append(list.Items, keepNamed(apiwatch.Added, raw{name: "keep", resourceVersion: "secret"}))
	require.Equal(t, "a list an object", fmt.Sprintf("%#v %v", list, list.Items[0]))
}

func FuzzEventStream(f *testing.F) {
	f.Add(event("ADDED", item("keep", "1"))+event("BOOKMARK", item("", "2")), true)
	f.Add(event("ERROR", `{"code":410}`), false)
	f.Add(`{"type":"ADDED","object":{"metadata":{"name":"keep","annotations":{"a":"\"}{"}}}}`, false)
	f.Add(`{"type":"MODIFIED","object":`+strings.Repeat("[", 100), false)
	f.Fuzz(func(t *testing.T, stream string, initial bool) {
		events, end := told(stream, initial)
		require.Error(t, end)
		require.LessOrEqual(t, len(events), strings.Count(stream, "{")+1)
	})
}

func FuzzDecodeList(f *testing.F) {
	f.Add(`{"metadata":{"resourceVersion":"7"},"items":[` + item("a", "1") + `]}`)
	f.Add(`{"items":null,"metadata":{}}`)
	f.Add(`{"items":[{"metadata":{"name":"\ud800"}},{},[`)
	f.Fuzz(func(t *testing.T, list string) {
		items := 0
		_, err := decodeList(strings.NewReader(list), func(raw) { items++ })
		if err != nil {
			require.NotEmpty(t, err.Error())
		}
		require.LessOrEqual(t, items, len(list))
	})
}
