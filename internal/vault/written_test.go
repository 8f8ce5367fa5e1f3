package vault

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

func TestWhenAVersionWasWrittenTellsASecretThatWasMadeAnew(t *testing.T) {
	s, p := newStore(t), newPath()
	seedLive(t, p, map[string]any{"password": "stolen-1"})
	from, err := s.ReadLive(t.Context(), p, 0)
	require.NoError(t, err)
	now, err := s.Activate(t.Context(), p, from, credential.NewSecret("new-one"), "")
	require.NoError(t, err)
	look := func() (time.Time, bool) {
		t.Helper()
		at, known, err := s.WrittenAt(t.Context(), p, now.Version)
		require.NoError(t, err)
		return at, known
	}
	at, known := look()
	require.True(t, known && at.Equal(now.Written), "to the nanosecond, as the write said")
	seedLive(t, p, map[string]any{"password": "by its owner"})
	at, known = look()
	require.True(t, known && at.Equal(now.Written), "a newer version changes nothing")

	require.NoError(t, s.purge(t.Context(), "test", p.Mount, p.Path))
	at, known = look()
	require.True(t, known && at.IsZero())
	seedLive(t, p, map[string]any{"password": "anew"})
	at, known = look()
	require.True(t, known && at.IsZero(), "it has fewer versions")
	seedLive(t, p, map[string]any{"password": "anew"})
	at, known = look()
	require.True(t, known && !at.Equal(now.Written))
	for range 12 {
		seedLive(t, p, map[string]any{"password": "anew"})
	}
	_, known = look()
	require.False(t, known, "newer ones have driven it out")
}
