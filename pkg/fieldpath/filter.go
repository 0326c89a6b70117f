package fieldpath

import "strings"

// operators are gjson's, each before those that it begins with. gjson takes = for ==.
var operators = []string{"==", "!=", "!%", "<=", ">=", "=", "<", ">", "%"}

// filter reads a filter, whose parenthesis at open has been read, and the closing parenthesis. It returns
// the gjson query that finds the first match. With root, the field starts with @, as in JSONPath; else it
// is written as gjson has it.
func (p *parser) filter(open int, root bool) (string, error) {
	field, err := p.field(root)
	if err != nil {
		return "", err
	}
	p.spaces()
	condition, err := p.condition()
	if err != nil {
		return "", err
	}
	p.spaces()
	switch {
	case p.pos == p.end:
		return "", p.failed(open, "( without )")
	case !p.take(")"):
		return "", p.unexpected(")")
	case field == "" && condition == "":
		return "", p.failed(open, "the filter is empty")
	}
	return "#(" + field + condition + ")", nil
}

// field reads what a filter compares, and returns its gjson path; empty for the element itself.
func (p *parser) field(root bool) (string, error) {
	outer := p.keys
	defer func() { p.keys = outer }()
	p.keys = nil
	p.spaces()
	if root {
		if !p.take("@") {
			return "", p.unexpected("@ for the element that the filter looks at")
		}
	} else if p.pos < p.end && strings.IndexByte(filterSyntax, p.expr[p.pos]) < 0 {
		if err := p.fieldKey(p.pos); err != nil {
			return "", err
		}
	}
	for p.at('.') || p.at('[') {
		start := p.pos
		if p.take(".") {
			if err := p.fieldKey(start); err != nil {
				return "", err
			}
			continue
		}
		p.pos++
		if err := p.subscript(start); err != nil {
			return "", err
		}
		if err := p.closing(start); err != nil {
			return "", err
		}
		// gjson trims the field, and would leave half an escape of it.
		if strings.HasSuffix(string(p.keys), " ") {
			return "", p.failed(start, "a key in a filter cannot end with a space")
		}
	}
	return string(p.keys), nil
}

// fieldKey reads a key without quotes in a filter.
func (p *parser) fieldKey(start int) error {
	if err := p.key(filterSyntax); err != nil {
		return err
	}
	if strings.HasSuffix(string(p.keys), " ") {
		return p.failed(start, "a key in a filter cannot end with a space")
	}
	return nil
}

// condition reads an operator and a value, as gjson is to read them; nothing, if a parenthesis comes next.
func (p *parser) condition() (string, error) {
	if p.pos == p.end || p.at(')') {
		return "", nil
	}
	for _, operator := range operators {
		if p.take(operator) {
			p.spaces()
			value, err := p.operand(strings.HasSuffix(operator, "%"))
			return operator + value, err
		}
	}
	return "", p.unexpected("an operator of " + strings.Join(operators, " ") + ", or )")
}

// operand reads the value of a comparison; a pattern must be a text.
func (p *parser) operand(pattern bool) (string, error) {
	start := p.pos
	if p.at('\'') || p.at('"') {
		text, err := p.quoted()
		if err != nil {
			return "", err
		}
		// Quoted or not, gjson takes ~true and the like for conversions.
		if strings.HasPrefix(text, "~") {
			return "", p.failed(start, "a filter cannot compare with a text that starts with ~")
		}
		if pattern && wildcards(text) > maxWildcards {
			return "", p.failed(start, "a pattern can have no more than two *")
		}
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`, nil
	}
	if pattern {
		return "", p.unexpected("a pattern in quotes")
	}
	for p.pos < p.end && (isAlphanumeric(p.expr[p.pos]) || strings.IndexByte("+-.", p.expr[p.pos]) >= 0) {
		p.pos++
	}
	value := p.expr[start:p.pos]
	if value != "true" && value != "false" && !isNumber(value) {
		return "", p.failed(start, "expected a text in quotes, a number, true or false")
	}
	return value, nil
}

// maxWildcards is how many * a pattern may have. With more, the time to find that a text does not match grows
// with the square of its length and worse: minutes, for the largest objects.
const maxWildcards = 2

// wildcards counts the * of a pattern that stand for any characters; several in a row are one.
func wildcards(pattern string) (count int) {
	escaped, run := false, false
	for _, c := range []byte(pattern) {
		wild := c == '*' && !escaped
		if wild && !run {
			count++
		}
		escaped, run = c == '\\' && !escaped, wild
	}
	return count
}

func (p *parser) spaces() {
	for p.at(' ') {
		p.pos++
	}
}

// isNumber reports whether text is a number as JSON has it.
func isNumber(text string) bool {
	d := document{src: text}
	return d.number(0) == len(text)
}
