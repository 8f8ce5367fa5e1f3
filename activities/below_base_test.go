package activities

import (
	"context"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/lab"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// The warning about a database below base says to name it as a directory of its
// own. Then it is one, in this file as in another one; where the two have an
// entry in common they are not two.
func TestADatabaseBelowBaseIsADirectoryOfItsOwn(t *testing.T) {
	g := newGround(t)
	s := g.slapd(lab.SlapdOptions{Branch: true, Accounts: lab.SeedAccounts("user", 1)})
	branch, part := "ou=branch,"+s.BaseDN(), "ou=part,"+s.BaseDN()
	admin, err := s.AdminConn(g.ctx)
	require.NoError(t, err)
	t.Cleanup(func() { _ = admin.Close() })
	for dn, ou := range map[string]string{branch: "branch", part: "part"} {
		a := ldap.NewAddRequest(dn, nil)
		a.Attribute("objectClass", []string{"organizationalUnit"})
		a.Attribute("ou", []string{ou})
		require.NoError(t, admin.Add(a))
	}
	_, err = g.store.Activate(g.ctx, credential.Path{Mount: "rollcall", Path: "branch", Field: "password"}, vault.Live{}, credential.NewSecret(s.BinderPassword), "")
	require.NoError(t, err)
	at := func(base string) config.Directory {
		d := g.directory(base, s.LDAPS())
		d.Bind.DN, d.Bind.Password.Path = s.BinderDN, "branch"
		return d
	}
	require.NoError(t, g.fit(map[string]config.Directory{"corp": at(s.BaseDN()), "branch": at(branch)}))
	require.ErrorContains(t, g.fit(map[string]config.Directory{"corp": at(s.BaseDN()), "part": at(part)}), "corp and part are one")

	shown := func(base string) authority.Identity {
		client, err := directory.Open("corp", at(base), func(context.Context) (credential.Secret, error) { return credential.NewSecret(s.BinderPassword), nil })
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, client.Close()) })
		id, err := client.Identity(g.ctx)
		require.NoError(t, err)
		require.NotEmpty(t, id.Self)
		return id
	}
	outer := ownmount.Shown{}.With(shown(s.BaseDN()))
	require.False(t, outer.Shows(shown(branch)))
	require.True(t, outer.Shows(shown(part)))
}
