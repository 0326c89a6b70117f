package port

import (
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAFreePortIsNoneThatTheKernelGives(t *testing.T) {
	for range 100 {
		port, err := Free()
		require.NoError(t, err)
		assert.GreaterOrEqual(t, port, first)
		assert.LessOrEqual(t, port, last)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		require.NoError(t, err)
		require.NoError(t, listener.Close())
	}
}
