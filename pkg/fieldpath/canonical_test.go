package fieldpath

import (
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheDigestIsThatOfCanonicalJSON(t *testing.T) {
	for sentence, c := range map[string]struct{ path, object, canonical string }{
		"a number, as written":            {"a", `{"a": 1.50e+03 }`, `1.50e+03`},
		"a text":                          {"a", `{"a":"b"}`, `"b"`},
		"a truth":                         {"a", `{"a":true}`, `true`},
		"nothing, which is a value":       {"a", `{"a":null}`, `null`},
		"an empty list and an empty one":  {"a", `{"a":[ [ ] , { } ]}`, `[[],{}]`},
		"keys, sorted":                    {"a", `{"a":{"b":1,"a":2,"":3,"ab":4,"B":5}}`, `{"":3,"B":5,"a":2,"ab":4,"b":1}`},
		"a key that occurs twice":         {"a", `{"a":{"b":1,"a":2,"b":0}}`, `{"a":2,"b":1,"b":0}`},
		"the first of two keys":           {"a", `{"a":1,"a":2}`, `1`},
		"space between anything":          {"*", " {\n\t\"b\" : [ 1 , 2 ] ,\r\n \"a\" : { } } ", `{"a":{},"b":[1,2]}`},
		"space in texts":                  {"a", `{"a":" b  c "}`, `" b  c "`},
		"letters that were escaped":       {"a", `{"a":"\u0061\u00e9\u20ac\/"}`, `"aé€/"`},
		"HTML that was escaped":           {"a", `{"a":"\u003ca\u003e\u0026"}`, `"<a>&"`},
		"line separators":                 {"a", `{"a":"\u2028\u2029"}`, "\"\u2028\u2029\""},
		"escapes that JSON demands":       {"a", `{"a":"\"\\\b\f\n\r\t"}`, `"\"\\\b\f\n\r\t"`},
		"the same, spelled by number":     {"a", `{"a":"\u0022\u005C\u0008\u000c\u000A\u000d\u0009"}`, `"\"\\\b\f\n\r\t"`},
		"control characters":              {"a", `{"a":"\u0000\u001F\u007f"}`, "\"\\u0000\\u001f\x7f\""},
		"a pair of surrogates":            {"a", `{"a":"\ud83d\uDE00"}`, `"😀"`},
		"half a pair of surrogates":       {"a", `{"a":"\ud83d"}`, "\"\ufffd\""},
		"the other half":                  {"a", `{"a":"\ude00x"}`, "\"\ufffdx\""},
		"half a pair before a letter":     {"a", `{"a":"\ud83d\u0061"}`, "\"\ufffda\""},
		"half a pair before another pair": {"a", `{"a":"\ud83d\ud83d\ude00"}`, "\"\ufffd😀\""},
		"half a pair before an escape":    {"a", `{"a":"\ud83d\n"}`, "\"\ufffd\\n\""},
		"a key that was escaped":          {"*", `{"b":1,"\u0061":2}`, `{"a":2,"b":1}`},
		"a key found though escaped":      {"a", `{"\u0061":2}`, `2`},
		"places":                          {"a[*].b", `{"a":[{"b":1},{},{"b":[2]}]}`, `(0:1,2:[2],)`},
		"places in places":                {"a[*].b[*]", `{"a":[{"b":[1]},{"b":[]},{"b":[2,3]}]}`, `(0:(0:1,),2:(0:2,1:3,),)`},
		"places in an object":             {"a[*]", `{"a":{"c":1,"b":2}}`, `("b":2,"c":1,)`},
		"places of matches":               {"a[?(@.b>1)].b", `{"a":[{"b":1},{"b":2},{"b":3}]}`, `(0:2,1:3,)`},
		"a first match":                   {"a.#(b>1).b", `{"a":[{"b":1},{"b":2},{"b":3}]}`, `2`},
		"a count":                         {"a.#", `{"a":[0,[1,2],{}]}`, `3`},
	} {
		t.Run(sentence, func(t *testing.T) {
			assert.Equal(t, Digest(sha256.Sum256([]byte(c.canonical))), compile(t, c.path).Digest([]byte(c.object)))
		})
	}
}

func TestDifferentValuesHaveDifferentDigests(t *testing.T) {
	seen := map[Digest]string{Absent: "nothing"}
	for _, value := range []string{
		`null`, `"null"`, `true`, `"true"`, `false`, `0`, `-0`, `0.0`, `"0"`, `1`, `"1"`, `1.0`, `1e0`, `10`, `""`, `" "`, `[]`, `{}`,
		`"[]"`, `"{}"`, `[[]]`, `[{}]`, `[null]`, `[1]`, `["1"]`, `[1,2]`, `[2,1]`, `[12]`, `["1,2"]`, `["1","2"]`, `["1\",\"2"]`, `[[1],2]`,
		`[1,[2]]`, `[[1,2]]`, `{"a":1}`, `{"a":"1"}`, `{"a":null}`, `{"a":{}}`, `{"b":1}`, `{"A":1}`, `{"a":1,"b":2}`, `{"a":2,"b":1}`,
		`{"a":{"b":2}}`, `{"a\":1,\"b":2}`, `"(0:1,)"`, `"a"`, `"A"`, `"\\u0061"`, `"\n"`, `"\\n"`, `"n"`, `"é"`, `"e\u0301"`,
	} {
		digest := compile(t, "v").Digest([]byte(`{"v":` + value + `}`))
		assert.NotContains(t, seen, digest, "%s and %s", value, seen[digest])
		seen[digest] = value
	}
}
