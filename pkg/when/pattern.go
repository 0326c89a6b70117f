package when

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
)

// searches are the functions that take a pattern, as their second argument. That which finds all matches is not offered: each may take a look
// at all of the text.
var searches = []string{"matches", "find"}

// maxInstructions is how many instructions all patterns of an expression may come to when they are compiled. A pattern takes memory for each while
// the expression is held, and time for each and every character that it is matched with; few that people write have a hundred.
const maxInstructions = 1000

// ignoresCase is what sets the flag i of a pattern.
var ignoresCase = regexp.MustCompile(`\(\?[A-Za-z-]*i`)

// foldsManyCases says whether a pattern ignores case, and names characters that are not ASCII: from some letter to one of those, a hundred thousand are looked
// at to find which others they may be, each time that the pattern is read, and it may name three hundred such ranges that come to no instructions.
func foldsManyCases(pattern string) bool {
	beyond := strings.ContainsFunc(pattern, func(r rune) bool { return r >= utf8.RuneSelf })
	return ignoresCase.MatchString(pattern) && (beyond || strings.Contains(pattern, `\x`)) // which is any character, by its number
}

// classInstructions is what a class of Unicode counts for that a pattern names: its hundreds of ranges are copied when the pattern is read, whatever
// comes of them.
const classInstructions = 50

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

// constantText returns the text that a part of a program is, if it is a constant.
func constantText(i interpreter.InterpretableV2) (string, bool) {
	constant, ok := i.(interpreter.InterpretableConst)
	if !ok {
		return "", false
	}
	text, ok := constant.Value().(types.String)
	return string(text), ok
}

// instructionsOf is about how many instructions a pattern comes to, without compiling it: what repeats something is compiled to as many copies
// of it. What is no pattern has none; the compiler says so.
func instructionsOf(pattern string) int {
	classes := classInstructions * (strings.Count(pattern, `\p`) + strings.Count(pattern, `\P`))
	if classes > maxInstructions {
		return classes // it is not even read
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0
	}
	return 2 + classes + instructionsIn(parsed)
}

// instructionsIn stays below a limit that products of which do not overflow.
func instructionsIn(re *syntax.Regexp) int {
	count := 0
	for _, sub := range re.Sub {
		count += instructionsIn(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		count = len(re.Rune)
	case syntax.OpCharClass: // of letters it has hundreds of ranges, which take their memory
		count = 1 + len(re.Rune)/16
	case syntax.OpConcat:
	case syntax.OpAlternate:
		count += len(re.Sub) - 1
	case syntax.OpCapture:
		count += 2
	case syntax.OpRepeat:
		if re.Max < 0 {
			count = count*max(re.Min, 1) + 1
		} else {
			count = max(count*re.Max+re.Max-re.Min, 1)
		}
	default:
		count++
	}
	return min(count, 1_000_000)
}

// search returns what a search for a pattern does, as CEL and the library of Kubernetes have it.
func search(name string, pattern *regexp.Regexp) func(args ...ref.Val) ref.Val {
	return func(args ...ref.Val) ref.Val {
		text, ok := args[0].(types.String)
		if !ok {
			return types.MaybeNoSuchOverloadErr(args[0])
		}
		if name == "find" {
			return types.String(pattern.FindString(string(text)))
		}
		return types.Bool(pattern.MatchString(string(text)))
	}
}
