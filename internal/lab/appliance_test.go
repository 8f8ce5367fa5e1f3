package lab

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestASilentApplianceHasNoRoomAndOneThatAnswersHas(t *testing.T) {
	t.Parallel()
	a, err := StartAppliance("127.0.0.1")
	require.NoError(t, err)
	defer a.Close()
	dial := func(patience time.Duration) error {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", a.Address, a.Port), patience)
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	for range 3 {
		full, err := a.full()
		require.NoError(t, err)
		require.True(t, full, "whatever a dial of its own came to")
		require.Error(t, dial(100*time.Millisecond))
		a.Answer()
		require.NoError(t, dial(time.Minute))
		require.NoError(t, a.Silence())
	}
	a.Close()
	require.Error(t, dial(time.Minute))
}
