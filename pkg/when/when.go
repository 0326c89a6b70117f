// Package when compiles and evaluates the `when` of references: CEL expressions over an object as it is now.
//
// It offers what a ValidatingAdmissionPolicy offers, the standard library of CEL and those of Kubernetes, but for what makes new texts, lists or
// maps (language.go). Which of them an expression can use depends on the operator's release alone, not on the cluster's. Nothing that an
// object contains leaves this package: of an evaluation that fails, nothing is told but that it did.
package when

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/interpreter"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
)

// MaxLength is the longest expression, in characters.
const MaxLength = 1024

// variable is what an expression calls the object.
const variable = "object"

// libraries is the version of Kubernetes whose libraries are offered. A later one may offer more; what is offered once must stay,
// as stored expressions use it.
var libraries = version.MajorMinor(1, 37)

// Result is what an expression comes to.
type Result uint8

const (
	// False means that it is false.
	False Result = iota
	// True means that it is true.
	True
	// Failed means that it could not be evaluated: a field that it reads is missing, a value has another type, or it
	// took too much.
	Failed
)

// Expression is a compiled expression. It can be evaluated by several goroutines at once.
type Expression struct {
	text    string
	program program
	// absent is what it comes to where the object does not exist.
	absent Result
}

// language is what expressions are compiled with. In bare, nothing is a macro, so that what somebody has written is seen as it is.
type language struct {
	full, bare *cel.Env
	// dispatcher has the implementations of all functions of full.
	dispatcher interpreter.Dispatcher
}

// languageOnce makes it, some megabytes, when the first expression is compiled.
var languageOnce = sync.OnceValues(func() (*language, error) {
	set, err := environment.MustBaseEnvSet(libraries).Extend(environment.VersionedOptions{
		IntroducedVersion: version.MajorMinor(1, 0),
		EnvOptions:        []cel.EnvOption{cel.Variable(variable, cel.DynType), cel.CustomTypeAdapter(adapter{})},
	})
	if err != nil {
		return nil, fmt.Errorf("make the environment: %w", err)
	}
	full := set.NewExpressionsEnv()
	bare, err := full.Extend(cel.ClearMacros())
	if err != nil {
		return nil, fmt.Errorf("make the environment without macros: %w", err)
	}
	dispatcher := interpreter.NewDispatcher()
	for _, function := range full.Functions() {
		bindings, err := function.Bindings()
		if err != nil {
			return nil, fmt.Errorf("find the functions: %w", err)
		}
		if err := dispatcher.Add(bindings...); err != nil {
			return nil, fmt.Errorf("find the functions: %w", err)
		}
	}
	return &language{full, bare, dispatcher}, nil
})

// Compile compiles an expression, or says what is wrong with it. The same expression is compiled once, for as long as
// somebody holds it.
func Compile(text string) (*Expression, error) {
	return compiled.get(text, compile)
}

func compile(text string) (e *Expression, err error) {
	defer func() {
		if recover() != nil { // a library that panics takes nobody's ChangeTriggeredJob with it
			e, err = nil, errors.New("cannot be compiled")
		}
	}()
	if text == "" {
		return nil, errors.New("must not be empty")
	}
	if count := utf8.RuneCountInString(text); count > MaxLength {
		return nil, fmt.Errorf("must have at most %d characters, not %d", MaxLength, count)
	}
	l, err := languageOnce()
	if err != nil {
		return nil, err
	}
	// Macros that are not offered, deep literals and large patterns are refused before they cost anything: some of them take minutes and
	// gigabytes to be compiled.
	written, issues := l.bare.Parse(text)
	if issues.Err() != nil {
		return nil, errors.New(oneLine(issues))
	}
	if err := checkWritten(written, l.full.Macros()); err != nil {
		return nil, err
	}
	checked, issues := l.full.Compile(text)
	if issues.Err() != nil {
		return nil, errors.New(oneLine(issues))
	}
	if err := checkCalls(checked); err != nil {
		return nil, err
	}
	if output := checked.OutputType(); !output.IsExactType(cel.BoolType) {
		hint := ""
		if output.IsExactType(cel.DynType) {
			hint = "; compare it, as in … == true"
		}
		return nil, fmt.Errorf("must be a bool, not %s%s", output, hint)
	}
	program, err := plan(l, checked)
	if err != nil {
		return nil, fmt.Errorf("cannot be evaluated: %w", err)
	}
	e = &Expression{text: text, program: program}
	e.absent = e.evaluate(nil)
	return e, nil
}

// oneLine is what the compiler says, without the lines that show the expression again.
func oneLine(issues *cel.Issues) string {
	var parts []string
	for _, e := range issues.Errors() {
		// Columns are counted from 0.
		parts = append(parts, fmt.Sprintf("%s (line %d, column %d)", strings.Join(strings.Fields(e.Message), " "), e.Location.Line(), e.Location.Column()+1))
		if len(parts) == 3 {
			break
		}
	}
	return strings.Join(parts, "; ")
}

// String returns the expression as it was written.
func (e *Expression) String() string { return e.text }

// Evaluate returns what the expression comes to for an object of a kind, given as JSON; nil is one that does not exist, which is null.
func (e *Expression) Evaluate(object []byte, kind schema.GroupVersionKind) Result {
	return e.EvaluateFor(Decode(object, kind))
}

// EvaluateFor is Evaluate for an object that has been decoded. What an expression comes to where there is none is known since it was
// compiled, and costs nothing.
func (e *Expression) EvaluateFor(object Object) Result {
	if !object.exists {
		return e.absent
	}
	if object.fields == nil {
		return Failed
	}
	return e.evaluate(object.fields)
}

// evaluate takes the fields of an object, or nil for null.
func (e *Expression) evaluate(value any) (result Result) {
	defer func() {
		if recover() != nil { // it would take too much; and a library that panics takes nobody else's watch with it
			result = Failed
		}
	}()
	switch out, _ := e.program(value); out {
	case types.True:
		return True
	case types.False:
		return False
	default:
		return Failed
	}
}
