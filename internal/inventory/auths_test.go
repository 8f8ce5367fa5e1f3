package inventory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

func TestOtherWaysIntoVaultThatAreNotClosedAreSaid(t *testing.T) {
	servers(t)
	write(t, "sys/auth/people", map[string]any{"type": "userpass"})
	t.Cleanup(func() { require.NoError(t, realVault.Client().Sys().DisableAuth("people")) })
	write(t, "auth/people/users/alice", map[string]any{"password": "x"})
	write(t, "auth/people/users/somebody", map[string]any{"password": "x"})
	l := &lister{c: campaign(), vault: openVault(t, realVault.RootToken().Reveal())}
	roll := &credential.Roll{Credentials: []credential.Credential{
		{ID: "corp/a", Kind: credential.LDAPPassword, Subject: "a", Name: "uid=Alice,ou=people,dc=example,dc=org"},
		{ID: "vault/approle/x", Kind: credential.AppRoleSecretID, Subject: "approle/x", Name: "approle/x"},
	}}
	require.NoError(t, l.otherWays(t.Context(), roll))
	require.Len(t, l.warnings, 1)
	require.Equal(t, credential.FindingOtherWays, l.warnings[0].Code)
	require.Contains(t, l.warnings[0].Detail, "auth/people/ has a user alice")
	require.False(t, l.warnings[0].Code.Incomplete())
}
