package when

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What takes too much is known before it runs: charged afterwards, each of these would have held up whoever reads the watch for seconds, or hours.
func TestPrices(t *testing.T) {
	pattern := `(.?){200}z`
	p := prices{pattern: uint64(instructionsOf(pattern))}
	value := func(v any) ref.Val { return adapter{}.NativeToValue(readable(v)) }
	numbers := make([]any, 30_000)
	for i := range numbers {
		numbers[i] = int64(i)
	}
	empty := make([]any, 30_000)
	for i := range empty {
		empty[i] = ""
	}
	text := func(length int) ref.Val { return types.String(strings.Repeat("a", length)) }
	for sentence, c := range map[string]struct {
		function string
		args     []ref.Val
		runs     bool
	}{
		"a large pattern in a short text":         {"matches", []ref.Val{text(100), types.String(pattern)}, true},
		"a large pattern in a long text":          {"matches", []ref.Val{text(10_000), types.String(pattern)}, false},
		"two short lists":                         {operators.Equals, []ref.Val{value(numbers[:100]), value(numbers[:100])}, true},
		"two long lists":                          {operators.Equals, []ref.Val{value(numbers), value(numbers)}, false},
		"that should differ":                      {operators.NotEquals, []ref.Val{value(numbers), value(numbers)}, false},
		"lists of another length":                 {operators.Equals, []ref.Val{value(numbers), value(numbers[:1])}, true},
		"a long list inside others":               {operators.Equals, []ref.Val{value([]any{[]any{numbers}}), value([]any{[]any{numbers}})}, false},
		"a long list inside a map":                {operators.Equals, []ref.Val{value(map[string]any{"a": numbers}), value(map[string]any{"a": numbers})}, false},
		"or under another key":                    {operators.Equals, []ref.Val{value(map[string]any{"a": numbers}), value(map[string]any{"b": numbers})}, true},
		"what is of another kind":                 {operators.Equals, []ref.Val{value(numbers), text(1_000_000)}, true},
		"which of two long texts is first":        {operators.Less, []ref.Val{text(1_000_000), text(1_000_000)}, false},
		"or of a long one and a short one":        {operators.Less, []ref.Val{text(1_000_000), text(1)}, true},
		"a longer text":                           {operators.Add, []ref.Val{text(1_000_000), text(1)}, false},
		"a text that is not long":                 {operators.Add, []ref.Val{text(1000), text(1)}, true},
		"numbers":                                 {operators.Add, []ref.Val{types.Int(1), types.Double(1)}, true},
		"a longer list":                           {operators.Add, []ref.Val{value(numbers[:1]), value(numbers[:1])}, false},
		"nothing in a long text":                  {"contains", []ref.Val{text(1_000_000), text(0)}, false},
		"a long text in a text":                   {"contains", []ref.Val{text(10_000), text(1000)}, false},
		"a beginning":                             {"startsWith", []ref.Val{text(1_000_000), text(100)}, true},
		"a long beginning":                        {"startsWith", []ref.Val{text(1_000_000), text(1_000_000)}, false},
		"a sum":                                   {"sum", []ref.Val{value(numbers[:10_000])}, true},
		"a long sum":                              {"sum", []ref.Val{value(numbers)}, false},
		"the least of many empty texts":           {"min", []ref.Val{value(empty)}, false},
		"a number in a long text":                 {"int", []ref.Val{text(1_000_000)}, false},
		"a number in a text":                      {"double", []ref.Val{types.String("1.5")}, true},
		"a version":                               {"semver", []ref.Val{types.String("1.2.3-rc.1")}, true},
		"a long version":                          {"isSemver", []ref.Val{text(257)}, false},
		"an hour somewhere":                       {"getHours", []ref.Val{types.Timestamp{}, types.String("Europe/Zurich")}, true},
		"a number in a long list":                 {operators.In, []ref.Val{types.Int(1), value(numbers)}, false},
		"a number in a list":                      {operators.In, []ref.Val{types.Int(1), value(numbers[:10_000])}, true},
		"a long list in a list of such":           {operators.In, []ref.Val{value(numbers), value([]any{numbers})}, false},
		"two texts":                               {operators.Equals, []ref.Val{text(10_000), text(10_000)}, true},
		"two long texts":                          {operators.Equals, []ref.Val{text(1_000_000), text(1_000_000)}, false},
		"a key":                                   {operators.In, []ref.Val{text(10), value(map[string]any{"a": int64(1)})}, true},
		"a quantity":                              {"quantity", []ref.Val{types.String("-12.5e03")}, true},
		"another":                                 {"isQuantity", []ref.Val{types.String("12Ei")}, true},
		"a word that might be one":                {"isQuantity", []ref.Val{types.String("feature-flag")}, true},
		"a quantity of very many digits":          {"quantity", []ref.Val{text(65)}, false},
		"a quantity with a very small fraction":   {"isQuantity", []ref.Val{types.String("1e-999999999")}, false},
		"a quantity that is larger than anything": {"isQuantity", []ref.Val{types.String("1E+0999999999")}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			cost := p.of(c.function, c.args)
			assert.Positive(t, cost)
			assert.Equal(t, c.runs, cost <= costLimit, cost)
		})
	}
}

