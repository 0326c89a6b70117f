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

// program evaluates an expression for an object, which is nil for null, and says what that cost. It panics where it would cost more than it may.
//
// It is planned by CEL's interpreter, without the account that CEL keeps of costs: that charges for a call once it has run, by what the checker
// knows of its arguments, which is nothing for what comes of an object; it has some loops for nothing, takes units back that it has never taken, loses
// arguments, and goes through all that it has kept again and again. Here each call has a price by the values that it is given, and each iteration
// of a loop one by what there is in it, both of which are taken from the budget of the evaluation before they run.
type program func(object any) (result ref.Val, cost uint64)

// planner makes a program.
type planner struct {
	env    *cel.Env
	prices prices
	// iterations are what one of each loop costs, by the id of its step.
	iterations map[int64]uint64
}

func newPlanner(env *cel.Env, checked *cel.Ast) *planner {
	p := &planner{env, prices{}, map[int64]uint64{}}
	ast.PreOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.ComprehensionKind {
			step := e.AsComprehension().LoopStep()
			p.iterations[step.ID()] = iterationPrice(step)
		}
	}))
	return p
}

// plan makes the program of a checked expression.
func plan(l *language, checked *cel.Ast) (program, error) {
	provider := l.full.CELTypeProvider()
	attributes := interpreter.NewAttributeFactory(l.full.Container, adapter{}, provider)
	planned, err := interpreter.NewInterpreter(l.dispatcher, l.full.Container, provider, adapter{}, attributes).
		NewInterpretable(checked.NativeRep(), interpreter.CustomDecoratorV2(newPlanner(l.full, checked).decorate), interpreter.Optimize())
	if err != nil {
		return nil, err
	}
	return func(object any) (ref.Val, uint64) {
		left := budget(costLimit)
		vars, err := interpreter.NewActivation(map[string]any{variable: object, budgetVariable: &left})
		if err != nil {
			return types.WrapErr(err), 0
		}
		return planned.Eval(vars), costLimit - uint64(left)
	}, nil
}

// budget is what an evaluation may still cost.
type budget uint64

// budgetVariable is the name by which an evaluation finds its budget: none that an expression can write.
const budgetVariable = "@budget"

// errTooMuch is what an evaluation ends with that would cost more than it may.
var errTooMuch = errors.New("it would take too much")

// take takes from the budget of the evaluation, and ends it where that has less.
func take(frame *interpreter.ExecutionFrame, cost uint64) {
	found, ok := frame.ResolveName(budgetVariable)
	if !ok {
		return // a constant is made of others while the program is planned
	}
	left := found.(*budget)
	if cost > uint64(*left) {
		panic(errTooMuch)
	}
	*left -= budget(cost)
}

// decorate replaces what takes time by what has a price, the steps of loops and each call, and the maps that are written out by those that have an order.
func (p *planner) decorate(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	replaced, err := p.replace(i)
	if err != nil {
		return nil, err
	}
	if cost, ok := p.iterations[i.ID()]; ok {
		delete(p.iterations, i.ID()) // what replaces it is decorated again
		return iteration{replaced, cost}, nil
	}
	return replaced, nil
}

func (p *planner) replace(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	switch part := i.(type) {
	case *pricedCall:
	case interpreter.InterpretableConstructor:
		if part.Type() == types.MapType {
			return interpreter.NewConstValue(part.ID(), inOrder(part.Eval(interpreter.EmptyActivation()))), nil
		}
	case interpreter.InterpretableCall:
		name, args := part.Function(), part.Args()
		switch {
		case len(args) == 0, name == operators.NotStrictlyFalse: // which is asked of errors, too, and looks at nothing else
			return i, nil
		case name == "or", name == "orValue":
			return alternative{part, name == "orValue"}, nil
		}
		run, err := p.implementation(name, part.OverloadID(), args)
		if err != nil {
			return nil, err
		}
		return &pricedCall{part, p.prices, run}, nil
	}
	return i, nil
}

// pricedCall is a call that is paid before it runs.
type pricedCall struct {
	interpreter.InterpretableCall
	prices prices
	run    functions.FunctionOp
}

// OverloadID is none, as CEL knows how to look up a text in a written list, for nothing, however long the text is.
func (c *pricedCall) OverloadID() string { return "" }

// Exec implements interpreter.InterpretableV2.
func (c *pricedCall) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	parts := c.Args()
	args := make([]ref.Val, len(parts))
	for i, part := range parts {
		if args[i] = part.Exec(frame); types.IsUnknownOrError(args[i]) {
			return args[i]
		}
	}
	take(frame, c.prices.of(c.Function(), args))
	return inOrder(c.run(args...))
}

// Eval implements interpreter.Interpretable.
func (c *pricedCall) Eval(vars interpreter.Activation) ref.Val {
	return c.Exec(interpreter.AsFrame(vars))
}

// iteration is the step of a loop, which is paid before it runs.
type iteration struct {
	interpreter.InterpretableV2
	cost uint64
}

// Exec implements interpreter.InterpretableV2.
func (i iteration) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	take(frame, i.cost)
	return i.InterpretableV2.Exec(frame)
}

// Eval implements interpreter.Interpretable.
func (i iteration) Eval(vars interpreter.Activation) ref.Val {
	return i.Exec(interpreter.AsFrame(vars))
}

// alternative is what is meant where a value that there may be is not there; CEL has no implementations of the calls for that.
type alternative struct {
	interpreter.InterpretableCall
	value bool
}

// Exec implements interpreter.InterpretableV2.
func (a alternative) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	first := a.Args()[0].Exec(frame)
	optional, ok := first.(*types.Optional)
	switch {
	case types.IsUnknownOrError(first):
		return first
	case !ok:
		return types.NoSuchOverloadErr()
	case !optional.HasValue():
		return a.Args()[1].Exec(frame)
	case a.value:
		return optional.GetValue()
	default:
		return first
	}
}

// Eval implements interpreter.Interpretable.
func (a alternative) Eval(vars interpreter.Activation) ref.Val {
	return a.Exec(interpreter.AsFrame(vars))
}

// implementation returns what a function does.
func (p *planner) implementation(name, overload string, args []interpreter.InterpretableV2) (functions.FunctionOp, error) {
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
		p.prices[pattern] = uint64(instructionsOf(pattern)) //nolint:gosec // a count
		return search(name, compiled), nil
	case name == operators.Equals:
		return func(args ...ref.Val) ref.Val { return types.Equal(args[0], args[1]) }, nil
	case name == operators.NotEquals:
		return func(args ...ref.Val) ref.Val { return types.Bool(types.Equal(args[0], args[1]) != types.True) }, nil
	}
	bindings, err := p.env.Functions()[name].Bindings()
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
