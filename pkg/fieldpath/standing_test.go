package fieldpath

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

const workerNode = `{"kind":"Node","metadata":{"name":"worker-1","uid":"u1","resourceVersion":"1","generation":1,` +
	`"creationTimestamp":"2026-01-01T00:00:00Z","selfLink":"/a","managedFields":[{"manager":"m1","time":"t1"}],` +
	`"annotations":{"team":"a","kubectl.kubernetes.io/last-applied-configuration":"{1}"}},` +
	`"spec":{"generation":1,"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{2}"}},` +
	`"status":{"conditions":[{"type":"Ready","status":"True","lastHeartbeatTime":"h1","lastProbeTime":"p1","lastTransitionTime":"x1"}],` +
	`"lastHeartbeatTime":"h2","phase":"Up"}}`

func TestWhatIsNobodysChange(t *testing.T) {
	for field, c := range map[string]struct {
		edit edit
		// by are paths that select the field by name, or something inside it.
		by []string
		// within are paths that select something around it.
		within []string
	}{
		"resourceVersion": {edit{`"resourceVersion":"1"`, `"resourceVersion":"2"`},
			[]string{"metadata.resourceVersion", "metadata['resourceVersion']"}, []string{"*", "metadata", "metadata[*]"}},
		"generation": {edit{`"generation":1`, `"generation":2`},
			[]string{"metadata.generation"}, []string{"*", "metadata", "metadata[*]", "spec.generation"}},
		"uid": {edit{`"u1"`, `"u2"`},
			[]string{"metadata.uid"}, []string{"*", "metadata"}},
		"creationTimestamp": {edit{`2026-01-01`, `2026-01-02`},
			[]string{"metadata.creationTimestamp"}, []string{"*", "metadata"}},
		"selfLink": {edit{`"/a"`, `"/b"`},
			[]string{"metadata.selfLink"}, []string{"*", "metadata"}},
		"managedFields": {edit{`"m1"`, `"m2"`},
			[]string{"metadata.managedFields", "metadata.managedFields[*]", "metadata.managedFields[0].manager"}, []string{"*", "metadata"}},
		"last-applied-configuration": {edit{`"{1}"`, `"{3}"`},
			[]string{"metadata.annotations['kubectl.kubernetes.io/last-applied-configuration']"},
			[]string{"*", "metadata", "metadata.annotations", "metadata.annotations[*]", "metadata.annotations.team"}},
		"lastHeartbeatTime": {edit{`"h1"`, `"h3"`},
			[]string{"status.conditions[*].lastHeartbeatTime", `status.conditions[?(@.type=="Ready")].lastHeartbeatTime`},
			[]string{"*", "status", "status.conditions", "status.conditions[*]", "status.conditions[0]", "status.conditions[*][*]",
				`status.conditions[?(@.type=="Ready")]`, `status.conditions.#(type=="Ready")`, "[*]"}},
		"lastProbeTime": {edit{`"p1"`, `"p3"`},
			[]string{"status.conditions[0].lastProbeTime"},
			[]string{"*", "status", "status.conditions", "status.conditions[*]", "status.conditions[0]"}},
		"creation of resourceVersion": {edit{`"resourceVersion":"1",`, ``},
			[]string{"metadata.resourceVersion"}, []string{"*", "metadata"}},
		"creation of lastProbeTime": {edit{`"lastProbeTime":"p1",`, ``},
			[]string{"status.conditions[*].lastProbeTime"}, []string{"*", "status.conditions"}},
		"a key spelled with escapes": {edit{`"resourceVersion":"1"`, `"resource\u0056ersion":"2"`},
			[]string{"metadata.resourceVersion"}, []string{"*", "metadata"}},
	} {
		t.Run(field, func(t *testing.T) {
			changed := []byte(c.edit.apply(t, workerNode))
			for _, expr := range c.by {
				path := compile(t, expr)
				assert.NotEqual(t, path.Digest([]byte(workerNode)), path.Digest(changed), expr)
			}
			for _, expr := range c.within {
				path := compile(t, expr)
				assert.False(t, path.Digest(changed).IsAbsent(), expr)
				assert.Equal(t, path.Digest([]byte(workerNode)), path.Digest(changed), expr)
			}
		})
	}
}

