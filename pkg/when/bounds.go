package when

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/google/cel-go/cel"
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
}

// options are what makes a program keep to them.
func (b *bounds) options() []cel.ProgramOption {
	return []cel.ProgramOption{cel.CostLimit(costLimit), cel.CostTracking(b.prices), cel.CustomDecoratorV2(b.decorate)}
}

// bounded begins the names of searches, so that no library takes one for its own and replaces it once more.
const bounded = "bounded "

// decorate replaces each call by one that is priced before it runs, and the maps that are written out by those that have an order.
func (b *bounds) decorate(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
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