// And it is so in an expression: each of these took seconds and gigabytes, or did not end, where a call was charged after it had run, and by what
// the checker knew of its arguments.
func TestWhatTakesTooMuchOfAnObjectFails(t *testing.T) {
	repeated := func(text string, count int) string { return strings.TrimSuffix(strings.Repeat(text+",", count), ",") }
	keys := make([]string, 18_000)
	for i := range keys {
		keys[i] = fmt.Sprintf(`"key-%d":1`, i)
	}
	list := "[" + repeated("1", 20_500) + "]"
	object := []byte(`{"long":"` + strings.Repeat("a", 100_000) + `","longer":"` + strings.Repeat("a", 250_000) + `","l":` + list + `,"k":` + list +
		`,"q":"1e-999999999","short":"aaz","few":[1,2],"many":[` + repeated("1", 500) + `],"empty":[` + repeated(`""`, 20_500) + `],"m":{` + strings.Join(keys, ",") + `,"!":1},"m2":{` + strings.Join(keys, ",") +
		`,"~":1},"maps":[` + repeated("{}", 500) + `]}`)
	missing := `has((true ? x.?a : x.?a).z)`
	for expression, want := range map[string]Result{
		`object.long.matches('(.?){200}z')`:                                       Failed,
		`object.long.find('(.?){200}z') == ''`:                                    Failed,
		`object.short.matches('^(.?){200}z$')`:                                    True,
		`object.l == object.k`:                                                    Failed,
		`object.l != object.k`:                                                    Failed,
		`object.few == [1, 2] && object.few != [1]`:                               True,
		`object.l in [[1], [2]]`:                                                  False,
		`1 in object.few && !(3 in object.few)`:                                   True,
		`quantity(object.q).isGreaterThan(quantity('1'))`:                         Failed,
		`isQuantity('1e-999999999')`:                                              Failed,
		`object.few.all(x, object.long.trim() != '') && object.long.trim() != ''`: Failed, // thrice is once too many
		`object.l.exists_one(x, false)`:                                           Failed,
		`object.l.existsOne(i, x, false)`:                                         Failed,
		`object.l.filter(x, false).size() == 0`:                                   Failed,
		`object.l.all(x, true)`:                                                   Failed,
		`object.many.all(y, !object.many.exists_one(x, false))`:                   Failed,
		`object.many.exists_one(x, x == 2)`:                                       False,
		`has((true ? object.?a : object.?a).z)`:                                   False,
		`object.maps.exists(x, ` + strings.TrimSuffix(strings.Repeat(missing+" || ", 30), " || ") + `)`:          Failed,
		`object.many.all(x, object.m != object.m2)`:                                                              Failed,
		`object.m[object.long] == 1`:                                                                             Failed,
		`object.few.all(x, !object.m[?object.short].hasValue())`:                                                 True,
		`object.m[?object.few[?object.few[0]]].hasValue() || object.few[object.few[object.few[0] - 1] - 1] == 1`: True,
		`object.m['key-1'] == 1 && object.m['key-' + string(2)] == 1`:                                            True,
		`size(object.longer) > 0`:                                                                                True,
		`object.few.all(x, !(object.long in object)) && !(object.long in object)`:                                Failed,
		`object.few.exists(x, int(object.long + 'a') == 1)`:                                                      Failed,
		`object.many.all(x, object.l != 1 && object.m != 1 && object.longer != 1)`:                               True, // of another kind, or size
		`object.many.all(x, object.l != object.few)`:                                                             True,
		`object.many.all(x, object.longer.contains(''))`:                                                         Failed,
		`object.longer.contains('') || true`:                                                                     Failed, // nothing makes up for it
		`object.few.all(x, object.empty.isSorted())`:                                                             Failed,
		`object.empty.max() == '' || true`:                                                                       Failed,
		`object.l.sum() > 0`:                                                                                     Failed,
		`object.few.all(x, !object.l.includes(2) && !object.k.includes(2))`:                                      Failed,
		`object.many.sum() == 500`:                                                                               True,
		`(object.few + object.few).sum() == 6`:                                                                   Failed,
		`object.longer + 'a' != 'a'`:                                                                             Failed,
		`object.longer < object.longer`:                                                                          Failed,
		`object.many.all(x, object.longer < 'a')`:                                                                False,
		`object.longer in ['a']`:                                                                                 False,
		`object.many.all(x, object.m.exists(k, true))`:                                                           True,
		`object.many.all(x, object.m.all(k, true))`:                                                              Failed,
		`object.few.all(x, timestamp('2026-01-01T00:00:00Z').getHours('Europe/Zurich') == 1)`:                    True,
		`object.many.all(x, timestamp('2026-01-01T00:00:00Z').getHours('Europe/Zurich') == 1)`:                   Failed,
		`isSemver(object.long)`:                                                                                  Failed,
	} {
		e, err := Compile(expression)
		require.NoError(t, err, expression)
		assert.Equal(t, want, e.Evaluate(object, deployments), expression)
	}
}

