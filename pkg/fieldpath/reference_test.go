package fieldpath

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The reference says the same as the package by the plainest means: maps of encoding/json, and paths that
// are made rather than parsed.

// refStep is a step of a path.
type refStep struct {
	move move
	// key is a key, or an index where index is set.
	key   string
	index bool
	// field, operator and operand are those of a filter.
	field, operator string
	operand         any
}

// spell writes the path in one of the ways that a user may choose.
func spell(steps []refStep, random *rand.Rand) string {
	if len(steps) == 0 {
		return pick(random, "*", "$", "{.}")
	}
	var b strings.Builder
	dot := func() {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
	}
	for i, s := range steps {
		last := i == len(steps)-1
		switch {
		case s.index && random.Intn(2) == 0:
			b.WriteString("[" + s.key + "]")
		case s.index:
			dot()
			b.WriteString(s.key)
		case s.move == get:
			if plain := plainKey(s.key, random); plain != "" {
				dot()
				b.WriteString(plain)
			} else {
				b.WriteString("[" + quote(s.key, random) + "]")
			}
		case s.move == each && (last || random.Intn(2) == 0):
			b.WriteString("[*]")
		case s.move == each, s.move == count:
			dot()
			b.WriteString("#")
		case s.move == matches && random.Intn(2) == 0:
			b.WriteString("[?(" + s.spellFilter("@", random) + ")]")
		case s.move == matches:
			dot()
			b.WriteString("#(" + s.spellFilter("", random) + ")#")
		default:
			dot()
			b.WriteString("#(" + s.spellFilter("", random) + ")")
		}
	}
	expr := b.String()
	expr = pick(random, "", ".", "$", "$.") + expr
	if strings.HasPrefix(expr, "$") && !strings.HasPrefix(expr, "$.") && !strings.HasPrefix(expr, "$[") {
		expr = "$." + expr[1:]
	}
	if random.Intn(4) == 0 {
		expr = "{" + expr + "}"
	}
	return expr
}

func (s refStep) spellFilter(root string, random *rand.Rand) string {
	field := root
	if s.field != "" {
		plain := plainKey(s.field, random)
		switch {
		case plain == "" || strings.ContainsAny(plain, "=!<>%"):
			field += "[" + quote(s.field, random) + "]"
		case root != "":
			field += "." + plain
		default:
			field += plain
		}
	}
	if s.operator == "" {
		return field
	}
	operand := fmt.Sprint(s.operand)
	if text, ok := s.operand.(string); ok {
		operand = quote(text, random)
	}
	space := pick(random, "", " ")
	return space + field + space + s.operator + space + operand + space
}

