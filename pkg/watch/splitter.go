package watch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// maxValue bounds one JSON value, in bytes. The API server itself takes no object above 3 MiB.
const maxValue = 64 << 20

// malformedError says what is wrong with what the API server sent. It holds nothing of it.
type malformedError struct {
	reason string
}

// Error implements error.
func (e *malformedError) Error() string { return "malformed answer: " + e.reason }

var (
	errTooLarge = &malformedError{fmt.Sprintf("a value exceeds %d bytes", maxValue)}
	errNoKey    = &malformedError{"a key expected"}
	errNoList   = &malformedError{"a list without items"}
	errNoValue  = &malformedError{"a value expected"}
)

// splitter cuts a stream of JSON into values without decoding them. It looks at nothing but strings and
// brackets, so that whatever an object contains, however deep or odd, passes as long as its end can be
// found. Its errors hold nothing of the stream.
type splitter struct {
	r *bufio.Reader
}

func newSplitter(r io.Reader) *splitter {
	return &splitter{r: bufio.NewReader(r)}
}

// next returns the first byte of what follows, white space aside, without consuming it.
func (s *splitter) next() (byte, error) {
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return 0, err
		}
		if !isSpace(c) {
			return c, s.r.UnreadByte()
		}
	}
}

// within is next, where the stream may not end.
func (s *splitter) within() (byte, error) {
	c, err := s.next()
	return c, unexpected(err)
}

// take consumes the byte c, which must come next.
func (s *splitter) take(c byte) error {
	got, err := s.within()
	if err != nil {
		return err
	}
	if got != c {
		return &malformedError{fmt.Sprintf("%q expected", c)}
	}
	_, err = s.r.ReadByte()
	return err
}

// members calls each with every key of the object that comes next; each must consume the key's value.
func (s *splitter) members(each func(key string) error) error {
	var buffer []byte
	return s.sequence('{', '}', func() error {
		key, err := s.value(buffer[:0])
		if err != nil {
			return err
		}
		if len(key) < 2 || key[0] != '"' {
			return errNoKey
		}
		buffer = key
		if err := s.take(':'); err != nil {
			return err
		}
		return each(string(key[1 : len(key)-1]))
	})
}

// elements calls each for every element of the array that comes next; each must consume it. It takes null
// for an empty array.
func (s *splitter) elements(each func() error) error {
	c, err := s.within()
	if err != nil {
		return err
	}
	if c == 'n' {
		_, err := s.value(nil)
		return err
	}
	return s.sequence('[', ']', each)
}

func (s *splitter) sequence(first, last byte, each func() error) error {
	if err := s.take(first); err != nil {
		return err
	}
	c, err := s.within()
	if err != nil {
		return err
	}
	if c == last {
		return s.take(last)
	}
	for {
		if err := each(); err != nil {
			return err
		}
		c, err := s.within()
		if err != nil {
			return err
		}
		if c == last {
			return s.take(last)
		}
		if err := s.take(','); err != nil {
			return err
		}
	}
}

// value appends the value that comes next to buffer.
func (s *splitter) value(buffer []byte) ([]byte, error) {
	first, err := s.within()
	if err != nil {
		return buffer, err
	}
	scan := scanScalar
	switch first {
	case '{', '[', '"':
		scan = new(nesting).scan
	case '}', ']', ',', ':':
		return buffer, errNoValue
	}
	for size := 0; ; {
		if _, err := s.r.Peek(1); err != nil {
			return buffer, unexpected(err)
		}
		chunk, err := s.r.Peek(s.r.Buffered())
		if err != nil {
			return buffer, err
		}
		n, complete := scan(chunk)
		if size += n; size > maxValue {
			return buffer, errTooLarge
		}
		buffer = append(buffer, chunk[:n]...)
		if _, err := s.r.Discard(n); err != nil {
			return buffer, err
		}
		if complete {
			return buffer, nil
		}
	}
}

// nesting finds the end of an object, an array or a string.
type nesting struct {
	depth           int
	quoted, escaped bool
}

// scan takes the stream's next bytes and returns how many of them belong to the value, and whether it is
// complete with them.
func (n *nesting) scan(chunk []byte) (int, bool) {
	for i, c := range chunk {
		switch {
		case n.escaped:
			n.escaped = false
			continue
		case n.quoted && c == '\\':
			n.escaped = true
			continue
		case c == '"':
			n.quoted = !n.quoted
		case n.quoted:
			continue
		case c == '{' || c == '[':
			n.depth++
		case c == '}' || c == ']':
			n.depth--
		default:
			continue
		}
		if n.depth == 0 && !n.quoted {
			return i + 1, true
		}
	}
	return len(chunk), false
}

// scanScalar finds the end of a number, true, false or null: it ends where something else begins.
func scanScalar(chunk []byte) (int, bool) {
	for i, c := range chunk {
		if isSpace(c) || c == ',' || c == '}' || c == ']' || c == ':' {
			return i, true
		}
	}
	return len(chunk), false
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t'
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
