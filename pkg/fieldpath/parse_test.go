package fieldpath

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func compile(t testing.TB, expr string) *Path {
	t.Helper()
	path, err := Compile(expr)
	require.NoError(t, err)
	return path
}

func TestSpellings(t *testing.T) {
	for sentence, spellings := range map[string][]string{
		"the whole object": {"*", "$", ".", "{*}", "{.}", "{$}", ".*", "$.*"},
		"keys": {
			"spec.replicas", ".spec.replicas", "$.spec.replicas", "{spec.replicas}", "{.spec.replicas}", "{$.spec.replicas}",
			"['spec']['replicas']", "$['spec'][\"replicas\"]", ".['spec'].replicas", "spec.['replicas']",
		},
		"a key with a hyphen":                {"data.important-key", `data.important\-key`, "data['important-key']"},
		"a key with dots":                    {`data.app\.properties`, "data['app.properties']", `data["app.properties"]`, `data['app\.properties']`},
		"a key with a slash and dots":        {`metadata.labels.app\.kubernetes\.io/name`, "metadata.labels['app.kubernetes.io/name']"},
		"a key with a quote":                 {`data["it's"]`, `data['it\'s']`, `data.it\'s`},
		"a key with a backslash":             {`data['a\\b']`, `data.a\\b`},
		"a key that reads like a modifier":   {`data['@this']`, `data.\@this`},
		"a key that reads like a literal":    {`data['!true']`, `data.\!true`},
		"a key that reads like a wildcard":   {`data['*']`, `data.\*`},
		"a key with a dollar in front":       {"data.$patch", "data['$patch']"},
		"a key with characters of filters":   {"data.a=b<c>d%e!f&g", "data['a=b<c>d%e!f&g']"},
		"a key with a brace":                 {"data['{a}']", `data.\{a\}`},
		"a key that is not ASCII":            {"data.größe", "data['größe']"},
		"an index":                           {"spec.containers[0].image", "spec.containers.0.image"},
		"a key of digits that is no index":   {"data['0']", `data["0"]`},
		"a key of digits, zeros in front":    {"data['007']", "data.007"},
		"every element":                      {"spec.containers[*].image", "spec.containers.#.image", "{.spec.containers[*].image}"},
		"a filter that takes all matches":    {`c[?(@.name=="web")].image`, `c[?(@.name=='web')].image`, `c[?( @.name == "web" )].image`, `c[?(@['name']=="web")].image`, `c.#(name=="web")#.image`, `c.#( name == 'web' )#.image`},
		"a filter that takes the first":      {`c.#(name=="web").image`, `c.#(["name"]=="web").image`},
		"a filter by a nested field":         {`c[?(@.a.b[0].d>=80)]`, `c.#(a.b.0.d>=80)#`, `c[?(@.a['b'].0.d >= 80)]`},
		"a filter by the element":            {`c[?(@=="x")]`, `c.#(=="x")#`},
		"a filter by existence":              {`c[?(@.name)]`, `c.#(name)#`},
		"a filter by a key full of specials": {`c[?(@['a.b=(c)|"']==1)]`, `c[?(@.a\.b\=\(c\)\|\"==1)]`},
	} {
		t.Run(sentence, func(t *testing.T) {
			want := compile(t, spellings[0])
			assert.Equal(t, spellings[0], want.String())
			for _, spelling := range spellings {
				assert.Equal(t, want.steps, compile(t, spelling).steps, spelling)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for sentence, c := range map[string]struct {
		expr     string
		position int
		reason   string
	}{
		"an empty path":                         {``, 0, "empty"},
		"empty braces":                          {`{}`, 1, "empty"},
		"nothing after the root":                {`$.`, 1, "no key after the dot"},
		"a dot at the end":                      {`spec.`, 4, "no key after the dot"},
		"two dots":                              {`spec..image`, 5, "any depth"},
		"two dots at the start":                 {`..image`, 1, "any depth"},
		"two dots after the root":               {`$..image`, 2, "any depth"},
		"a modifier":                            {`@this`, 0, "modifiers"},
		"a modifier after a dot":                {`spec.@reverse`, 5, "modifiers"},
		"a modifier after the root":             {`$.@pretty:{"a":1}`, 2, "modifiers"},
		"a multipath of an object":              {`{a,b}`, 2, "several paths"},
		"a multipath with names":                {`{"x":a}`, 1, "quotes"},
		"a multipath after a dot":               {`spec.{a,b}`, 5, "multipaths"},
		"a multipath of a list":                 {`[a,b]`, 1, "between the brackets"},
		"a multipath of a list after a dot":     {`spec.[a,b]`, 6, "between the brackets"},
		"a union of keys":                       {`data['a','b']`, 8, "several paths"},
		"paths with a comma":                    {`spec.a,spec.b`, 6, "several paths"},
		"a literal":                             {`!"x"`, 0, "literals"},
		"a literal after a dot":                 {`spec.!true`, 5, "literals"},
		"a wildcard for any characters":         {`spec.im*`, 7, "wildcards"},
		"a wildcard for a whole key":            {`spec.*`, 5, "wildcards"},
		"a wildcard for one character":          {`spec.imag?`, 9, "wildcards"},
		"a pipe":                                {`spec|image`, 4, "pipes"},
		"a hash inside a key":                   {`spec.a#b`, 6, "#"},
		"a hash before a key":                   {`spec.#b`, 5, "#"},
		"the old query of gjson":                {`spec.#[name=="x"]`, 7, "between the brackets"},
		"a space in a key":                      {`spec.a b`, 6, "space"},
		"a space at the end":                    {`spec `, 4, "space"},
		"quotes without brackets":               {`data.'a.b'`, 5, "quotes"},
		"an opening brace alone":                {`{spec`, 0, "{ without }"},
		"a closing brace alone":                 {`spec}`, 4, "} without {"},
		"braces around a part":                  {`{spec}.a`, 0, "{ without }"},
		"an opening bracket alone":              {`spec[`, 4, "[ without ]"},
		"an index without an end":               {`spec[0`, 4, "[ without ]"},
		"every element without an end":          {`spec[*`, 4, "[ without ]"},
		"a closing bracket alone":               {`spec]`, 4, "] without ["},
		"parentheses":                           {`spec(a)`, 4, "filter"},
		"a closing parenthesis":                 {`spec)`, 4, ") without ("},
		"empty brackets":                        {`spec[]`, 5, "between the brackets"},
		"a key in brackets without quotes":      {`spec[a]`, 5, "between the brackets"},
		"an empty key":                          {`spec['']`, 5, "empty"},
		"quotes without an end":                 {`spec['a]`, 5, "no end"},
		"something after the quotes":            {`spec['a'b]`, 8, "expected ]"},
		"an index from the end":                 {`spec[-1]`, 5, "start of the list"},
		"an index with a zero in front":         {`spec[01]`, 5, "nine digits"},
		"an index beyond all lists":             {`spec[1234567890]`, 5, "nine digits"},
		"a slice":                               {`spec[0:2]`, 6, "slices"},
		"a key after a bracket without a dot":   {`spec[0]a`, 7, "a dot"},
		"a backslash at the end":                {`spec.a\`, 6, "backslash"},
		"a backslash before a letter":           {`spec.a\n`, 6, "backslash"},
		"a backslash before a letter in quotes": {`spec['a\n']`, 7, "backslash"},
		"a backslash at the end in quotes":      {`spec['a\`, 7, "backslash"},
		"a backslash at the end in braces":      {`{a\}`, 2, "backslash"},
		"a control character":                   {"spec.a\nb", 6, "control"},
		"a zero byte":                           {"spec.a\x00", 6, "control"},
		"bytes that are not UTF-8":              {"spec.a\xffb", 6, "UTF-8"},
		"a question mark alone":                 {`c[?]`, 3, "("},
		"a filter without parentheses":          {`c[?@.a==1]`, 3, "("},
		"an empty filter":                       {`c[?()]`, 4, "@"},
		"an empty filter of gjson":              {`c.#()`, 3, "empty"},
		"a filter of the element alone":         {`c[?(@)]`, 3, "empty"},
		"a filter without @":                    {`c[?(name=="x")]`, 4, "@"},
		"a filter without a key":                {`c[?(@.=="x")]`, 6, "a key"},
		"a filter with two dots":                {`c[?(@..a=="x")]`, 6, "any depth"},
		"a filter without a value":              {`c[?(@.a==)]`, 9, "expected a text"},
		"a filter with a bare word":             {`c[?(@.a==web)]`, 9, "expected a text"},
		"a filter with null":                    {`c[?(@.a==null)]`, 9, "expected a text"},
		"a filter with half a number":           {`c[?(@.a==1e)]`, 9, "expected a text"},
		"a filter by a regular expression":      {`c[?(@.a=~"x")]`, 8, "expected a text"},
		"a filter by a pattern without quotes":  {`c[?(@.a%3)]`, 8, "a pattern in quotes"},
		"a pattern with three wildcards":        {`c[?(@.a%"*x*y*")]`, 8, "no more than two *"},
		"a pattern with three, none at an end":  {`c.#(a!%'a*?*b**c')`, 7, "no more than two *"},
		"a pattern with three after literal *":  {`c[?(@.a%'\\**\\**\\**')]`, 8, "no more than two *"},
		"a filter with a conversion":            {`c[?(@.a==~true)]`, 9, "expected a text"},
		"a filter with a quoted conversion":     {`c[?(@.a=="~true")]`, 9, "~"},
		"a filter with quotes without an end":   {`c[?(@.a=="x)]`, 9, "no end"},
		"a filter with a bad escape":            {`c[?(@.a=="\n")]`, 10, "backslash"},
		"a filter with an unknown operator":     {`c[?(@.a !5)]`, 8, "operator"},
		"a filter with two conditions":          {`c[?(@.a==1 && @.b==2)]`, 11, "expected )"},
		"a filter without an end":               {`c[?(@.a==1`, 3, "( without )"},
		"a filter without a bracket":            {`c[?(@.a==1)`, 1, "[ without ]"},
		"a filter of gjson without an end":      {`c.#(a==1`, 3, "( without )"},
		"a filter inside a filter":              {`c.#(a.#(b==1))`, 6, "#"},
		"a filter over every element":           {`c[?(@.a[*]==1)]`, 8, "between the brackets"},
		"a filter with an open bracket":         {`c[?(@.a['b'`, 7, "[ without ]"},
		"a filter with a modifier":              {`c[?(@.@this==1)]`, 6, "modifiers"},
		"a filter with a modifier, as gjson":    {`c.#(@this==1)`, 4, "modifiers"},
		"a filter by a key ending in a space":   {`c[?(@['a ']==1)]`, 5, "space"},
		"a filter by an escaped space":          {`c[?(@.a\ ==1)]`, 5, "space"},
		"a filter of gjson by an escaped space": {`c.#(a\ ==1)`, 4, "space"},
		"something after a filter of gjson":     {`c.#(a==1)b`, 9, "a dot"},
	} {
		t.Run(sentence, func(t *testing.T) {
			path, err := Compile(c.expr)
			assert.Nil(t, path)
			var syntax *SyntaxError
			require.True(t, errors.As(err, &syntax), "%v", err)
			assert.Equal(t, c.expr, syntax.Path)
			assert.Equal(t, c.position, syntax.Position, syntax.Reason)
			assert.Contains(t, syntax.Reason, c.reason)
		})
	}
}

func TestAPatternMayHaveTwoWildcards(t *testing.T) {
	for _, pattern := range []string{"*", "*x*", "**x***", "a*b*c", "?*?*?", `a\\*b\\*c\\*d`} {
		_, err := Compile(`c[?(@.a%"` + pattern + `")]`)
		assert.NoError(t, err, pattern)
	}
	literal := []byte(`{"c":["a*b","ab","*"]}`)
	assert.Equal(t, compile(t, `c[?(@=="a*b")]`).Digest(literal), compile(t, `c[?(@%"a\\*b")]`).Digest(literal))
}

func TestSyntaxErrorNamesPathPositionAndReason(t *testing.T) {
	_, err := Compile("spec..image")
	assert.EqualError(t, err, `invalid field path "spec..image": at position 5: `+
		`no key between the dots; there is no search at any depth`)
}