// plainKey writes a key without quotes, or returns "" for one that needs them, or is to have them.
func plainKey(key string, random *rand.Rand) string {
	if isIndex(key) || random.Intn(3) == 0 {
		return ""
	}
	var b strings.Builder
	for _, c := range []byte(key) {
		if strings.IndexByte(`.[]{}()*?|#@!,"'\ `, c) >= 0 || c == '$' && b.Len() == 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

func quote(text string, random *rand.Rand) string {
	quotes := pick(random, `'`, `"`)
	return quotes + strings.NewReplacer(`\`, `\\`, quotes, `\`+quotes).Replace(text) + quotes
}

func pick[T any](random *rand.Rand, choices ...T) T { return choices[random.Intn(len(choices))] }

// refDigest is the digest of what the steps select in the object.
func refDigest(object map[string]any, steps []refStep) Digest {
	selection, ok := refSelect(object, nil, steps)
	if !ok {
		return Absent
	}
	return sha256.Sum256([]byte(selection))
}

// refSelect returns the canonical form of what steps select from value, which is found at the given place.
func refSelect(value any, at []string, steps []refStep) (string, bool) {
	if len(steps) == 0 {
		return refCanonical(value, at), !refVoid(value, at)
	}
	s, rest := steps[0], steps[1:]
	members, _ := value.(map[string]any)
	elements, isList := value.([]any)
	var entries []string
	entry := func(place string, value any, key string) {
		if selection, ok := refSelect(value, slices.Concat(at, []string{key}), rest); ok {
			entries = append(entries, place+":"+selection+",")
		}
	}
	switch s.move {
	case get:
		if index, err := strconv.Atoi(s.key); err == nil && isList {
			if s.index && index < len(elements) {
				return refSelect(elements[index], slices.Concat(at, []string{"*"}), rest)
			}
			return "", false
		}
		member, ok := members[s.key]
		if !ok {
			return "", false
		}
		return refSelect(member, slices.Concat(at, []string{s.key}), rest)
	case each:
		for i, element := range elements {
			entry(strconv.Itoa(i), element, "*")
		}
		for _, key := range refKeys(members, at) {
			entry(refString(key), members[key], key)
		}
	case matches:
		place := 0
		for _, element := range elements {
			if s.accepts(element) {
				entry(strconv.Itoa(place), element, "*")
				place++
			}
		}
	case first:
		for _, element := range elements {
			if s.accepts(element) {
				return refSelect(element, slices.Concat(at, []string{"*"}), rest)
			}
		}
	case count:
		return strconv.Itoa(len(elements)), isList
	}
	return "(" + strings.Join(entries, "") + ")", len(entries) > 0
}

// accepts says whether the filter matches an element.
func (s refStep) accepts(element any) bool {
	if s.field != "" {
		members, _ := element.(map[string]any)
		field, ok := members[s.field]
		if !ok {
			return false
		}
		element = field
	}
	if s.operator == "" {
		return true
	}
	operand := fmt.Sprint(s.operand)
	switch value := element.(type) {
	case string:
		if strings.HasSuffix(s.operator, "%") {
			return refLike(value, operand) == (s.operator == "%")
		}
		return refOrder(s.operator, strings.Compare(value, operand))
	case json.Number:
		number, _ := strconv.ParseFloat(value.String(), 64)
		other, _ := strconv.ParseFloat(operand, 64)
		switch {
		case number < other:
			return refOrder(s.operator, -1)
		case number > other:
			return refOrder(s.operator, 1)
		default:
			return refOrder(s.operator, 0)
		}
	case bool:
		switch s.operator {
		case "=", "==":
			return strconv.FormatBool(value) == operand
		case "!=":
			return strconv.FormatBool(value) != operand
		case "<":
			return !value && operand == "true"
		case "<=":
			return !value
		case ">":
			return value && operand == "false"
		case ">=":
			return value
		}
	}
	return false
}

func refOrder(operator string, order int) bool {
	switch operator {
	case "=", "==":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	default:
		return false
	}
}

// refLike matches a text with a pattern that has no characters but letters, * and ?.
func refLike(text, pattern string) bool {
	switch {
	case pattern == "":
		return text == ""
	case pattern[0] == '*':
		return refLike(text, pattern[1:]) || text != "" && refLike(text[1:], pattern)
	case text == "":
		return false
	default:
		return (pattern[0] == '?' || pattern[0] == text[0]) && refLike(text[1:], pattern[1:])
	}
}

var refNobodys = []string{
	"metadata/resourceVersion", "metadata/generation", "metadata/uid", "metadata/creationTimestamp", "metadata/managedFields",
	"metadata/selfLink", "metadata/annotations/kubectl.kubernetes.io\\last-applied-configuration",
	"status/conditions/*/lastHeartbeatTime", "status/conditions/*/lastProbeTime",
}

func refPlace(at []string, key string) string {
	var b strings.Builder
	for _, part := range slices.Concat(at, []string{key}) {
		b.WriteString("/" + strings.ReplaceAll(part, "/", `\`))
	}
	return strings.TrimPrefix(b.String(), "/")
}

// refVoid says whether a value is as if it did not exist.
func refVoid(value any, at []string) bool {
	if len(at) == 1 && (at[0] == "apiVersion" || at[0] == "kind") {
		return true
	}
	if depth := len(at); value == nil && depth >= 2 && at[depth-2] == "metadata" && at[depth-1] == "creationTimestamp" {
		return true
	}
	annotations, ok := value.(map[string]any)
	if !ok || !slices.Equal(at, []string{"metadata", "annotations"}) {
		return false
	}
	for key := range annotations {
		if key != "kubectl.kubernetes.io/last-applied-configuration" {
			return false
		}
	}
	return true
}

// refKeys are the keys that count, sorted by their canonical form.
func refKeys(members map[string]any, at []string) []string {
	var keys []string
	for key, value := range members {
		if !slices.Contains(refNobodys, refPlace(at, key)) && !refVoid(value, slices.Concat(at, []string{key})) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b string) int {
		return strings.Compare(strings.Trim(refString(a), `"`), strings.Trim(refString(b), `"`))
	})
	return keys
}

func refCanonical(value any, at []string) string {
	var parts []string
	switch value := value.(type) {
	case map[string]any:
		for _, key := range refKeys(value, at) {
			parts = append(parts, refString(key)+":"+refCanonical(value[key], slices.Concat(at, []string{key})))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case []any:
		for _, element := range value {
			parts = append(parts, refCanonical(element, slices.Concat(at, []string{"*"})))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case string:
		return refString(value)
	case json.Number:
		return value.String()
	case nil:
		return "null"
	default:
		return fmt.Sprint(value)
	}
}

func refString(text string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		panic(err)
	}
	encoded := strings.TrimSuffix(b.String(), "\n")
	// encoding/json escapes two characters more than JSON demands.
	return strings.NewReplacer(`\\`, `\\`, `\u2028`, "\u2028", `\u2029`, "\u2029").Replace(encoded)
}

// encode writes a value as JSON with keys in any order, spaces anywhere and escapes at random.
func encode(value any, random *rand.Rand) string {
	space := func() string { return pick(random, "", "", "", " ", "\n", "\t", " \r\n ") }
	var parts []string
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			parts = append(parts, space()+encode(key, random)+space()+":"+space()+encode(value[key], random)+space())
		}
		random.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		return "{" + space() + strings.Join(parts, ",") + "}"
	case []any:
		for _, element := range value {
			parts = append(parts, space()+encode(element, random)+space())
		}
		return "[" + space() + strings.Join(parts, ",") + "]"
	case string:
		return encodeString(value, random)
	case json.Number:
		return value.String()
	case nil:
		return "null"
	default:
		return fmt.Sprint(value)
	}
}

func encodeString(text string, random *rand.Rand) string {
	often := pick(random, 1, 8, 1000)
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		short := strings.IndexRune("\"\\/\b\f\n\r\t", r)
		switch {
		case short >= 0 && (random.Intn(2) == 0 || often == 1000 && r != '/'):
			b.WriteByte('\\')
			b.WriteByte(`"\/bfnrt`[short])
		case r >= ' ' && r != '"' && r != '\\' && random.Intn(often) > 0:
			b.WriteRune(r)
		default:
			format := pick(random, `\u%04x`, `\u%04X`)
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, format, unit)
			}
		}
	}
	b.WriteByte('"')
	return b.String()
}

