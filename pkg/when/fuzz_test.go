package when

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Whatever is written, it compiles or is refused with a reason; what compiles comes to the same for the same object, and ends.
func FuzzExpression(f *testing.F) {
	object := []byte(`{"metadata":{"name":"web","labels":{"app":"web"}},"l":[{"name":"a","n":1},{"name":"b","n":2.5}],"m":{"a":"1","b":"x"},"q":"1500m",` +
		`"at":"2026-01-02T03:04:05Z","version":"1.2.3","ip":"10.0.0.1","url":"https://example.com/a?b=c","text":"` + strings.Repeat("a-b ", 5000) + `","big":9223372036854775807}`)
	for _, expression := range []string{
		rolledOut, `object == null`, `object.l.all(x, object.l.exists(y, x.n < y.n || x == y))`, `object.l.filter(x, x.n > 1)[0].name + 'c' == 'bc'`,
		`object.m.exists(k, v, v.matches('^[a-z]{1,3}$') && k in ['a', 'b'])`, `quantity(object.q).isLessThan(quantity('2')) && isQuantity('1e99')`,
		`timestamp(object.at) + duration('1h') > timestamp('2026-01-01T00:00:00Z')`, `semver(object.version).major() == 1 && cidr('10.0.0.0/8').containsIP(object.ip)`,
		`object.text.split(' ').size() == 5001 && object.text.substring(2).lowerAscii() != ''`,
		`url(object.url).getQuery()['b'] == ['c'] && object.?x.orValue(1) == 1 && object.m[?'c'].hasValue()`, `-object.big - 2 < 0 ? true : {'a': 1} == object.m`,
		`[[1]].all(a, [[a, a]].all(b, b == b))`, `object.l.map(x, x)`, `'a'.replace('a', 'b') == 'b'`, `object.text.matches('(a?){200}')`, `isQuantity('1e-999999999')`,
		`{'b': 1, 'a': 2}.filter(k, true)[0] in ['a'] && object.m in [{'a': 1}]`, `object.l.filter(x, true).filter(x, x.n > 1) + [1] == []`, `dyn(b'a') in ['a']`,
		`object.l.exists(x, x.n in [1, 2.5]) && ['a', 'b'].isSorted() && [1, 2].sum() + [1].max() > object.l.size()`, `object.text + object.text < object.text`,
	} {
		f.Add(expression)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := compile(text)
		if err != nil {
			assert.NotEmpty(t, err.Error())
			assert.NotContains(t, err.Error(), "\n")
			return
		}
		decoded := Decode(object, deployments)
		assert.Equal(t, e.EvaluateFor(decoded), e.EvaluateFor(Decode(object, deployments)), text)
	})
}
