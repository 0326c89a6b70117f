package watch

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
	"github.com/nusnewob/kube-changejob/test/apiserver"
)

func TestAChangeWakesThoseWhosePathItChanges(t *testing.T) {
	onEachServer(t, func(t *testing.T, server *apiserver.Server) {
		namespace := server.Namespace(t)
		create(t, server, configMap(namespace, "watched", "a", "1", "b", "1"))
		p := startEngine(t, server.Config)
		p.Set(named("a"), []Reference{refer(t, configMaps, namespace, "watched", "data.a")})
		p.Set(named("b"), []Reference{refer(t, configMaps, namespace, "watched", "data.b")})
		p.eventuallyState(named("b"), Synced)
		before := p.eventuallyState(named("a"), Synced)
		require.True(t, before.Exists)
		require.Equal(t, []fieldpath.Digest{digest(t, "data.a", `{"data":{"a":"1"}}`)}, before.Digests)
		wakeups := p.wakeups(named("b"))

		put(t, server, configMap(namespace, "watched", "a", "2", "b", "1"))
		want := digest(t, "data.a", `{"data":{"a":"2"}}`)
		p.eventually(named("a"), func(o Observation) bool { return o.Digests[0] == want })
		require.Equal(t, wakeups, p.wakeups(named("b")))
	})
}
