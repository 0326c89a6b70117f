package when

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/functions"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/library"
)

// costLimit is what one evaluation may cost, in CEL's units: a few milliseconds, no more than to decode a large object. It is a fiftieth
// of what Kubernetes allows a rule, which is asked when somebody writes; this one is evaluated for each version of an object by
// whoever reads the watch, which may be everybody's. To look through a hundred containers or conditions costs less than a
// thousand, and through five variables of each some four thousand.
const costLimit = celconfig.PerCallLimit / 50

// stepsPerUnit is how many steps of a compiled pattern, one for each instruction and character, take as long as a unit of cost should.
const stepsPerUnit = 64

// bounded begins the names of searches whose cost is known before they begin.
const bounded = "bounded "

// bounds are those of what an evaluation of one expression may take. CEL charges for a call once it has run. That is soon enough where it looks
// at each character of a text once, which no object makes take long; it is too late for a pattern of a thousand instructions, and for two lists
// of everything that an object has, so that what these cost is reckoned before.
type bounds struct {
	env *cel.Env
	// instructions are how many each pattern comes to. They are known before the first evaluation, and do not change.
	instructions map[string]int
}

// options are what makes a program keep to them.
func (b *bounds) options() []cel.ProgramOption {
	return []cel.ProgramOption{cel.CostLimit(costLimit), cel.CostTracking(b), cel.CustomDecoratorV2(b.decorate)}
}

// decorate replaces the calls whose cost is to be known before they run.
func (b *bounds) decorate(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	call, ok := i.(interpreter.InterpretableCall)
	if !ok {
		return i, nil
	}
	name, overload := call.Function(), call.OverloadID()
	var run func(args []ref.Val) ref.Val
	switch {
	case slices.Contains(searches, name):
		pattern, ok := constantText(call.Args()[1])
		if !ok {
			return nil, errors.New("a pattern that is not written out")
		}
		compiled, err := regexp.Compile(pattern)
		if err != nil {
			return nil, err
		}
		b.instructions[pattern] = instructionsOf(pattern)
		run = search(name, compiled)
		name, overload = bounded+name, "" // so that no library takes it for its own
	case name == operators.Equals:
		run = func(args []ref.Val) ref.Val { return types.Equal(args[0], args[1]) }
	case name == operators.NotEquals:
		run = func(args []ref.Val) ref.Val { return types.Bool(types.Equal(args[0], args[1]) != types.True) }
	case name == operators.In:
		run = func(args []ref.Val) ref.Val {
			if container, ok := args[1].(traits.Container); ok {
				return container.Contains(args[0])
			}
			return types.MaybeNoSuchOverloadErr(args[1])
		}
	case slices.Contains(parsers, name):
		parse, err := unary(b.env, name)
		if err != nil {
			return nil, err
		}
		run = func(args []ref.Val) ref.Val { return parse(args[0]) }
	default:
		return i, nil
	}
	return interpreter.NewCall(call.ID(), name, overload, call.Args(), b.within(name, overload, run)), nil
}

// within returns a function that runs unless that would cost too much.
func (b *bounds) within(name, overload string, run func(args []ref.Val) ref.Val) functions.FunctionOp {
	return func(args ...ref.Val) ref.Val {
		if cost := b.CallCost(name, overload, args, nil); cost != nil && *cost > costLimit {
			return types.NewErr("it would take too much")
		}
		return run(args)
	}
}

// unary returns what a function of one argument does.
func unary(env *cel.Env, name string) (functions.UnaryOp, error) {
	overloads, err := env.Functions()[name].Bindings()
	if err != nil {
		return nil, err
	}
	for _, overload := range overloads {
		if overload.Unary != nil {
			return overload.Unary, nil
		}
	}
	return nil, fmt.Errorf("%s is no function of one argument", name)
}

func constantText(i interpreter.InterpretableV2) (string, bool) {
	constant, ok := i.(interpreter.InterpretableConst)
	if !ok {
		return "", false
	}
	text, ok := constant.Value().(types.String)
	return string(text), ok
}

// search returns what a search for a pattern does, as CEL and the library of Kubernetes have it.
func search(name string, pattern *regexp.Regexp) func(args []ref.Val) ref.Val {
	return func(args []ref.Val) ref.Val {
		text, ok := args[0].(types.String)
		if !ok {
			return types.MaybeNoSuchOverloadErr(args[0])
		}
		switch name {
		case "matches":
			return types.Bool(pattern.MatchString(string(text)))
		case "find":
			return types.String(pattern.FindString(string(text)))
		}
		most := types.Int(-1)
		if len(args) > 2 {
			if most, ok = args[2].(types.Int); !ok {
				return types.MaybeNoSuchOverloadErr(args[2])
			}
		}
		return types.NewStringList(types.DefaultTypeAdapter, pattern.FindAllString(string(text), int(most)))
	}
}

