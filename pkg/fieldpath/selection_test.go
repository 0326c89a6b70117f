package fieldpath

import (
	"crypto/sha256"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestThePathLeadsToTheseValues(t *testing.T) {
	const object = `{"apiVersion":"v1","kind":"Thing","metadata":{"name":"a","uid":"u","annotations":{}},
		"data":{"b":"\u0062","a":1},"list":[{"name":"x","image":"i1"},{"name":"y"},{"name":"z","image":"i3"}]}`
	for does, test := range map[string]struct {
		path string
		want []string
	}{
		"a key leads to its value, in canonical form":                {"data.b", []string{`"b"`}},
		"a container is one value, with its keys in order":           {"data", []string{`{"a":1,"b":"b"}`}},
		"what is nobody's change is left out of what contains it":    {"metadata", []string{`{"name":"a"}`}},
		"and is led to by a path that names it":                      {"metadata.uid", []string{`"u"`}},
		"what is as if it did not exist is not led to":               {"kind", nil},
		"nor is what does not exist":                                 {"data.c", nil},
		"nor what is below a text":                                   {"data.b.c", nil},
		"each element gives a value where the rest finds one":        {"list[*].image", []string{`"i1"`, `"i3"`}},
		"each member of an object does":                              {"data[*]", []string{"1", `"b"`}},
		"a filter gives what matches":                                {`list[?(@.name!="x")].name`, []string{`"y"`, `"z"`}},
		"a filter of gjson's gives the first that matches":           {`list.#(name!="x").name`, []string{`"y"`}},
		"the number of elements is a value":                          {"list.#", []string{"3"}},
		"a filter of an object finds nothing, as in a missing list":  {`data[?(@.name=="x")]`, nil},
		"the whole object is one value, without what nobody changes": {"*", []string{`{"data":{"a":1,"b":"b"},"list":[{"image":"i1","name":"x"},{"name":"y"},{"image":"i3","name":"z"}],"metadata":{"name":"a"}}`}},
	} {
		t.Run(does, func(t *testing.T) {
			var got []string
			for _, value := range compile(t, test.path).Values([]byte(object)) {
				got = append(got, string(value))
			}
			assert.Equal(t, test.want, got)
		})
	}
	assert.Empty(t, compile(t, "*").Values([]byte("nonsense")))
}

// FuzzValues checks that what people are shown is what counts: there are values where there is a digest, and a path
// without lists leads to the one value that the digest is of.
func FuzzValues(f *testing.F) {
	for i, expr := range seedPaths {
		f.Add(expr, []byte(seedObjects[i%len(seedObjects)]))
	}
	f.Fuzz(func(t *testing.T, expr string, object []byte) {
		path, err := Compile(expr)
		if err != nil {
			return
		}
		values, digest := path.Values(object), path.Digest(object)
		require.Equal(t, digest.IsAbsent(), len(values) == 0)
		if slices.ContainsFunc(path.steps, func(s step) bool { return s.move == each || s.move == matches }) || len(values) == 0 {
			return
		}
		require.Len(t, values, 1)
		assert.Equal(t, digest, Digest(sha256.Sum256(values[0])))
	})
}
