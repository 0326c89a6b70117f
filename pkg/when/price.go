package when

import (
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// costLimit is what one evaluation may cost, in CEL's units: a few milliseconds, no more than to decode a large object. It is a fiftieth
// of what Kubernetes allows a rule, which is asked when somebody writes; this one is evaluated for each version of an object by
// whoever reads the watch, which may be everybody's. To look through a hundred containers or conditions costs less than a
// thousand, and through five variables of each some four thousand.
const costLimit = celconfig.PerCallLimit / 50

// charactersPerUnit is how many characters are looked at for a unit, as CEL has it, and stepsPerUnit how many steps of a compiled pattern, one for each
// instruction and character, take as long.
const (
	charactersPerUnit = 10
	stepsPerUnit      = 64
)

// patternCharactersPerUnit is how many characters of a pattern CEL takes to make each look at a text cost a unit more.
const patternCharactersPerUnit = 4

// zonePrice is that of a time zone, which is read from a file.
const zonePrice = 100

// decimalPrice is that of a number that is read from a text: some, halfway between two that there are, take a thousand times as long as others.
const decimalPrice = 6

// prices are those of the calls of an expression. What it holds is how many instructions each pattern comes to, all of which are known before the
// first evaluation.
type prices map[string]uint64

// iterationPrice is what one iteration of a loop costs beside the calls in it: so many parts are gone through.
func iterationPrice(step ast.Expr) uint64 {
	parts := uint64(0)
	ast.PreOrderVisit(step, ast.NewExprVisitor(func(ast.Expr) { parts++ }))
	return 1 + parts/2
}

// of is what a call costs, by the values that it is given. To find it out takes no more than in proportion to it, or to the limit where
// it is more than that: a price that is more says nothing but that. Each call costs a unit at least.
func (p prices) of(function string, args []ref.Val) uint64 {
	switch function {
	case operators.Equals, operators.NotEquals:
		return comparison(args[0], args[1])
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return max(1, look(min(size(args[0]), size(args[1]))))
	case operators.In:
		return lookup(args[0], args[1])
	case "includes":
		if _, ok := args[0].(traits.Lister); !ok { // it compares anything else
			return comparison(args[0], args[1])
		}
		return lookup(args[1], args[0])
	case operators.Add:
		switch args[0].(type) {
		case traits.MutableLister: // to which a macro adds what it filters
			return 1
		case traits.Lister: // a list of two is as long as both, and may be one of two itself
			return costLimit + 1
		}
		return max(1, look(characters(args[0])+characters(args[1])))
	case "startsWith", "endsWith":
		return max(1, look(size(args[1])))
	case "contains":
		text := look(characters(args[0]))
		return max(1, text, text*look(characters(args[1])))
	case "matches", "find":
		return p.search(args[0], args[1])
	case "sum", "min", "max", "isSorted":
		return all(args[0])
	case "quantity", "isQuantity":
		return quantityPrice(args[0])
	case "semver", "isSemver":
		if size(args[0]) > maxVersion {
			return costLimit + 1
		}
	case "type", "dyn":
		return 1
	case "double":
		if text, ok := args[0].(types.String); ok {
			return decimalPrice + look(characters(text))
		}
		return 1
	case "size":
		return 1 + look(look(characters(args[0]))) // which are counted, and no more
	}
	cost := uint64(1)
	for _, arg := range args { // a number is read from a text, and a text copied, no faster than it is long
		cost += look(characters(arg))
	}
	if strings.HasPrefix(function, "get") && len(args) > 1 {
		cost += zonePrice
	}
	return cost
}

// comparison is what it costs to compare two values: a unit for each pair of values inside them that is compared. What differs in kind or in size is not looked into.
func comparison(left, right ref.Val) uint64 {
	cost := uint64(1)
	switch l := left.(type) {
	case types.String, types.Bytes:
		cost = max(1, look(min(size(left), size(right))))
	case traits.Mapper:
		r, ok := right.(traits.Mapper)
		if !ok || l.Size() != r.Size() {
			break
		}
		for it := l.Iterator(); it.HasNext() == types.True && cost <= costLimit; {
			key := it.Next()
			own, _ := l.Find(key)
			other, found := r.Find(key)
			cost += 1 + look(size(key))
			if found { // else they differ, and so may have others in the order in which they are really compared
				cost += comparison(own, other)
			}
		}
	case traits.Lister:
		r, ok := right.(traits.Lister)
		if !ok || l.Size() != r.Size() {
			break
		}
		for own, other := l.Iterator(), r.Iterator(); own.HasNext() == types.True && cost <= costLimit; {
			cost += comparison(own.Next(), other.Next())
		}
	case *types.Optional:
		if r, ok := right.(*types.Optional); ok && l.HasValue() && r.HasValue() {
			cost += comparison(l.GetValue(), r.GetValue())
		}
	}
	return cost
}

// lookup is what it costs to look for a value in a list, each of whose values it is compared with, or for a key in a map.
func lookup(value, container ref.Val) uint64 {
	list, ok := container.(traits.Lister)
	if !ok {
		return 1 + look(characters(value))
	}
	cost := uint64(1)
	for it := list.Iterator(); it.HasNext() == types.True && cost <= costLimit; {
		cost += comparison(value, it.Next())
	}
	return cost
}

// all is what it costs to look at each value of a list, but not into lists and maps there.
func all(container ref.Val) uint64 {
	cost := uint64(1)
	if list, ok := container.(traits.Iterable); ok {
		for it := list.Iterator(); it.HasNext() == types.True && cost <= costLimit; {
			cost += max(1, look(size(it.Next())))
		}
	}
	return cost
}

// search is what CEL takes a search to cost, which goes by the length of the pattern, or what its instructions make it, if that is more.
func (p prices) search(text, pattern ref.Val) uint64 {
	length := characters(text)
	written, _ := pattern.(types.String)
	reckoned := look(length+1) * ratio(size(pattern), patternCharactersPerUnit)
	return max(1, reckoned, length*p[string(written)]/stepsPerUnit)
}

// maxQuantity is the longest text that is read as a quantity, in bytes, and maxExponent how many digits its exponent may have: it is made a number of as many
// digits as the exponent says, and 1e-999999999 took hours and gigabytes. maxVersion is the longest text that is read as a version.
const (
	maxQuantity = 64
	maxExponent = 2
	maxVersion  = 256
)

// quantityPrice is what it costs to read a text as a quantity.
func quantityPrice(arg ref.Val) uint64 {
	text, _ := arg.(types.String)
	exponent := ""
	if i := strings.LastIndexAny(string(text), "eE"); i >= 0 {
		exponent = strings.TrimLeft(string(text[i+1:]), "+-0")
	}
	large := len(exponent) > maxExponent && strings.Trim(exponent, "0123456789") == "" // else it is a word
	if len(text) > maxQuantity || large {
		return costLimit + 1
	}
	return 1 + look(size(text))
}

// size is how long a text is, in bytes; 0 for everything else.
func size(value ref.Val) uint64 {
	switch v := value.(type) {
	case types.String:
		return uint64(len(v))
	case types.Bytes:
		return uint64(len(v))
	default:
		return 0
	}
}

// characters is how long a text is, in characters or bytes; 0 for everything else.
func characters(value ref.Val) uint64 {
	if text, ok := value.(types.String); ok {
		return uint64(utf8.RuneCountInString(string(text))) //nolint:gosec // a count
	}
	return size(value)
}

// look is what it costs to look at so many characters once.
func look(characters uint64) uint64 { return ratio(characters, charactersPerUnit) }

// ratio is a quotient that is rounded up.
func ratio(count, of uint64) uint64 { return (count + of - 1) / of }
