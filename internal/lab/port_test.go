package lab

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFreePortIsGivenToOneCallerAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		network string
		free    func() (int, error)
	}{{"tcp", FreePort}, {"udp", freeUDPPort}} {
		given := map[int]bool{}
		for range 500 {
			port, err := c.free()
			require.NoError(t, err)
			require.False(t, given[port], "%s %d again", c.network, port)
			require.Less(t, port, 15000, "neither an engine (engine/ports.go) nor an outgoing connection takes it")
			given[port] = true
			_, err = claimPort(c.network, port)
			require.Error(t, err, "another process sees that it is spoken for")
		}
	}
}
