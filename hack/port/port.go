// Package port finds ports for programs that are about to be started on this machine.
package port

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports that the kernel gives to nobody by itself: Linux begins at 32768, and a cluster's node ports at 30000. One that it had given could be taken
// before the program listens there, by any connection that is made on the machine meanwhile.
const (
	first = 10_000
	last  = 29_999
)

// Free returns a TCP port of the loopback address on which nobody listens.
func Free() (int, error) {
	var err error
	for range 100 {
		port := first + rand.IntN(last-first+1)
		var listener net.Listener
		if listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, listener.Close()
		}
	}
	return 0, fmt.Errorf("find a free port: %w", err)
}
