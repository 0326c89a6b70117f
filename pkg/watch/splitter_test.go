package watch

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestSplitterTakesOneValueAndLeavesTheRest(t *testing.T) {
	for sentence, c := range map[string]struct{ stream, value, rest string }{
		"an object ends with its bracket":               {`{"a":{"b":[1,2]}}{"c":1}`, `{"a":{"b":[1,2]}}`, `{"c":1}`},
		"an array ends with its bracket":                {`[1,[2]],`, `[1,[2]]`, `,`},
		"brackets in a string count for nothing":        {`{"a":"}]{["} `, `{"a":"}]{["}`, ` `},
		"an escaped quote does not end a string":        {`"a\"b\\",`, `"a\"b\\"`, `,`},
		"a number ends where something else begins":     {`-1.5e3,2`, `-1.5e3`, `,2`},
		"white space before a value is skipped":         {" \n\t\r null}", `null`, `}`},
		"bytes that are no UTF-8 pass":                  {"{\"a\":\"\xff\"}\n", "{\"a\":\"\xff\"}", "\n"},
		"a value may be longer than the reader's piece": {`{"a":"` + strings.Repeat("x", 9000) + `"}!`, `{"a":"` + strings.Repeat("x", 9000) + `"}`, `!`},
		"depth is no limit":                             {strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + "!", strings.Repeat("[", 20000) + strings.Repeat("]", 20000), "!"},
	} {
		t.Run(sentence, func(t *testing.T) {
			for name, reader := range map[string]io.Reader{
				"at once":      strings.NewReader(c.stream),
				"byte by byte": iotest.OneByteReader(strings.NewReader(c.stream)),
			} {
				s := newSplitter(reader)
				value, err := s.value([]byte("before "))
				require.NoError(t, err, name)
				require.Equal(t, "before "+c.value, string(value), name)
				rest, err := io.ReadAll(s.r)
				require.NoError(t, err)
				require.Equal(t, c.rest, string(rest), name)
			}
		})
	}
}

func TestSplitterRefusesWhatHasNoEnd(t *testing.T) {
	for sentence, c := range map[string]struct {
		stream string
		want   error
	}{
		"an object that is cut off": {`{"a":1`, io.ErrUnexpectedEOF},
		"a string that is cut off":  {`"abc`, io.ErrUnexpectedEOF},
		"nothing at all":            {` `, io.ErrUnexpectedEOF},
		"no value":                  {`}`, errNoValue},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := newSplitter(strings.NewReader(c.stream)).value(nil)
			require.ErrorIs(t, err, c.want)
		})
	}
}

func TestSplitterRefusesAValueWithoutMeasure(t *testing.T) {
	endless := io.MultiReader(strings.NewReader(`"`), iotest.DataErrReader(io.LimitReader(repeat('x'), maxValue+1)))
	_, err := newSplitter(endless).value(nil)
	require.ErrorIs(t, err, errTooLarge)
}

type repeat byte

func (r repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

func TestSplitterPassesOnTheReadersError(t *testing.T) {
	broken := errors.New("broken")
	_, err := newSplitter(io.MultiReader(strings.NewReader(`{"a"`), iotest.ErrReader(broken))).value(nil)
	require.ErrorIs(t, err, broken)
}
