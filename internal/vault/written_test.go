package vault

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault/vaulttest"
)

func TestWhenAVersionWasWrittenTellsASecretThatWasMadeAnew(t *testing.T) {
	s, p := newClient(t), vaulttest.NewPath()
	vaulttest.SeedLive(t, p, map[string]any{"password": "stolen-1"})
	from, err := s.ReadLive(t.Context(), p, 0)
	require.NoError(t, err)
	now, err := s.Activate(t.Context(), p, from, credential.NewSecret("new-one"), "")
	require.NoError(t, err)
	look := func() (time.Time, bool) {
		t.Helper()
		versions, err := s.Versions(t.Context(), p)
		require.NoError(t, err)
		return versions.At(now.Version)
	}
	at, known := look()
	require.True(t, known && at.Equal(now.Written), "to the nanosecond, as the write said")
	vaulttest.SeedLive(t, p, map[string]any{"password": "by its owner"})
	at, known = look()
	require.True(t, known && at.Equal(now.Written), "a newer version changes nothing")

	require.NoError(t, s.Purge(t.Context(), "test", p.Mount, p.Path))
	at, known = look()
	require.True(t, known && at.IsZero())
	vaulttest.SeedLive(t, p, map[string]any{"password": "anew"})
	at, known = look()
	require.True(t, known && at.IsZero(), "it has fewer versions")
	vaulttest.SeedLive(t, p, map[string]any{"password": "anew"})
	at, known = look()
	require.True(t, known && !at.Equal(now.Written))
	for range 12 {
		vaulttest.SeedLive(t, p, map[string]any{"password": "anew"})
	}
	_, known = look()
	require.False(t, known, "newer ones have driven it out")
}