// What is looked for in a written list may be anything.
func TestAnythingCanBeLookedForInAWrittenList(t *testing.T) {
	object := []byte(`{"m":{"a":1},"l":[{"c":1},"a"],"text":"a","number":1}`)
	for expression, want := range map[string]Result{
		`object.m in ['a']`:                                    False,
		`!(object.m in ['a'])`:                                 True,
		`object.l.exists(x, x in ['a'])`:                       True,
		`object.text in ['a', 'b'] && object.number in [1, 2]`: True,
		`object.number in [1.0]`:                               True,
		`object.m in [{'a': 1}]`:                               True,
		`bytes('a') in [b'a'] && !(dyn(bytes('b')) in ['b'])`:  True,
	} {
		e, err := Compile(expression)
		require.NoError(t, err, expression)
		assert.Equal(t, want, e.Evaluate(object, deployments), expression)
	}
}

// An evaluation that ends in time at some key of a map and takes too much at another one comes to the same for the same version, however often it is read.
func TestAnExpressionComesToTheSameForTheSameObject(t *testing.T) {
	data := map[string]string{}
	for i := range 40 {
		data[fmt.Sprintf("key-%02d", i)] = strings.Repeat("x", 10_000)
	}
	data["key-20"] += "debug"
	object, err := json.Marshal(map[string]any{"data": data, "url": "https://example.com/?d=1&c=2&b=3&a=4", "long": strings.Repeat("x", 150_000)})
	require.NoError(t, err)
	for expression, want := range map[string]Result{
		`object.data.exists(k, object.data[k].contains('debug'))`:                                    Failed,
		`object.data.exists(k, v, v.contains('debug'))`:                                              Failed,
		`object.data.filter(k, true)[0] == 'key-00'`:                                                 True,
		`object.data.filter(k, k != 'key-00')[0].startsWith('key-01')`:                               True,
		`{'d': 1, 'c': 2, 'b': 3, 'a': 4}.filter(k, true)[0] == 'a'`:                                 True,
		`[{'d': 1, 'c': 2, 'b': 3, 'a': 4}].all(m, m.filter(k, true)[0] == 'a')`:                     True,
		`{3: '', 2: '', 1: ''}.filter(k, true)[0] == 1`:                                              True,
		`{'d': 1, 'c': 2, 'b': 3, 'a': 4}.exists(k, k == 'a' || object.long.contains('xxxxxxxxxz'))`: True,
		`url(object.url).getQuery().filter(k, true)[0] == 'a'`:                                       True,
	} {
		e, err := Compile(expression)
		require.NoError(t, err, expression)
		for range 50 {
			require.Equal(t, want, e.Evaluate(object, deployments), expression)
		}
	}
}

// Of numbers, those that are read from texts may take a thousand times as long as others.
func TestANumberInATextHasItsPrice(t *testing.T) {
	for _, c := range []struct {
		args []ref.Val
		want uint64
	}{{[]ref.Val{types.Int(1)}, 1}, {[]ref.Val{types.String("1.00003700000000010476e300")}, 9}} {
		assert.Equal(t, c.want, prices{}.of("double", c.args))
	}
}

func TestWhatTheBudgetDoesNotHaveIsNotBegun(t *testing.T) {
	ran := 0
	text := interpreter.NewConstValue(1, types.String(strings.Repeat("a", 1000)))
	call := &pricedCall{
		interpreter.NewCall(2, "trim", "", []interpreter.InterpretableV2{text}, nil), prices{},
		func(...ref.Val) ref.Val { ran++; return types.True },
	}
	left := budget(250)
	vars, err := interpreter.NewActivation(map[string]any{budgetVariable: &left})
	require.NoError(t, err)
	for range 2 {
		assert.Equal(t, types.True, call.Eval(vars))
	}
	assert.PanicsWithError(t, errTooMuch.Error(), func() { call.Eval(vars) })
	assert.Equal(t, 2, ran)
	assert.EqualValues(t, 250-2*101, left)
	assert.PanicsWithError(t, errTooMuch.Error(), func() { iteration{text, 50}.Eval(vars) })
	assert.Equal(t, text.Value(), iteration{text, 48}.Eval(vars))
	assert.Zero(t, left)
}

func TestIterationsCostWhatThereIsInThem(t *testing.T) {
	cost := func(predicate string) uint64 {
		e, err := Compile(`[1, 2, 3, 4].exists_one(x, ` + predicate + `)`)
		require.NoError(t, err)
		_, cost := e.program(nil)
		return cost
	}
	short, long := cost("true"), cost("true"+strings.Repeat(" && true", 50))
	assert.Positive(t, short)
	assert.GreaterOrEqual(t, long, 10*short)
}
