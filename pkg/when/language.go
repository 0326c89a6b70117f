package when

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/overloads"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/parser"
)

// An expression looks at an object, and makes nothing of its own.
//
// CEL's limit of what an evaluation may cost is not enough for one that anybody may write and that whoever reads the watch evaluates: it
// charges for a call when that has run, and for what a call makes by what it was given. A few words would make a text of gigabytes, or
// a list that holds itself a billion times over, and compare it. So what makes texts, lists and maps is left out, which a
// condition has little use for. Without it no value is larger than the object and the expression let it be, and what remains that takes
// more than a look at each value has its price (price.go).

// callable are the functions that an expression may call, by what the checker calls them.
var callable = slices.Concat(
	[]string{
		operators.Conditional, operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.NotStrictlyFalse,
		operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals,
		operators.Add, operators.Subtract, operators.Multiply, operators.Divide, operators.Modulo, operators.Negate,
		operators.In, operators.Index, operators.OptIndex, operators.OptSelect,
	},
	strings.Fields(`
		or orValue hasValue value optional.none
		size contains startsWith endsWith matches find charAt lowerAscii upperAscii trim substring split
		int uint double string bool bytes dyn type duration timestamp
		getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getHours getMinutes getSeconds getMilliseconds
		isSorted sum min max includes first last
		quantity isQuantity sign isInteger asInteger asApproximateFloat isGreaterThan isLessThan compareTo add sub
		ip isIP ip.isCanonical family isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast
		cidr isCIDR containsIP containsCIDR prefixLength masked
		url isURL getScheme getHost getHostname getPort getEscapedPath getQuery
		semver isSemver major minor patch`),
)

// macros are those that an expression may use. Others write what they are called on several times over, and in a chain each does so with
// all before it.
var macros = []string{operators.Has, operators.All, operators.Exists, operators.ExistsOne, "existsOne", operators.Filter}

// maxNesting is how deep lists and maps that are written out may be nested, and macros with what may be of a list, and how many types may be asked for. To find
// out the type of one takes time with the third power of that. maxMacros is how many macros there may be in all, each of which is written out.
const (
	maxNesting = 8
	maxMacros  = 32
)

// checkWritten says what an expression as it was written, with nothing expanded, uses that it may not. It takes no longer than to read it.
func checkWritten(written *cel.Ast, offered []cel.Macro) error {
	instructions, asked, used := 0, 0, 0
	nested := nestedMacros(ast.NavigateAST(written.NativeRep()))
	return check(written, func(e ast.Expr) string {
		switch e.Kind() {
		case ast.CallKind:
			name := e.AsCall().FunctionName()
			isMacro := slices.ContainsFunc(offered, func(m cel.Macro) bool { return m.Function() == name })
			if slices.Contains(macros, name) {
				used++
			}
			switch {
			case isMacro && !slices.Contains(macros, name):
				return name + " is not offered here, since it makes lists or maps"
			case used > maxMacros:
				return fmt.Sprintf("there may be %d macros at most", maxMacros)
			case nested > maxNesting:
				return fmt.Sprintf("macros, first and last may be nested %d deep at most", maxNesting)
			case name == "type":
				if asked++; asked > maxNesting {
					return fmt.Sprintf("type may be asked for %d times at most", maxNesting)
				}
			case slices.Contains(searches, name):
				pattern, ok := patternOf(e.AsCall())
				if !ok {
					return fmt.Sprintf("the pattern of %s must be written out", name)
				}
				if foldsManyCases(pattern) {
					return "a pattern that ignores case may be of ASCII alone, written as it is"
				}
				if instructions += instructionsOf(pattern); instructions > maxInstructions {
					return "the patterns are too large: repeat less often than {n} says"
				}
			}
		case ast.ListKind, ast.MapKind, ast.StructKind:
			switch depth, constant := nesting(e); {
			case !constant:
				return "a list or map that is written out may hold nothing but constants"
			case !keyed(e):
				return "the keys of a map that is written out must be texts, whole numbers or booleans"
			case depth > maxNesting:
				return fmt.Sprintf("lists and maps that are written out may be nested %d deep at most", maxNesting)
			}
		}
		return ""
	})
}

// nestedMacros is how deep macros are nested, in what they are called on and in what is given to them, with the functions that return what may be of a list.
func nestedMacros(e ast.NavigableExpr) int {
	deepest := 0
	for _, inner := range e.Children() {
		deepest = max(deepest, nestedMacros(inner))
	}
	if e.Kind() == ast.CallKind {
		if name := e.AsCall().FunctionName(); slices.Contains(macros, name) || name == "first" || name == "last" {
			return deepest + 1
		}
	}
	return deepest
}

// checkCalls says what an expression calls that it may not, once it is known what its names mean.
func checkCalls(checked *cel.Ast) error {
	references := checked.NativeRep().ReferenceMap()
	return check(checked, func(e ast.Expr) string {
		if e.Kind() != ast.CallKind {
			return ""
		}
		name, reference := e.AsCall().FunctionName(), references[e.ID()]
		switch {
		case !slices.Contains(callable, name):
			return name + " is not offered here"
		case reference != nil && slices.Equal(reference.OverloadIDs, []string{overloads.AddList}) && !filters(e.AsCall()):
			return "+ of lists is not offered here"
		default:
			return ""
		}
	})
}

// filters says whether a call is what a macro collects with what it filters.
func filters(add ast.CallExpr) bool {
	return add.Args()[0].Kind() == ast.IdentKind && add.Args()[0].AsIdent() == parser.HiddenAccumulatorName
}

// check returns the first of what a function finds wrong with a part of an expression, and where that is.
func check(of *cel.Ast, wrong func(ast.Expr) string) (err error) {
	ast.PreOrderVisit(of.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if err != nil {
			return
		}
		if message := wrong(e); message != "" {
			location := of.NativeRep().SourceInfo().GetStartLocation(e.ID())
			err = fmt.Errorf("%s (line %d, column %d)", message, location.Line(), location.Column()+1)
		}
	}))
	return err
}

// nesting says how deep a literal is, a constant being 0, and whether it holds constants alone.
func nesting(e ast.Expr) (depth int, constant bool) {
	constant = true
	within := func(inner ast.Expr) {
		d, c := nesting(inner)
		depth, constant = max(depth, d), constant && c
	}
	switch e.Kind() {
	case ast.LiteralKind:
		return 0, true
	case ast.ListKind:
		constant = len(e.AsList().OptionalIndices()) == 0
		for _, element := range e.AsList().Elements() {
			within(element)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			constant = constant && !entry.AsMapEntry().IsOptional()
			within(entry.AsMapEntry().Key())
			within(entry.AsMapEntry().Value())
		}
	default:
		return 0, false
	}
	return depth + 1, constant
}

// keyed says whether the keys of a literal, if it is a map, are such that can be compared.
func keyed(e ast.Expr) bool {
	if e.Kind() != ast.MapKind {
		return true
	}
	return !slices.ContainsFunc(e.AsMap().Entries(), func(entry ast.EntryExpr) bool {
		key := entry.AsMapEntry().Key()
		if key.Kind() != ast.LiteralKind {
			return true
		}
		switch key.AsLiteral().(type) {
		case types.String, types.Int, types.Uint, types.Bool:
			return false
		default:
			return true
		}
	})
}
