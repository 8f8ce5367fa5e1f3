package vault

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault/vaulttest"
)

// What Keeping says is held against what Vault then does with a version.
func TestWhatVaultDoesByItselfIsToldBeforeItIsWritten(t *testing.T) {
	s := newClient(t)
	for i, row := range []struct {
		mount, secret any
		after         time.Duration
		byMount       bool
	}{
		{"0s", nil, 0, false},
		{"0s", "0s", 0, false},
		{"0s", "2h", 2 * time.Hour, false},
		{"1h", nil, time.Hour, true},
		{"1h", "0s", time.Hour, true}, // a secret cannot switch it off
		{"1h", "24h", time.Hour, true},
		{"24h", "1h", time.Hour, true},
		{"-1s", "1h", 0, false}, // switched off for the whole mount
		{"-24h", nil, 0, false},
	} {
		name := "keeping" + string(rune('a'+i))
		vaulttest.KVMount(t, name, map[string]any{"delete_version_after": row.mount, "cas_required": true})
		p := credential.Path{Mount: name, Path: "x", Field: "password"}
		if row.secret != nil {
			_, err := server.Client().Logical().WriteWithContext(t.Context(), name+"/metadata/x", map[string]any{"delete_version_after": row.secret})
			require.NoError(t, err)
		}
		k, err := s.Keeping(t.Context(), p)
		require.NoError(t, err)
		require.Empty(t, k.Unseen)
		require.Equal(t, row.after, k.After, "%v %v", row.mount, row.secret)
		require.Equal(t, row.byMount, k.ByMount, "%v %v", row.mount, row.secret)
		mount, err := s.MountKeeping(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, row.byMount, mount.Deletes())

		// A mount that wants check-and-set gets it with every write.
		live, err := s.Activate(t.Context(), p, Live{}, credential.NewSecret("new"), "")
		require.NoError(t, err)
		require.Equal(t, k.Deletes(), live.Ends, "Vault does it: %v %v", row.mount, row.secret)
	}
	_, err := server.Client().Logical().WriteWithContext(t.Context(), "kv/metadata/"+vaulttest.NewPath().Path, map[string]any{"delete_version_after": "-1s"})
	require.ErrorContains(t, err, "negative", "a secret has no such setting")
}

// Vault takes the larger one of a secret's max_versions and its mount's.
func TestHowManyVersionsAreKeptIsBySecretAndMount(t *testing.T) {
	s := newClient(t)
	for i, row := range []struct {
		mount, secret int
		keeps         bool
	}{{0, 0, true}, {0, 1, false}, {1, 0, false}, {1, 1, false}, {5, 1, true}, {1, 5, true}} {
		name := "versions" + string(rune('a'+i))
		vaulttest.KVMount(t, name, map[string]any{"max_versions": row.mount})
		p := credential.Path{Mount: name, Path: "x", Field: "password"}
		_, err := server.Client().Logical().WriteWithContext(t.Context(), name+"/metadata/x", map[string]any{"max_versions": row.secret})
		require.NoError(t, err)
		k, err := s.Keeping(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, row.keeps, k.KeepsOlder(), "%+v", row)
		for _, value := range []string{"old", "new"} {
			_, err := server.Client().Logical().WriteWithContext(t.Context(), name+"/data/x", map[string]any{"data": map[string]any{"password": value}})
			require.NoError(t, err)
		}
		old, err := s.ReadLive(t.Context(), p, 1)
		require.NoError(t, err)
		require.Equal(t, k.KeepsOlder(), old.Found, "Vault does it: %+v", row)
	}
}
