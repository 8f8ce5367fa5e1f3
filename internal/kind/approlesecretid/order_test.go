package approlesecretid

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/rotation"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/setup"
)

// reader is a thief with a token of the stolen secret-id, which may read the
// place where the new one is left. Its Activate looks what he could do at the
// moment of the write.
type reader struct {
	*ownmount.Store
	t      *testing.T
	c      credential.Credential
	stolen credential.Secret
	token  string
	wrote  int
	crash  bool // the process dies before its first write
}

func (s *reader) Activate(ctx context.Context, p credential.Path, from vault.Live, value credential.Secret, owner string) (vault.Live, error) {
	if s.crash {
		s.crash = false
		panic("killed before activation")
	}
	s.wrote++
	require.False(s.t, alive(s.t, s.token), "a token of the stolen secret-id could read the new one")
	_, err := tryLogin(s.t, s.c, s.stolen)
	require.Error(s.t, err, "the stolen secret-id could still mint a token that reads the new one")
	return s.Store.Activate(ctx, p, from, value, owner)
}

func TestAStolenLoginIsDeadBeforeTheNewOneIsWrittenWhereItReads(t *testing.T) {
	for name, crash := range map[string]bool{"at once": false, "killed between the two": true} {
		t.Run(name, func(t *testing.T) {
			store := openStore(t)
			c, old := newRole(t, map[string]any{"token_policies": "reads-device"})
			c.Paths = []credential.Path{{Mount: "rollcall", Path: "device/" + c.Name, Field: "secret_id"}}
			_, err := store.Activate(t.Context(), c.Paths[0], vault.Live{}, old, "")
			require.NoError(t, err)
			thief := server.Client()
			thief.SetToken(login(t, c, old))
			seen, err := thief.Logical().ReadWithContext(t.Context(), "rollcall/data/"+c.Paths[0].Path)
			require.NoError(t, err)
			require.NotNil(t, seen, "he reads the device's secrets")

			r := &reader{store, t, c, old, thief.Token(), 0, crash}
			rotator := func() *rotation.Rotator {
				return &rotation.Rotator{Store: r, Authority: New(server.Client(), "vault"), Campaign: c.Name, Pass: 1, Now: time.Now}
			}
			p := rotator().Prepare(t.Context(), c)
			require.Nil(t, p.Stop)
			if crash {
				require.Panics(t, func() { rotator().Apply(t.Context(), c, p.Attempt, p.Fresh) })
				require.False(t, alive(t, thief.Token()))
				staged, found, err := store.ReadStaged(t.Context(), c.ID)
				require.NoError(t, err)
				require.True(t, found)
				login(t, c, staged.Secret)
			}
			a := rotator().Apply(t.Context(), c, p.Attempt, p.Fresh && !crash)
			require.True(t, a.Dead(), "%+v", a.Stop)
			require.Equal(t, 1, r.wrote)
			live, err := store.ReadLive(t.Context(), c.Paths[0], 0)
			require.NoError(t, err)
			login(t, c, live.Value)
		})
	}
}

// openStore opens our mount as an administrator.
func openStore(t *testing.T) *ownmount.Store {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	server.UseIn(t, server.RootToken().Reveal())
	spec := &config.Campaign{Vault: config.Vault{Mount: "rollcall", Transit: "rollcall-transit"}}
	store, err := ownmount.Open(t.Context(), ownmount.Settings{Mount: "rollcall", Transit: "rollcall-transit"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	_, err = setup.Run(t.Context(), store, spec, nil)
	require.NoError(t, err)
	require.NoError(t, server.Client().Sys().PutPolicy("reads-device", `path "rollcall/data/device/*" { capabilities = ["read"] }`))
	return store
}
