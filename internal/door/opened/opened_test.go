package opened

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/door"
)

func TestEveryTypeOpens(t *testing.T) {
	t.Parallel()
	both := func(yield func(string) bool) {
		maps.Keys(types)(yield)
		maps.Keys(sharing)(yield)
	}
	require.Equal(t, door.Names(), slices.Sorted(both))
	var doors Doors
	for _, name := range door.Names() {
		at := door.Settings{Type: name, Address: "192.0.2.1:" + door.Types[name].Port, TLS: door.Types[name].TLS[0], For: []door.Match{{Account: "a"}}}
		one, err := doors.Open(at)
		require.NoError(t, err, name)
		at.For = nil
		same, err := doors.Open(at)
		require.NoError(t, err, name)
		require.Same(t, one, same, "whose it is makes no other door of it")
	}
	_, err := doors.Open(door.Settings{Type: "telnet"})
	require.ErrorContains(t, err, "no door of type telnet")
}