// parsers are the functions that read quantities.
var parsers = []string{"quantity", "isQuantity"}

// maxQuantity is the longest text that is read as a quantity, in bytes, and maxExponent how many digits its exponent may have: it is made a number of as many
// digits as the exponent says, and 1e-999999999 took hours and gigabytes.
const (
	maxQuantity = 64
	maxExponent = 2
)

// quantityCost is what it costs to read a text as a quantity.
func quantityCost(arg ref.Val) uint64 {
	text, _ := arg.(types.String)
	exponent := ""
	if i := strings.LastIndexAny(string(text), "eE"); i >= 0 {
		exponent = string(text[i+1:])
	}
	if len(text) > maxQuantity || len(strings.TrimLeft(exponent, "+-0")) > maxExponent {
		return costLimit + 1
	}
	return 1 + traversal(uint64(len(text)))
}

// byText are the functions that CEL itself charges for the texts that they are given.
var byText = []string{
	"contains", "startsWith", "endsWith", operators.Add,
	operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals,
}

// CallCost implements interpreter.ActualCostEstimator.
func (b *bounds) CallCost(function, overload string, args []ref.Val, result ref.Val) *uint64 {
	var cost uint64
	switch {
	case strings.HasPrefix(function, bounded):
		cost = b.searchCost(args)
	case function == operators.Equals, function == operators.NotEquals:
		cost = comparisonCost(args)
	case function == operators.In:
		cost = lookupCost(args)
	case slices.Contains(parsers, function):
		cost = quantityCost(args[0])
	case slices.Contains(byText, function):
		return nil
	default:
		if known := (&library.CostEstimator{}).CallCost(function, overload, args, result); known != nil {
			return known
		}
		cost = 1
		for _, arg := range args { // a number is read from a text, and a key found by it, no faster than it is long
			cost += traversal(textSize(arg))
		}
	}
	return &cost
}

// searchCost is what CEL takes a search to cost, which goes by the length of the pattern, or what its instructions make it, if that is more.
func (b *bounds) searchCost(args []ref.Val) uint64 {
	pattern, _ := args[1].(types.String)
	characters := textSize(args[0])
	reckoned := traversal(characters+1) * uint64(math.Ceil(float64(len(pattern))*common.RegexStringLengthCostFactor))
	return max(reckoned, characters*uint64(b.instructions[string(pattern)])/stepsPerUnit) //nolint:gosec // counts
}

// comparisonCost is what it costs to compare two values: as many units as the smaller of them holds values, and CEL's own for texts.
func comparisonCost(args []ref.Val) uint64 {
	left, right := weigh(args[0], costLimit+1), weigh(args[1], costLimit+1)
	return max(1, min(left.values, right.values), traversal(min(left.characters, right.characters)))
}

// lookupCost is what it costs to look for a value in a list, each of whose values it is compared with, or for a key in a map.
func lookupCost(args []ref.Val) uint64 {
	if _, ok := args[1].(traits.Mapper); ok {
		return 1 + traversal(textSize(args[0]))
	}
	list := weigh(args[1], costLimit+1)
	return max(1, list.values, traversal(list.characters))
}

// weight is what a value holds: so many values, itself included, and texts of so many characters.
type weight struct{ values, characters uint64 }

// weigh returns the weight of a value, as far as it is no more than so many values.
func weigh(value ref.Val, most uint64) (w weight) {
	add := func(inner ref.Val) bool {
		more := weigh(inner, most-w.values)
		w.values, w.characters = w.values+more.values, w.characters+more.characters
		return w.values < most
	}
	w.values = 1
	switch v := value.(type) {
	case traits.Mapper:
		for it := v.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			if found, ok := v.Find(key); !ok || !add(found) {
				break
			}
		}
	case traits.Lister:
		for it := v.Iterator(); it.HasNext() == types.True; {
			if !add(it.Next()) {
				break
			}
		}
	case *types.Optional:
		if v.HasValue() {
			add(v.GetValue())
		}
	default:
		w.characters = textSize(value)
	}
	return w
}

// textSize is how long a text is, in characters or bytes; 0 for everything else.
func textSize(value ref.Val) uint64 {
	switch v := value.(type) {
	case types.String:
		return uint64(utf8.RuneCountInString(string(v))) //nolint:gosec // a count
	case types.Bytes:
		return uint64(len(v))
	default:
		return 0
	}
}

// traversal is what it costs to look at so many characters once.
func traversal(characters uint64) uint64 {
	return uint64(math.Ceil(float64(characters) * common.StringTraversalCostFactor))
}
