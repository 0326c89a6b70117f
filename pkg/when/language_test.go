package when

import (
	"strings"
	"testing"

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
		"several that do so together":     {`object.a.findAll('.{400}').size() > 0 && object.a.matches('.{400}') && object.a.find('.{400}') == ''`, "the patterns are too large"},
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
		"patterns":                 `object.text.matches('^[a-z](-[a-z]){2}$') && object.text.find('[b-z]') == 'b' && object.text.findAll('[a-z]', 2) == ['a', 'b'] && object.text.findAll('[a-z]').size() == 3`,
		"numbers":                  `int(object.m.a) + 1 == 2 && double(object.m.a) < 1.5 && object.numbers[0] * 3 - 1 == 2`,
		"quantities":               `quantity(object.q).isLessThan(quantity('2')) && isQuantity('1e3') && !isQuantity('x')`,
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
	assert.Greater(t, instructionsOf(`(`), maxInstructions)
	assert.Greater(t, instructionsOf(strings.Repeat("(.){999}", 10)), maxInstructions)
}
