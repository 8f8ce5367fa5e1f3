package minted

import (
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
)

// By the text of its policies, and where Vault does not show that by asking
// about names that nobody has.
func TestATokenThatMayBeAnotherLoginReachesAll(t *testing.T) {
	root := server.Client()
	for name, hcl := range map[string]string{
		"exact":   `path "auth/corp/people/users/admin/password" { capabilities = ["update"] }`,
		"pattern": `path "auth/corp/people/users/+/password" { capabilities = ["update"] }`,
		"own":     `path "auth/userpass/users/{{identity.entity.aliases.ACCESSOR.name}}/password" { capabilities = ["update"] }`,
		"blind": `path "sys/capabilities*" { capabilities = ["update"] } path "sys/auth" { capabilities = ["read"] }
path "auth/token/accessors" { capabilities = ["list", "sudo"] } path "auth/token/lookup-accessor" { capabilities = ["update"] }`,
	} {
		require.NoError(t, root.Sys().PutPolicy("power-"+name, hcl))
	}
	made, err := root.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"power-blind"}})
	require.NoError(t, err)
	blind := server.Client()
	blind.SetToken(made.Auth.ClientToken)
	const place = "kv/data/x"
	for policy, want := range map[string][]string{
		"power-exact":   {"auth/corp/people/users/admin/password"}, // whose that is its caller knows
		"power-pattern": {place, "auth/corp/people/users/+/password"},
		"role":          {place, "auth/token/create/free"},
		"power-own":     nil,
		"children":      nil,
	} {
		l := user(t, "userpass", policy)
		login(t, "userpass", l.Names[0])
		w := Whose{Mine: l.Minted(""), Own: []string{"auth/userpass/users/" + l.Names[0]}}
		reached, err := New(root, "vault").Reach(t.Context(), w, []string{place})
		require.NoError(t, err)
		require.Equal(t, want, reached, policy)
		if policy == "power-pattern" {
			reached, err = New(blind, "vault").Reach(t.Context(), w, []string{place})
			require.NoError(t, err)
			require.Equal(t, []string{place, "auth/corp/people/users/asked-by-rollcall/password"}, reached)
		}
	}
}
