package when

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
)

// An expression looks at an object, and makes nothing of its own.
//
// CEL's limit of what an evaluation may cost is not enough for one that anybody may write and that whoever reads the watch evaluates: it
// charges for a call when that has run, and for what a call makes by what it was given. A few words would make a text of gigabytes, or
// a list that holds itself a billion times over, and compare it. So what makes texts, lists and maps is left out, which a
// condition has little use for. Without it no value is larger than the object and the expression let it be, and what remains that takes
// more than a look at each value has its bounds (bounds.go).

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
		size contains startsWith endsWith matches find findAll charAt lowerAscii upperAscii trim substring split
		int uint double string bool bytes dyn type duration timestamp
		getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getHours getMinutes getSeconds getMilliseconds
		isSorted sum min max
		quantity isQuantity sign isInteger asInteger asApproximateFloat isGreaterThan isLessThan compareTo add sub
		ip isIP ip.isCanonical family isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast
		cidr isCIDR containsIP containsCIDR prefixLength masked
		url isURL getScheme getHost getHostname getPort getEscapedPath getQuery
		semver isSemver major minor patch`),
)

// macros are those that an expression may use.
var macros = []string{operators.Has, operators.All, operators.Exists, operators.ExistsOne, "existsOne", operators.Filter}

// searches are the functions that take a pattern, as their second argument.
var searches = []string{"matches", "find", "findAll"}

// maxInstructions is how many instructions all patterns of an expression may come to when they are compiled. A pattern takes memory for each while
// the expression is held, and time for each and every character that it is matched with; few that people write have a hundred.
const maxInstructions = 1000

// check says what an expression uses that it may not. It is given as it was written, and as the checker has it, with macros expanded.
func check(written, checked *cel.Ast, offered []cel.Macro) error {
	var wrong error
	refuse := func(of *cel.Ast, at ast.Expr, format string, args ...any) {
		if wrong == nil {
			location := of.NativeRep().SourceInfo().GetStartLocation(at.ID())
			wrong = fmt.Errorf("%s (line %d, column %d)", fmt.Sprintf(format, args...), location.Line(), location.Column()+1)
		}
	}
	visit(written, func(e ast.Expr) {
		switch e.Kind() {
		case ast.CallKind:
			name := e.AsCall().FunctionName()
			isMacro := slices.ContainsFunc(offered, func(m cel.Macro) bool { return m.Function() == name })
			if isMacro && !slices.Contains(macros, name) {
				refuse(written, e, "%s is not offered here, since it makes lists or maps", name)
			}
		case ast.ListKind, ast.MapKind, ast.StructKind:
			if !constant(e) {
				refuse(written, e, "a list or map that is written out may hold nothing but constants")
			}
		}
	})
	instructions := 0
	visit(checked, func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		name := e.AsCall().FunctionName()
		switch {
		case !slices.Contains(callable, name):
			refuse(checked, e, "%s is not offered here", name)
		case slices.Contains(searches, name):
			pattern, ok := patternOf(e.AsCall())
			if !ok {
				refuse(checked, e, "the pattern of %s must be written out", name)
				return
			}
			if instructions += instructionsOf(pattern); instructions > maxInstructions {
				refuse(checked, e, "the patterns are too large: repeat less often than {n} says")
			}
		}
	})
	return wrong
}

// visit calls a function for each part of an expression.
func visit(of *cel.Ast, look func(ast.Expr)) {
	ast.PreOrderVisit(of.NativeRep().Expr(), ast.NewExprVisitor(look))
}

// constant says whether a literal holds constants, or such literals, alone.
func constant(e ast.Expr) bool {
	switch e.Kind() {
	case ast.LiteralKind:
		return true
	case ast.ListKind:
		return len(e.AsList().OptionalIndices()) == 0 && !slices.ContainsFunc(e.AsList().Elements(), func(e ast.Expr) bool { return !constant(e) })
	case ast.MapKind:
		return !slices.ContainsFunc(e.AsMap().Entries(), func(entry ast.EntryExpr) bool {
			m := entry.AsMapEntry()
			return m.IsOptional() || !constant(m.Key()) || !constant(m.Value())
		})
	default:
		return false
	}
}

// patternOf returns the pattern that a call searches for, if it is a constant.
func patternOf(call ast.CallExpr) (string, bool) {
	args := call.Args()
	if call.IsMemberFunction() {
		args = slices.Insert(slices.Clone(args), 0, call.Target())
	}
	if len(args) < 2 || args[1].Kind() != ast.LiteralKind {
		return "", false
	}
	pattern, ok := args[1].AsLiteral().Value().(string)
	return pattern, ok
}

// instructionsOf is how many instructions a pattern comes to; more than any may have where it is none.
func instructionsOf(pattern string) int {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return maxInstructions + 1
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return maxInstructions + 1
	}
	return len(program.Inst)
}
