package when

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What an expression calls is replaced by what has a price, and comes to what CEL and the libraries of Kubernetes make of it nevertheless: of each pair of
// many values, and of each one, in every function and operator that there is.
func TestAnExpressionComesToWhatCELMakesOfIt(t *testing.T) {
	l, err := languageOnce()
	require.NoError(t, err)
	object := Decode([]byte(`{"i":3,"d":3.0,"s":"abc","b":true,"n":null,"l":[1,2,3],"texts":["a","b"],"maps":[{"a":1},"x",null,2],"m":{"a":1},"big":9007199254740993,`+
		`"at":"2026-01-02T03:04:05Z","ip":"10.0.0.1"}`), deployments)
	operands := strings.Fields(`object.i object.d object.s object.b object.n object.l object.texts object.maps object.m object.big object.ip object.missing object.?s object.?missing
		-1 1u 2.5 'a' '1.2.3' 'Europe/Zurich' b'a' null [1,2] ['a'] {'a':1} [] {} timestamp(object.at) duration('90m') quantity('1500m') ip('10.0.0.1') cidr('10.0.0.0/8')
		url('https://example.com/a?b=c') semver('1.2.3') optional.none() object.s.split('') object.l.filter(x,x>1)`)
	binary := strings.Split(`%s == %s|%s != %s|%s < %s|%s >= %s|%s + %s|%s - %s|%s * %s|%s / %s|%s %% %s|%s in %s|(%s).includes(%s)|(%s).contains(%s)|(%s).startsWith(%s)|(%s).split(%s)|`+
		`(%s).charAt(%s)|(%s).isLessThan(%s)|(%s).compareTo(%s)|(%s).add(%s)|(%s).containsIP(%s)|(%s).getHours(%s)|(%s)[%s]|(%s)[?%s]|(%s).orValue(%s)|(%s).or(%s)|(%s).exists_one(x, x == %s)|`+
		`(%s).filter(x, x == %s)|(%s).all(k, v, k != %s)|isSemver(%s, %s)|(%s == 1) ? %s : 1`, "|")
	unary := strings.Split(`-(%s)|!(%s)|size(%s)|int(%s)|uint(%s)|double(%s)|string(%s)|bool(%s)|bytes(%s)|type(%s)|timestamp(%s)|duration(%s)|(%s).getFullYear()|(%s).getHours()|(%s).sum()|`+
		`(%s).min()|(%s).max()|(%s).isSorted()|(%s).first()|(%s).trim()|(%s).upperAscii()|quantity(%s)|isQuantity(%s)|(%s).sign()|(%s).asInteger()|ip(%s)|isIP(%s)|(%s).family()|cidr(%s)|`+
		`(%s).prefixLength()|url(%s)|(%s).getHost()|(%s).getQuery()|semver(%s)|(%s).major()|(%s).matches('^[a-z]')|(%s).find('[a-z]+')|(%s).hasValue()|(%s).value()|has((%s).a)|(%s).?a.?b`, "|")
	var expressions []string
	for _, left := range operands {
		for _, form := range binary {
			for _, right := range operands {
				expressions = append(expressions, fmt.Sprintf(form, left, right))
			}
		}
		for _, form := range unary {
			expressions = append(expressions, fmt.Sprintf(form, left))
		}
	}
	compared := 0
	for _, text := range expressions {
		checked, issues := l.full.Compile(text)
		if issues.Err() != nil || checkCalls(checked) != nil || text == "object.missing in []" { // CEL does not ask what is looked for in nothing
			continue
		}
		theirs, err := l.full.Program(checked)
		if err != nil {
			continue // it cannot be evaluated whatever the object is
		}
		ours, err := plan(l, checked)
		require.NoError(t, err, text)
		want, _, wantErr := theirs.Eval(map[string]any{variable: object.fields})
		if wantErr != nil && strings.Contains(wantErr.Error(), "internal error") {
			continue // CEL panics at bytes that are looked up
		}
		var got ref.Val
		tooMuch := func() (tooMuch bool) {
			defer func() { tooMuch = recover() != nil }()
			got, _ = ours(object.fields)
			return false
		}()
		if tooMuch {
			require.Contains(t, text, "+", "lists are not put together here")
			continue
		}
		compared++
		if !assert.Equal(t, wantErr != nil, types.IsError(got), "%s: %v, and not %v", text, got, wantErr) || wantErr != nil {
			continue
		}
		assert.Equal(t, want.Type().TypeName(), got.Type().TypeName(), text)
		assert.Equal(t, types.Format(want), types.Format(got), text)
	}
	assert.Greater(t, compared, 10_000)
}
