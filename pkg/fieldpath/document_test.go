package fieldpath

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// The largest object that an API server takes may be a list of half a million empty texts.
func TestMemoryPerValue(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(node{}), uintptr(32))
}

func TestHugeBuffersAreNotKept(t *testing.T) {
	huge := []byte(`{"a":[` + strings.Repeat(`"",`, maxPooledNodes) + `"` + strings.Repeat("x", maxPooledBytes) + `"]}`)
	d := new(document)
	require.True(t, d.read(huge))
	d.write(0)
	d.release()
	require.LessOrEqual(t, cap(d.nodes), maxPooledNodes)
	require.LessOrEqual(t, cap(d.out), maxPooledBytes)
}