func TestAnItemOfAListReadsAsAnEventOfAWatch(t *testing.T) {
	event := []byte(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"},"data":{"kind":"x"}}`)
	item := []byte(`{"metadata":{"name":"a"},"data":{"kind":"x"}}`)
	for _, expr := range []string{"*", "[*]", "kind", "apiVersion", "data", "data.kind"} {
		path := compile(t, expr)
		assert.Equal(t, path.Digest(event), path.Digest(item), expr)
	}
	assert.True(t, compile(t, "kind").Digest(event).IsAbsent())
	assert.False(t, compile(t, "data.kind").Digest(event).IsAbsent())
}

func TestTheSameNamesElsewhereCount(t *testing.T) {
	for name, e := range map[string]edit{
		"generation in spec":                  {`"spec":{"generation":1`, `"spec":{"generation":2`},
		"last-applied-configuration in spec":  {`"{2}"`, `"{3}"`},
		"lastHeartbeatTime in status":         {`"h2"`, `"h3"`},
		"another annotation":                  {`"team":"a"`, `"team":"b"`},
		"lastTransitionTime of a condition":   {`"x1"`, `"x2"`},
		"the status of a condition":           {`"True"`, `"False"`},
		"the name":                            {`worker-1`, `worker-2`},
		"an element of conditions, no object": {`"conditions":[`, `"conditions":["lastProbeTime",`},
	} {
		t.Run(name, func(t *testing.T) {
			path := compile(t, "*")
			assert.NotEqual(t, path.Digest([]byte(workerNode)), path.Digest([]byte(e.apply(t, workerNode))))
		})
	}
	for name, pair := range map[string][2]string{
		"metadata that is no object":       {`{"metadata":["uid"]}`, `{"metadata":["uid",1]}`},
		"metadata in a list":               {`{"items":[{"metadata":{"uid":"1"}}]}`, `{"items":[{"metadata":{"uid":"2"}}]}`},
		"annotations that are no object":   {`{"metadata":{"annotations":1}}`, `{"metadata":{"annotations":2}}`},
		"conditions that are no list":      {`{"status":{"conditions":{"lastProbeTime":1}}}`, `{"status":{"conditions":{"lastProbeTime":2}}}`},
		"status that is no object":         {`{"status":"lastProbeTime"}`, `{"status":"x"}`},
		"generation in a ConfigMap's data": {`{"data":{"generation":"1"}}`, `{"data":{"generation":"2"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			path := compile(t, "*")
			assert.NotEqual(t, path.Digest([]byte(pair[0])), path.Digest([]byte(pair[1])))
		})
	}
}

func TestTheFirstApplyIsNoChange(t *testing.T) {
	const (
		created   = `{"metadata":{"name":"a"},"data":{}}`
		applied   = `{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}"},"name":"a"},"data":{}}`
		emptied   = `{"metadata":{"annotations":{},"name":"a"},"data":{}}`
		annotated = `{"metadata":{"annotations":{"a":"b"},"name":"a"},"data":{}}`
	)
	for _, expr := range []string{"*", "metadata", "metadata.annotations", "metadata.annotations[*]", "metadata[*]", "[*]"} {
		path := compile(t, expr)
		want := path.Digest([]byte(created))
		assert.Equal(t, want, path.Digest([]byte(applied)), expr)
		assert.Equal(t, want, path.Digest([]byte(emptied)), expr)
		assert.NotEqual(t, want, path.Digest([]byte(annotated)), expr)
	}
	assert.True(t, compile(t, "metadata.annotations").Digest([]byte(applied)).IsAbsent())
	named := compile(t, "metadata.annotations['kubectl.kubernetes.io/last-applied-configuration']")
	assert.False(t, named.Digest([]byte(applied)).IsAbsent())
}

func TestACreationTimeOfNullIsNone(t *testing.T) {
	// One Deployment as API servers up to 1.33 write it, and as those from 1.34 on do.
	const (
		to133   = `{"metadata":{"name":"web"},"spec":{"template":{"metadata":{"creationTimestamp":null,"labels":{"a":"b"}},"spec":{}}}}`
		from134 = `{"metadata":{"name":"web"},"spec":{"template":{"metadata":{"labels":{"a":"b"}},"spec":{}}}}`
	)
	for _, pair := range [][2]string{
		{to133, from134},
		{`{"spec":{"jobTemplate":{"metadata":{"creationTimestamp":null}}}}`, `{"spec":{"jobTemplate":{"metadata":{}}}}`},
		{`{"spec":{"volumeClaimTemplates":[{"metadata":{"creationTimestamp":null}}]}}`, `{"spec":{"volumeClaimTemplates":[{"metadata":{}}]}}`},
		{`{"metadata":{"creationTimestamp":null}}`, `{"metadata":{}}`},
	} {
		for _, expr := range []string{
			"*", "[*]", "metadata", "metadata.creationTimestamp", "spec", "spec[*]", "spec.template", "spec['template'][*]",
			"spec.template.metadata", "spec.template.metadata[*]", "spec.template.metadata.creationTimestamp", "spec.jobTemplate.metadata",
			"spec.volumeClaimTemplates", "spec.volumeClaimTemplates[*]", "spec.volumeClaimTemplates[0].metadata",
			"spec.volumeClaimTemplates[*].metadata", "spec.volumeClaimTemplates[?(@.metadata)].metadata",
		} {
			path := compile(t, expr)
			assert.Equal(t, path.Digest([]byte(pair[0])), path.Digest([]byte(pair[1])), expr)
		}
	}
	for name, pair := range map[string][2]string{
		"a creation time that is one":         {`{"spec":{"metadata":{"creationTimestamp":"1"}}}`, `{"spec":{"metadata":{"creationTimestamp":"2"}}}`},
		"null elsewhere":                      {`{"spec":{"creationTimestamp":null}}`, `{"spec":{}}`},
		"null deeper in metadata":             {`{"metadata":{"a":{"creationTimestamp":null}}}`, `{"metadata":{"a":{}}}`},
		"another member of a template's null": {`{"spec":{"metadata":{"labels":null}}}`, `{"spec":{"metadata":{}}}`},
	} {
		path := compile(t, "*")
		assert.NotEqual(t, path.Digest([]byte(pair[0])), path.Digest([]byte(pair[1])), name)
	}
}
