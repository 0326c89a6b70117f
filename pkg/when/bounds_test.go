package when

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What takes too much is known before it runs: charged afterwards, each of these would have held up whoever reads the watch for seconds, or hours.
func TestWhatWouldTakeTooMuchIsNotBegun(t *testing.T) {
	pattern := `(.?){200}z`
	b := &bounds{instructions: map[string]int{pattern: instructionsOf(pattern)}}
	value := ordered{}.NativeToValue
	numbers := make([]any, 30_000)
	for i := range numbers {
		numbers[i] = int64(i)
	}
	text := func(length int) ref.Val { return types.String(strings.Repeat("a", length)) }
	for sentence, c := range map[string]struct {
		function string
		args     []ref.Val
		runs     bool
	}{
		"a large pattern in a short text":         {bounded + "matches", []ref.Val{text(100), types.String(pattern)}, true},
		"a large pattern in a long text":          {bounded + "matches", []ref.Val{text(10_000), types.String(pattern)}, false},
		"two short lists":                         {operators.Equals, []ref.Val{value(numbers[:100]), value(numbers[:100])}, true},
		"two long lists":                          {operators.Equals, []ref.Val{value(numbers), value(numbers)}, false},
		"that should differ":                      {operators.NotEquals, []ref.Val{value(numbers), value(numbers)}, false},
		"a long list and a short one":             {operators.Equals, []ref.Val{value(numbers), value(numbers[:1])}, true},
		"a long list inside others":               {operators.Equals, []ref.Val{value([]any{[]any{numbers}}), value(map[string]any{"a": numbers})}, false},
		"a number in a long list":                 {operators.In, []ref.Val{types.Int(1), value(numbers)}, false},
		"a number in a list":                      {operators.In, []ref.Val{types.Int(1), value(numbers[:10_000])}, true},
		"a long list in a list of such":           {operators.In, []ref.Val{value(numbers), value([]any{numbers})}, false},
		"two texts":                               {operators.Equals, []ref.Val{text(10_000), text(10_000)}, true},
		"two long texts":                          {operators.Equals, []ref.Val{text(1_000_000), text(1_000_000)}, false},
		"a key":                                   {operators.In, []ref.Val{text(10), value(map[string]any{"a": int64(1)})}, true},
		"a quantity":                              {"quantity", []ref.Val{types.String("-12.5e03")}, true},
		"another":                                 {"isQuantity", []ref.Val{types.String("12Ei")}, true},
		"a quantity of very many digits":          {"quantity", []ref.Val{text(65)}, false},
		"a quantity with a very small fraction":   {"isQuantity", []ref.Val{types.String("1e-999999999")}, false},
		"a quantity that is larger than anything": {"isQuantity", []ref.Val{types.String("1E+0999999999")}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			ran := false
			result := b.within(c.function, "", func([]ref.Val) ref.Val {
				ran = true
				return types.True
			})(c.args...)
			assert.Equal(t, c.runs, ran)
			assert.Equal(t, c.runs, result == types.True)
			assert.Equal(t, !c.runs, types.IsError(result))
		})
	}
}

// And it is so in an expression.
func TestWhatTakesTooMuchOfAnObjectFails(t *testing.T) {
	list := "[" + strings.Repeat("1,", 30_000) + "1]"
	object := []byte(`{"long":"` + strings.Repeat("a", 100_000) + `","l":` + list + `,"k":` + list + `,"q":"1e-999999999","short":"aaz","few":[1,2]}`)
	for expression, want := range map[string]Result{
		`object.long.matches('(.?){200}z')`:                 Failed,
		`object.long.find('(.?){200}z') == ''`:              Failed,
		`object.long.findAll('(.?){200}z').size() == 0`:     Failed,
		`object.short.matches('^(.?){200}z$')`:              True,
		`object.l == object.k`:                              Failed,
		`object.l != object.k`:                              Failed,
		`object.few == [1, 2] && object.few != [1]`:         True,
		`object.l in [[1], [2]]`:                            False,
		`1 in object.few && !(3 in object.few)`:             True,
		`quantity(object.q).isGreaterThan(quantity('1'))`:   Failed,
		`isQuantity('1e-999999999')`:                        Failed,
		`object.few.all(x, size(object.long) > 0)`:          Failed, // twice is once too many
		`size(object.long) > 0`:                             True,
		`object.few.all(x, !(object.long in object))`:       Failed,
		`object.few.exists(x, int(object.long + 'a') == 1)`: Failed,
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
	object, err := json.Marshal(map[string]any{"data": data})
	require.NoError(t, err)
	for expression, want := range map[string]Result{
		`object.data.exists(k, object.data[k].contains('debug'))`:      Failed,
		`object.data.exists(k, v, v.contains('debug'))`:                Failed,
		`object.data.filter(k, true)[0] == 'key-00'`:                   True,
		`object.data.filter(k, k != 'key-00')[0].startsWith('key-01')`: True,
	} {
		e, err := Compile(expression)
		require.NoError(t, err)
		for range 50 {
			require.Equal(t, want, e.Evaluate(object, deployments), expression)
		}
	}
}
