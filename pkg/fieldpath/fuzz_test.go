package fieldpath

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/rand"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var seedPaths = []string{
	"*", "spec.replicas", "spec.template.spec.containers[*].image", "data['app.properties']", `data.app\.properties`, "{.a[0].b}", "$.a.#.b",
	`a[?(@.name=="web")].image`, `a.#(name%"w*")#.b.#`, `a.#(b.0!=-1.5e3).c`, `a[?(@['x.y']<=true)][*][0]`, "metadata.annotations[*]",
	"[*][*]", "", "..", "@this", "!x", "{a,b}", "a|b", "a[", "a['", `a\`, "a[?(@.b==", "#", "#(", "#()#", "\xff", "a.#.#.#",
}

var seedObjects = []string{
	deployment, configMap, workerNode, `{"a":[{"name":"web","image":"i"},{"b":[1,{"c":null}]},[[1]],"x\u0061"]}`, `{}`, `[]`, `{`, `{"a":"}`,
	`{"a":{"a":{"a":[[[]]]}},"a":"\ud83d\ude00\/"}`, `{"":{"x.y":1e999}}`, "", `{"a":[1,2,3],"b":"{\"a\":1}"}`,
}

func FuzzCompile(f *testing.F) {
	for _, expr := range seedPaths {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		path, err := Compile(expr)
		if err != nil {
			var syntax *SyntaxError
			require.True(t, errors.As(err, &syntax))
			assert.Equal(t, expr, syntax.Path)
			assert.NotEmpty(t, syntax.Reason)
			assert.GreaterOrEqual(t, syntax.Position, 0)
			assert.LessOrEqual(t, syntax.Position, len(expr))
			return
		}
		assert.Equal(t, expr, path.String())
		// Nothing that gjson takes for more than keys and indexes gets through.
		for _, s := range path.steps {
			if s.move == get {
				assert.Regexp(t, bareKeys, escapes.ReplaceAllString(s.path, "k"), "%s of %s", s.path, expr)
			}
		}
	})
}

var (
	escapes  = regexp.MustCompile(`(?s)\\.`)
	bareKeys = regexp.MustCompile(`^[a-zA-Z0-9\x80-\x{10ffff}]+(\.[a-zA-Z0-9\x80-\x{10ffff}]+)*$`)
)

func FuzzDigest(f *testing.F) {
	for i, expr := range seedPaths {
		f.Add(expr, []byte(seedObjects[i%len(seedObjects)]))
	}
	f.Fuzz(func(t *testing.T, expr string, object []byte) {
		path, err := Compile(expr)
		if err != nil {
			return
		}
		before := slices.Clone(object)
		digest := path.Digest(object)
		assert.Equal(t, digest, path.Digest(object), "not the same twice")
		assert.Equal(t, before, object, "the object was changed")
		members := map[string]json.RawMessage{}
		if json.Unmarshal(object, &members) != nil || string(object) == "null" {
			assert.True(t, digest.IsAbsent(), "a digest of what is no object")
		} else if len(path.steps) == 0 {
			assert.False(t, digest.IsAbsent(), "no digest of an object")
		}
		spaced := slices.Concat([]byte(" \n"), object, []byte("\t\r"))
		assert.Equal(t, digest, path.Digest(spaced), "space around the object counts")
	})
}

func FuzzCanonical(f *testing.F) {
	for i, object := range seedObjects {
		f.Add([]byte(object), int64(i))
	}
	whole := compile(f, "*")
	f.Fuzz(func(t *testing.T, object []byte, seed int64) {
		value, ok := decode(object)
		if !ok {
			return
		}
		random := rand.New(rand.NewSource(seed))
		digest := whole.Digest(object)
		again := encode(value, random)
		require.Equal(t, digest, whole.Digest([]byte(again)), "%s", again)
		require.Equal(t, refDigest(value, nil), digest)

		// Another value, somewhere in it, is another digest.
		before := refCanonical(value, nil)
		if !vary(value, random) {
			return
		}
		after := refCanonical(value, nil)
		require.Equal(t, before == after, digest == whole.Digest([]byte(encode(value, random))), "%s and %s", before, after)
	})
}

// decode decodes an object whose texts are UTF-8 and in which no key occurs twice.
func decode(object []byte) (value map[string]any, ok bool) {
	decoder := json.NewDecoder(strings.NewReader(string(object)))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil || value == nil {
		return nil, false
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	// What has lost a key or a byte is shorter when it is written again.
	valid := strings.ToValidUTF8(string(object), "") == string(object)
	return value, valid && countTokens(object) == countTokens([]byte(encode(value, rand.New(rand.NewSource(0)))))
}

func countTokens(object []byte) int {
	decoder := json.NewDecoder(strings.NewReader(string(object)))
	decoder.UseNumber()
	for count := 0; ; count++ {
		if _, err := decoder.Token(); err != nil {
			return count
		}
	}
}

// vary changes one value in an object; it returns false if there is none to change.
func vary(object map[string]any, random *rand.Rand) bool {
	if len(object) == 0 {
		return false
	}
	key := pick(random, slices.Sorted(maps.Keys(object))...)
	switch value := object[key].(type) {
	case map[string]any:
		if vary(value, random) {
			return true
		}
		object[key] = []any{}
	case []any:
		object[key] = append(value, nil)
	case string:
		object[key] = pick[any](random, value+"x", value+`"`, value+"\x00", value+" ", []any{value})
	case json.Number:
		object[key] = pick[any](random, value+"1", value.String())
	case nil:
		if random.Intn(2) == 0 {
			delete(object, key)
			return true
		}
		object[key] = "null"
	default:
		object[key] = nil
	}
	return true
}
