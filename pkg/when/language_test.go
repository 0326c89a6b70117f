package when

import (
	"regexp/syntax"
	"slices"
	"strings"
	"testing"

	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAnExpressionMakesNothingOfItsOwn(t *testing.T) {
	const lists, constants = "since it makes lists or maps", "may hold nothing but constants"
	for sentence, c := range map[string]struct{ expression, want string }{
		"a text of gigabytes":             {`'a'.replace('a', 'bbbb').replace('b', 'cccc').replace('c', 'dddd') == ''`, "replace is not offered here (line 1, column "},
		"of what an object has":           {`object.data.x.replace('a', object.data.y) == ''`, "replace is not offered here (line 1, column 22)"},
		"or of a list's texts":            {`object.data.list.join(object.data.y) == ''`, "join is not offered here"},
		"or written by a format":          {`'%s%s'.format(['a', 'b']) == 'ab'`, "format is not offered here"},
		"a long list":                     {`lists.range(1000).all(i, i > 0)`, "lists.range is not offered here"},
		"another list":                    {`object.l.map(x, x.name) == ['a']`, "map is not offered here, " + lists + " (line 1, column 13)"},
		"with an index":                   {`object.l.transformList(i, x, x) == ['a']`, "transformList is not offered here, " + lists},
		"another map":                     {`object.m.transformMap(k, v, v) == {}`, "transformMap is not offered here, " + lists},
		"a sorted list":                   {`object.l.sortBy(x, x.name)[0].name == 'a'`, "sortBy is not offered here, " + lists},
		"a name for a value":              {`object.?a.optMap(a, a + a).orValue('') == 'b'`, "optMap is not offered here, " + lists},
		"or for one that there may be":    {`object.?a.optFlatMap(a, a.?b).orValue('') == 'b'`, "optFlatMap is not offered here, " + lists},
		"a value that there may be":       {`optional.of(object.a).hasValue()`, "optional.of is not offered here"},
		"a list that holds itself twice":  {`[[1]].all(a, [[a, a]].all(b, [[b, b]].all(c, c == c)))`, constants + " (line 1, column"},
		"a list of what an object has":    {`object.a in [object.b, object.c]`, constants},
		"a map of it":                     {`{'a': object.b} == object.c`, constants},
		"or by it":                        {`{object.b: 1} == object.c`, constants},
		"every pair of two lists":         {`sets.intersects(object.a, object.b)`, "sets.intersects is not offered here"},
		"every place in a text":           {`object.a.indexOf(object.b) > 0`, "indexOf is not offered here"},
		"a pattern of the object's":       {`object.a.matches(object.b)`, "the pattern of matches must be written out (line 1, column 17)"},
		"or one that is put together":     {`object.a.find('a' + object.b) == ''`, "the pattern of find must be written out"},
		"a pattern that takes long":       {`object.a.matches('(.?){999}z')`, "the patterns are too large: repeat less often than {n} says"},
		"several that do so together":     {`object.a.find('.{400}') != '' && object.a.matches('.{400}') && object.a.find('.{400}') == ''`, "the patterns are too large"},
		"whose copies take memory":        {`object.a.matches('(' + '.' + '){999}')`, "the pattern of matches must be written out"},
		"every match in a text":           {`object.a.findAll('a(.*z)?').size() > 0`, "findAll is not offered here"},
		"a list of two":                   {`(object.l == [] ? [1] : [2]) + [3] == [1, 3]`, "+ of lists is not offered here"},
		"as a function":                   {`matches(object.a, '(.?){999}z')`, "the patterns are too large"},
		"what is left out inside another": {`object.l.exists(x, x.l.filter(y, y.replace('a', 'b') == '').size() > 0)`, "replace is not offered here"},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := Compile(c.expression)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestWhatALookAtAnObjectNeedsIsOffered(t *testing.T) {
	object := []byte(`{"l":[{"name":"a","n":1},{"name":"b","n":2}],"m":{"a":"1","b":"x"},"text":"a-b-c","q":"1500m","at":"2026-01-02T03:04:05Z","version":"1.2.3",` +
		`"url":"https://example.com/a","ip":"10.0.0.1","numbers":[1,2,3]}`)
	for sentence, expression := range map[string]string{
		"which of a list":          `object.l.filter(x, x.n > 1).size() == 1 && object.l.exists_one(x, x.name == 'a') && object.l.existsOne(i, x, i == 1 && x.name == 'b')`,
		"keys and values of a map": `object.m.exists(k, k == 'b') && object.m.all(k, v, v != '') && !has(object.m.c) && 'a' in object.m`,
		"constants":                `object.text in ['a', 'a-b-c'] && object.m == {'a': '1', 'b': 'x'} && object.numbers == [1, 2, 3] && -1 in [-1, 2] && [[1], [2]].size() == 2`,
		"texts":                    `object.text.split('-')[1] == 'b' && object.text.substring(2, 3) == 'b' && object.text.upperAscii().startsWith('A') && object.text + '!' == 'a-b-c!'`,
		"patterns":                 `object.text.matches('^[a-z](-[a-z]){2}$') && object.text.find('[b-z]') == 'b'`,
		"numbers":                  `int(object.m.a) + 1 == 2 && double(object.m.a) < 1.5 && object.numbers[0] * 3 - 1 == 2`,
		"of a list":                `object.numbers.sum() == 6 && object.numbers.max() == 3 && object.numbers.isSorted() && object.numbers.includes(2) && object.numbers.first().value() == 1 && object.numbers.last() != optional.none()`,
		"quantities":               `quantity(object.q).isLessThan(quantity('2')) && isQuantity('1e3') && !isQuantity('x')`,
		"words":                    `['hello', 'elephant', 'feature-flag', 'e', '1e', '5e99x'].all(w, !isQuantity(w)) && isQuantity('1e05') && isQuantity('1E')`,
		"times":                    `timestamp(object.at).getFullYear() == 2026 && timestamp(object.at) < timestamp('2027-01-01T00:00:00Z') && duration('1h') > duration('1m')`,
		"versions":                 `semver(object.version).isLessThan(semver('2.0.0'))`,
		"addresses":                `url(object.url).getHost() == 'example.com' && cidr('10.0.0.0/8').containsIP(object.ip)`,
		"what may be missing":      `object.?a.?b.orValue('c') == 'c' && object.?text.hasValue() && object.m[?'z'].orValue('') == '' && object.?a != optional.none() || true`,
	} {
		t.Run(sentence, func(t *testing.T) {
			e, err := Compile(expression)
			require.NoError(t, err)
			assert.Equal(t, True, e.Evaluate(object, deployments))
		})
	}
}

// Each of these took seconds to minutes, and up to gigabytes, before it was refused, or was not refused.
func TestWhatTakesTooMuchToCompileIsRefusedBefore(t *testing.T) {
	l, err := languageOnce()
	require.NoError(t, err)
	nested := func(depth int) string { return strings.Repeat("[", depth) + "1" + strings.Repeat("]", depth) }
	for sentence, c := range map[string]struct{ expression, want string }{
		"a macro that writes what it is called on twice": {`object.?a` + strings.Repeat(`.optMap(a,a)`, 60) + `.hasValue()`, "optMap is not offered here"},
		"and another":                   {`object.?a` + strings.Repeat(`.optFlatMap(a,a)`, 60) + `.hasValue()`, "optFlatMap is not offered here"},
		"a list of lists of lists":      {nested(240) + " == " + nested(240), "may be nested 8 deep at most"},
		"the same of a list of nothing": {strings.ReplaceAll(nested(240), "1", "") + " == []", "may be nested 8 deep at most"},
		"a map of maps of maps":         {`1 in ` + strings.Repeat("{1:", 240) + "1" + strings.Repeat("}", 240), "may be nested 8 deep at most"},
		"a list of maps of lists":       {`1 in ` + strings.Repeat("[{1:", 5) + "1" + strings.Repeat("}]", 5), "may be nested 8 deep at most"},
		"a pattern of a million dots":   {`object.a.matches('(` + strings.Repeat(".", 900) + `){999}')`, "the patterns are too large"},
		"a type of types":               {strings.Repeat("type(", 150) + "1" + strings.Repeat(")", 150) + " == type", "type may be asked for 8 times at most"},
		"keys that cannot be compared":  {`{b'a': 1} == {}`, "the keys of a map that is written out must be texts, whole numbers or booleans (line 1, column 1)"},
		"or have no order":              {`{[1]: 1, [2]: 2}.filter(k, true)[0] == [1]`, "the keys of a map that is written out must be"},
		"macros inside macros":          {strings.Repeat("[].filter(a,a==", 62) + "[]" + strings.Repeat(")", 62) + " == []", "macros, first and last may be nested 8 deep at most"},
		"a macro on a macro":            {"[[]]" + strings.Repeat(".filter(a, true)", 9) + " == []", "macros, first and last may be nested 8 deep at most"},
		"what may be of what may be":    {"[]" + strings.Repeat(".first()", 60) + " == []", "macros, first and last may be nested 8 deep at most"},
		"very many macros":              {strings.TrimSuffix(strings.Repeat("[].all(a,a)&&", 33), "&&"), "there may be 32 macros at most"},
		"cases of all characters":       {`object.a.matches('(?i)[` + strings.Repeat("B-\U0001e942", 80) + `]')`, "a pattern that ignores case may be of ASCII alone, written as it is"},
		"written by their numbers":      {`object.a.matches('(?s-m:(?Ui:[` + strings.Repeat(`B-\\x{1e942}`, 60) + `]))')`, "a pattern that ignores case may be of ASCII alone"},
		"very many letters":             {`object.a.matches('[` + strings.Repeat(`\\pL`, 200) + `]')`, "the patterns are too large"},
		"which repeats what repeats":    {`object.a.find('((.{10}){10}){10}') == ''`, "the patterns are too large"},
	} {
		t.Run(sentence, func(t *testing.T) {
			written, issues := l.bare.Parse(c.expression)
			require.NoError(t, issues.Err())
			require.ErrorContains(t, checkWritten(written, l.full.Macros()), c.want, "as it is written, before anything is made of it")
			_, err := Compile(c.expression)
			require.ErrorContains(t, err, c.want)
		})
	}
	for sentence, expression := range map[string]string{
		"lists that are nested less":              nested(8) + " == " + nested(8),
		"macros that are nested less":             strings.Repeat("[].filter(a,a==", 8) + "[]" + strings.Repeat(")", 8) + " == []",
		"many macros":                             strings.TrimSuffix(strings.Repeat("[].all(a,a)&&", 32), "&&"),
		"a pattern of other letters, and classes": `object.a.matches('^[à-ÿ]+ [\\p{Greek}\\pN]\\x{e9}(i|é)$') || object.a.matches('(?i)^debug$')`,
	} {
		_, err = Compile(expression)
		assert.NoError(t, err, sentence)
	}
}

// What an expression comes to without an object is found out when it is compiled.
func TestWhatTakesTooMuchWithoutAnObjectFails(t *testing.T) {
	list := func(length int) string { return "[" + strings.TrimSuffix(strings.Repeat("1,", length), ",") + "]" }
	e, err := Compile(list(20) + ".exists_one(a, " + list(20) + ".exists_one(b, " + list(20) + ".exists_one(c, " + list(20) + ".exists_one(d, " + list(340) + ".exists_one(e, false)))))")
	require.NoError(t, err)
	assert.Equal(t, Failed, e.Evaluate(nil, deployments))
}

func TestTheSizeOfAPattern(t *testing.T) {
	for pattern, most := range map[string]int{
		`^registry\.example\.com/`:                       30,
		`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`:                20,
		`^([a-z0-9]{1,63}\.){0,3}[a-z0-9]{1,63}$`:        800,
		`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$`: 60,
	} {
		assert.Less(t, instructionsOf(pattern), most, pattern)
	}
	assert.Greater(t, instructionsOf(`(.?){999}z`), maxInstructions)
	assert.Greater(t, instructionsOf(`\pL{20}`), maxInstructions, "each has hundreds of ranges of letters")
	assert.Zero(t, instructionsOf(`(`), "the compiler says that it is none")
	for _, pattern := range []string{
		`a`, `abc`, `(?i)abc`, `a|bc|d`, `[a-z]+`, `(a*b?c+){3}`, `a{2,5}`, `a{3,}`, `(a|b){0,9}`, `^\bx\B$`, `(?:ab){10}(c)`, `.*?x`, `(a{3}){4}`, ``, `(|a)*`, `a{0}`,
	} {
		parsed, err := syntax.Parse(pattern, syntax.Perl)
		require.NoError(t, err)
		compiled, err := syntax.Compile(parsed.Simplify())
		require.NoError(t, err)
		assert.GreaterOrEqual(t, instructionsOf(pattern)+1, len(compiled.Inst), pattern)
		assert.LessOrEqual(t, instructionsOf(pattern), 2*len(compiled.Inst)+2, pattern)
	}
	assert.Greater(t, instructionsOf(strings.Repeat("(.){999}", 10)), maxInstructions)
}

func TestEveryFunctionThatIsOfferedIsThere(t *testing.T) {
	l, err := languageOnce()
	require.NoError(t, err)
	p := &planner{env: l.full, prices: prices{}}
	for _, name := range callable {
		switch name {
		case operators.Conditional, operators.LogicalAnd, operators.LogicalOr, operators.Index, operators.OptIndex, operators.OptSelect, "or", "orValue":
			continue // CEL has no calls for them
		}
		if slices.Contains(searches, name) {
			continue
		}
		require.Contains(t, l.full.Functions(), name)
		_, err := p.implementation(name, "", nil)
		assert.NoError(t, err)
	}
}

// lookups counts what a map is asked for.
type lookups struct {
	traits.Mapper
	count int
}

func (l *lookups) Find(key ref.Val) (ref.Val, bool) {
	l.count++
	return l.Mapper.Find(key)
}

func TestALongTextIsNotLookedUp(t *testing.T) {
	inner := &lookups{Mapper: types.NewStringInterfaceMap(adapter{}, map[string]any{"a": int64(1), "name": int64(2)})}
	m := inOrder(inner).(traits.Mapper)
	for key, found := range map[string]bool{"name": true, "a": true, "b": false} {
		_, ok := m.Find(types.String(key))
		assert.Equal(t, found, ok, key)
	}
	before := inner.count
	_, ok := m.Find(types.String("names"))
	assert.False(t, ok)
	assert.True(t, types.IsError(m.Get(types.String("names"))))
	assert.Equal(t, types.False, m.Contains(types.String("names")))
	assert.Equal(t, before, inner.count, "no key is as long")
	assert.Equal(t, uint64(3), readable(map[string]any{"a": "long value", "abc": nil}).(*orderedMap).longest)
}

func TestWhatNobodyMadeToBeReadIsNotRead(t *testing.T) {
	of := func(item string, count int) string {
		return `{"a":[` + strings.TrimSuffix(strings.Repeat(item+",", count), ",") + `]}`
	}
	for sentence, c := range map[string]struct {
		object string
		want   Result
	}{
		"many maps":                    {of(`{}`, 40_000), True},
		"very many":                    {of(`{"":0}`, 60_000), Failed},
		"many lists":                   {of(`[]`, 40_000), True},
		"very many lists":              {of(`[]`, 60_000), Failed},
		"numbers that are almost none": {of(`1e-5`, 4000), True},
		"very many of them":            {of(`5e-324`, 10_000), Failed},
		"or so":                        {of(`5E-324`, 10_000), Failed},
		"that take long to be read":    {of(`1.00003700000000010476e300`, 6000), Failed},
		"words with the same letter":   {of(`true,false`, 30_000), True},
		"very many numbers":            {of(`0`, 110_000), Failed},
		"a long name":                  {`{"a":"` + strings.Repeat("a", 11_000) + `","` + strings.Repeat("a", 9_000) + `":"","b": 0}`, True},
		"a very long name":             {`{"b":[{"` + strings.Repeat("a", 11_000) + `" : 1}]}`, Failed},
		"what a text has in it":        {of(`"{{{{ \" 1e-1 {{{{"`, 10_000), True},
		"many numbers":                 {of(`-1`, 90_000), True},
	} {
		t.Run(sentence, func(t *testing.T) {
			e, err := Compile(`object.kind == 'Deployment'`)
			require.NoError(t, err)
			assert.Equal(t, c.want, e.Evaluate([]byte(c.object), deployments))
		})
	}
}
