package setup

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

// The exact paths of its own role outweigh the pattern that denies our roles.
func TestTheWorkersPolicyRotatesItsOwnRoleAndNoOtherOfOurs(t *testing.T) {
	c := vaulttest.NewCampaign()
	c.Vault.RotateLogin = true
	_, err := Run(t.Context(), open(t, c, server.Address(), server.RootToken()), c, nil)
	require.NoError(t, err)
	s := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.WorkerPolicy))
	require.NoError(t, RequireRights(t.Context(), s, vault.WorkerPolicy, c, nil))
	own := "auth/approle/role/" + vault.WorkerPolicy
	_, err = s.API().Logical().ReadWithContext(t.Context(), own)
	require.NoError(t, err)
	_, err = s.API().Logical().WriteWithContext(t.Context(), own, map[string]any{"token_policies": vault.LedgerPolicy})
	denied(t, s.Fail("widen its own role", "", update, err))
	for _, other := range []string{vault.LedgerPolicy, vault.OperatorPolicy} {
		_, err = s.API().Logical().WriteWithContext(t.Context(), "auth/approle/role/"+other+"/custom-secret-id", map[string]any{"secret_id": "mine"})
		denied(t, s.Fail("become another of ours", "", update, err))
		_, err = s.API().Logical().ReadWithContext(t.Context(), "auth/approle/role/"+other+"/role-id")
		denied(t, s.Fail("become another of ours", "", update, err))
	}
}
