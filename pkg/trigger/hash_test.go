package trigger

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestComparable(t *testing.T) {
	for sentence, c := range map[string]struct {
		a, b string
		want bool
	}{
		"two sums of one key can be compared":                                         {"k:1", "k:2", true},
		"sums of two keys cannot":                                                     {"k:1", "l:1", false},
		"the same string is the same state, whoever wrote it":                         {"abc", "abc", true},
		"a sum without an id cannot be compared with a keyed one":                     {"abc", "k:1", false},
		"nor with another sum without an id":                                          {"abc", "abd", false},
		"what is absent differs from a sum of any key":                                {Absent, "l:1", true},
		"a sum without an id may stand for what is absent":                            {"abc", Absent, false},
		"what is unknown differs from a sum":                                          {Unknown, "k:1", true},
		"what is unknown differs from what is absent, and even from a sum without id": {Unknown, "abc", true},
	} {
		t.Run(sentence, func(t *testing.T) {
			assert.Equal(t, c.want, canCompare(c.a, c.b))
			assert.Equal(t, c.want, canCompare(c.b, c.a))
		})
	}
}

func TestMadeWith(t *testing.T) {
	assert.True(t, madeWith("k", "k:1"))
	assert.True(t, madeWith("k", Absent), "absent is the same under any key")
	for _, hash := range []string{"l:1", "1", "", Unknown} {
		assert.False(t, madeWith("k", hash), hash)
	}
}
