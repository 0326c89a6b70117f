package fieldpath

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// What a path may not contain, by the character that shows it.
var refused = map[byte]string{
	'*':  "wildcards in keys are not supported: write [*] for every element, or quote the key as in ['*']",
	'?':  "wildcards in keys are not supported: quote the key as in ['?']",
	'|':  "pipes are not supported",
	',':  "several paths in one are not supported: list them as fields of their own",
	'{':  "multipaths are not supported: braces stand around the whole path or nowhere",
	'}':  "} without {",
	'(':  "( belongs to a filter: [?(…)] or #(…)",
	')':  ") without (",
	']':  "] without [",
	'"':  "quotes belong into brackets: [\"…\"]",
	'\'': "quotes belong into brackets: ['…']",
	'#':  "# stands alone between dots, or before a filter: quote the key as in ['#']",
	' ':  "a key with a space must be quoted as in ['a b']",
}

const (
	dotSyntax    = ".["
	filterSyntax = ".[ )=!<>%"
)

// parser reads a path from left to right.
type parser struct {
	expr string
	// pos is the offset of the next byte to read, end the one behind the last.
	pos, end int
	steps    []step
	// keys is the gjson path of the keys and indexes since the last step.
	keys []byte
}

// parse compiles a path into steps. gjson takes a great deal more for a path than ours may say, so every
// gjson path in the steps is built anew, of escaped keys, indexes and quoted values.
func parse(expr string) ([]step, error) {
	for i, r := range expr {
		if r == utf8.RuneError && !strings.HasPrefix(expr[i:], string(utf8.RuneError)) {
			return nil, &SyntaxError{expr, i, "not valid UTF-8"}
		}
		if unicode.IsControl(r) {
			return nil, &SyntaxError{expr, i, "control characters are not supported"}
		}
	}
	p := &parser{expr: expr, end: len(expr)}
	if p.at('{') {
		if expr[p.end-1] != '}' {
			return nil, p.failed(0, "{ without } at the end: braces stand around the whole path or nowhere")
		}
		p.pos, p.end = p.pos+1, p.end-1
	}
	whole, err := p.root()
	if whole || err != nil {
		return nil, err
	}
	for {
		if err := p.component(); err != nil {
			return nil, err
		}
		switch {
		case p.pos == p.end:
			p.flush()
			return p.steps, nil
		case p.at('['):
		case p.at('.'):
			p.pos++
			if p.pos == p.end {
				return nil, p.failed(p.pos-1, "no key after the dot")
			}
		default:
			return nil, p.unexpected("a dot, or [")
		}
	}
}

// root reads what may stand before the first key, and reports whether the path is the whole object.
func (p *parser) root() (whole bool, err error) {
	start := p.pos
	if p.at('$') && (p.pos+1 == p.end || strings.IndexByte(dotSyntax, p.expr[p.pos+1]) >= 0) {
		p.pos++
		if p.pos == p.end {
			return true, nil
		}
	}
	if p.at('.') {
		p.pos++
		if p.end == start+1 {
			return true, nil
		}
		if p.pos == p.end {
			return false, p.failed(p.pos-1, "no key after the dot")
		}
	}
	if p.pos == p.end {
		return false, p.failed(p.pos, "the path is empty")
	}
	return p.expr[p.pos:p.end] == "*", nil
}

// component reads what stands between two dots, or between brackets.
func (p *parser) component() error {
	switch {
	case p.at('['):
		return p.bracket()
	case p.at('#'):
		return p.hash()
	default:
		return p.key(dotSyntax)
	}
}

// key reads a key without quotes, up to the end or one of the stop characters.
func (p *parser) key(stop string) error {
	start, escaped := p.pos, false
	switch {
	case p.at('.'):
		return p.failed(p.pos, "no key between the dots; there is no search at any depth")
	case p.at('@'):
		return p.failed(p.pos, "modifiers are not supported: quote the key as in ['@x']")
	case p.at('!'):
		return p.failed(p.pos, "literals are not supported: quote the key as in ['!x']")
	}
	var name []byte
	for p.pos < p.end && strings.IndexByte(stop, p.expr[p.pos]) < 0 {
		c := p.expr[p.pos]
		if reason, ok := refused[c]; ok {
			return p.failed(p.pos, reason)
		}
		if c == '\\' {
			escaped = true
			if err := p.escape(); err != nil {
				return err
			}
			c = p.expr[p.pos]
		}
		name = append(name, c)
		p.pos++
	}
	if p.pos == start {
		return p.unexpected("a key")
	}
	p.push(string(name), !escaped)
	return nil
}

// escape reads a backslash, and leaves the position at what it escapes.
func (p *parser) escape() error {
	p.pos++
	if p.pos == p.end {
		return p.failed(p.pos-1, "nothing after the backslash")
	}
	if c := p.expr[p.pos]; c >= utf8.RuneSelf || isAlphanumeric(c) {
		return p.failed(p.pos-1, "a backslash stands before punctuation only")
	}
	return nil
}