var refAlphabet = []string{
	"metadata", "status", "conditions", "annotations", "generation", "uid", "creationTimestamp", "lastProbeTime", "kind", "apiVersion",
	"kubectl.kubernetes.io/last-applied-configuration", "a", "b", "app.properties", "x*y?", "#", "@this", "!a", "a|b",
	"0", "1", "01", "größe", `it's "q"`, `\`, "{a}", "[0]", "a\n", "$", "a=b<c>%!", "(a)", "~", ":",
}

var refText = rapid.SampledFrom([]string{"", "a", "b", "ab", "1", "true", "é\n", `"`, "{\"a\":1}", "<&>/", "\u2028", "😀", "\x01\\"})

var refScalar = rapid.OneOf(
	rapid.Map(refText, func(text string) any { return text }),
	rapid.SampledFrom([]any{nil, true, false, json.Number("0"), json.Number("1"), json.Number("-1.50"), json.Number("1e3"),
		json.Number("123456789012345678901234567890")}),
)

func drawValue(t *rapid.T, depth int) any {
	kind := rapid.IntRange(0, 9).Draw(t, "kind")
	switch {
	case depth == 0 || kind < 3:
		return refScalar.Draw(t, "scalar")
	case kind < 6:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "elements") {
			list = append(list, drawValue(t, depth-1))
		}
		return list
	default:
		return drawObject(t, depth-1)
	}
}

