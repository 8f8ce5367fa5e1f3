package inventory

import (
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

func TestOtherWaysIntoVaultThatAreNotClosedAreSaid(t *testing.T) {
	servers(t)
	write(t, "sys/auth/people", map[string]any{"type": "userpass"})
	t.Cleanup(func() { require.NoError(t, realVault.Client().Sys().DisableAuth("people")) })
	write(t, "auth/people/users/alice", map[string]any{"password": "x"})
	write(t, "sys/policies/acl/no-users", map[string]any{"policy": `path "sys/auth" { capabilities = ["read"] }`})
	blind, err := realVault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"no-users"}})
	require.NoError(t, err)
	l := &lister{c: campaign(), vault: openVault(t, blind.Auth.ClientToken)}
	users, err := l.everyUser(t.Context())
	require.NoError(t, err)
	require.Empty(t, users)
	roll := &credential.Roll{Credentials: []credential.Credential{
		{ID: "corp/a", Kind: credential.LDAPPassword, Subject: "a", Name: "uid=Alice,ou=people,dc=example,dc=org"},
		{ID: "vault/approle/x", Kind: credential.AppRoleSecretID, Subject: "approle/x", Name: "approle/x"},
	}}
	require.NoError(t, l.otherWays(t.Context(), roll))
	require.Len(t, l.warnings, 1)
	require.Equal(t, credential.FindingVaultHidden, l.warnings[0].Code)
	require.Contains(t, l.warnings[0].Detail, "auth/people: it has users of its own, which this login may not list (auth/people/users)")
	require.True(t, l.warnings[0].Code.Incomplete(), "one of them may read new values: exit code 2")

	l.c.Accept, l.warnings = []config.Accept{{Vault: "auth/people", Reason: "looked at by an administrator"}}, nil
	require.NoError(t, l.otherWays(t.Context(), roll))
	require.Len(t, l.warnings, 1)
	require.Equal(t, credential.FindingAccepted, l.warnings[0].Code)
}
