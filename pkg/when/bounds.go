package when

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/functions"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
)

// bounds are those of what an evaluation of one expression may take. CEL charges for a call once it has run, and by what the checker knows of its
// arguments, which is nothing for what comes of an object. Here every call has a price by the values that it is given, and is not
// begun where that alone is more than an evaluation may cost.
type bounds struct {
	env    *cel.Env
	prices prices
	// iterations are what one of each loop costs, by the id of its step, and keys the ids of what maps and lists are asked for.
	iterations map[int64]uint64
	keys       map[int64]bool
}

func newBounds(env *cel.Env, checked *cel.Ast) *bounds {
	b := &bounds{env, prices{}, map[int64]uint64{}, map[int64]bool{}}
	ast.PreOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.ComprehensionKind:
			step := e.AsComprehension().LoopStep()
			b.iterations[step.ID()] = iterationPrice(step)
		case ast.CallKind:
			if call := e.AsCall(); call.FunctionName() == operators.Index || call.FunctionName() == operators.OptIndex {
				b.keys[call.Args()[1].ID()] = true
			}
		}
	}))
	return b
}

// options are what makes a program keep to them. To ask whether a field is there costs a unit: where it costs none, CEL takes back one that it has never
// taken for some, and an expression could earn what it spends.
func (b *bounds) options() []cel.ProgramOption {
	return []cel.ProgramOption{
		cel.CostLimit(costLimit), cel.CostTracking(b.prices), cel.CostTrackerOptions(interpreter.PresenceTestHasCost(true)), cel.CustomDecoratorV2(b.decorate),
	}
}

// bounded begins the names of searches, so that no library takes one for its own and replaces it once more.
const bounded = "bounded "

// decorate replaces what takes time by what has a price: the steps of loops, the keys that are looked up, and each call; and the maps that are
// written out by those that have an order. A part is decorated again once it is replaced, which is left to be.
func (b *bounds) decorate(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	priced, err := b.price(i)
	if err != nil {
		return nil, err
	}
	if cost, ok := b.iterations[i.ID()]; ok {
		delete(b.iterations, i.ID())
		return iteration{priced, b.prices.named(cost)}, nil
	}
	if b.keys[i.ID()] {
		switch i.(type) {
		case interpreter.InterpretableConst: // as long as the expression is
		case interpreter.InterpretableAttribute, interpreter.InterpretableCall:
			delete(b.keys, i.ID())
			return key{priced}, nil
		}
	}
	return priced, nil
}

// price replaces a part that is a call or a map.
func (b *bounds) price(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	switch part := i.(type) {
	case interpreter.InterpretableConstructor:
		if part.Type() == types.MapType {
			return interpreter.NewConstValue(part.ID(), inOrder(part.Eval(interpreter.EmptyActivation()))), nil
		}
	case interpreter.InterpretableCall:
		name, args := part.Function(), part.Args()
		if len(args) == 0 || name == operators.NotStrictlyFalse { // which is asked of errors, too, and looks at nothing else
			return i, nil
		}
		run, err := b.implementation(name, part.OverloadID(), args)
		if err != nil {
			return nil, err
		}
		if slices.Contains(searches, name) {
			name = bounded + name
		}
		// Without an overload, as CEL knows how to look up a text in a written list, for nothing, however long the text is.
		return interpreter.NewCall(part.ID(), name, "", args, b.prices.within(name, run)), nil
	}
	return i, nil
}

// within returns a function that runs unless that would cost too much.
func (p prices) within(name string, run functions.FunctionOp) functions.FunctionOp {
	return func(args ...ref.Val) ref.Val {
		if p.of(name, args) > costLimit {
			return types.NewErr("it would take too much")
		}
		return inOrder(run(args...))
	}
}

// implementation returns what a function does.
func (b *bounds) implementation(name, overload string, args []interpreter.InterpretableV2) (functions.FunctionOp, error) {
	switch {
	case slices.Contains(searches, name):
		pattern, ok := constantText(args[1])
		if !ok {
			return nil, errors.New("a pattern that is not written out")
		}
		compiled, err := regexp.Compile(pattern)
		if err != nil {
			return nil, err
		}
		b.prices[pattern] = uint64(instructionsOf(pattern)) //nolint:gosec // a count
		return search(name, compiled), nil
	case name == operators.Equals:
		return func(args ...ref.Val) ref.Val { return types.Equal(args[0], args[1]) }, nil
	case name == operators.NotEquals:
		return func(args ...ref.Val) ref.Val { return types.Bool(types.Equal(args[0], args[1]) != types.True) }, nil
	}
	bindings, err := b.env.Functions()[name].Bindings()
	if err != nil {
		return nil, err
	}
	// As the planner of CEL does: by the overload that the checker has found, or by the name, which finds it by the values.
	for _, id := range []string{overload, name} {
		for _, binding := range bindings {
			if binding.Operator == id {
				return call(name, binding), nil
			}
		}
	}
	return nil, fmt.Errorf("%s has no implementation", name)
}

// call returns what calls a binding.
func call(name string, binding *functions.Overload) functions.FunctionOp {
	return func(args ...ref.Val) ref.Val {
		switch {
		case binding.OperandTrait != 0 && !args[0].Type().HasTrait(binding.OperandTrait):
		case len(args) == 1 && binding.Unary != nil:
			return binding.Unary(args[0])
		case len(args) == 2 && binding.Binary != nil:
			return binding.Binary(args[0], args[1])
		case binding.Function != nil:
			return binding.Function(args...)
		}
		return types.NewErr("no such overload: %s", name)
	}
}

// iteration is the step of a loop, which is a call without arguments to CEL's account: by itself that has some steps for nothing.
type iteration struct {
	interpreter.InterpretableV2
	name string
}

var _ interpreter.InterpretableCall = iteration{}

// Function implements interpreter.InterpretableCall, as do the following.
func (i iteration) Function() string { return i.name }

// OverloadID is none.
func (i iteration) OverloadID() string { return "" }

// Args are none.
func (i iteration) Args() []interpreter.InterpretableV2 { return nil }

// maxKey is the longest text that is looked up in a map, in bytes. To look one up is no call, and takes as much as it is long.
const maxKey = 4096

// key is what a map or a list is asked for.
type key struct{ interpreter.InterpretableV2 }

// Exec implements interpreter.InterpretableV2.
func (k key) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	value := k.InterpretableV2.Exec(frame)
	if size(value) > maxKey {
		return types.NewErr("too long a key")
	}
	return value
}

// Eval implements interpreter.Interpretable.
func (k key) Eval(vars interpreter.Activation) ref.Val { return k.Exec(interpreter.AsFrame(vars)) }
