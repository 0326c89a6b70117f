package trigger

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestEnumerate(t *testing.T) {
	assert.Equal(t, "", enumerate(nil))
	assert.Equal(t, "a, b, c", enumerate([]string{"a", "b", "c"}))
	assert.Equal(t, "a, b, c and 2 more", enumerate([]string{"a", "b", "c", "d", "e"}))
}

func TestShorten(t *testing.T) {
	assert.Equal(t, "short", shorten("short"))
	exact := strings.Repeat("x", maxMessageLength)
	assert.Equal(t, exact, shorten(exact))
	for _, long := range []string{exact + "x", strings.Repeat("é", maxMessageLength)} {
		short := shorten(long)
		assert.LessOrEqual(t, len(short), maxMessageLength)
		assert.Greater(t, len(short), maxMessageLength-8)
		assert.True(t, utf8.ValidString(short))
		assert.True(t, strings.HasSuffix(short, "…"))
	}
	assert.Equal(t, "a\uFFFDb", shorten("a\xff\xfeb"), "what is not text cannot be stored")
}
