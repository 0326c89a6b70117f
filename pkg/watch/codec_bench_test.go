package watch

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// BenchmarkEvent measures one event of a ConfigMap of 4 KB on its way from the wire to its digests.
func BenchmarkEvent(b *testing.B) {
	engine, err := New(Options{Config: &rest.Config{Host: "http://127.0.0.1:1"}, OnChange: func(types.NamespacedName) {}})
	require.NoError(b, err)
	engine.Set(named("owner"), []Reference{refer(b, configMaps, "ns", "watched", "data.a")})
	for name, object := range map[string]string{"referenced": "watched", "not referenced": "other"} {
		b.Run(name, func(b *testing.B) {
			line := event("MODIFIED", strings.Replace(item(object, "1"), `"a":"b"`, `"a":"`+strings.Repeat("x", 4000)+`"`, 1))
			stream := &eventStream{s: newSplitter(&endless{text: line}), reduce: engine.kinds[configMaps].reduce, dropped: &engine.counts.dropped}
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := stream.decode(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// endless repeats a text.
type endless struct {
	text string
	at   int
}

var _ io.Reader = (*endless)(nil)

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	return n, nil
}