func drawObject(t *rapid.T, depth int) map[string]any {
	object := map[string]any{}
	for range rapid.IntRange(0, 4).Draw(t, "members") {
		object[rapid.SampledFrom(refAlphabet).Draw(t, "key")] = drawValue(t, depth)
	}
	return object
}

// drawRoot draws an object whose places for what is nobody's change are often filled.
func drawRoot(t *rapid.T) map[string]any {
	object := drawObject(t, 4)
	if rapid.Bool().Draw(t, "with metadata") {
		metadata := drawObject(t, 1)
		if rapid.Bool().Draw(t, "with annotations") {
			metadata["annotations"] = drawObject(t, 0)
		}
		object["metadata"] = metadata
	}
	if rapid.Bool().Draw(t, "with conditions") {
		object["status"] = map[string]any{"conditions": []any{drawObject(t, 1), drawValue(t, 1)}}
	}
	return object
}

// drawSteps draws a path that often leads to something in value.
func drawSteps(t *rapid.T, value any) []refStep {
	var steps []refStep
	for range rapid.IntRange(0, 5).Draw(t, "steps") {
		keys := refAlphabet
		members, isObject := value.(map[string]any)
		if isObject && len(members) > 0 && rapid.IntRange(0, 9).Draw(t, "astray") > 0 {
			keys = slices.Sorted(maps.Keys(members))
		}
		elements, isList := value.([]any)
		choice := rapid.IntRange(0, 9).Draw(t, "step")
		if isObject && choice < 8 || choice < 2 {
			key := rapid.SampledFrom(keys).Draw(t, "key")
			if !strings.ContainsFunc(key, func(r rune) bool { return r < ' ' }) {
				steps = append(steps, refStep{key: key})
				value = members[key]
			}
			continue
		}
		index := 0
		if len(elements) > 0 {
			index = rapid.IntRange(0, len(elements)-1).Draw(t, "index")
		}
		switch choice {
		case 2, 3:
			steps = append(steps, refStep{key: strconv.Itoa(index), index: true})
		case 4, 5, 6, 8:
			steps = append(steps, refStep{move: each})
		case 7:
			steps = append(steps, drawFilter(t, first))
		default:
			steps = append(steps, drawFilter(t, matches))
		}
		if isList && len(elements) > 0 {
			value = elements[index]
		}
		if rapid.IntRange(0, 19).Draw(t, "count") == 0 {
			return append(steps, refStep{move: count})
		}
	}
	return steps
}

func drawFilter(t *rapid.T, move move) refStep {
	s := refStep{move: move}
	if rapid.Bool().Draw(t, "with field") {
		s.field = rapid.SampledFrom(refAlphabet).Filter(func(key string) bool { return key != "a\n" }).Draw(t, "field")
	}
	switch rapid.IntRange(0, 4).Draw(t, "operand") {
	case 0:
		s.operator = rapid.SampledFrom([]string{"%", "!%"}).Draw(t, "operator")
		s.operand = rapid.SampledFrom([]string{"*", "a*", "?", "??", "*b", "", "a"}).Draw(t, "pattern")
	case 1:
		s.operator = rapid.SampledFrom([]string{"=", "==", "!="}).Draw(t, "operator")
		s.operand = rapid.Bool().Draw(t, "truth")
	case 2:
		s.operator = rapid.SampledFrom([]string{"=", "==", "!=", "<", "<=", ">", ">="}).Draw(t, "operator")
		s.operand = rapid.SampledFrom([]json.Number{"0", "1", "-1.5", "1e3", "2"}).Draw(t, "number")
	case 3:
		s.operator = rapid.SampledFrom([]string{"=", "==", "!=", "<", "<=", ">", ">="}).Draw(t, "operator")
		s.operand = refText.Filter(func(text string) bool {
			return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' })
		}).Draw(t, "text")
	default:
		if s.field == "" {
			s.field = "a"
		}
	}
	return s
}

func TestTheReferenceAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		object := drawRoot(t)
		steps := drawSteps(t, object)
		random := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		expr := spell(steps, random)
		path, err := Compile(expr)
		require.NoError(t, err)
		text := encode(object, random)
		require.Equal(t, refDigest(object, steps), path.Digest([]byte(text)), "%s in %s", expr, text)
	})
}
