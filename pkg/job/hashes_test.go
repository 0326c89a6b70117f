package job

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// Computed by another program. A release must be able to read the Jobs of those before it.
func TestTheFormOfTheHashesIsFrozen(t *testing.T) {
	assert.Equal(t, "2ac13e92bf3e", shortID(place{config, "data.a"}))
	assert.Equal(t, "1c4dbe976882", shortID(place{node, "*"}))

	selected := trigger.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Selection: "app=web"}
	assert.Equal(t, "af42681480af", shortID(place{selected, "data"}))

	r, ok := decodeHashes("*2ac13e92bf3e=v1-0a1b2c3d:00112233445566778899aabbccddeeff 1c4dbe976882=absent *5c3602a41a80=")
	require.True(t, ok)
	assert.Equal(t, record{
		"2ac13e92bf3e": {hash: "v1-0a1b2c3d:00112233445566778899aabbccddeeff", pending: true},
		"1c4dbe976882": {hash: "absent"},
		"5c3602a41a80": {pending: true},
	}, r)
}

func TestPlacesHaveShortIDsOfTheirOwn(t *testing.T) {
	alter := func(f func(*trigger.ObjectReference)) place {
		p := place{config, "data.a"}
		f(&p.object)
		return p
	}
	seen := map[string]place{}
	for _, p := range []place{
		{config, "data.a"}, {config, "data.b"}, {node, "data.a"},
		alter(func(o *trigger.ObjectReference) { o.APIVersion = "v2" }),
		alter(func(o *trigger.ObjectReference) { o.Kind = "Secret" }),
		alter(func(o *trigger.ObjectReference) { o.Namespace = "" }),
		alter(func(o *trigger.ObjectReference) { o.Namespace, o.Name = o.Name, o.Namespace }),
		alter(func(o *trigger.ObjectReference) { o.Namespace, o.Name = "defaultapp", "-config" }),
		alter(func(o *trigger.ObjectReference) { o.Name, o.Selection = "", "app=web" }),
		alter(func(o *trigger.ObjectReference) { o.Name, o.Selection = "app=web", "" }),
		alter(func(o *trigger.ObjectReference) { o.Name, o.Selection = "", "" }),
	} {
		id := shortID(p)
		assert.NotContains(t, seen, id, "%v and %v", p, seen[id])
		seen[id] = p
	}
}

func TestHashesThatNobodyOfOursWroteAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                       "",
		"a space":                       " ",
		"words":                         "hello world",
		"an id without a hash":          "2ac13e92bf3e",
		"an id of the wrong length":     "2ac13e92bf3ef=absent",
		"an id of other characters":     "zzzzzzzzzzzz=absent",
		"an id in capitals":             strings.ToUpper("2ac13e92bf3e") + "=absent",
		"no id":                         "=absent",
		"an id twice":                   "2ac13e92bf3e=absent 2ac13e92bf3e=absent",
		"an id twice, once pending":     "*2ac13e92bf3e=absent 2ac13e92bf3e=absent",
		"two spaces":                    "2ac13e92bf3e=absent  5c3602a41a80=absent",
		"a space at the end":            "2ac13e92bf3e=absent ",
		"neither hash nor star":         "2ac13e92bf3e=",
		"two stars":                     "**2ac13e92bf3e=absent",
		"a hash of odd characters":      "2ac13e92bf3e=<script>",
		"a hash too long for status":    "2ac13e92bf3e=" + strings.Repeat("a", 129),
		"a good entry and a bad one":    "2ac13e92bf3e=absent 5c3602a41a80",
		"JSON":                          `{"2ac13e92bf3e":"absent"}`,
		"a hash that holds the divider": "2ac13e92bf3e=a=b",
	} {
		t.Run(name, func(t *testing.T) {
			_, ok := decodeHashes(text)
			assert.False(t, ok)
		})
	}
}

func TestHashesOfTheLargestSpecStaySmall(t *testing.T) {
	c := &trigger.Creation{}
	long := trigger.ObjectReference{APIVersion: strings.Repeat("v", 317), Kind: strings.Repeat("K", 63),
		Namespace: strings.Repeat("n", 63), Name: strings.Repeat("o", 253)}
	var fields []string
	for i := range 256 {
		field := fmt.Sprintf("%0256d", i)
		fields = append(fields, field)
		c.Hashes = append(c.Hashes, trigger.TriggeredHash{Reference: long, Field: field, Hash: "v1-0a1b2c3d:00112233445566778899aabbccddeeff"})
	}
	c.Changed = []trigger.Change{{ObjectReference: long, Fields: fields}}
	text := encodeHashes(c)
	assert.LessOrEqual(t, len(text), 16<<10)
	r, ok := decodeHashes(text)
	assert.True(t, ok)
	assert.Len(t, r, 256)
}
