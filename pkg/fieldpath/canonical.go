package fieldpath

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// write appends the canonical form of node n to d.out, less what does not count in it.
func (d *document) write(n int) {
	switch {
	case d.isObject(n):
		d.out = append(d.out, '{')
		from, to := d.pushMembers(n)
		for i := from; i < to; i++ {
			if i > from {
				d.out = append(d.out, ',')
			}
			d.writeKey(d.order[i])
			d.write(d.order[i])
		}
		d.popMembers(from)
		d.out = append(d.out, '}')
	case d.isArray(n):
		d.out = append(d.out, '[')
		for c := n + 1; c < d.behind(n); c = d.behind(c) {
			if c > n+1 {
				d.out = append(d.out, ',')
			}
			d.write(c)
		}
		d.out = append(d.out, ']')
	case d.nodes[n].foreign:
		d.out = appendCanonical(d.out, d.raw(n))
	default:
		d.out = append(d.out, d.raw(n)...)
	}
}

func (d *document) writeKey(n int) {
	d.out = append(d.out, '"')
	d.out = append(d.out, d.nodes[n].key...)
	d.out = append(d.out, '"', ':')
}

// pushMembers puts the members of n that count on the stack, in canonical order, at d.order[from:to].
func (d *document) pushMembers(n int) (from, to int) {
	from = len(d.order)
	sorted := true
	last := ""
	for c := n + 1; c < d.behind(n); c = d.behind(c) {
		if d.nodes[c].standing != counts {
			continue
		}
		d.order = append(d.order, c)
		key := d.nodes[c].key
		sorted = sorted && last <= key
		last = key
	}
	if !sorted {
		slices.SortFunc(d.order[from:], func(a, b int) int {
			if order := strings.Compare(d.nodes[a].key, d.nodes[b].key); order != 0 {
				return order
			}
			return cmp.Compare(a, b)
		})
	}
	return from, len(d.order)
}

// popMembers takes what pushMembers put on the stack away again.
func (d *document) popMembers(from int) { d.order = d.order[:from] }

// scanString reads the string that starts with the quote at the offset. It returns the offset behind the
// string, or -1 if it has no end or holds what no string may, and whether it may have escapes that the
// canonical form has not.
func scanString(src string, at int) (end int, foreign bool) {
	for at++; at < len(src); at++ {
		switch c := src[at]; {
		case c == '"':
			return at + 1, foreign
		case c < ' ':
			return -1, false
		case c == '\\':
			at++
			if at == len(src) {
				return -1, false
			}
			switch src[at] {
			case '"', '\\', 'b', 'f', 'n', 'r', 't':
			case '/':
				foreign = true
			case 'u':
				if _, ok := hex4(src, at+1); !ok {
					return -1, false
				}
				foreign = true
			default:
				return -1, false
			}
		}
	}
	return -1, false
}

// hex4 reads four hexadecimal digits at the offset.
func hex4(src string, at int) (r rune, ok bool) {
	if at+4 > len(src) {
		return 0, false
	}
	for _, c := range []byte(src[at : at+4]) {
		switch {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// appendCanonical appends the text of a JSON string, which scanString has read, in canonical form: of the
// escapes it keeps those of quotes, backslashes and control characters. Half a surrogate pair becomes
// U+FFFD, as everywhere in Go.
func appendCanonical(dst []byte, text string) []byte {
	for {
		escape := strings.IndexByte(text, '\\')
		if escape < 0 {
			return append(dst, text...)
		}
		dst = append(dst, text[:escape]...)
		text = text[escape:]
		switch text[1] {
		case '/':
			dst = append(dst, '/')
			text = text[2:]
		case 'u':
			r, _ := hex4(text, 2)
			text = text[6:]
			if utf16.IsSurrogate(r) {
				pair := utf8.RuneError
				if strings.HasPrefix(text, `\u`) {
					low, _ := hex4(text, 2)
					pair = utf16.DecodeRune(r, low)
				}
				if r = pair; r != utf8.RuneError {
					text = text[6:]
				}
			}
			dst = appendRune(dst, r)
		default:
			dst = append(dst, text[:2]...)
			text = text[2:]
		}
	}
}

// appendRune appends a character of a string in canonical form.
func appendRune(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	if r < ' ' {
		dst = append(dst, '\\', 'u', '0', '0', '0'+byte(r>>4)) //nolint:gosec // below 0x20
		return strconv.AppendInt(dst, int64(r&0xf), 16)
	}
	return utf8.AppendRune(dst, r)
}
