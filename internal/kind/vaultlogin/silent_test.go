package vaultlogin

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/kind/ldappassword"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/minted"
)

// What room a server has that does not answer is not known, and Vault may reach
// it: so the write server is asked first whether the value is right.
func (w *world) readsBesideASilentServer(t *testing.T) {
	port, err := lab.FreePort()
	require.NoError(t, err)
	silent := fmt.Sprintf("ldaps://127.0.0.1:%d", port)
	dir, err := directory.Open("corp", config.Directory{
		Driver: config.OpenLDAP, Servers: []string{w.provider.LDAPS(), silent}, Base: w.provider.BaseDN(), CA: w.provider.CA,
		Bind: config.Bind{DN: w.provider.BinderDN, Password: credential.Path{Mount: "kv", Path: "bind", Field: "password"}},
		Set:  "exop", Connections: 2, Timeout: config.Duration(2 * time.Second),
	}, func(context.Context) (credential.Secret, error) {
		return credential.NewSecret(w.provider.BinderPassword), nil
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = dir.Close() })
	au := Around(ldappassword.New(dir, config.PasswordPolicy{Length: 20}, nil), minted.New(w.worker(t), "vault"), "vault").Counting(w.store)
	c, value := w.credential(t)
	c.Logins[0].Servers = []string{w.provider.LDAPS(), silent}
	paths := []string{"rollcall/data/device/x", "rollcall/data/other/x"}
	got, err := au.Reads(t.Context(), c, []credential.Secret{credential.NewSecret("stale"), value}, paths)
	require.NoError(t, err)
	require.Equal(t, paths[:1], got)
	n, err := w.store.WrongLogins(t.Context(), loginID(c.Logins[0]), time.Hour)
	require.NoError(t, err)
	require.Zero(t, n, "what the write server refused was not offered to Vault")

	// Where that server has no room either, nothing is offered.
	c, value = w.credential(t)
	c.Logins[0].Servers = []string{silent}
	for range 2 {
		_, err := w.login("ldap", c.Logins[0].Names[0], credential.NewSecret("guess"))
		require.Error(t, err)
	}
	_, err = au.Reads(t.Context(), c, []credential.Secret{value}, paths)
	require.ErrorIs(t, err, errMayLock)
	a, err := w.bare.Account(t.Context(), w.bare.Servers()[0], c)
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, a.State)
	require.Equal(t, 2, a.Failed)
}
