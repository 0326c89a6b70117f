package watch

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
)

// BenchmarkSelectedEvent measures, under the engine's lock, an event of a selected object in which everything changes that is looked at:
// by ten owners of as many references with as many fields as one may have, each reference with a `when` of its own.
func BenchmarkSelectedEvent(b *testing.B) {
	engine, err := New(Options{Config: &rest.Config{Host: "http://127.0.0.1:1"}, OnChange: func(types.NamespacedName) {}})
	require.NoError(b, err)
	for owner := range 10 {
		references := make([]Reference, 64)
		for i := range references {
			references[i] = selects(b, "app=web", "ns")
			references[i].Paths = nil
			for field := range 4 {
				references[i].Paths = append(references[i].Paths, path(b, fmt.Sprintf("data.f_%d_%d_%d", owner, i, field)))
			}
			references[i].When = mustCompileWhen(b, fmt.Sprintf("object.data.w_%d_%d == 'yes'", owner, i))
		}
		engine.Set(named(fmt.Sprint(owner)), references)
	}
	k := engine.kinds[configMaps]
	engine.update(func(wake wakeups) {
		k.answered(&resource{listable: true, watchable: true, namespaced: true}, NotSynced, nil, wake)
	})
	s := k.selections[scope{namespace: "ns", selector: "app=web"}]
	digests := [2][]fieldpath.Digest{make([]fieldpath.Digest, len(s.paths)), make([]fieldpath.Digest, len(s.paths))}
	for i, p := range s.paths {
		if digests[1][i] = (fieldpath.Digest{1}); p.when != nil {
			digests[0][i], digests[1][i] = resultDigest(1), resultDigest(1) // true before and after
		}
	}
	version := 0
	b.ReportAllocs()
	for b.Loop() {
		version++
		o := &object{paths: s.paths, digests: digests[version%2]}
		o.Namespace, o.Name, o.ResourceVersion = "ns", "one", strconv.Itoa(version)
		engine.update(func(wake wakeups) { s.event(o, true, wake) })
	}
}