// bracket reads [*], [0], ['key'] or [?(filter)].
func (p *parser) bracket() error {
	open := p.pos
	p.pos++
	switch {
	case p.at('*'):
		p.pos++
		p.add(each, "")
	case p.at('?'):
		p.pos++
		if !p.take("(") {
			return p.unexpected("( after [?")
		}
		query, err := p.filter(open+2, true)
		if err != nil {
			return err
		}
		p.add(matches, query+"#")
	default:
		if err := p.subscript(open); err != nil {
			return err
		}
	}
	return p.closing(open)
}

// subscript reads what is between the brackets of [0] or ['key'].
func (p *parser) subscript(open int) error {
	switch {
	case p.pos == p.end:
		return p.failed(open, "[ without ]")
	case p.at('\'') || p.at('"'):
		start := p.pos
		name, err := p.quoted()
		if err != nil {
			return err
		}
		if name == "" {
			return p.failed(start, "the key is empty")
		}
		p.push(name, false)
	case isDigit(p.expr[p.pos]):
		start := p.pos
		for p.pos < p.end && isDigit(p.expr[p.pos]) {
			p.pos++
		}
		index := p.expr[start:p.pos]
		if !isIndex(index) {
			return p.failed(start, "an index has at most nine digits, and no zeros before it")
		}
		p.push(index, true)
	case p.at('-'):
		return p.failed(p.pos, "an index counts from the start of the list")
	default:
		return p.unexpected("an index, * or a filter, or a key in quotes, between the brackets")
	}
	return nil
}

// closing reads the ] of the bracket at open.
func (p *parser) closing(open int) error {
	switch {
	case p.take("]"):
		return nil
	case p.pos == p.end:
		return p.failed(open, "[ without ]")
	case p.at(','):
		return p.failed(p.pos, refused[','])
	case p.at(':'):
		return p.failed(p.pos, "slices are not supported")
	default:
		return p.unexpected("]")
	}
}

// quoted reads a text in single or double quotes.
func (p *parser) quoted() (string, error) {
	open := p.pos
	quote := p.expr[open]
	var text []byte
	for p.pos++; p.pos < p.end; p.pos++ {
		switch p.expr[p.pos] {
		case quote:
			p.pos++
			return string(text), nil
		case '\\':
			if err := p.escape(); err != nil {
				return "", err
			}
		}
		text = append(text, p.expr[p.pos])
	}
	return "", p.failed(open, "the quotes have no end")
}

// hash reads gjson's #, #(filter) or #(filter)#.
func (p *parser) hash() error {
	open := p.pos
	p.pos++
	switch {
	case p.pos == p.end:
		p.add(count, "")
	case p.at('.') || p.at('['):
		p.add(each, "")
	case p.take("("):
		query, err := p.filter(open+1, false)
		if err != nil {
			return err
		}
		if p.take("#") {
			p.add(matches, query+"#")
		} else {
			p.add(first, query)
		}
	default:
		return p.failed(open, refused['#'])
	}
	return nil
}

// push adds a key to the gjson path. A plain key of digits is also an index.
func (p *parser) push(name string, plain bool) {
	if len(p.keys) > 0 {
		p.keys = append(p.keys, '.')
	}
	if !plain || !isIndex(name) {
		p.keys = appendKey(p.keys, name)
	} else {
		p.keys = append(p.keys, name...)
	}
}

// flush ends the gjson path, and makes it a step.
func (p *parser) flush() {
	if len(p.keys) > 0 {
		p.steps = append(p.steps, step{get, string(p.keys)})
		p.keys = nil
	}
}

// add ends the gjson path, and adds another step.
func (p *parser) add(move move, query string) {
	p.flush()
	p.steps = append(p.steps, step{move, query})
}

// at reports whether c is the next byte.
func (p *parser) at(c byte) bool { return p.pos < p.end && p.expr[p.pos] == c }

// take reads text, if it comes next.
func (p *parser) take(text string) bool {
	if !strings.HasPrefix(p.expr[p.pos:p.end], text) {
		return false
	}
	p.pos += len(text)
	return true
}

func (p *parser) failed(position int, reason string) error {
	return &SyntaxError{p.expr, position, reason}
}

func (p *parser) unexpected(wanted string) error { return p.failed(p.pos, "expected "+wanted) }

// appendKey appends a key to a gjson path, so that gjson takes it for nothing but a key.
func appendKey(dst []byte, name string) []byte {
	for i, c := range []byte(name) {
		// Escaped digits make no index.
		if c < utf8.RuneSelf && !isAlphanumeric(c) || i == 0 && isDigit(c) {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return dst
}

// isIndex reports whether a key of a path is also an index of a list.
func isIndex(name string) bool {
	for _, c := range []byte(name) {
		if !isDigit(c) {
			return false
		}
	}
	return name == "0" || name != "" && name[0] != '0' && len(name) <= 9
}

func isAlphanumeric(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
