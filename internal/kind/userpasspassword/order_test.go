package userpasspassword

import (
	"context"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation"
	"rollcall/internal/rotation/recheck"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/setup"
)

// reader is a thief who reads the place where the new value is left. Its
// Activate looks what he could do at the moment of the write.
type reader struct {
	*ownmount.Store
	t      *testing.T
	c      credential.Credential
	stolen credential.Secret
	tokens []*vaultapi.Client
	wrote  int
	crash  string // where the process dies, once
}

func (s *reader) Activate(ctx context.Context, p credential.Path, from vault.Live, value credential.Secret, owner string) (vault.Live, error) {
	if s.crash == "before" {
		s.crash = ""
		panic("killed before activation")
	}
	s.wrote++
	for _, token := range s.tokens {
		require.False(s.t, alive(s.t, token), "a token of the stolen password could read the new one")
	}
	_, err := tryLogin(s.t, s.c.Name, s.stolen)
	require.Error(s.t, err, "the stolen password could still mint a token that reads the new one")
	live, err := s.Store.Activate(ctx, p, from, value, owner)
	if s.crash == "after" {
		s.crash = ""
		panic("killed after activation")
	}
	return live, err
}

func TestAStolenPasswordIsDeadBeforeTheNewOneIsWrittenWhereItReads(t *testing.T) {
	store := openStore(t)
	for _, row := range []struct {
		name, crash string
		known       bool // Vault's KV holds the password in force
		want        protocol.Proof
	}{
		{"at once", "", true, protocol.ProofBind},
		{"killed before it was written", "before", true, protocol.ProofBind},
		{"killed after it was written", "after", true, protocol.ProofBind},
		{"its password was never in Vault", "", false, protocol.ProofRevoked},
		{"that, and killed", "before", false, protocol.ProofRevoked},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, old := newUser(t, map[string]any{"token_policies": "reads-device"})
			c.Paths = []credential.Path{{Mount: "rollcall", Path: "device/" + c.Name, Field: "password"}}
			c.Named, c.Adopted = c.Paths, !row.known
			if row.known {
				_, err := store.Activate(t.Context(), c.Paths[0], vault.Live{}, old, "")
				require.NoError(t, err)
			}
			thief := []*vaultapi.Client{login(t, c.Name, old), login(t, strings.ToUpper(c.Name), old)}
			r := &reader{store, t, c, old, thief, 0, row.crash}
			rotator := func() *rotation.Rotator { // of a new process each
				return &rotation.Rotator{Store: r, Authority: New(server.Client(), "vault", config.PasswordPolicy{}, nil), Campaign: c.Name, Pass: 1, Now: time.Now}
			}
			p := rotator().Prepare(t.Context(), c)
			require.Nil(t, p.Stop)
			if row.crash != "" {
				require.Panics(t, func() { rotator().Apply(t.Context(), c, p.Attempt, p.Fresh) })
				require.False(t, alive(t, thief[0]))
				staged, found, err := store.ReadStaged(t.Context(), c.ID)
				require.NoError(t, err)
				require.True(t, found)
				login(t, c.Name, staged.Secret)
			}
			a := rotator().Apply(t.Context(), c, p.Attempt, p.Fresh && row.crash == "")
			require.True(t, a.Dead(), "%+v", a.Stop)
			require.Equal(t, row.want, a.Proof)
			require.Len(t, a.Evidence, 1)
			require.Equal(t, !row.known, a.Evidence[0].OnlyOne)
			require.Equal(t, 1, r.wrote)
			live, err := store.ReadLive(t.Context(), c.Paths[0], 0)
			require.NoError(t, err)
			login(t, c.Name, live.Value)
			lost, err := rotator().Clean(t.Context(), c, a.ToClean())
			require.NoError(t, err)
			require.Nil(t, lost)

			// The look at the end goes by the value that was activated: there
			// is no mark.
			proved := []recheck.Proved{{Credential: c, To: a.To, Written: a.Written}}
			require.Equal(t, []recheck.Looked{{}}, rotator().Recheck(t.Context(), proved))
			if row.crash != "" {
				return
			}
			admin(t, "auth/userpass/users/"+c.Name+"/password", map[string]any{"password": "somebody's"})
			require.Equal(t, protocol.ReasonChangedSince, rotator().Recheck(t.Context(), proved)[0].Stop.Reason)
			lock(t, c)
			require.Equal(t, credential.FindingLockedSince, rotator().Recheck(t.Context(), proved)[0].Finding)
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
